//! OffsetCommit and OffsetFetch.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::{ErrorCode, TopicId, TopicName, TopicPartition};

use super::pending_appends::Purpose;
use super::{ClassicGroup, ClassicGroupState};
use crate::answer::{PartitionAnswer, TopicAnswer};
use crate::committed_offsets::{CommittedOffset, FetchSelection, FetchedTopic};
use crate::effect::{Effect, Effects};
use crate::record::GroupRecord;
use crate::request::{CommitPartition, CommitRequest};
use crate::settings::GroupSettings;
use crate::time::{Now, Timestamp};

/// The first version in which a group that is not there is called so; older clients are told that
/// their generation is wrong.
const GROUP_NOT_FOUND_VERSION: i16 = 9;

impl ClassicGroup {
    /// An OffsetCommit request. It is answered when the offsets are durable; until then nobody can
    /// fetch them.
    pub fn on_commit_offsets(&mut self, now: Now, request: CommitRequest, effects: &mut Effects) {
        let ticket = request.ticket;
        match self.check_commit(&request) {
            Err(error) => {
                let topics = answer_all(&request, error);
                effects.push(Effect::AnswerCommit { ticket, topics });
            }
            Ok(()) => self.commit(now, request, effects),
        }
        self.debug_assert_invariants();
    }

    fn check_commit(&self, request: &CommitRequest) -> Result<(), ErrorCode> {
        if self.is_dead() {
            return Err(self.dead_error());
        }
        if self.group_id.as_str().len() > GroupSettings::NAME_BYTES_MAX {
            return Err(ErrorCode::InvalidGroupId);
        }
        let is_outside = !request.generation.is_known();
        if !self.exists && !is_outside {
            return Err(if request.version >= GROUP_NOT_FOUND_VERSION {
                ErrorCode::GroupIdNotFound
            } else {
                ErrorCode::IllegalGeneration
            });
        }
        // a simple consumer or an operator, with nobody to get in the way of
        let is_free = is_outside && self.state == ClassicGroupState::Empty;
        if !is_free {
            self.check_commit_of_member(request)?;
        }
        if self.must_put_off_append() {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        Ok(())
    }

    fn check_commit_of_member(&self, request: &CommitRequest) -> Result<(), ErrorCode> {
        self.check_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        // its partitions may be somebody else's already; it learns that by syncing
        if self.state == ClassicGroupState::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    fn commit(&mut self, now: Now, request: CommitRequest, effects: &mut Effects) {
        self.renew_session(&request.member_id, now, effects);
        let expires = (request.retention_time_ms >= 0)
            .then(|| now.wall_clock.plus_millis(request.retention_time_ms));
        let mut offsets = Vec::new();
        let mut answer = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for commit in topic.partitions {
                let error = self.check_metadata(&commit).err().unwrap_or(ErrorCode::None);
                partitions.push(PartitionAnswer { partition: commit.partition, error });
                if error == ErrorCode::None {
                    let partition = commit.partition;
                    let committed = committed(commit, topic.topic_id, now.wall_clock, expires);
                    offsets.push((topic.topic.clone(), partition, committed));
                }
            }
            answer.push(TopicAnswer { topic: topic.topic, topic_id: topic.topic_id, partitions });
        }
        if offsets.is_empty() {
            effects.push(Effect::AnswerCommit { ticket: request.ticket, topics: answer });
            return;
        }
        self.exists = true;
        let records = offsets.iter().map(|(topic, partition, committed)| {
            let (topic, committed) = (topic.clone(), committed.clone());
            GroupRecord::OffsetCommitted { topic, partition: *partition, committed }
        });
        let records = records.collect();
        let purpose = Purpose::Commit { ticket: request.ticket, offsets, answer };
        self.append(purpose, records, effects);
    }

    fn check_metadata(&self, commit: &CommitPartition) -> Result<(), ErrorCode> {
        let length_max = self.settings.offset_metadata_length_max;
        match &commit.metadata {
            // UTF-8 is never shorter than UTF-16 in units
            Some(text) if text.len() > length_max && text.encode_utf16().count() > length_max => {
                Err(ErrorCode::OffsetMetadataTooLarge)
            }
            _ => Ok(()),
        }
    }

    /// An OffsetFetch request: what is durable now. `current_id` names the incarnation of a topic
    /// that there is now, for a request of all topics.
    ///
    /// # Errors
    /// `NOT_COORDINATOR` if the group is coordinated elsewhere now.
    pub fn fetch_offsets(
        &self,
        selection: &FetchSelection,
        current_id: impl Fn(&TopicName) -> Option<TopicId>,
    ) -> Result<Vec<FetchedTopic>, ErrorCode> {
        if self.has_resigned {
            return Err(ErrorCode::NotCoordinator);
        }
        Ok(self.offsets.fetch(selection, current_id))
    }

    /// Every offset that is in the log or on its way there.
    pub(super) fn known_offsets(
        &self,
    ) -> impl Iterator<Item = (&TopicName, protocol::PartitionIndex, &CommittedOffset)> {
        let in_flight = self.pending_appends.iter().flat_map(|purpose| match purpose {
            Purpose::Commit { offsets, .. } => offsets.as_slice(),
            _ => &[],
        });
        let in_flight = in_flight.map(|(topic, partition, offset)| (topic, *partition, offset));
        self.offsets.iter().chain(in_flight)
    }

    /// The partitions of [`Self::known_offsets`].
    pub(super) fn known_partitions(&self) -> BTreeSet<TopicPartition> {
        self.known_offsets()
            .map(|(topic, partition, _)| TopicPartition::new(topic.clone(), partition))
            .collect()
    }
}

fn committed(
    commit: CommitPartition,
    topic_id: TopicId,
    commit_timestamp: Timestamp,
    expire_timestamp: Option<Timestamp>,
) -> CommittedOffset {
    CommittedOffset {
        offset: commit.offset,
        leader_epoch: commit.leader_epoch,
        metadata: commit.metadata.unwrap_or_else(|| Arc::from("")),
        commit_timestamp,
        expire_timestamp,
        topic_id,
    }
}

fn answer_all(request: &CommitRequest, error: ErrorCode) -> Vec<TopicAnswer> {
    let answer = |commit: &CommitPartition| PartitionAnswer { partition: commit.partition, error };
    request
        .topics
        .iter()
        .map(|topic| TopicAnswer {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions: topic.partitions.iter().map(answer).collect(),
        })
        .collect()
}

/// An answer in which what would have been done was not.
pub(super) fn failed(mut answer: Vec<TopicAnswer>, error: ErrorCode) -> Vec<TopicAnswer> {
    let partitions = answer.iter_mut().flat_map(|topic| topic.partitions.iter_mut());
    for partition in partitions.filter(|partition| partition.error == ErrorCode::None) {
        partition.error = error;
    }
    answer
}
