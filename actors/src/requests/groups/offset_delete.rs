//! OffsetDelete (KIP-496): answered when the deletion is durable.

use coordination::{DeleteOffsetsRequest, DeleteOffsetsTopic, PartitionAnswer};
use metadata::{ClusterImage, TopicState};
use protocol::generated::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::primitives::Encoded;
use protocol::{ErrorCode, GroupId, PartitionIndex};

use super::durable_answer;
use crate::client_session::connection::ConnectionEnd;
use crate::group_coordinator::group_request::{GroupRequest, UNNUMBERED};
use crate::requests::Turn;

/// Deletes committed offsets of topics that nobody in the group consumes.
///
/// # Errors
/// As every request.
pub async fn offset_delete(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<OffsetDeleteRequest>()?;
    let (broker, image) = (turn.broker, turn.broker.image.load());
    let topics: Vec<DeleteOffsetsTopic> =
        request.topics.iter().filter_map(|topic| existing_part(&image, topic)).collect();
    let (error, answers) = if topics.is_empty() {
        (ErrorCode::None, Vec::new())
    } else {
        let delete = DeleteOffsetsRequest { ticket: UNNUMBERED, topics };
        let group_id = GroupId::new(&request.group_id);
        let question = |reply| GroupRequest::DeleteOffsets { request: delete, reply };
        let deadline = Some(durable_answer(turn));
        let answer = broker.groups.ask(broker, &group_id, None, deadline, question).await;
        answer.unwrap_or_else(|code| (code, Vec::new()))
    };
    let mut response =
        OffsetDeleteResponse { error_code: error.code(), ..OffsetDeleteResponse::default() };
    if error == ErrorCode::None {
        let mut codes = answers.iter().flat_map(|topic| &topic.partitions);
        let answer = |topic| answer_topic(&image, topic, &mut codes);
        response.topics = request.topics.iter().map(answer).collect();
    }
    turn.respond::<OffsetDeleteRequest>(&response)
}

fn exists(topic: Option<&TopicState>, partition: i32) -> bool {
    topic.is_some_and(|topic| topic.partition(PartitionIndex(partition)).is_some())
}

fn existing_part(
    image: &ClusterImage,
    topic: &OffsetDeleteRequestTopic,
) -> Option<DeleteOffsetsTopic> {
    let found = image.topic(&topic.name)?;
    let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
    let partitions: Vec<_> =
        indexes.filter(|index| exists(Some(found), *index)).map(PartitionIndex).collect();
    let topic = found.name.clone();
    (!partitions.is_empty()).then_some(DeleteOffsetsTopic { topic, partitions })
}

fn answer_topic<'a>(
    image: &ClusterImage,
    topic: &OffsetDeleteRequestTopic,
    codes: &mut impl Iterator<Item = &'a PartitionAnswer>,
) -> OffsetDeleteResponseTopic {
    let found = image.topic(&topic.name);
    let mut answer = |partition_index: i32| {
        let code = if exists(found.map(|topic| &**topic), partition_index) {
            codes.next().map_or(ErrorCode::UnknownServerError, |answer| answer.error)
        } else {
            ErrorCode::UnknownTopicOrPartition
        };
        OffsetDeleteResponsePartition { partition_index, error_code: code.code() }
    };
    let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
    OffsetDeleteResponseTopic {
        name: topic.name.clone(),
        partitions: indexes.map(&mut answer).collect(),
    }
}
