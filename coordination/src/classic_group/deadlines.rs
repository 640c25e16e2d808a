//! Time: every deadline of the group, behind one timer.

use std::time::Duration;

use protocol::{ErrorCode, MemberId};

use super::{ClassicGroup, ClassicGroupState};
use crate::effect::{Effect, Effects};
use crate::time::Now;

/// When the join phase ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct JoinPhase {
    pub at: Duration,
    /// Set while the first members of an empty group gather.
    pub initial: Option<InitialDelay>,
}

/// The gathering of the first members (KIP-134).
#[derive(Clone, Copy, Debug)]
pub(super) struct InitialDelay {
    /// How long this stretch is.
    pub delay: Duration,
    /// How much it may still be extended by.
    pub remaining: Duration,
    /// Whether somebody came during this stretch.
    pub member_came: bool,
}

/// What a deadline is for. The order decides between two that fall due at the same time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    PendingMember(MemberId),
    Member(MemberId),
    JoinPhase,
    Sync,
}

impl ClassicGroup {
    /// The timer rang, or some time has passed. Whatever is due happens, in the order in which it
    /// fell due: members unheard of are lost, a join phase ends, members that have not synced are
    /// removed.
    pub fn on_time(&mut self, now: Now, effects: &mut Effects) {
        if self.armed_at.is_some_and(|at| at <= now.monotonic) {
            self.armed_at = None;
        }
        for (_, due) in self.take_due(now) {
            match due {
                Due::PendingMember(member_id) => self.lose_pending(&member_id, now, effects),
                Due::Member(member_id) => self.lose_member(&member_id, now, effects),
                Due::JoinPhase => self.end_join_phase(now, effects),
                Due::Sync => self.lose_unsynced(now, effects),
            }
        }
        if let Some(at) = self.next_deadline() {
            self.arm(at, effects);
        }
        self.debug_assert_invariants();
    }

    /// The client's connection to this broker closed. Unless a request of the member arrives
    /// within `grace`, the member is lost, even if its session would last longer or a request of
    /// it is parked: nobody is there to hear the answer. Static members are expected back, so
    /// nothing happens to them.
    pub fn on_member_disconnected(
        &mut self,
        now: Now,
        member_id: &MemberId,
        grace: Duration,
        effects: &mut Effects,
    ) {
        let at = now.monotonic.saturating_add(grace);
        if let Some(ends) = self.pending_members.get_mut(member_id) {
            *ends = at.min(*ends);
            self.arm(at, effects);
        } else if let Some(member) = self.members.get_mut(member_id)
            && !member.is_static()
        {
            member.disconnect_deadline = Some(at);
            self.arm(at, effects);
        }
        self.debug_assert_invariants();
    }

    /// When something falls due next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let phases = [self.join_phase.map(|phase| phase.at), self.sync_deadline];
        phases
            .into_iter()
            .flatten()
            .chain(self.pending_members.values().copied())
            .chain(self.members.values().filter_map(|member| member.deadline()))
            .min()
    }

    /// Asks for the timer, unless it rings early enough already. Deadlines mostly move away, so
    /// the timer is left where it is and asks again when it rings: a heartbeat arms nothing.
    pub(super) fn arm(&mut self, at: Duration, effects: &mut Effects) {
        if self.armed_at.is_none_or(|armed| at < armed) {
            self.armed_at = Some(at);
            effects.push(Effect::ArmTimer { at });
        }
    }

    /// The member is heard of: its session begins anew, and it is not cut off any more.
    pub(super) fn renew_session(&mut self, member_id: &MemberId, now: Now, effects: &mut Effects) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.disconnect_deadline = None;
        }
        self.begin_session(member_id, now, effects);
    }

    /// The member is answered: its session begins anew. That is no sign that it lives, so one that
    /// is cut off stays so.
    pub(super) fn begin_session(&mut self, member_id: &MemberId, now: Now, effects: &mut Effects) {
        if let Some(member) = self.members.get_mut(member_id) {
            let at = now.monotonic.saturating_add(member.session_timeout);
            member.session_deadline = Some(at);
            self.arm(at, effects);
        }
    }

    /// What is due now. Each is looked at again when its turn comes, because an earlier one may
    /// have changed it.
    fn take_due(&mut self, now: Now) -> Vec<(Duration, Due)> {
        let mut due = Vec::new();
        for (member_id, at) in &self.pending_members {
            due.push((*at, Due::PendingMember(member_id.clone())));
        }
        for member in self.members.values() {
            due.extend(member.deadline().map(|at| (at, Due::Member(member.member_id.clone()))));
        }
        due.extend(self.join_phase.map(|phase| (phase.at, Due::JoinPhase)));
        due.extend(self.sync_deadline.map(|at| (at, Due::Sync)));
        due.retain(|(at, _)| *at <= now.monotonic);
        due.sort();
        due
    }

    fn lose_pending(&mut self, member_id: &MemberId, now: Now, effects: &mut Effects) {
        if self.pending_members.get(member_id).is_some_and(|at| *at <= now.monotonic) {
            self.pending_members.remove(member_id);
            self.complete_join_if_all_joined(now, effects);
        }
    }

    fn lose_member(&mut self, member_id: &MemberId, now: Now, effects: &mut Effects) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        let is_past = |deadline: Option<Duration>| deadline.is_some_and(|at| at <= now.monotonic);
        let is_cut_off = is_past(member.disconnect_deadline);
        if !is_cut_off && !is_past(member.session_deadline) {
            return;
        }
        if member.is_excused() && !is_cut_off {
            // its session begins again with the answer
            member.session_deadline = None;
            return;
        }
        self.remove_member(member_id, ErrorCode::UnknownMemberId, effects);
        self.rebalance_after_removal(now, effects);
    }

    fn end_join_phase(&mut self, now: Now, effects: &mut Effects) {
        match self.join_phase {
            Some(phase) if phase.at <= now.monotonic => match phase.initial {
                Some(initial) => self.end_initial_delay(initial, now, effects),
                None => self.complete_join(now, effects),
            },
            _ => {}
        }
    }

    fn lose_unsynced(&mut self, now: Now, effects: &mut Effects) {
        if self.sync_deadline.is_none_or(|at| at > now.monotonic) {
            return;
        }
        let unsynced: Vec<MemberId> = self.pending_syncs.iter().cloned().collect();
        self.clear_pending_syncs();
        for member_id in &unsynced {
            self.remove_member(member_id, ErrorCode::UnknownMemberId, effects);
        }
        if matches!(self.state, ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable)
        {
            self.prepare_rebalance(now, effects);
        }
    }
}
