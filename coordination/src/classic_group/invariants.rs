//! The invariants C1 to C13, checked at the end of every input in debug builds.

use std::collections::{BTreeMap, BTreeSet};

use super::pending_appends::Purpose;
use super::{ClassicGroup, ClassicGroupState};
use crate::effect::Ticket;
use crate::group_member::GroupMember;

impl ClassicGroup {
    pub(super) fn debug_assert_invariants(&self) {
        if cfg!(debug_assertions) {
            self.assert_membership();
            self.assert_parked();
            self.assert_phases();
            self.assert_counters();
        }
    }

    fn assert_membership(&self) {
        match self.state {
            ClassicGroupState::Empty | ClassicGroupState::Dead => {
                assert!(self.members.is_empty(), "C1: {} with members", self.state);
            }
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                assert!(!self.members.is_empty(), "C1: {} without members", self.state);
                let name = self.protocol_name.as_deref().expect("C6: no protocol");
                let is_known = self.members.values().all(|member| member.supports(name));
                assert!(is_known, "C6: {name} is not known to all");
            }
            ClassicGroupState::PreparingRebalance => {}
        }
        match &self.leader {
            Some(leader) => assert!(self.members.contains_key(leader), "C2: {leader} left"),
            None => assert!(self.members.is_empty(), "C2: no leader"),
        }
        let static_members: BTreeMap<_, _> = self
            .members
            .values()
            .filter_map(|member| {
                member.group_instance_id.clone().map(|id| (id, member.member_id.clone()))
            })
            .collect();
        assert_eq!(static_members, self.static_members, "C3: static members");
        let is_free = |id| !self.members.contains_key(id);
        assert!(self.pending_members.keys().all(is_free), "C9: a pending member has joined");
        let bound = self.settings.pending_members_max;
        assert!(self.pending_members.len() <= bound, "C9: too many pending members");
    }

    fn assert_parked(&self) {
        let mut tickets: BTreeSet<Ticket> = BTreeSet::new();
        let mut park = |ticket: Ticket| assert!(tickets.insert(ticket), "C5: {ticket} twice");
        for member in self.members.values() {
            if let Some(ticket) = member.join_ticket {
                assert!(self.may_park_join(member), "C4: join in {}", self.state);
                park(ticket);
            }
            if let Some(ticket) = member.sync_ticket {
                let is_right = self.state == ClassicGroupState::CompletingRebalance;
                assert!(is_right, "C4: sync in {}", self.state);
                park(ticket);
            }
        }
        for purpose in self.pending_appends.iter() {
            match purpose {
                Purpose::Commit { ticket, .. }
                | Purpose::RemoveOffsets { request: Some((ticket, _)), .. }
                | Purpose::Empty { leave: Some((ticket, _)) }
                | Purpose::RemoveGroup { ticket: Some(ticket) } => park(*ticket),
                Purpose::RemoveOffsets { request: None, .. }
                | Purpose::Empty { leave: None }
                | Purpose::RemoveGroup { ticket: None }
                | Purpose::Assign { .. }
                | Purpose::ReplaceStaticMember(_) => {}
            }
        }
    }

    fn may_park_join(&self, member: &GroupMember) -> bool {
        let waits_for_return = |purpose: &Purpose| match purpose {
            Purpose::ReplaceStaticMember(replacement) => {
                replacement.new_member_id == member.member_id
                    && member.join_ticket == Some(replacement.ticket)
            }
            _ => false,
        };
        match self.state {
            ClassicGroupState::PreparingRebalance => true,
            ClassicGroupState::Stable => self.pending_appends.iter().any(waits_for_return),
            _ => false,
        }
    }

    fn assert_phases(&self) {
        let is_preparing = self.state == ClassicGroupState::PreparingRebalance;
        assert_eq!(self.join_phase.is_some(), is_preparing, "C10: in {}", self.state);
        let is_member = |id| self.members.contains_key(id);
        assert!(self.pending_syncs.iter().all(is_member), "C8: a stranger is to sync");
        let is_pending = !self.pending_syncs.is_empty();
        assert_eq!(self.sync_deadline.is_some(), is_pending, "C8: sync deadline");
        let may_sync = matches!(
            self.state,
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable
        );
        assert!(!is_pending || may_sync, "C8: syncs awaited in {}", self.state);
        for member in self.members.values() {
            let is_parked = member.join_ticket.is_some() || member.sync_ticket.is_some();
            let is_watched = member.session_deadline.is_some() || is_parked;
            assert!(is_watched, "C7: nobody watches {}", member.member_id);
        }
        if let Some(at) = self.next_deadline() {
            let is_armed = self.armed_at.is_some_and(|armed| armed <= at);
            assert!(is_armed, "C11: armed at {:?} for {at:?}", self.armed_at);
        }
    }

    fn assert_counters(&self) {
        let joins = self.members.values().filter(|member| member.join_ticket.is_some()).count();
        assert_eq!(self.joins_parked, joins, "C12: joins parked");
        let bytes: usize = self.members.values().map(GroupMember::size_bytes).sum();
        assert_eq!(self.members_bytes, bytes, "C12: bytes");
        let mut supporters = BTreeMap::new();
        for protocol in self.members.values().flat_map(|member| &member.protocols) {
            *supporters.entry(protocol.name.clone()).or_insert(0usize) += 1;
        }
        assert_eq!(self.supporters, supporters, "C12: supporters");
        if !self.exists && !self.has_resigned {
            let is_bare = self.members.is_empty()
                && self.pending_members.is_empty()
                && self.offsets.is_empty();
            assert!(is_bare, "C13: a group that does not exist has something");
        }
    }
}
