//! Produce (KIP-98, KIP-516 from v13): checks each partition's batch and hands it to its replica.
//!
//! Each partition is answered for itself: a bad batch of one refuses nothing of another.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metadata::image::{ClusterImage, TopicState};
use protocol::ErrorCode;
use protocol::frame::RequestFrame;
use protocol::generated::produce::{
    BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use protocol::primitives::{DecodeError, Encoded, WireString};
use protocol::record_batch::BatchHeader;
use protocol::{Offset, PartitionIndex, TopicId};
use replication::Acks;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::awaited_append::{AwaitedAppend, Settled};
use super::leader_hints::LeaderHints;
use super::produce_batch::{BatchRefusal, check_batch};
use super::respond_to;
use crate::broker::Broker;
use crate::client_session::connection::ConnectionEnd;
use crate::partition_directory::PartitionPlace;
use crate::partition_replica::{AppendAnswer, AppendRequest, PartitionReplicaMessage};
use crate::request_memory::RequestPermit;
use crate::segment_writer::HeldBytes;

/// A Produce request whose answer is awaited.
#[derive(Debug)]
pub struct ProduceInFlight {
    bytes_max: usize,
    version: i16,
    correlation_id: i32,
    acks: Option<Acks>,
    deadline: Instant,
    topics: SmallVec<[TopicInFlight; 1]>,
    /// When the request was whole.
    started: Instant,
    hints: LeaderHints,
}

#[derive(Debug)]
struct TopicInFlight {
    name: WireString,
    id: TopicId,
    partitions: SmallVec<[PartitionInFlight; 1]>,
}

#[derive(Debug)]
struct PartitionInFlight {
    index: i32,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Awaited(AwaitedAppend),
    Known(PartitionProduceResponse),
}

/// Takes a request up: every batch is with its replica when this returns.
///
/// # Errors
/// When the body is damaged.
pub fn begin(
    broker: &Broker,
    request: &RequestFrame,
    permit: RequestPermit,
    hints: LeaderHints,
) -> Result<ProduceInFlight, DecodeError> {
    let body = request.body::<ProduceRequest>()?;
    let acks = Acks::from_wire(body.acks);
    let refusal = refusal_of_all(&body, acks);
    let image = broker.image.load();
    let timeout = Duration::from_millis(u64::try_from(body.timeout_ms).unwrap_or(0));
    let (deadline, version) = (Instant::now() + timeout, request.version);
    let turn = Turn { broker, image: &image, permit, acks, refusal, version, deadline };
    Ok(ProduceInFlight {
        bytes_max: broker.bounds.response_bytes_max,
        version: request.version,
        correlation_id: request.correlation_id,
        acks,
        deadline,
        topics: body.topic_data.into_iter().map(|topic| turn.begin_topic(topic)).collect(),
        started: Instant::now(),
        hints,
    })
}

/// What refuses every partition of the request.
fn refusal_of_all(body: &ProduceRequest, acks: Option<Acks>) -> Option<ErrorCode> {
    if acks.is_none() {
        return Some(ErrorCode::InvalidRequiredAcks);
    }
    // no transactional id was ever given out
    body.transactional_id.as_ref().map(|_| ErrorCode::TransactionalIdAuthorizationFailed)
}

/// What the partitions of one request share.
struct Turn<'a> {
    broker: &'a Broker,
    image: &'a ClusterImage,
    permit: RequestPermit,
    acks: Option<Acks>,
    refusal: Option<ErrorCode>,
    version: i16,
    deadline: Instant,
}

impl Turn<'_> {
    fn begin_topic(&self, topic: TopicProduceData) -> TopicInFlight {
        let found = if self.version >= 13 {
            self.image.topic_by_id(topic.topic_id).ok_or(ErrorCode::UnknownTopicId)
        } else {
            self.image.topic(&topic.name).ok_or(ErrorCode::UnknownTopicOrPartition)
        };
        let begin = |data: PartitionProduceData| PartitionInFlight {
            index: data.index,
            answer: self.begin_partition(found, data),
        };
        let partitions = topic.partition_data.into_iter().map(begin).collect();
        TopicInFlight { name: topic.name, id: topic.topic_id, partitions }
    }

    fn begin_partition(
        &self,
        topic: Result<&Arc<TopicState>, ErrorCode>,
        data: PartitionProduceData,
    ) -> Answer {
        let index = data.index;
        match self.append(topic, data) {
            Ok(answer) => Answer::Awaited(answer),
            Err(refusal) => {
                self.broker.metrics.appends_refused.inc();
                Answer::Known(refused(index, &refusal))
            }
        }
    }

    fn append(
        &self,
        topic: Result<&Arc<TopicState>, ErrorCode>,
        data: PartitionProduceData,
    ) -> Result<AwaitedAppend, BatchRefusal> {
        if let Some(code) = self.refusal {
            return Err(code.into());
        }
        let place = self.place(topic?, PartitionIndex(data.index))?;
        let batch = data.records.unwrap_or_default();
        let header = check_batch(&batch, &place)?;
        let answer = self.hand_over(&place, batch, header)?;
        Ok(AwaitedAppend { answer, place })
    }

    fn place(
        &self,
        topic: &TopicState,
        index: PartitionIndex,
    ) -> Result<Arc<PartitionPlace>, BatchRefusal> {
        self.broker.check_client_may_write(&topic.name)?;
        if self.broker.is_cut_off() {
            return Err(ErrorCode::NotLeaderOrFollower.into());
        }
        let place = self.broker.place_of(topic, index)?;
        if self.broker.leaves_to_others(&place.decided()) {
            return Err(ErrorCode::NotLeaderOrFollower.into());
        }
        Ok(place)
    }

    fn hand_over(
        &self,
        place: &PartitionPlace,
        batch: Bytes,
        header: BatchHeader,
    ) -> Result<oneshot::Receiver<AppendAnswer>, BatchRefusal> {
        let bytes_max = self.broker.bounds.partition_pending_bytes_max;
        let bytes = batch.len();
        // refused at once rather than queued: the client comes again after its backoff
        let partition =
            place.reserve(batch.len(), bytes_max).ok_or(ErrorCode::NotLeaderOrFollower)?;
        let held = HeldBytes { request: Some(self.permit.clone()), partition: Some(partition) };
        let (reply, answer) = oneshot::channel();
        let acks = self.acks.ok_or(ErrorCode::InvalidRequiredAcks)?;
        // only acks=all has the client's deadline: the leader's own write is never given up
        let deadline = (acks == Acks::All).then_some(self.deadline);
        let request = AppendRequest { batch, header, acks, held, deadline, reply };
        place
            .replica
            .send(PartitionReplicaMessage::Append(request))
            .map_err(|_| ErrorCode::NotLeaderOrFollower)?;
        self.broker.metrics.batches_appended.inc();
        self.broker.metrics.bytes_appended.inc_by(bytes as u64);
        Ok(answer)
    }
}

fn refused(index: i32, refusal: &BatchRefusal) -> PartitionProduceResponse {
    let record_errors = refusal.record.map(|record| BatchIndexAndErrorMessage {
        batch_index: record,
        batch_index_error_message: refusal.message.as_deref().map(WireString::from),
    });
    PartitionProduceResponse {
        index,
        error_code: refusal.code.code(),
        base_offset: Offset::UNKNOWN.value(),
        record_errors: record_errors.into_iter().collect(),
        error_message: refusal.message.as_deref().map(WireString::from),
        ..PartitionProduceResponse::default()
    }
}

impl ProduceInFlight {
    /// Waits for the answers of all partitions and gives the response; `None` with `acks=0`. Safe
    /// to cancel.
    ///
    /// # Errors
    /// With `acks=0` and a refused batch: closing the connection is all that can be said.
    pub async fn answer(&mut self) -> Result<Option<Encoded>, ConnectionEnd> {
        let deadline = self.deadline;
        for topic in &mut self.topics {
            for partition in &mut topic.partitions {
                partition.settle(self.hints.broker(), deadline, self.acks).await;
            }
        }
        self.finish()
    }

    /// When the request was whole.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    fn finish(&mut self) -> Result<Option<Encoded>, ConnectionEnd> {
        let responses: Vec<_> = self.topics.drain(..).map(TopicInFlight::response).collect();
        if self.acks == Some(Acks::None) {
            let is_refused = |p: &PartitionProduceResponse| p.error_code != 0;
            if responses.iter().flat_map(|topic| &topic.partition_responses).any(is_refused) {
                return Err(ConnectionEnd::RefusedWithoutResponse);
            }
            return Ok(None);
        }
        let mut response = ProduceResponse { responses, ..ProduceResponse::default() };
        self.hints.add_to_produce(self.version, &mut response);
        respond_to::<ProduceRequest>(&response, self.version, self.correlation_id, self.bytes_max)
            .map(Some)
    }
}

impl TopicInFlight {
    fn response(self) -> TopicProduceResponse {
        let known = |partition: PartitionInFlight| match partition.answer {
            Answer::Known(response) => response,
            Answer::Awaited(_) => refused(partition.index, &ErrorCode::RequestTimedOut.into()),
        };
        TopicProduceResponse {
            name: self.name,
            topic_id: self.id,
            partition_responses: self.partitions.into_iter().map(known).collect(),
        }
    }
}

impl PartitionInFlight {
    async fn settle(&mut self, broker: &Broker, deadline: Instant, acks: Option<Acks>) {
        let Answer::Awaited(awaited) = &mut self.answer else { return };
        let deadline = (acks == Some(Acks::All)).then_some(deadline);
        self.answer = Answer::Known(match awaited.settled(broker, deadline).await {
            Settled::Answered(Ok(place)) => PartitionProduceResponse {
                index: self.index,
                base_offset: place.base_offset.value(),
                log_append_time_ms: place.log_append_time.unwrap_or(-1),
                log_start_offset: place.log_start_offset.value(),
                ..PartitionProduceResponse::default()
            },
            Settled::Answered(Err(refusal)) => {
                let message = Some(refusal.to_string());
                refused(
                    self.index,
                    &BatchRefusal { code: refusal.error_code(), message, record: None },
                )
            }
            // it, or another one, leads again in a moment
            Settled::Lost => refused(self.index, &ErrorCode::NotLeaderOrFollower.into()),
            Settled::TimedOut => refused(self.index, &ErrorCode::RequestTimedOut.into()),
        });
    }
}
