//! Metadata (KIP-4, KIP-516, KIP-1102) and DescribeTopicPartitions (KIP-966).

use std::sync::Arc;
use std::time::Duration;

use metadata::{
    AutoCreation, ClusterImage, PartitionKey, PartitionState, TopicState, auto_creation,
};
use protocol::generated::describe_topic_partitions::{
    self as described, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use protocol::generated::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::primitives::{Encoded, WireString};
use protocol::{BrokerId, ErrorCode, PartitionIndex, TopicId};
use tokio::time::timeout;

use super::Turn;
use super::cluster::{OPERATIONS_UNKNOWN, controller_id};
use crate::broker::{Broker, is_internal};
use crate::client_session::connection::ConnectionEnd;
use crate::controller::ask;
use crate::controller::question::AutoCreateTopics;

/// How long a client is kept waiting for a topic that it made come into being.
const CREATION_DEADLINE: Duration = Duration::from_secs(5);

/// Answers with brokers and topics, after creating those that the client may create by asking.
///
/// # Errors
/// As every request.
pub async fn metadata(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<MetadataRequest>()?;
    let version = turn.frame.version;
    let may_create = version < 4 || request.allow_auto_topic_creation;
    let created = match &request.topics {
        Some(topics) => create_missing(turn.broker, topics, may_create).await,
        None => Vec::new(),
    };
    let image = turn.broker.image.load();
    let picture = Picture { image: &image, doubted: turn.broker.doubted_nodes(&image), turn };
    let topics = match &request.topics {
        // before v1 an empty list meant all topics
        Some(wanted) if !wanted.is_empty() || version >= 1 => {
            let describe = |wanted| picture.wanted(wanted, may_create, &created);
            wanted.iter().map(describe).collect()
        }
        _ => image.topics().map(|topic| picture.topic(topic)).collect(),
    };
    let response = MetadataResponse {
        brokers: brokers(&image, turn),
        cluster_id: Some(WireString::from(turn.broker.cluster_id.to_string()))
            .filter(|_| version >= 2),
        controller_id: controller_id(turn.broker, &image),
        topics,
        cluster_authorized_operations: OPERATIONS_UNKNOWN,
        ..MetadataResponse::default()
    };
    turn.respond::<MetadataRequest>(&response)
}

/// Those that live, and those that did a moment ago.
fn brokers(image: &ClusterImage, turn: &Turn<'_>) -> Vec<MetadataResponseBroker> {
    let describe = |broker: &Arc<metadata::BrokerState>| {
        let endpoint = broker.endpoint(&turn.context.listener)?;
        Some(MetadataResponseBroker {
            node_id: broker.id().0,
            host: WireString::from(&*endpoint.address.host),
            port: i32::from(endpoint.address.port),
            rack: broker.registration.rack.as_deref().map(WireString::from),
        })
    };
    let departed = turn.broker.departures.recent();
    let departed = departed.iter().filter_map(|id| image.broker(*id)).filter(|b| b.is_fenced());
    image.live_brokers().chain(departed).filter_map(describe).collect()
}

/// Creates the topics that are missing and may be created, and waits until they serve. Gives what
/// was refused.
async fn create_missing(
    broker: &Arc<Broker>,
    topics: &[MetadataRequestTopic],
    may_create: bool,
) -> Vec<(String, ErrorCode)> {
    let image = broker.image.load();
    let is_missing = |name: &str| {
        matches!(auto_creation(&image, &broker.given, name, may_create), AutoCreation::Create)
    };
    let names: Vec<String> = topics
        .iter()
        .filter_map(|topic| topic.name.as_ref())
        .filter(|name| is_missing(name))
        .map(ToString::to_string)
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let question = AutoCreateTopics { names: names.clone() };
    let answer = ask(&broker.controller, question);
    let Ok(Ok(results)) = timeout(CREATION_DEADLINE, answer).await else { return Vec::new() };
    let mut refused = Vec::new();
    for (name, result) in names.into_iter().zip(results) {
        match result {
            Ok(created) => {
                let served = broker.serves_topic(created.topic_id);
                let _ = timeout(CREATION_DEADLINE, served).await;
            }
            // somebody else was quicker
            Err(refusal) if refusal.code() == ErrorCode::TopicAlreadyExists => {}
            Err(refusal) => refused.push((name, refusal.code())),
        }
    }
    refused
}

/// What Metadata tells of topics.
struct Picture<'a> {
    image: &'a ClusterImage,
    /// Leaders that this node has just lost sight of.
    doubted: Vec<BrokerId>,
    turn: &'a Turn<'a>,
}

impl Picture<'_> {
    fn wanted(
        &self,
        wanted: &MetadataRequestTopic,
        may_create: bool,
        refused: &[(String, ErrorCode)],
    ) -> MetadataResponseTopic {
        let Some(name) = &wanted.name else {
            return match self.image.topic_by_id(wanted.topic_id) {
                Some(topic) => self.topic(topic),
                None => unknown(None, wanted.topic_id, ErrorCode::UnknownTopicId),
            };
        };
        if let Some(topic) = self.image.topic(name) {
            return self.topic(topic);
        }
        let code = refused.iter().find(|(refused, _)| **refused == **name).map(|(_, code)| *code);
        let given = &self.turn.broker.given;
        let code =
            code.unwrap_or_else(|| match auto_creation(self.image, given, name, may_create) {
                AutoCreation::Refused(refusal) => refusal.code(),
                AutoCreation::Create | AutoCreation::Exists => ErrorCode::LeaderNotAvailable,
            });
        unknown(Some(name.clone()), TopicId::ZERO, code)
    }

    fn topic(&self, topic: &TopicState) -> MetadataResponseTopic {
        let broker = self.turn.broker;
        let describe = |(index, state): (PartitionIndex, &Arc<PartitionState>)| {
            match broker.file_work.is_hung() {
                // the image stands still while the disk hangs
                true => {
                    let key = PartitionKey::new(topic.id, index);
                    self.partition(index, &broker.newest_state(key, state))
                }
                false => self.partition(index, state),
            }
        };
        MetadataResponseTopic {
            name: Some(WireString::from(topic.name.as_str())),
            topic_id: topic.id,
            is_internal: is_internal(topic.name.as_str()),
            partitions: topic.indexed_partitions().map(describe).collect(),
            topic_authorized_operations: OPERATIONS_UNKNOWN,
            ..MetadataResponseTopic::default()
        }
    }

    fn partition(
        &self,
        index: PartitionIndex,
        state: &PartitionState,
    ) -> MetadataResponsePartition {
        let leader = live_leader(self.image, state).filter(|leader| !self.doubted.contains(leader));
        let code = if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
        let offline = || offline(self.image, state);
        MetadataResponsePartition {
            error_code: code.code(),
            partition_index: index.0,
            leader_id: leader.map_or(-1, |leader| leader.0),
            leader_epoch: state.leader_epoch.value(),
            replica_nodes: numbers(&state.assigned_replicas),
            isr_nodes: numbers(&state.isr),
            offline_replicas: if self.turn.frame.version >= 5 { offline() } else { Vec::new() },
        }
    }
}

fn unknown(name: Option<WireString>, topic_id: TopicId, code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: code.code(),
        name,
        topic_id,
        topic_authorized_operations: OPERATIONS_UNKNOWN,
        ..MetadataResponseTopic::default()
    }
}

fn numbers(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

/// Never names a dead leader: a client would wait for it.
fn live_leader(image: &ClusterImage, state: &PartitionState) -> Option<BrokerId> {
    state.leader.filter(|leader| image.is_live(*leader))
}

fn offline(image: &ClusterImage, state: &PartitionState) -> Vec<i32> {
    let is_offline =
        |broker: &&BrokerId| !image.is_live(**broker) || state.offline_replicas.contains(*broker);
    state.assigned_replicas.iter().filter(is_offline).map(|broker| broker.0).collect()
}

/// Answers with one page of topics and partitions.
///
/// # Errors
/// As every request.
pub fn describe_topic_partitions(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<DescribeTopicPartitionsRequest>()?;
    let limit = turn.broker.settings.load().topics.described_partitions_max;
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let image = turn.broker.image.load();
    let mut page = Page {
        image: &image,
        room: asked.min(limit).max(1),
        response: DescribeTopicPartitionsResponse::default(),
    };
    let mut names: Vec<String> = if request.topics.is_empty() {
        image.topics().map(|topic| topic.name.to_string()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    names.sort();
    names.dedup();
    let (from, first) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.to_string(), cursor.partition_index.max(0)),
        None => (String::new(), 0),
    };
    for name in names.into_iter().filter(|name| *name >= from) {
        let start = if name == from { first } else { 0 };
        if !page.add(&name, start) {
            break;
        }
    }
    turn.respond::<DescribeTopicPartitionsRequest>(&page.response)
}

/// A response that is being filled.
struct Page<'a> {
    image: &'a ClusterImage,
    room: usize,
    response: DescribeTopicPartitionsResponse,
}

impl Page<'_> {
    /// Adds a topic from partition `start` on; says whether there is room for more.
    fn add(&mut self, name: &str, start: i32) -> bool {
        let Some(topic) = self.image.topic(name) else {
            let code = ErrorCode::UnknownTopicOrPartition;
            self.response.topics.push(described::DescribeTopicPartitionsResponseTopic {
                error_code: code.code(),
                name: Some(WireString::from(name)),
                topic_authorized_operations: OPERATIONS_UNKNOWN,
                ..Default::default()
            });
            return true;
        };
        if self.room == 0 {
            self.stop_at(name, start);
            return false;
        }
        let skipped = usize::try_from(start).unwrap_or(0);
        let shown = topic.indexed_partitions().skip(skipped).take(self.room);
        let partitions: Vec<_> = shown.map(|(index, state)| self.partition(index, state)).collect();
        self.room -= partitions.len();
        let next = start + i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        self.response.topics.push(described::DescribeTopicPartitionsResponseTopic {
            error_code: 0,
            name: Some(WireString::from(name)),
            topic_id: topic.id,
            is_internal: is_internal(name),
            partitions,
            topic_authorized_operations: OPERATIONS_UNKNOWN,
        });
        if next < topic.partition_count() {
            self.stop_at(name, next);
            return false;
        }
        true
    }

    fn stop_at(&mut self, name: &str, partition_index: i32) {
        self.response.next_cursor =
            Some(described::Cursor { topic_name: WireString::from(name), partition_index });
    }

    fn partition(
        &self,
        index: PartitionIndex,
        state: &PartitionState,
    ) -> described::DescribeTopicPartitionsResponsePartition {
        let leader = live_leader(self.image, state);
        let code = if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
        described::DescribeTopicPartitionsResponsePartition {
            error_code: code.code(),
            partition_index: index.0,
            leader_id: leader.map_or(-1, |leader| leader.0),
            leader_epoch: state.leader_epoch.value(),
            replica_nodes: numbers(&state.assigned_replicas),
            isr_nodes: numbers(&state.isr),
            eligible_leader_replicas: Some(numbers(&state.elr)),
            last_known_elr: Some(state.last_known_leader.iter().map(|id| id.0).collect()),
            offline_replicas: offline(self.image, state),
        }
    }
}
