//! The list of members, its counters, and the requests parked with them.

use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorCode, MemberId};

use super::{ClassicGroup, ClassicGroupState};
use crate::answer::{JoinAnswer, SyncAnswer};
use crate::effect::{Effects, Ticket};
use crate::group_member::{GroupMember, MemberProtocol};
use crate::time::Now;

impl ClassicGroup {
    /// Adds a member; the first one leads and gives the group its protocol type.
    pub(super) fn add_member(&mut self, member: GroupMember, protocol_type: &Arc<str>) {
        let member_id = member.member_id.clone();
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::clone(protocol_type));
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.insert(instance_id.clone(), member_id.clone());
        }
        self.pending_members.remove(&member_id);
        self.count_in(&member);
        self.members.insert(member_id, member);
    }

    /// Removes a member; what it has parked is answered with `error`. If it led, another leads.
    pub(super) fn remove_member(
        &mut self,
        member_id: &MemberId,
        error: ErrorCode,
        effects: &mut Effects,
    ) {
        self.answer_parked(member_id, error, effects);
        let Some(member) = self.members.remove(member_id) else { return };
        self.count_out(&member);
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.remove(instance_id);
        }
        self.forget_pending_sync(member_id);
        if self.leader.as_ref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Answers whatever a member has parked with an error.
    pub(super) fn answer_parked(
        &mut self,
        member_id: &MemberId,
        error: ErrorCode,
        effects: &mut Effects,
    ) {
        // whoever is told UNKNOWN_MEMBER_ID must begin without an id
        let answered_id = match error {
            ErrorCode::UnknownMemberId => MemberId::new(""),
            _ => member_id.clone(),
        };
        if let Some(ticket) = self.take_join(member_id) {
            effects.answer_join(ticket, JoinAnswer::refused(error, answered_id));
        }
        if let Some(ticket) = self.take_sync(member_id) {
            effects.answer_sync(ticket, SyncAnswer::refused(error));
        }
    }

    /// Parks a join. A join of the same member that waits already gives way: its client gave up.
    pub(super) fn park_join(
        &mut self,
        member_id: &MemberId,
        ticket: Ticket,
        effects: &mut Effects,
    ) {
        if let Some(displaced) = self.take_join(member_id) {
            let answer = JoinAnswer::refused(ErrorCode::RebalanceInProgress, member_id.clone());
            effects.answer_join(displaced, answer);
        }
        if let Some(member) = self.members.get_mut(member_id) {
            member.join_ticket = Some(ticket);
            self.joins_parked += 1;
        }
    }

    /// Parks a sync; an older one of the same member gives way.
    pub(super) fn park_sync(
        &mut self,
        member_id: &MemberId,
        ticket: Ticket,
        effects: &mut Effects,
    ) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(displaced) = member.sync_ticket.replace(ticket) {
            let answer = SyncAnswer::refused(ErrorCode::RebalanceInProgress);
            effects.answer_sync(displaced, answer);
        }
    }

    pub(super) fn take_join(&mut self, member_id: &MemberId) -> Option<Ticket> {
        let ticket = self.members.get_mut(member_id)?.join_ticket.take()?;
        self.joins_parked -= 1;
        Some(ticket)
    }

    pub(super) fn take_sync(&mut self, member_id: &MemberId) -> Option<Ticket> {
        self.members.get_mut(member_id)?.sync_ticket.take()
    }

    /// Takes over what a member brings with a new join.
    pub(super) fn update_member(
        &mut self,
        member_id: &MemberId,
        protocols: Vec<MemberProtocol>,
        session_timeout: Duration,
        rebalance_timeout: Duration,
    ) {
        self.change_member(member_id, |member| {
            member.protocols = protocols;
            member.session_timeout = session_timeout;
            member.rebalance_timeout = rebalance_timeout;
        });
    }

    /// Changes a member and keeps the counters right. The join parked must stay as it is.
    pub(super) fn change_member(
        &mut self,
        member_id: &MemberId,
        change: impl FnOnce(&mut GroupMember),
    ) {
        let Some(mut member) = self.members.remove(member_id) else { return };
        self.count_out(&member);
        change(&mut member);
        self.count_in(&member);
        self.members.insert(member_id.clone(), member);
    }

    pub(super) fn all_joined(&self) -> bool {
        self.joins_parked == self.members.len() && self.pending_members.is_empty()
    }

    /// The longest that a member asks a rebalance to wait for it.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// The member has synced, or is gone.
    pub(super) fn forget_pending_sync(&mut self, member_id: &MemberId) {
        self.pending_syncs.remove(member_id);
        if self.pending_syncs.is_empty() {
            self.sync_deadline = None;
        }
    }

    pub(super) fn clear_pending_syncs(&mut self) {
        self.pending_syncs.clear();
        self.sync_deadline = None;
    }

    pub(super) fn is_leader(&self, member_id: &MemberId) -> bool {
        self.leader.as_ref() == Some(member_id)
    }

    /// Goes on after somebody was lost.
    pub(super) fn rebalance_after_removal(&mut self, now: Now, effects: &mut Effects) {
        match self.state {
            ClassicGroupState::Stable | ClassicGroupState::CompletingRebalance => {
                self.prepare_rebalance(now, effects);
            }
            ClassicGroupState::PreparingRebalance => {
                self.complete_join_if_all_joined(now, effects);
            }
            ClassicGroupState::Empty | ClassicGroupState::Dead => {}
        }
    }

    pub(super) fn count_in(&mut self, member: &GroupMember) {
        self.members_bytes += member.size_bytes();
        self.joins_parked += usize::from(member.join_ticket.is_some());
        for protocol in &member.protocols {
            *self.supporters.entry(Arc::clone(&protocol.name)).or_default() += 1;
        }
    }

    pub(super) fn count_out(&mut self, member: &GroupMember) {
        self.members_bytes -= member.size_bytes();
        self.joins_parked -= usize::from(member.join_ticket.is_some());
        for protocol in &member.protocols {
            if let Some(count) = self.supporters.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supporters.remove(&protocol.name);
                }
            }
        }
    }
}
