//! One fetch from one broker, a leader or the follower that a leader named: request, answer, and its
//! batches checked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::generated::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::record_batch::{BatchError, RecordBatch, RecordBatches};
use protocol::{BrokerId, LeaderEpoch, Offset, ProducerId, TopicPartition};

use crate::broker_connections::BrokerConnections;
use crate::cluster::Cluster;
use crate::consumer::section::{AbortedTransaction, Section};
use crate::consumer::settings::{ConsumerSettings, wire_bytes};
use crate::error::{Error, Result, Subject};
use crate::leader_watch::{LeaderHint, endpoint};
use crate::settings::milliseconds;

/// The newest version that names topics; from 13 on they are given by id.
const NEWEST_VERSION: i16 = 12;
/// Every fetch names all of its partitions (KIP-227: no session).
const NO_SESSION_EPOCH: i32 = -1;

/// One partition of a fetch.
#[derive(Clone, Debug)]
pub(crate) struct FetchFrom {
    pub(crate) partition: TopicPartition,
    pub(crate) offset: Offset,
    pub(crate) leader_epoch: LeaderEpoch,
    /// Tells this fetch from those before a seek.
    pub(crate) incarnation: u64,
    /// Whether it goes to a follower that the leader named.
    pub(crate) from_follower: bool,
}

/// What a fetch brought of one partition.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) section: Section,
    /// Where the next fetch goes on.
    pub(crate) next_offset: Offset,
    pub(crate) high_watermark: Offset,
    pub(crate) log_start_offset: Offset,
    /// The follower to read from instead; then there are no records.
    pub(crate) read_replica: Option<BrokerId>,
}

pub(crate) struct FetchOutcome {
    pub(crate) broker: BrokerId,
    pub(crate) partitions: Vec<(FetchFrom, Result<Fetched>)>,
}

pub(crate) struct Fetcher {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) connections: Arc<BrokerConnections>,
    pub(crate) settings: Arc<ConsumerSettings>,
}

impl Fetcher {
    /// Fetches from one broker, once. One that is silent for too long is given up where it does not
    /// lead, or no longer.
    pub(crate) async fn fetch(self, broker: BrokerId, wanted: Vec<FetchFrom>) -> FetchOutcome {
        let partitions: Vec<_> = wanted.iter().map(|from| from.partition.clone()).collect();
        let answer = self.ask(broker, &wanted);
        let response = self
            .cluster
            .unless_moved(
                &self.connections,
                broker,
                &partitions,
                self.settings.fetch_wait_max,
                answer,
            )
            .await;
        if let Ok(response) = &response {
            self.cluster.learn_leaders(wanted.iter().filter_map(|from| hint(from, response)));
        }
        let judged = |from: FetchFrom| {
            let fetched = match &response {
                Ok(response) => fetched(&from, response),
                Err(error) => Err(error.clone()),
            };
            (from, fetched)
        };
        FetchOutcome { broker, partitions: wanted.into_iter().map(judged).collect() }
    }

    async fn ask(&self, broker: BrokerId, wanted: &[FetchFrom]) -> Result<FetchResponse> {
        let address = self.cluster.address_of(broker)?;
        let connection = self.connections.get(&address).await?;
        let version = connection.version::<FetchRequest>(NEWEST_VERSION)?;
        let timeout = self.cluster.settings.request_timeout + self.settings.fetch_wait_max;
        let request = self.request(wanted);
        let response = connection.begin_in(&request, version, timeout).await?.receive().await?;
        let (api, code) = (FetchRequest::API_KEY, response.error_code);
        Error::check(api, || Subject::Broker(broker), code, None)?;
        if response.throttle_time_ms > 0 {
            // the broker asks for patience (KIP-219); others are not held up by it
            let pause = u64::try_from(response.throttle_time_ms).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Ok(response)
    }

    fn request(&self, wanted: &[FetchFrom]) -> FetchRequest {
        let settings = &self.settings;
        let mut topics: Vec<FetchTopic> = Vec::new();
        for from in wanted {
            let partition = FetchPartition {
                partition: from.partition.partition.0,
                current_leader_epoch: from.leader_epoch.value(),
                fetch_offset: from.offset.value(),
                partition_max_bytes: wire_bytes(settings.fetch_partition_bytes_max),
                ..FetchPartition::default()
            };
            let name = from.partition.topic.as_str();
            match topics.iter_mut().find(|topic| topic.topic == name) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(FetchTopic {
                    topic: WireString::from(name),
                    partitions: vec![partition],
                    ..FetchTopic::default()
                }),
            }
        }
        FetchRequest {
            max_wait_ms: milliseconds(settings.fetch_wait_max),
            min_bytes: wire_bytes(settings.fetch_bytes_min),
            max_bytes: wire_bytes(settings.fetch_bytes_max),
            isolation_level: settings.isolation.to_wire(),
            session_epoch: NO_SESSION_EPOCH,
            rack_id: WireString::from(settings.rack.as_deref().unwrap_or_default()),
            topics,
            ..FetchRequest::default()
        }
    }
}

fn answer_to<'a>(from: &FetchFrom, response: &'a FetchResponse) -> Option<&'a PartitionData> {
    let mut topics = response.responses.iter();
    let topic = topics.find(|topic| topic.topic == from.partition.topic.as_str())?;
    let index = from.partition.partition.0;
    topic.partitions.iter().find(|found| found.partition_index == index)
}

/// Who leads instead, where the broker says so with its refusal.
fn hint(from: &FetchFrom, response: &FetchResponse) -> Option<LeaderHint> {
    let leader = &answer_to(from, response)?.current_leader;
    let mut endpoints = response.node_endpoints.iter();
    let broker = endpoints.find(|node| node.node_id == leader.leader_id);
    let broker =
        broker.map(|node| endpoint(node.node_id, &node.host, node.port, node.rack.as_deref()));
    LeaderHint::new(&from.partition, leader.leader_id, leader.leader_epoch, broker)
}

fn fetched(from: &FetchFrom, response: &FetchResponse) -> Result<Fetched> {
    let found = answer_to(from, response);
    let subject = || Subject::Partition(from.partition.clone());
    let api = FetchRequest::API_KEY;
    let found = found.ok_or_else(|| Error::NotInResponse { api, subject: subject() })?;
    Error::check(api, subject, found.error_code, None)?;
    let batches = batches(from, found.records.clone().unwrap_or_default())?;
    let next_offset = batches.back().map_or(from.offset, |last| last.header().next_offset());
    let aborted = found.aborted_transactions.as_deref().unwrap_or_default().iter();
    let aborted = aborted.map(|wire| AbortedTransaction {
        producer: ProducerId(wire.producer_id),
        first_offset: Offset::new(wire.first_offset),
    });
    Ok(Fetched {
        section: Section::new(batches, aborted.collect()),
        next_offset,
        high_watermark: Offset::new(found.high_watermark),
        log_start_offset: Offset::new(found.log_start_offset),
        read_replica: Some(BrokerId(found.preferred_read_replica)).filter(|id| id.0 >= 0),
    })
}

/// The whole batches that end after the fetch offset. An error behind good batches waits until the
/// next fetch meets it first.
fn batches(from: &FetchFrom, records: Bytes) -> Result<VecDeque<RecordBatch>> {
    let mut section = RecordBatches::new(records);
    let mut batches = VecDeque::new();
    let damaged = |offset: Offset, error: BatchError| Error::Records {
        partition: from.partition.clone(),
        offset: offset.value(),
        source: Arc::new(error.into()),
    };
    for batch in section.by_ref() {
        match batch {
            Ok(batch) if batch.header().last_offset() < from.offset => {}
            Ok(batch) => batches.push_back(batch),
            Err(error) if batches.is_empty() => return Err(damaged(from.offset, error)),
            Err(_) => return Ok(batches),
        }
    }
    let rest = section.rest();
    if batches.is_empty() && !rest.is_empty() {
        // at least one batch comes whole, however large it is (KIP-74)
        let error = BatchError::Incomplete { needed: rest.len() + 1, available: rest.len() };
        return Err(damaged(from.offset, error));
    }
    Ok(batches)
}
