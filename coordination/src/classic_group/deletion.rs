//! DeleteGroups: a group goes, with all it has committed.

use protocol::ErrorCode;

use super::offset_deletion::offset_tombstone;
use super::pending_appends::Purpose;
use super::{ClassicGroup, ClassicGroupState};
use crate::effect::{Effect, Effects, Ticket};
use crate::record::GroupRecord;
use crate::time::Now;

impl ClassicGroup {
    /// This group of a DeleteGroups request. It is answered when the deletion is durable;
    /// [`Effect::GroupRemoved`] follows.
    pub fn on_delete_group(&mut self, now: Now, ticket: Ticket, effects: &mut Effects) {
        match self.check_delete() {
            Err(error) => effects.push(Effect::AnswerDeleteGroup { ticket, error }),
            Ok(()) => self.remove_group(now, Some(ticket), effects),
        }
        self.debug_assert_invariants();
    }

    fn check_delete(&self) -> Result<(), ErrorCode> {
        match self.state {
            ClassicGroupState::Dead if self.has_resigned || self.exists => Err(self.dead_error()),
            ClassicGroupState::Empty | ClassicGroupState::Dead if !self.exists => {
                Err(ErrorCode::GroupIdNotFound)
            }
            ClassicGroupState::Empty if self.must_put_off_append() => {
                Err(ErrorCode::CoordinatorLoadInProgress)
            }
            ClassicGroupState::Empty => Ok(()),
            ClassicGroupState::Dead
            | ClassicGroupState::PreparingRebalance
            | ClassicGroupState::CompletingRebalance
            | ClassicGroupState::Stable => Err(ErrorCode::NonEmptyGroup),
        }
    }

    /// Removes a group without members: a tombstone for each offset, in the log or on its way
    /// there, and one for the group. Of a group that the log never heard of nothing is written.
    pub(super) fn remove_group(&mut self, now: Now, ticket: Option<Ticket>, effects: &mut Effects) {
        self.pending_members.clear();
        self.enter(ClassicGroupState::Dead, now, effects);
        if !self.is_recorded {
            self.finish_removal(ticket, effects);
            return;
        }
        let mut records: Vec<GroupRecord> =
            self.known_partitions().iter().map(offset_tombstone).collect();
        records.push(GroupRecord::GroupRemoved);
        self.append(Purpose::RemoveGroup { ticket }, records, effects);
    }

    /// The group is no more.
    pub(super) fn finish_removal(&mut self, ticket: Option<Ticket>, effects: &mut Effects) {
        self.exists = false;
        self.offsets.clear();
        if let Some(ticket) = ticket {
            effects.push(Effect::AnswerDeleteGroup { ticket, error: ErrorCode::None });
        }
        effects.push(Effect::GroupRemoved);
    }
}
