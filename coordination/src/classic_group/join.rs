//! JoinGroup: who may come in, and as whom.

use std::time::Duration;

use protocol::{ErrorCode, MemberId};

use super::{ClassicGroup, ClassicGroupState};
use crate::answer::{JoinAnswer, JoinedMember};
use crate::effect::Effects;
use crate::group_member::{
    GroupInstanceId, GroupMember, owned, protocols_bytes, rebalance_timeout, without_duplicates,
};
use crate::request::JoinRequest;
use crate::settings::GroupSettings;
use crate::time::Now;

/// The first version in which a dynamic member must take an id before it joins (KIP-394), so that
/// a client that retries does not become several members.
const MEMBER_ID_REQUIRED_VERSION: i16 = 4;

impl ClassicGroup {
    /// A JoinGroup request. Its answer may wait until the join phase is over.
    pub fn on_join(&mut self, now: Now, mut request: JoinRequest, effects: &mut Effects) {
        without_duplicates(&mut request.protocols);
        let ticket = request.ticket;
        if let Err(answer) = self.try_join(now, request, effects) {
            effects.answer_join(ticket, answer);
        }
        self.debug_assert_invariants();
    }

    /// An `Err` is the answer to give at once; otherwise the request is parked or answered.
    fn try_join(
        &mut self,
        now: Now,
        request: JoinRequest,
        effects: &mut Effects,
    ) -> Result<(), JoinAnswer> {
        let refused = |error| JoinAnswer::refused(error, request.member_id.clone());
        let session_timeout = self.check_join(&request).map_err(refused)?;
        if !self.has_place_for(&request) {
            self.pending_members.remove(&request.member_id);
            self.remove_member(&request.member_id, ErrorCode::GroupMaxSizeReached, effects);
            self.complete_join_if_gathered(now, effects);
            return Err(JoinAnswer::refused(ErrorCode::GroupMaxSizeReached, MemberId::new("")));
        }
        if !self.supports(&request.protocol_type, &request.protocols) {
            return Err(refused(ErrorCode::InconsistentGroupProtocol));
        }
        if request.member_id.is_empty() {
            self.join_without_id(now, request, session_timeout, effects)
        } else {
            self.join_with_id(now, request, session_timeout, effects)
        }
    }

    /// What can be said without looking at the members; gives the session timeout.
    fn check_join(&self, request: &JoinRequest) -> Result<Duration, ErrorCode> {
        let name = self.group_id.as_str();
        if name.is_empty() || name.len() > GroupSettings::NAME_BYTES_MAX {
            return Err(ErrorCode::InvalidGroupId);
        }
        let session_timeout = self
            .settings
            .session_timeout(request.session_timeout_ms)
            .ok_or(ErrorCode::InvalidSessionTimeout)?;
        if self.is_dead() {
            return Err(self.dead_error());
        }
        if !self.exists && !request.member_id.is_empty() {
            return Err(ErrorCode::UnknownMemberId);
        }
        let bytes = protocols_bytes(&request.protocols);
        if bytes > self.settings.member_metadata_bytes_max || !names_fit(request) {
            return Err(ErrorCode::InvalidRequest);
        }
        Ok(session_timeout)
    }

    /// Whether the group may grow by this member, or has it already. While a rebalance gathers
    /// the members, those that came first keep their place, so that a group above a bound that
    /// was lowered sheds its slowest members.
    fn has_place_for(&self, request: &JoinRequest) -> bool {
        let known_id = if request.member_id.is_empty() {
            request.group_instance_id.as_ref().and_then(|id| self.static_members.get(id))
        } else {
            Some(&request.member_id)
        };
        let member = known_id.and_then(|member_id| self.members.get(member_id));
        let has_place = match self.state {
            ClassicGroupState::Empty | ClassicGroupState::Dead => true,
            ClassicGroupState::PreparingRebalance => {
                member.is_some_and(|member| member.join_ticket.is_some())
                    || self.joins_parked < self.settings.group_size_max
            }
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                member.is_some() || self.members.len() < self.settings.group_size_max
            }
        };
        let others = self.members_bytes - member.map_or(0, GroupMember::size_bytes);
        let bytes = others.saturating_add(size_bytes(request));
        has_place && bytes <= self.settings.group_metadata_bytes_max
    }

    fn join_without_id(
        &mut self,
        now: Now,
        request: JoinRequest,
        session_timeout: Duration,
        effects: &mut Effects,
    ) -> Result<(), JoinAnswer> {
        let candidate = request.candidate_member_id.clone();
        if self.members.contains_key(&candidate) || self.pending_members.contains_key(&candidate) {
            // the caller's ids are not unique; with the next one it may go better
            let error = ErrorCode::CoordinatorNotAvailable;
            return Err(JoinAnswer::refused(error, MemberId::new("")));
        }
        let instance_id = request.group_instance_id.as_ref();
        if let Some(current) = instance_id.and_then(|id| self.static_members.get(id)).cloned() {
            return self.return_static_member(now, &current, request, session_timeout, effects);
        }
        if instance_id.is_none() && request.version >= MEMBER_ID_REQUIRED_VERSION {
            return Err(self.hand_out_member_id(now, candidate, session_timeout, effects));
        }
        self.admit(now, candidate, &request, session_timeout, effects);
        Ok(())
    }

    fn hand_out_member_id(
        &mut self,
        now: Now,
        candidate: MemberId,
        session_timeout: Duration,
        effects: &mut Effects,
    ) -> JoinAnswer {
        if self.pending_members.len() >= self.settings.pending_members_max {
            return JoinAnswer::refused(ErrorCode::GroupMaxSizeReached, MemberId::new(""));
        }
        self.exists = true;
        let ends = now.monotonic.saturating_add(session_timeout);
        self.pending_members.insert(candidate.clone(), ends);
        self.arm(ends, effects);
        JoinAnswer::refused(ErrorCode::MemberIdRequired, candidate)
    }

    fn join_with_id(
        &mut self,
        now: Now,
        request: JoinRequest,
        session_timeout: Duration,
        effects: &mut Effects,
    ) -> Result<(), JoinAnswer> {
        let member_id = request.member_id.clone();
        let refused = |error| JoinAnswer::refused(error, member_id.clone());
        if self.pending_members.contains_key(&member_id) {
            if request.group_instance_id.is_some() {
                // ids are handed out to dynamic members only
                return Err(refused(ErrorCode::InvalidRequest));
            }
            self.admit(now, member_id, &request, session_timeout, effects);
            return Ok(());
        }
        self.check_member(&member_id, request.group_instance_id.as_ref()).map_err(refused)?;
        self.renew_session(&member_id, now, effects);
        let brings_news =
            self.members.get(&member_id).is_none_or(|member| member.protocols != request.protocols);
        let must_rebalance = match self.state {
            ClassicGroupState::PreparingRebalance => true,
            ClassicGroupState::CompletingRebalance => brings_news,
            // a leader joins again when something other than its own metadata changed, such as
            // the number of partitions
            ClassicGroupState::Stable => brings_news || self.is_leader(&member_id),
            ClassicGroupState::Empty | ClassicGroupState::Dead => {
                return Err(refused(ErrorCode::UnknownMemberId));
            }
        };
        if must_rebalance {
            let rebalance = rebalance_timeout(request.rebalance_timeout_ms, session_timeout);
            let protocols = owned(&request.protocols);
            self.update_member(&member_id, protocols, session_timeout, rebalance);
            self.park_join(&member_id, request.ticket, effects);
            self.rebalance_or_complete_join(now, effects);
            Ok(())
        } else {
            // the answer to its join was lost perhaps
            Err(self.current_generation(&member_id))
        }
    }

    /// Lets somebody in for good, and so into a rebalance.
    fn admit(
        &mut self,
        now: Now,
        member_id: MemberId,
        request: &JoinRequest,
        session_timeout: Duration,
        effects: &mut Effects,
    ) {
        self.exists = true;
        if let Some(initial) = self.join_phase.as_mut().and_then(|phase| phase.initial.as_mut()) {
            initial.member_came = true;
        }
        // its session begins with its first answer; until then it may wait this long
        let waits_until = now.monotonic.saturating_add(self.settings.new_member_join_timeout);
        let mut member = GroupMember::joining(member_id.clone(), request, session_timeout);
        member.session_deadline = Some(waits_until);
        self.add_member(member, &request.protocol_type);
        self.arm(waits_until, effects);
        self.park_join(&member_id, request.ticket, effects);
        self.rebalance_or_complete_join(now, effects);
    }

    /// The answer that tells a member of the generation it is in; the leader hears of everybody.
    pub(super) fn current_generation(&self, member_id: &MemberId) -> JoinAnswer {
        JoinAnswer {
            error: ErrorCode::None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_else(|| MemberId::new("")),
            skip_assignment: false,
            member_id: member_id.clone(),
            members: if self.is_leader(member_id) { self.joined_members() } else { Vec::new() },
        }
    }

    fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol_name = self.protocol_name.as_deref().unwrap_or_default();
        self.members
            .values()
            .map(|member| JoinedMember {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                metadata: member.metadata(protocol_name),
            })
            .collect()
    }
}

/// What a member with this request would count for in the group's bound, at least.
fn size_bytes(request: &JoinRequest) -> usize {
    GroupSettings::MEMBER_OVERHEAD_BYTES
        .saturating_add(request.candidate_member_id.as_str().len())
        .saturating_add(request.client_id.len())
        .saturating_add(protocols_bytes(&request.protocols))
}

/// Whether the names can stand in the group's record: a longer one would make the record, and so
/// every rebalance, fail.
fn names_fit(request: &JoinRequest) -> bool {
    let instance_id = request.group_instance_id.as_ref().map_or("", GroupInstanceId::as_str);
    let names = [instance_id, &request.client_id, &request.client_host, &request.protocol_type];
    let protocols = request.protocols.iter().map(|protocol| &*protocol.name);
    names.into_iter().chain(protocols).all(|name| name.len() <= GroupSettings::NAME_BYTES_MAX)
}
