//! Appends and their outcomes. Nothing is answered, shown or acted upon before its record is
//! durable.

use protocol::{ErrorCode, TopicPartition};

use super::offsets::failed;
use super::pending_appends::Purpose;
use super::{ClassicGroup, ClassicGroupState};
use crate::answer::LeaveAnswer;
use crate::effect::{AppendTicket, Effect, Effects};
use crate::record::GroupRecord;
use crate::time::Now;

impl ClassicGroup {
    /// The records of an append are durable: committed in the log, on every replica that counts.
    /// Outcomes take effect in the order of the appends; one that nobody waits for is ignored.
    pub fn on_records_durable(&mut self, now: Now, ticket: AppendTicket, effects: &mut Effects) {
        self.pending_appends.note(ticket, Ok(()));
        self.settle(now, effects);
    }

    /// The records of an append are not durable, or nobody knows. `error` is what the partition
    /// answered; clients are told what it means to them.
    pub fn on_records_failed(
        &mut self,
        now: Now,
        ticket: AppendTicket,
        error: ErrorCode,
        effects: &mut Effects,
    ) {
        self.pending_appends.note(ticket, Err(told_to_clients(error)));
        self.settle(now, effects);
    }

    pub(super) fn append(
        &mut self,
        purpose: Purpose,
        records: Vec<GroupRecord>,
        effects: &mut Effects,
    ) {
        self.is_recorded = true;
        let ticket = self.pending_appends.begin(purpose);
        effects.push(Effect::AppendRecords { ticket, records });
    }

    fn settle(&mut self, now: Now, effects: &mut Effects) {
        while let Some((purpose, outcome)) = self.pending_appends.take_settled() {
            match outcome {
                Ok(()) => self.finish_append(purpose, now, effects),
                Err(error) => self.fail_append(purpose, error, now, effects),
            }
        }
        self.debug_assert_invariants();
    }

    fn finish_append(&mut self, purpose: Purpose, now: Now, effects: &mut Effects) {
        match purpose {
            Purpose::Commit { ticket, offsets, answer } => {
                for (topic, partition, committed) in offsets {
                    self.offsets.insert(topic, partition, committed);
                }
                effects.push(Effect::AnswerCommit { ticket, topics: answer });
            }
            Purpose::RemoveOffsets { request, partitions } => {
                self.forget_offsets(&partitions);
                if let Some((ticket, topics)) = request {
                    let error = ErrorCode::None;
                    effects.push(Effect::AnswerDeleteOffsets { ticket, error, topics });
                }
            }
            Purpose::Assign { generation, assignments } => {
                self.finish_assignment(generation, assignments, now, effects);
            }
            Purpose::ReplaceStaticMember(replacement) => {
                self.finish_replacement(&replacement, now, effects);
            }
            Purpose::Empty { leave: Some((ticket, members)) } => {
                let answer = LeaveAnswer { error: ErrorCode::None, members };
                effects.push(Effect::AnswerLeave { ticket, answer });
            }
            Purpose::Empty { leave: None } => {}
            Purpose::RemoveGroup { ticket } => self.finish_removal(ticket, effects),
        }
    }

    fn forget_offsets(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.offsets.remove(partition);
        }
    }

    fn fail_append(&mut self, purpose: Purpose, error: ErrorCode, now: Now, effects: &mut Effects) {
        match purpose {
            Purpose::Assign { generation, .. } => {
                self.fail_assignment(generation, error, now, effects);
            }
            Purpose::ReplaceStaticMember(replacement) => {
                self.revert_replacement(*replacement, error, now, effects);
            }
            Purpose::RemoveGroup { .. } => {
                self.enter(ClassicGroupState::Empty, now, effects);
                self.answer_failed_append(purpose, error, effects);
            }
            Purpose::Commit { .. } | Purpose::RemoveOffsets { .. } | Purpose::Empty { .. } => {
                self.answer_failed_append(purpose, error, effects);
            }
        }
    }

    /// Tells whoever waits for an append alone that it failed. Who is parked as a member is not
    /// told here.
    pub(super) fn answer_failed_append(
        &mut self,
        purpose: Purpose,
        error: ErrorCode,
        effects: &mut Effects,
    ) {
        match purpose {
            Purpose::Commit { ticket, answer, .. } => {
                let topics = failed(answer, error);
                effects.push(Effect::AnswerCommit { ticket, topics });
            }
            Purpose::RemoveOffsets { request: Some((ticket, _)), .. } => {
                let topics = Vec::new();
                effects.push(Effect::AnswerDeleteOffsets { ticket, error, topics });
            }
            Purpose::Empty { leave: Some((ticket, _)) } => {
                let answer = LeaveAnswer { error, members: Vec::new() };
                effects.push(Effect::AnswerLeave { ticket, answer });
            }
            Purpose::RemoveGroup { ticket: Some(ticket) } => {
                effects.push(Effect::AnswerDeleteGroup { ticket, error });
            }
            Purpose::RemoveOffsets { request: None, .. }
            | Purpose::Empty { leave: None }
            | Purpose::RemoveGroup { ticket: None }
            | Purpose::Assign { .. }
            | Purpose::ReplaceStaticMember(_) => {}
        }
    }
}

/// What the failure of an append to the offsets topic means to a client of the group, as Kafka
/// translates it: look for the coordinator again, or give up.
fn told_to_clients(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge
        | ErrorCode::RecordListTooLarge
        | ErrorCode::InvalidFetchSize
        // a failure is never told as a success
        | ErrorCode::None => ErrorCode::UnknownServerError,
        other => other,
    }
}
