//! OffsetCommit (KIP-211, KIP-320, KIP-848 and topic ids from v10): answered when the offsets are
//! durable. Partitions that do not exist are answered here; the group hears of the others.

use std::sync::Arc;

use coordination::{CommitPartition, CommitRequest, CommitTopic, TopicAnswer};
use metadata::{ClusterImage, TopicState};
use protocol::generated::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::primitives::Encoded;
use protocol::{ErrorCode, Generation, GroupId, LeaderEpoch, MemberId, Offset, PartitionIndex};

use super::{durable_answer, instance_id, kept};
use crate::client_session::connection::ConnectionEnd;
use crate::group_coordinator::group_request::{GroupRequest, UNNUMBERED};
use crate::requests::Turn;

/// The first version that names topics by their ids.
const TOPIC_ID_VERSION: i16 = 10;

/// Commits.
///
/// # Errors
/// As every request.
pub async fn offset_commit(turn: &mut Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<OffsetCommitRequest>()?;
    let (broker, version) = (turn.broker, turn.frame.version);
    let image = broker.image.load();
    let found: Vec<_> =
        request.topics.iter().map(|topic| find_topic(&image, topic, version)).collect();
    let topics: Vec<CommitTopic> = request
        .topics
        .iter()
        .zip(&found)
        .filter_map(|(topic, found)| commit_topic(topic, found.as_ref().ok()?))
        .collect();
    let answers = if topics.is_empty() {
        Ok(Vec::new())
    } else {
        let commit = CommitRequest {
            ticket: UNNUMBERED,
            version,
            generation: Generation::new(request.generation_id_or_member_epoch),
            member_id: MemberId::new(&request.member_id),
            group_instance_id: instance_id(request.group_instance_id.as_ref()),
            retention_time_ms: request.retention_time_ms,
            topics,
        };
        let group_id = GroupId::new(&request.group_id);
        let speaker = turn.context.members.speaker(&group_id, &commit.member_id);
        let deadline = Some(durable_answer(turn));
        let question = |reply| GroupRequest::Commit { request: commit, reply };
        broker.groups.ask(broker, &group_id, speaker, deadline, question).await
    };
    let mut answers = AnswersInOrder::new(answers);
    let topics = request.topics.iter().zip(&found);
    let topics = topics.map(|(topic, found)| answers.topic(topic, found.as_ref())).collect();
    turn.respond::<OffsetCommitRequest>(&OffsetCommitResponse { topics, throttle_time_ms: 0 })
}

fn find_topic(
    image: &ClusterImage,
    topic: &OffsetCommitRequestTopic,
    version: i16,
) -> Result<Arc<TopicState>, ErrorCode> {
    if version >= TOPIC_ID_VERSION {
        image.topic_by_id(topic.topic_id).cloned().ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic(&topic.name).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

fn exists(topic: &TopicState, partition: &OffsetCommitRequestPartition) -> bool {
    topic.partition(PartitionIndex(partition.partition_index)).is_some()
}

/// The partitions that exist; `None` if there are none.
fn commit_topic(topic: &OffsetCommitRequestTopic, found: &TopicState) -> Option<CommitTopic> {
    let commit = |partition: &OffsetCommitRequestPartition| CommitPartition {
        partition: PartitionIndex(partition.partition_index),
        offset: Offset::new(partition.committed_offset),
        leader_epoch: LeaderEpoch::new(partition.committed_leader_epoch),
        metadata: partition.committed_metadata.as_ref().map(kept),
    };
    let partitions: Vec<_> =
        topic.partitions.iter().filter(|partition| exists(found, partition)).map(commit).collect();
    let commit = CommitTopic { topic: found.name.clone(), topic_id: found.id, partitions };
    (!commit.partitions.is_empty()).then_some(commit)
}

/// What the group answered, partition by partition, in the order of the request.
struct AnswersInOrder {
    codes: std::vec::IntoIter<ErrorCode>,
    /// Where the group had nothing to say.
    otherwise: ErrorCode,
}

impl AnswersInOrder {
    fn new(answers: Result<Vec<TopicAnswer>, ErrorCode>) -> Self {
        let otherwise = answers.as_ref().err().copied().unwrap_or(ErrorCode::UnknownServerError);
        let codes: Vec<ErrorCode> = answers
            .unwrap_or_default()
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|partition| partition.error))
            .collect();
        Self { codes: codes.into_iter(), otherwise }
    }

    fn topic(
        &mut self,
        topic: &OffsetCommitRequestTopic,
        found: Result<&Arc<TopicState>, &ErrorCode>,
    ) -> OffsetCommitResponseTopic {
        let mut answer = |partition: &OffsetCommitRequestPartition| {
            let code = match found {
                Err(code) => *code,
                Ok(state) if !exists(state, partition) => ErrorCode::UnknownTopicOrPartition,
                Ok(_) => self.codes.next().unwrap_or(self.otherwise),
            };
            let (partition_index, error_code) = (partition.partition_index, code.code());
            OffsetCommitResponsePartition { partition_index, error_code }
        };
        OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: topic.partitions.iter().map(&mut answer).collect(),
        }
    }
}
