//! LeaveGroup: members go, by themselves or sent by an operator.

use protocol::{ErrorCode, MemberId};

use super::{ClassicGroup, ClassicGroupState};
use crate::answer::{LeaveAnswer, MemberLeft};
use crate::effect::{Effect, Effects};
use crate::request::{LeaveRequest, LeavingMember};
use crate::time::Now;

impl ClassicGroup {
    /// A LeaveGroup request. Its answer waits if the group is empty now, until that is durable.
    pub fn on_leave(&mut self, now: Now, request: LeaveRequest, effects: &mut Effects) {
        match self.try_leave(now, &request, effects) {
            Ok(()) => {}
            Err(error) => {
                let answer = LeaveAnswer { error, members: Vec::new() };
                effects.push(Effect::AnswerLeave { ticket: request.ticket, answer });
            }
        }
        self.debug_assert_invariants();
    }

    fn try_leave(
        &mut self,
        now: Now,
        request: &LeaveRequest,
        effects: &mut Effects,
    ) -> Result<(), ErrorCode> {
        if self.group_id.as_str().is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if self.is_dead() {
            return Err(self.dead_error());
        }
        if self.must_put_off_append() {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let before = self.pending_appends.last_ticket();
        let members_before = self.members.len();
        let members: Vec<MemberLeft> =
            request.members.iter().map(|leaving| self.let_go(leaving, effects)).collect();
        if members.iter().any(|member| member.error == ErrorCode::None) {
            let has_shrunk = self.members.len() < members_before;
            self.rebalance_after_leave(has_shrunk, now, effects);
        }
        if let Err(members) = self.pending_appends.await_empty(before, request.ticket, members) {
            let answer = LeaveAnswer { error: ErrorCode::None, members };
            effects.push(Effect::AnswerLeave { ticket: request.ticket, answer });
        }
        Ok(())
    }

    fn let_go(&mut self, leaving: &LeavingMember, effects: &mut Effects) -> MemberLeft {
        let error = self.try_let_go(leaving, effects).err().unwrap_or(ErrorCode::None);
        MemberLeft {
            member_id: leaving.member_id.clone(),
            group_instance_id: leaving.group_instance_id.clone(),
            error,
        }
    }

    fn try_let_go(
        &mut self,
        leaving: &LeavingMember,
        effects: &mut Effects,
    ) -> Result<(), ErrorCode> {
        let instance_id = leaving.group_instance_id.as_ref();
        let member_id: MemberId = if leaving.member_id.is_empty() {
            // an operator sends a static member away by its instance id alone
            let current = instance_id.and_then(|id| self.static_members.get(id));
            current.cloned().ok_or(ErrorCode::UnknownMemberId)?
        } else if self.pending_members.remove(&leaving.member_id).is_some() {
            return Ok(());
        } else {
            self.check_member(&leaving.member_id, instance_id)?;
            leaving.member_id.clone()
        };
        self.remove_member(&member_id, ErrorCode::UnknownMemberId, effects);
        Ok(())
    }

    fn rebalance_after_leave(&mut self, has_shrunk: bool, now: Now, effects: &mut Effects) {
        match self.state {
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable if has_shrunk => {
                self.prepare_rebalance(now, effects);
            }
            ClassicGroupState::PreparingRebalance => self.complete_join_if_gathered(now, effects),
            ClassicGroupState::CompletingRebalance
            | ClassicGroupState::Stable
            | ClassicGroupState::Empty
            | ClassicGroupState::Dead => {}
        }
    }
}
