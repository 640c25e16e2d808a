//! The produce requests to one broker: one task that puts them on the connection in the order they
//! were made, and collects the answers as they come.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::api_key::ApiKey;
use protocol::generated::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use protocol::primitives::WireString;
use protocol::{BrokerId, ErrorCode, Offset, TopicPartition};
use tokio::sync::mpsc;

use super::delivery::BatchPlace;
use super::partition_delivery::SentBatch;
use super::sender::SenderEvent;
use super::settings::{Acks, ProducerSettings};
use crate::broker_connections::BrokerConnections;
use crate::cluster::Cluster;
use crate::error::{Error, Result, Subject};
use crate::leader_watch::{LeaderHint, endpoint};
use crate::settings::milliseconds;

/// The newest version that names topics; from 13 on they are given by id.
const NEWEST_VERSION: i16 = 12;

/// A batch and where it goes.
pub(crate) type Addressed = (TopicPartition, SentBatch);

/// A batch and what the broker said.
pub(crate) type Answered = (TopicPartition, SentBatch, Result<BatchPlace>);

pub(crate) struct BrokerLane {
    pub(crate) broker: BrokerId,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) connections: Arc<BrokerConnections>,
    pub(crate) settings: Arc<ProducerSettings>,
    pub(crate) events: mpsc::Sender<SenderEvent>,
}

impl BrokerLane {
    /// Works until no more requests can come and all have been answered.
    pub(crate) async fn run(self, mut requests: mpsc::Receiver<Vec<Addressed>>) {
        let mut under_way = FuturesUnordered::new();
        let mut open = true;
        while open || !under_way.is_empty() {
            tokio::select! {
                request = requests.recv(), if open => match request {
                    Some(batches) => {
                        let answers = self.begin(batches).await;
                        under_way.push(answers);
                    }
                    None => open = false,
                },
                Some(answers) = under_way.next() => {
                    let event = SenderEvent::Answered { broker: self.broker, answers };
                    if self.events.send(event).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Puts a request on the connection; what it gives waits for the answer.
    async fn begin(&self, batches: Vec<Addressed>) -> BoxFuture<'static, Vec<Answered>> {
        let request = self.request(&batches);
        let partitions: Vec<_> = batches.iter().map(|(partition, _)| partition.clone()).collect();
        let (cluster, connections) = (Arc::clone(&self.cluster), Arc::clone(&self.connections));
        let leader = self.broker;
        let sent = self.send(&request);
        let now = Duration::ZERO;
        match cluster.unless_moved(&connections, leader, &partitions, now, sent).await {
            Ok(answer) => Box::pin(async move {
                match cluster.unless_moved(&connections, leader, &partitions, now, answer).await {
                    Ok(Some(response)) => {
                        let hints = batches.iter().filter_map(|(to, _)| hint(to, &response));
                        cluster.learn_leaders(hints);
                        answers(batches, &response)
                    }
                    Ok(None) => {
                        let nowhere = BatchPlace { base_offset: None, log_append_time: None };
                        batches.into_iter().map(|(to, sent)| (to, sent, Ok(nowhere))).collect()
                    }
                    Err(error) => refuse_all(batches, &error),
                }
            }),
            Err(error) => Box::pin(async move { refuse_all(batches, &error) }),
        }
    }

    async fn send(
        &self,
        request: &ProduceRequest,
    ) -> Result<BoxFuture<'static, Result<Option<ProduceResponse>>>> {
        let address = self.cluster.address_of(self.broker)?;
        let connection = self.connections.get(&address).await?;
        let version = connection.version::<ProduceRequest>(NEWEST_VERSION)?;
        if self.settings.acks == Acks::None {
            let written = connection.send_unanswered(request, version).await?;
            return Ok(Box::pin(async move {
                written.await.map(|()| None).map_err(|_| connection.lost())
            }));
        }
        // the broker may take the whole time for the in-sync replicas; its answer needs some more
        let timeout = self.settings.request_timeout + Duration::from_millis(500);
        let answer = connection.begin_in(request, version, timeout).await?;
        Ok(Box::pin(async move {
            let response = answer.receive().await.map(Some);
            drop(connection);
            response
        }))
    }

    fn request(&self, batches: &[Addressed]) -> ProduceRequest {
        let mut topics: Vec<TopicProduceData> = Vec::new();
        for (partition, sent) in batches {
            let records = PartitionProduceData {
                index: partition.partition.0,
                records: Some(sent.bytes.clone()),
            };
            let name = partition.topic.as_str();
            match topics.iter_mut().find(|topic| topic.name == name) {
                Some(topic) => topic.partition_data.push(records),
                None => topics.push(TopicProduceData {
                    name: WireString::from(name),
                    partition_data: vec![records],
                    ..TopicProduceData::default()
                }),
            }
        }
        ProduceRequest {
            transactional_id: None,
            acks: self.settings.acks.to_wire(),
            timeout_ms: milliseconds(self.settings.request_timeout),
            topic_data: topics,
        }
    }
}

fn refuse_all(batches: Vec<Addressed>, error: &Error) -> Vec<Answered> {
    batches.into_iter().map(|(to, sent)| (to, sent, Err(error.clone()))).collect()
}

fn answer_to<'a>(
    partition: &TopicPartition,
    response: &'a ProduceResponse,
) -> Option<&'a PartitionProduceResponse> {
    let mut topics = response.responses.iter();
    let topic = topics.find(|topic| topic.name == partition.topic.as_str())?;
    topic.partition_responses.iter().find(|answer| answer.index == partition.partition.0)
}

/// Who leads instead, where the broker says so with its refusal.
fn hint(partition: &TopicPartition, response: &ProduceResponse) -> Option<LeaderHint> {
    let leader = &answer_to(partition, response)?.current_leader;
    let mut endpoints = response.node_endpoints.iter();
    let broker = endpoints.find(|node| node.node_id == leader.leader_id);
    let broker =
        broker.map(|node| endpoint(node.node_id, &node.host, node.port, node.rack.as_deref()));
    LeaderHint::new(partition, leader.leader_id, leader.leader_epoch, broker)
}

fn answers(batches: Vec<Addressed>, response: &ProduceResponse) -> Vec<Answered> {
    let judged = batches.into_iter().map(|(partition, sent)| {
        let place = match answer_to(&partition, response) {
            Some(answer) => place(&partition, answer),
            None => Err(Error::NotInResponse {
                api: ApiKey::Produce,
                subject: Subject::Partition(partition.clone()),
            }),
        };
        (partition, sent, place)
    });
    judged.collect()
}

fn place(partition: &TopicPartition, answer: &PartitionProduceResponse) -> Result<BatchPlace> {
    let base_offset = Some(Offset::new(answer.base_offset)).filter(|offset| offset.is_valid());
    let time = answer.log_append_time_ms;
    let log_append_time = (time >= 0).then_some(time);
    if answer.error_code == ErrorCode::DuplicateSequenceNumber.code() {
        // written before, so long ago that the broker has forgotten where
        return Ok(BatchPlace { base_offset: None, log_append_time });
    }
    let subject = || Subject::Partition(partition.clone());
    let detail = answer.error_message.as_deref();
    Error::check(ApiKey::Produce, subject, answer.error_code, detail)?;
    Ok(BatchPlace { base_offset, log_append_time })
}
