//! OffsetFetch (KIP-447, KIP-709 from v8, topic ids from v10): what groups have committed. Only
//! durable offsets are given out, so `require_stable` changes nothing yet.

use coordination::{FetchSelection, FetchTopic, FetchedPartition, FetchedTopic};
use metadata::ClusterImage;
use protocol::generated::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol::primitives::{Encoded, WireString};
use protocol::{ErrorCode, GroupId, PartitionIndex, TopicId};

use super::QUICK_ANSWER;
use crate::client_session::connection::ConnectionEnd;
use crate::group_coordinator::group_request::GroupRequest;
use crate::requests::Turn;

/// The first version with an error code of the whole.
const GROUP_ERROR_VERSION: i16 = 2;
/// The first version that names several groups.
const BATCHED_VERSION: i16 = 8;
/// The first version that names topics by their ids.
const TOPIC_ID_VERSION: i16 = 10;
/// Partitions one request may name: far more than a node holds. Naming one again and again would
/// make a response much larger than its request.
const PARTITIONS_MAX: usize = 1_000_000;

/// Answers with committed offsets.
///
/// # Errors
/// As every request.
pub async fn offset_fetch(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let mut request = turn.body::<OffsetFetchRequest>()?;
    if turn.frame.version >= BATCHED_VERSION {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in &request.groups {
            groups.push(fetch_group(turn, group).await);
        }
        let response = OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
        return turn.respond::<OffsetFetchRequest>(&response);
    }
    let topics = request.topics.take().map(|topics| {
        let named = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            topic_id: TopicId::ZERO,
            partition_indexes: topic.partition_indexes,
        });
        named.collect()
    });
    let group_id = request.group_id;
    let group = OffsetFetchRequestGroup { group_id, topics, ..OffsetFetchRequestGroup::default() };
    let fetched = fetch_group(turn, &group).await;
    let response = single_response(&group, fetched, turn.frame.version);
    turn.respond::<OffsetFetchRequest>(&response)
}

async fn fetch_group(turn: &Turn<'_>, group: &OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    match try_fetch(turn, group).await {
        Ok(topics) => OffsetFetchResponseGroup {
            group_id: group.group_id.clone(),
            topics,
            ..OffsetFetchResponseGroup::default()
        },
        Err(code) => OffsetFetchResponseGroup {
            group_id: group.group_id.clone(),
            error_code: code.code(),
            ..OffsetFetchResponseGroup::default()
        },
    }
}

async fn try_fetch(
    turn: &Turn<'_>,
    group: &OffsetFetchRequestGroup,
) -> Result<Vec<OffsetFetchResponseTopics>, ErrorCode> {
    let (broker, uses_ids) = (turn.broker, turn.frame.version >= TOPIC_ID_VERSION);
    let image = broker.image.load();
    let selection = match &group.topics {
        None => FetchSelection::All,
        Some(topics) => {
            let partitions: usize = topics.iter().map(|topic| topic.partition_indexes.len()).sum();
            if partitions > PARTITIONS_MAX {
                return Err(ErrorCode::InvalidRequest);
            }
            let known = topics.iter().filter_map(|topic| fetch_topic(&image, topic, uses_ids));
            FetchSelection::Topics(known.collect())
        }
    };
    let group_id = GroupId::new(&group.group_id);
    let question = |reply| GroupRequest::FetchOffsets { selection, reply };
    let fetched = broker.groups.ask(broker, &group_id, None, Some(QUICK_ANSWER), question).await?;
    let Some(topics) = &group.topics else {
        // with ids, topics without one cannot be told
        let told = fetched.into_iter().filter(|topic| !uses_ids || !topic.topic_id.is_zero());
        return Ok(told.map(|topic| found_topic(topic, uses_ids)).collect());
    };
    let mut fetched = fetched.into_iter();
    let answer = |topic: &OffsetFetchRequestTopics| {
        let known = fetch_topic(&image, topic, uses_ids).and_then(|_| fetched.next());
        known.map_or_else(|| unknown_topic(topic, uses_ids), |topic| found_topic(topic, uses_ids))
    };
    Ok(topics.iter().map(answer).collect())
}

/// A topic as the group is asked for it; `None` if the group cannot have committed for it. One that
/// is named need not exist any more.
fn fetch_topic(
    image: &ClusterImage,
    topic: &OffsetFetchRequestTopics,
    uses_ids: bool,
) -> Option<FetchTopic> {
    let partitions = topic.partition_indexes.iter().copied().map(PartitionIndex).collect();
    if uses_ids {
        let found = image.topic_by_id(topic.topic_id)?;
        return Some(FetchTopic { topic: found.name.clone(), topic_id: found.id, partitions });
    }
    let name = protocol::TopicName::new(&topic.name).ok()?;
    let topic_id = image.topic(&topic.name).map_or(TopicId::ZERO, |found| found.id);
    Some(FetchTopic { topic: name, topic_id, partitions })
}

fn found_topic(topic: FetchedTopic, uses_ids: bool) -> OffsetFetchResponseTopics {
    let name = || WireString::from(topic.topic.as_str());
    let partition = |fetched: &FetchedPartition| OffsetFetchResponsePartitions {
        partition_index: fetched.partition.0,
        committed_offset: fetched.offset.value(),
        committed_leader_epoch: fetched.leader_epoch.value(),
        metadata: Some(WireString::from(&*fetched.metadata)),
        error_code: ErrorCode::None.code(),
    };
    OffsetFetchResponseTopics {
        name: if uses_ids { WireString::EMPTY } else { name() },
        topic_id: if uses_ids { topic.topic_id } else { TopicId::ZERO },
        partitions: topic.partitions.iter().map(partition).collect(),
    }
}

fn unknown_topic(topic: &OffsetFetchRequestTopics, uses_ids: bool) -> OffsetFetchResponseTopics {
    // a name that no topic can have is only a topic without offsets
    let code = if uses_ids { ErrorCode::UnknownTopicId } else { ErrorCode::None };
    let partition = |index: &i32| nothing(*index, code);
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    }
}

fn nothing(partition_index: i32, code: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(WireString::EMPTY),
        error_code: code.code(),
    }
}

/// The response of the versions that name one group. The oldest has no place for an error of the
/// whole, and says it of every partition.
fn single_response(
    asked: &OffsetFetchRequestGroup,
    fetched: OffsetFetchResponseGroup,
    version: i16,
) -> OffsetFetchResponse {
    let code = ErrorCode::from_code(fetched.error_code).unwrap_or(ErrorCode::UnknownServerError);
    let topics = if code != ErrorCode::None && version < GROUP_ERROR_VERSION {
        let failed = |topic: &OffsetFetchRequestTopics| {
            let indexes = topic.partition_indexes.iter();
            let partitions = indexes.map(|index| nothing(*index, code)).collect();
            OffsetFetchResponseTopics { partitions, ..unknown_topic(topic, false) }
        };
        asked.topics.iter().flatten().map(failed).collect()
    } else {
        fetched.topics
    };
    OffsetFetchResponse {
        topics: topics.into_iter().map(single_topic).collect(),
        error_code: if version < GROUP_ERROR_VERSION { 0 } else { code.code() },
        ..OffsetFetchResponse::default()
    }
}

fn single_topic(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    }
}
