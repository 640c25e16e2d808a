//! The two phases of a rebalance, as far as the join phase goes.

use std::time::Duration;

use bytes::Bytes;
use protocol::{ErrorCode, Generation, MemberId};

use super::deadlines::{InitialDelay, JoinPhase};
use super::pending_appends::Purpose;
use super::{ClassicGroup, ClassicGroupState};
use crate::answer::SyncAnswer;
use crate::effect::Effects;
use crate::group_member::GroupMember;
use crate::record::{GroupRecord, MembershipRecord};
use crate::time::Now;

/// How long a join phase that nobody joined waits at least before it looks again. Only static
/// members that are away can bring that about.
const EMPTY_JOIN_PHASE_MIN: Duration = Duration::from_secs(1);

impl ClassicGroup {
    /// The membership changes: begins a rebalance, or goes on with the one there is.
    pub(super) fn rebalance_or_complete_join(&mut self, now: Now, effects: &mut Effects) {
        match self.state {
            ClassicGroupState::PreparingRebalance => self.complete_join_if_gathered(now, effects),
            ClassicGroupState::Empty
            | ClassicGroupState::CompletingRebalance
            | ClassicGroupState::Stable => self.prepare_rebalance(now, effects),
            ClassicGroupState::Dead => {}
        }
    }

    /// Begins a rebalance. The first one of an empty group waits a little for further members.
    pub(super) fn prepare_rebalance(&mut self, now: Now, effects: &mut Effects) {
        if self.state == ClassicGroupState::CompletingRebalance {
            self.withdraw_assignments(ErrorCode::RebalanceInProgress, now, effects);
        }
        self.clear_pending_syncs();
        let was_empty = self.state == ClassicGroupState::Empty;
        self.enter(ClassicGroupState::PreparingRebalance, now, effects);
        if was_empty {
            let delay = self.settings.initial_rebalance_delay;
            let remaining = self.rebalance_timeout().saturating_sub(delay);
            self.gather(now, delay, remaining, effects);
        } else if self.all_joined() {
            self.complete_join(now, effects);
        } else {
            self.await_joins(now, self.rebalance_timeout(), effects);
        }
    }

    fn gather(&mut self, now: Now, delay: Duration, remaining: Duration, effects: &mut Effects) {
        if delay.is_zero() {
            self.complete_join(now, effects);
            return;
        }
        let initial = InitialDelay { delay, remaining, member_came: false };
        let at = now.monotonic.saturating_add(delay);
        self.join_phase = Some(JoinPhase { at, initial: Some(initial) });
        self.arm(at, effects);
    }

    fn await_joins(&mut self, now: Now, timeout: Duration, effects: &mut Effects) {
        let at = now.monotonic.saturating_add(timeout);
        self.join_phase = Some(JoinPhase { at, initial: None });
        self.arm(at, effects);
    }

    /// A stretch of the initial delay is over: it is extended if somebody came during it.
    pub(super) fn end_initial_delay(
        &mut self,
        initial: InitialDelay,
        now: Now,
        effects: &mut Effects,
    ) {
        if initial.member_came && !initial.remaining.is_zero() {
            let delay = self.settings.initial_rebalance_delay.min(initial.remaining);
            let remaining = initial.remaining.saturating_sub(initial.delay);
            self.gather(now, delay, remaining, effects);
        } else {
            self.complete_join(now, effects);
        }
    }

    /// Ends the join phase if everybody is there, but lets an initial delay run its time.
    pub(super) fn complete_join_if_gathered(&mut self, now: Now, effects: &mut Effects) {
        if self.join_phase.is_some_and(|phase| phase.initial.is_none()) && self.all_joined() {
            self.complete_join(now, effects);
        }
    }

    /// Ends the join phase if everybody that is left is there.
    pub(super) fn complete_join_if_all_joined(&mut self, now: Now, effects: &mut Effects) {
        if self.state == ClassicGroupState::PreparingRebalance && self.all_joined() {
            self.complete_join(now, effects);
        }
    }

    /// Ends the join phase: dynamic members that have not joined are out, a new generation begins.
    /// Static members that are away keep their place until their session ends.
    pub(super) fn complete_join(&mut self, now: Now, effects: &mut Effects) {
        self.join_phase = None;
        let away: Vec<MemberId> = self
            .members
            .values()
            .filter(|member| member.join_ticket.is_none() && !member.is_static())
            .map(|member| member.member_id.clone())
            .collect();
        for member_id in &away {
            self.remove_member(member_id, ErrorCode::UnknownMemberId, effects);
        }
        if self.members.is_empty() {
            self.begin_empty_generation(now, effects);
        } else if self.elect_joined_leader() {
            self.begin_generation(now, effects);
        } else {
            let timeout = self.rebalance_timeout().max(EMPTY_JOIN_PHASE_MIN);
            self.await_joins(now, timeout, effects);
        }
    }

    /// Keeps the leader if it has joined, or makes the first who has the leader; false if nobody
    /// has.
    fn elect_joined_leader(&mut self) -> bool {
        let has_joined =
            |id: &MemberId| self.members.get(id).is_some_and(|m| m.join_ticket.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let joined = self.members.values().find(|member| member.join_ticket.is_some());
        let joined = joined.map(|member| member.member_id.clone());
        let is_elected = joined.is_some();
        self.leader = joined.or_else(|| self.leader.take());
        is_elected
    }

    fn begin_empty_generation(&mut self, now: Now, effects: &mut Effects) {
        self.generation = following(self.generation);
        self.protocol_name = None;
        self.subscribed_topics = self.compute_subscribed_topics();
        self.enter(ClassicGroupState::Empty, now, effects);
        let record = GroupRecord::Membership(self.membership(|_| Bytes::new()));
        self.append(Purpose::Empty { leave: None }, vec![record], effects);
    }

    /// The joins are answered; the syncs are awaited as long as a rebalance may last.
    fn begin_generation(&mut self, now: Now, effects: &mut Effects) {
        self.generation = following(self.generation);
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        self.enter(ClassicGroupState::CompletingRebalance, now, effects);
        let members: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in &members {
            if let Some(ticket) = self.take_join(member_id) {
                effects.answer_join(ticket, self.current_generation(member_id));
            }
            if let Some(member) = self.members.get_mut(member_id) {
                member.is_new = false;
            }
            self.begin_session(member_id, now, effects);
        }
        self.pending_syncs = members.into_iter().collect();
        let at = now.monotonic.saturating_add(self.rebalance_timeout());
        self.sync_deadline = Some(at);
        self.arm(at, effects);
    }

    /// No assignment of this generation counts; who waits for one is told why.
    pub(super) fn withdraw_assignments(
        &mut self,
        error: ErrorCode,
        now: Now,
        effects: &mut Effects,
    ) {
        let members: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in &members {
            self.change_member(member_id, |member| member.assignment = Bytes::new());
            if let Some(ticket) = self.take_sync(member_id) {
                effects.answer_sync(ticket, SyncAnswer::refused(error));
                self.begin_session(member_id, now, effects);
            }
        }
    }

    /// This generation as a record, with the assignments that `assignment` gives.
    pub(super) fn membership(
        &self,
        assignment: impl Fn(&GroupMember) -> Bytes,
    ) -> MembershipRecord {
        let protocol_name = self.protocol_name.as_deref().unwrap_or_default();
        MembershipRecord {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone(),
            state_since: self.state_since,
            members: self
                .members
                .values()
                .map(|member| member.to_record(protocol_name, assignment(member)))
                .collect(),
        }
    }
}

/// The generation after this one; after the last possible one they begin again.
fn following(generation: Generation) -> Generation {
    if generation.value() == i32::MAX { Generation::ZERO } else { generation.next() }
}
