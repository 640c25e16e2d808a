//! Static members (KIP-345) that come back: the place is theirs, under a new id.

use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorCode, MemberId};

use super::pending_appends::{Purpose, Replacement};
use super::{ClassicGroup, ClassicGroupState};
use crate::answer::JoinAnswer;
use crate::effect::Effects;
use crate::group_member::{GroupMember, owned, rebalance_timeout};
use crate::record::GroupRecord;
use crate::request::JoinRequest;
use crate::time::Now;

/// The first version whose answer can say that the leader need not assign (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

impl ClassicGroup {
    /// Somebody without an id claims the place of the member `current`, who is fenced. A stable
    /// group goes on as it is once that is durable, unless another protocol would be chosen now.
    pub(super) fn return_static_member(
        &mut self,
        now: Now,
        current: &MemberId,
        request: JoinRequest,
        session_timeout: Duration,
        effects: &mut Effects,
    ) -> Result<(), JoinAnswer> {
        if self.must_put_off_append() {
            let error = ErrorCode::CoordinatorLoadInProgress;
            return Err(JoinAnswer::refused(error, MemberId::new("")));
        }
        self.answer_parked(current, ErrorCode::FencedInstanceId, effects);
        let old_leader = self.leader.clone();
        let Some(old_member) = self.members.get(current).cloned() else {
            return Err(JoinAnswer::refused(ErrorCode::UnknownMemberId, MemberId::new("")));
        };
        let new_member_id = request.candidate_member_id.clone();
        let may_skip_assignment = request.version >= SKIP_ASSIGNMENT_VERSION;
        let ticket = request.ticket;
        self.replace_member(current, returned(&old_member, request, session_timeout));
        self.renew_session(&new_member_id, now, effects);
        self.park_join(&new_member_id, ticket, effects);
        if self.state == ClassicGroupState::Stable && self.select_protocol() == self.protocol_name {
            self.subscribed_topics = self.compute_subscribed_topics();
            let record = GroupRecord::Membership(self.membership(|m| m.assignment.clone()));
            let replacement = Replacement {
                ticket,
                generation: self.generation,
                new_member_id,
                old_member,
                old_leader,
                may_skip_assignment,
            };
            let purpose = Purpose::ReplaceStaticMember(Box::new(replacement));
            self.append(purpose, vec![record], effects);
        } else {
            // before the group is stable the leader may have been told of the old id already, so
            // everybody joins once more
            self.rebalance_or_complete_join(now, effects);
        }
        Ok(())
    }

    /// The return is durable: the member is told, unless a rebalance has begun meanwhile and will
    /// tell it.
    pub(super) fn finish_replacement(
        &mut self,
        replacement: &Replacement,
        now: Now,
        effects: &mut Effects,
    ) {
        if !self.awaits_replacement(replacement) {
            return;
        }
        let member_id = &replacement.new_member_id;
        self.take_join(member_id);
        self.renew_session(member_id, now, effects);
        let mut answer = self.current_generation(member_id);
        if replacement.may_skip_assignment {
            answer.skip_assignment = self.is_leader(member_id);
        } else {
            // told of a leader that is not itself, it will not assign
            let no_one = || MemberId::new("");
            answer.leader = replacement.old_leader.clone().unwrap_or_else(no_one);
            answer.members = Vec::new();
        }
        effects.answer_join(replacement.ticket, answer);
    }

    /// The return could not be made durable: the member is again who it was.
    pub(super) fn revert_replacement(
        &mut self,
        replacement: Replacement,
        error: ErrorCode,
        now: Now,
        effects: &mut Effects,
    ) {
        if !self.awaits_replacement(&replacement) {
            return;
        }
        self.take_join(&replacement.new_member_id);
        let old_member_id = replacement.old_member.member_id.clone();
        self.replace_member(&replacement.new_member_id, replacement.old_member);
        self.subscribed_topics = self.compute_subscribed_topics();
        self.renew_session(&old_member_id, now, effects);
        let answer = JoinAnswer::refused(error, MemberId::new(""));
        effects.answer_join(replacement.ticket, answer);
    }

    fn awaits_replacement(&self, replacement: &Replacement) -> bool {
        self.state == ClassicGroupState::Stable
            && self.generation == replacement.generation
            && self
                .members
                .get(&replacement.new_member_id)
                .is_some_and(|member| member.join_ticket == Some(replacement.ticket))
    }

    /// Puts `member` in the place of `current`, with everything that hangs on the id.
    fn replace_member(&mut self, current: &MemberId, member: GroupMember) {
        let Some(replaced) = self.members.remove(current) else { return };
        self.count_out(&replaced);
        self.count_in(&member);
        if self.is_leader(current) {
            self.leader = Some(member.member_id.clone());
        }
        if self.pending_syncs.remove(current) {
            self.pending_syncs.insert(member.member_id.clone());
        }
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.insert(instance_id.clone(), member.member_id.clone());
        }
        self.members.insert(member.member_id.clone(), member);
    }
}

fn returned(
    old_member: &GroupMember,
    request: JoinRequest,
    session_timeout: Duration,
) -> GroupMember {
    GroupMember {
        member_id: request.candidate_member_id,
        client_id: Arc::clone(&request.client_id),
        client_host: Arc::clone(&request.client_host),
        session_timeout,
        rebalance_timeout: rebalance_timeout(request.rebalance_timeout_ms, session_timeout),
        protocols: owned(&request.protocols),
        is_new: false,
        ..old_member.clone()
    }
}
