//! Heartbeat: a member is alive, and hears whether it must join again.

use protocol::ErrorCode;

use super::{ClassicGroup, ClassicGroupState};
use crate::effect::{Effect, Effects};
use crate::request::HeartbeatRequest;
use crate::time::Now;

impl ClassicGroup {
    /// A Heartbeat request, answered at once.
    pub fn on_heartbeat(&mut self, now: Now, request: &HeartbeatRequest, effects: &mut Effects) {
        let error = self.try_heartbeat(now, request, effects).err().unwrap_or(ErrorCode::None);
        effects.push(Effect::AnswerHeartbeat { ticket: request.ticket, error });
        self.debug_assert_invariants();
    }

    fn try_heartbeat(
        &mut self,
        now: Now,
        request: &HeartbeatRequest,
        effects: &mut Effects,
    ) -> Result<(), ErrorCode> {
        if self.group_id.as_str().is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if self.is_dead() {
            return Err(self.dead_error());
        }
        self.check_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        self.renew_session(&request.member_id, now, effects);
        match self.state {
            ClassicGroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            ClassicGroupState::Empty
            | ClassicGroupState::CompletingRebalance
            | ClassicGroupState::Stable
            | ClassicGroupState::Dead => Ok(()),
        }
    }
}
