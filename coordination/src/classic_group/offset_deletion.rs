//! OffsetDelete, and topics that are deleted.

use std::collections::BTreeSet;

use protocol::{ErrorCode, TopicId, TopicName, TopicPartition};

use super::pending_appends::Purpose;
use super::{ClassicGroup, ClassicGroupState};
use crate::answer::{PartitionAnswer, TopicAnswer};
use crate::committed_offsets::same_topic;
use crate::effect::{Effect, Effects, Ticket};
use crate::record::GroupRecord;
use crate::request::{DeleteOffsetsRequest, DeletedTopic};

impl ClassicGroup {
    /// An OffsetDelete request. It is answered when the deletion is durable. Topics that a member
    /// may be consuming are refused.
    pub fn on_delete_offsets(&mut self, request: DeleteOffsetsRequest, effects: &mut Effects) {
        let ticket = request.ticket;
        match self.check_delete_offsets() {
            Err(error) => {
                let topics = Vec::new();
                effects.push(Effect::AnswerDeleteOffsets { ticket, error, topics });
            }
            Ok(()) => self.delete_offsets(request, effects),
        }
        self.debug_assert_invariants();
    }

    fn check_delete_offsets(&self) -> Result<(), ErrorCode> {
        if self.group_id.as_str().is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if self.is_dead() && (self.has_resigned || self.exists) {
            return Err(self.dead_error());
        }
        if !self.exists {
            return Err(ErrorCode::GroupIdNotFound);
        }
        // what members of another protocol type consume, nobody can know
        if self.state != ClassicGroupState::Empty && !self.uses_consumer_protocol() {
            return Err(ErrorCode::NonEmptyGroup);
        }
        if self.must_put_off_append() {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        Ok(())
    }

    fn delete_offsets(&mut self, request: DeleteOffsetsRequest, effects: &mut Effects) {
        let known = self.known_partitions();
        let mut removed = BTreeSet::new();
        let mut answer = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let error = if self.may_be_subscribed(topic.topic.as_str()) {
                ErrorCode::GroupSubscribedToTopic
            } else {
                ErrorCode::None
            };
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in topic.partitions {
                partitions.push(PartitionAnswer { partition, error });
                let topic_partition = TopicPartition::new(topic.topic.clone(), partition);
                if error == ErrorCode::None && known.contains(&topic_partition) {
                    removed.insert(topic_partition);
                }
            }
            answer.push(TopicAnswer { topic: topic.topic, topic_id: TopicId::ZERO, partitions });
        }
        if removed.is_empty() {
            let (ticket, error, topics) = (request.ticket, ErrorCode::None, answer);
            effects.push(Effect::AnswerDeleteOffsets { ticket, error, topics });
        } else {
            self.remove_offsets(Some((request.ticket, answer)), removed, effects);
        }
    }

    /// Topics are no more: what was committed for them goes too.
    pub fn on_topics_deleted(&mut self, topics: &[DeletedTopic], effects: &mut Effects) {
        if !self.is_dead() {
            let is_gone = |topic: &TopicName, topic_id: TopicId| {
                topics
                    .iter()
                    .any(|gone| gone.topic == *topic && same_topic(gone.topic_id, topic_id))
            };
            let removed: BTreeSet<TopicPartition> = self
                .known_offsets()
                .filter(|(topic, _, committed)| is_gone(topic, committed.topic_id))
                .map(|(topic, partition, _)| TopicPartition::new(topic.clone(), partition))
                .collect();
            if !removed.is_empty() {
                self.remove_offsets(None, removed, effects);
            }
        }
        self.debug_assert_invariants();
    }

    pub(super) fn remove_offsets(
        &mut self,
        request: Option<(Ticket, Vec<TopicAnswer>)>,
        removed: BTreeSet<TopicPartition>,
        effects: &mut Effects,
    ) {
        let records = removed.iter().map(offset_tombstone).collect();
        let partitions = removed.into_iter().collect();
        self.append(Purpose::RemoveOffsets { request, partitions }, records, effects);
    }
}

pub(super) fn offset_tombstone(partition: &TopicPartition) -> GroupRecord {
    GroupRecord::OffsetRemoved { topic: partition.topic.clone(), partition: partition.partition }
}
