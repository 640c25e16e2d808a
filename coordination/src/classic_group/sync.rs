//! SyncGroup: the leader's assignment, and how everybody gets theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{ErrorCode, Generation, MemberId};

use super::pending_appends::Purpose;
use super::{ClassicGroup, ClassicGroupState};
use crate::answer::SyncAnswer;
use crate::effect::{Effects, Ticket};
use crate::record::GroupRecord;
use crate::request::SyncRequest;
use crate::time::Now;

/// The first version in which protocol type and name must be given (KIP-559).
const PROTOCOL_REQUIRED_VERSION: i16 = 5;

impl ClassicGroup {
    /// A SyncGroup request. Its answer waits until the leader's assignment is durable.
    pub fn on_sync(&mut self, now: Now, request: SyncRequest, effects: &mut Effects) {
        let ticket = request.ticket;
        if let Err(error) = self.try_sync(now, request, effects) {
            effects.answer_sync(ticket, SyncAnswer::refused(error));
        }
        self.debug_assert_invariants();
    }

    fn try_sync(
        &mut self,
        now: Now,
        request: SyncRequest,
        effects: &mut Effects,
    ) -> Result<(), ErrorCode> {
        self.check_sync(&request)?;
        let member_id = request.member_id;
        self.renew_session(&member_id, now, effects);
        match self.state {
            ClassicGroupState::Empty | ClassicGroupState::Dead => Err(ErrorCode::UnknownMemberId),
            ClassicGroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            ClassicGroupState::CompletingRebalance => {
                self.forget_pending_sync(&member_id);
                self.park_sync(&member_id, request.ticket, effects);
                if self.is_leader(&member_id) && !self.is_assigning() {
                    self.begin_assignment(now, request.assignments, effects);
                }
                Ok(())
            }
            ClassicGroupState::Stable => {
                self.forget_pending_sync(&member_id);
                self.answer_with_assignment(&member_id, request.ticket, effects);
                Ok(())
            }
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), ErrorCode> {
        let (protocol_type, protocol_name) = (&request.protocol_type, &request.protocol_name);
        if self.group_id.as_str().is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let is_complete = protocol_type.is_some() && protocol_name.is_some();
        if request.version >= PROTOCOL_REQUIRED_VERSION && !is_complete {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.is_dead() {
            return Err(self.dead_error());
        }
        self.check_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if contradicts(protocol_type.as_ref(), self.protocol_type.as_ref())
            || contradicts(protocol_name.as_ref(), self.protocol_name.as_ref())
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// Whether an assignment of this generation is on its way to the disk.
    fn is_assigning(&self) -> bool {
        self.pending_appends.iter().any(|purpose| {
            matches!(purpose, Purpose::Assign { generation, .. } if *generation == self.generation)
        })
    }

    /// Writes the leader's assignment. Members that it forgot get nothing; strangers are ignored.
    fn begin_assignment(
        &mut self,
        now: Now,
        assignments: Vec<(MemberId, Bytes)>,
        effects: &mut Effects,
    ) {
        let assignments: BTreeMap<MemberId, Bytes> = assignments
            .into_iter()
            .filter(|(member_id, _)| self.members.contains_key(member_id))
            // in memory of its own: a slice would keep the whole request alive
            .map(|(member_id, assignment)| (member_id, Bytes::copy_from_slice(&assignment)))
            .collect();
        let assigned_bytes: usize = assignments.values().map(Bytes::len).sum();
        let held_bytes: usize = self.members.values().map(|member| member.assignment.len()).sum();
        if (self.members_bytes - held_bytes).saturating_add(assigned_bytes)
            > self.settings.group_metadata_bytes_max
        {
            let generation = self.generation;
            self.fail_assignment(generation, ErrorCode::UnknownServerError, now, effects);
            return;
        }
        let membership = self
            .membership(|member| assignments.get(&member.member_id).cloned().unwrap_or_default());
        let purpose = Purpose::Assign { generation: self.generation, assignments };
        self.append(purpose, vec![GroupRecord::Membership(membership)], effects);
    }

    /// The assignment is durable: who waits gets it, and the group is stable. An assignment of a
    /// generation that is over changes nothing.
    pub(super) fn finish_assignment(
        &mut self,
        generation: Generation,
        mut assignments: BTreeMap<MemberId, Bytes>,
        now: Now,
        effects: &mut Effects,
    ) {
        if !self.is_completing(generation) {
            return;
        }
        let members: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in &members {
            let assignment = assignments.remove(member_id).unwrap_or_default();
            self.change_member(member_id, |member| member.assignment = assignment);
            if let Some(ticket) = self.take_sync(member_id) {
                self.answer_with_assignment(member_id, ticket, effects);
                self.begin_session(member_id, now, effects);
            }
        }
        self.enter(ClassicGroupState::Stable, now, effects);
    }

    /// The assignment could not be made durable: everybody is told and joins again.
    pub(super) fn fail_assignment(
        &mut self,
        generation: Generation,
        error: ErrorCode,
        now: Now,
        effects: &mut Effects,
    ) {
        if self.is_completing(generation) {
            self.withdraw_assignments(error, now, effects);
            self.prepare_rebalance(now, effects);
        }
    }

    fn is_completing(&self, generation: Generation) -> bool {
        self.state == ClassicGroupState::CompletingRebalance && self.generation == generation
    }

    fn answer_with_assignment(&self, member_id: &MemberId, ticket: Ticket, effects: &mut Effects) {
        let assignment = self.members.get(member_id).map(|member| member.assignment.clone());
        let answer = SyncAnswer {
            error: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: assignment.unwrap_or_default(),
        };
        effects.answer_sync(ticket, answer);
    }
}

/// Whether both are known and differ.
fn contradicts(said: Option<&Arc<str>>, known: Option<&Arc<str>>) -> bool {
    said.zip(known).is_some_and(|(said, known)| said != known)
}
