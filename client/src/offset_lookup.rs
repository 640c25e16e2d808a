//! Asks the leaders for offsets: the first, the last, or that of a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic,
};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::consumer::Isolation;
use crate::error::{Error, Result, Subject};
use crate::settings::milliseconds;

/// What a consumer calls itself among replicas.
const CONSUMER: i32 = -1;
/// What a tool calls itself that asks any replica, and not only the leader, for its own log.
const DEBUGGER: i32 = -2;
/// How long a broker may take to say where its replicas end.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetQuery {
    /// The first offset that is still readable.
    Earliest,
    /// The offset after the last readable record: the high watermark, or the last stable offset
    /// for [`Isolation::Committed`].
    Latest,
    /// The first record at or after a time, in milliseconds since 1970.
    Timestamp(i64),
    /// The record with the largest timestamp (KIP-734).
    MaxTimestamp,
}

impl OffsetQuery {
    const fn to_wire(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::Timestamp(time) => time,
        }
    }
}

/// The answer to an [`OffsetQuery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset; `None` where no record is as late as the time that was asked for.
    pub offset: Option<Offset>,
    /// The record's timestamp, where a record was asked for.
    pub timestamp: Option<i64>,
    /// The leadership in which the record was written, where the broker says it.
    pub leader_epoch: LeaderEpoch,
}

impl FoundOffset {
    fn from_wire(wire: &ListOffsetsPartitionResponse) -> Self {
        Self {
            offset: Some(Offset::new(wire.offset)).filter(|offset| offset.is_valid()),
            timestamp: (wire.timestamp >= 0).then_some(wire.timestamp),
            leader_epoch: LeaderEpoch::new(wire.leader_epoch),
        }
    }
}

pub(crate) type FoundOffsets = HashMap<TopicPartition, Result<FoundOffset>>;

/// Asks for one offset of each partition, again where a leader has moved, until the operation
/// timeout. Every partition has an answer in the end.
pub(crate) async fn find_offsets(
    cluster: &Cluster,
    isolation: Isolation,
    mut queries: HashMap<TopicPartition, OffsetQuery>,
) -> FoundOffsets {
    let mut found = FoundOffsets::new();
    let mut attempts = cluster.attempts();
    loop {
        let version = cluster.metadata().version;
        let mut last = None;
        for (partition, result) in ask_leaders(cluster, isolation, &queries).await {
            match result {
                Err(error) if error.is_retryable() => last = Some(error),
                settled => {
                    queries.remove(&partition);
                    found.insert(partition, settled);
                }
            }
        }
        let Some(error) = last else { return found };
        if let Err(error) = cluster.before_retry(&mut attempts, error, version).await {
            found.extend(queries.into_keys().map(|partition| (partition, Err(error.clone()))));
            return found;
        }
    }
}

/// One attempt: one request for each leader.
async fn ask_leaders(
    cluster: &Cluster,
    isolation: Isolation,
    queries: &HashMap<TopicPartition, OffsetQuery>,
) -> Vec<(TopicPartition, Result<FoundOffset>)> {
    let mut answers = Vec::new();
    let mut by_leader: HashMap<BrokerId, Vec<(&TopicPartition, OffsetQuery)>> = HashMap::new();
    for (partition, query) in queries {
        // a topic that nobody has used yet has to be learnt first
        let known = cluster.topic_once(&partition.topic).await;
        let leader = known
            .and_then(|topic| topic.partition(partition.partition).map(drop))
            .and_then(|()| cluster.leader(&partition.topic, partition.partition));
        match leader {
            Ok(leader) => by_leader.entry(leader).or_default().push((partition, *query)),
            Err(error) => answers.push((partition.clone(), Err(error))),
        }
    }
    let requests = by_leader
        .into_iter()
        .map(|(leader, queries)| ask_leader(cluster, isolation, leader, queries));
    answers.extend(join_all(requests).await.into_iter().flatten());
    answers
}

async fn ask_leader(
    cluster: &Cluster,
    isolation: Isolation,
    leader: BrokerId,
    queries: Vec<(&TopicPartition, OffsetQuery)>,
) -> Vec<(TopicPartition, Result<FoundOffset>)> {
    let request = ListOffsetsRequest {
        replica_id: CONSUMER,
        isolation_level: isolation.to_wire(),
        topics: topics_of(queries.iter().copied()),
        timeout_ms: milliseconds(cluster.settings.request_timeout),
    };
    let partitions: Vec<_> = queries.iter().map(|(partition, _)| (*partition).clone()).collect();
    let response = cluster.request_to_leader(leader, &partitions, &request).await;
    let answer = |partition: &TopicPartition| {
        answer_about(partition, response.as_ref().map_err(Clone::clone)?)
    };
    queries.into_iter().map(|(partition, _)| (partition.clone(), answer(partition))).collect()
}

fn topics_of<'a>(
    queries: impl Iterator<Item = (&'a TopicPartition, OffsetQuery)>,
) -> Vec<ListOffsetsTopic> {
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for (partition, query) in queries {
        let wanted = ListOffsetsPartition {
            partition_index: partition.partition.0,
            current_leader_epoch: -1,
            timestamp: query.to_wire(),
        };
        let name = partition.topic.as_str();
        match topics.iter_mut().find(|topic| topic.name == name) {
            Some(topic) => topic.partitions.push(wanted),
            None => topics
                .push(ListOffsetsTopic { name: WireString::from(name), partitions: vec![wanted] }),
        }
    }
    topics
}

fn answer_about(partition: &TopicPartition, response: &ListOffsetsResponse) -> Result<FoundOffset> {
    let subject = || Subject::Partition(partition.clone());
    let mut topics = response.topics.iter();
    let topic = topics.find(|topic| topic.name == partition.topic.as_str());
    let mut partitions = topic.into_iter().flat_map(|topic| &topic.partitions);
    let found = partitions.find(|found| found.partition_index == partition.partition.0);
    let api = ListOffsetsRequest::API_KEY;
    let found = found.ok_or_else(|| Error::NotInResponse { api, subject: subject() })?;
    Error::check(api, subject, found.error_code, None)?;
    Ok(FoundOffset::from_wire(found))
}

/// Where a broker's own replicas of these partitions end, with what is not committed; nothing of
/// those that it did not tell. Asked once, and not for longer than a moment.
pub(crate) async fn ends_on(
    cluster: &Cluster,
    broker: BrokerId,
    partitions: &[TopicPartition],
) -> Vec<Option<Offset>> {
    let queries = partitions.iter().map(|partition| (partition, OffsetQuery::Latest));
    let request = ListOffsetsRequest {
        replica_id: DEBUGGER,
        topics: topics_of(queries),
        timeout_ms: milliseconds(LOOK_MAX),
        ..ListOffsetsRequest::default()
    };
    let response = timeout(LOOK_MAX, cluster.request_to(broker, &request)).await;
    let end = |partition: &TopicPartition| {
        let response = response.as_ref().ok()?.as_ref().ok()?;
        answer_about(partition, response).ok()?.offset
    };
    partitions.iter().map(end).collect()
}

/// One offset, where the caller has a single question.
pub(crate) async fn find_offset(
    cluster: &Arc<Cluster>,
    isolation: Isolation,
    partition: &TopicPartition,
    query: OffsetQuery,
) -> Result<FoundOffset> {
    let queries = HashMap::from([(partition.clone(), query)]);
    let mut found = find_offsets(cluster, isolation, queries).await;
    let (api, subject) = (ListOffsetsRequest::API_KEY, Subject::Partition(partition.clone()));
    found.remove(partition).unwrap_or(Err(Error::NotInResponse { api, subject }))
}
