//! Fetch (KIP-74, KIP-227, KIP-320, KIP-516 from v13): reads partitions through their read views
//! and waits, outside of every mailbox, until there is enough to answer.

use std::time::Duration;

use bytes::Bytes;
use commit_log::{LogReader, ReadError, ReadMode, ReadOutcome, ReadRequest};
use protocol::generated::fetch::{
    EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use protocol::primitives::Encoded;
use protocol::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};
use tokio::time::{Instant, timeout_at};

use super::leader_hints::LeaderHints;
use super::partition_lookup::{check_leader_epoch, error_of_read};
use super::read_replicas::{Consumer, is_ahead_of_follower};
use super::{RequestContext, Turn};
use crate::broker::Broker;
use crate::client_session::connection::ConnectionEnd;
use crate::client_session::fetch_sessions::{FetchTurn, WantedPartition};
use crate::ports::storage_executor::run_blocking;
use crate::read_view::{Isolation, ReadView};
use crate::view_waiters::Bell;

/// Answers a fetch.
///
/// # Errors
/// As every request.
pub async fn answer(turn: &mut Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<FetchRequest>()?;
    let version = turn.frame.version;
    let mut response = fetch(turn.broker, turn.context, version, &request).await;
    LeaderHints::new(turn.broker, &turn.context.listener).add_to_fetch(version, &mut response);
    turn.respond::<FetchRequest>(&response)
}

async fn fetch(
    broker: &Broker,
    context: &mut RequestContext,
    version: i16,
    request: &FetchRequest,
) -> FetchResponse {
    if request.replica_id >= 0 || request.replica_state.replica_id >= 0 {
        // followers do not come by this door: replication is messages between actors
        return refused(ErrorCode::InvalidRequest);
    }
    let fresh_id = fresh_session_id(broker);
    let mut turn = match context.fetch_sessions.begin(request, version, fresh_id) {
        Ok(turn) => turn,
        Err(code) => return refused(code),
    };
    let consumer = Consumer::of(request, version, &context.listener);
    let answers = Poll::new(broker, request, consumer).until_enough(&turn.wanted, context).await;
    let response = respond(version, &mut turn, &answers);
    context.fetch_sessions.end(turn, |index| answers.get(index).is_some_and(Answer::has_records));
    response
}

fn refused(code: ErrorCode) -> FetchResponse {
    FetchResponse { error_code: code.code(), ..FetchResponse::default() }
}

fn fresh_session_id(broker: &Broker) -> i32 {
    let random = broker.ports.rng.next() & 0x7fff_ffff;
    i32::try_from(random).unwrap_or(1).max(1)
}

/// What one partition has to say.
struct Answer {
    topic_id: TopicId,
    data: PartitionData,
    /// Whether the offset wanted is not known to be committed here, at a follower.
    is_ahead: bool,
}

impl Answer {
    fn has_records(&self) -> bool {
        self.data.records.as_ref().is_some_and(|records| !records.is_empty())
    }

    fn bytes(&self) -> usize {
        self.data.records.as_ref().map_or(0, Bytes::len)
    }

    /// Whether the consumer must hear of it at once, however few bytes there are.
    fn is_urgent(&self) -> bool {
        self.data.error_code != 0
            || self.data.diverging_epoch.epoch >= 0
            || self.data.preferred_read_replica >= 0
    }

    /// The consumer has waited at a follower for as long as it wanted: the leader knows more.
    fn give_up(&mut self) {
        if std::mem::take(&mut self.is_ahead) {
            self.data.error_code = ErrorCode::OffsetNotAvailable.code();
        }
    }
}

/// One fetch as it waits for enough to answer.
struct Poll<'a> {
    broker: &'a Broker,
    consumer: Consumer,
    isolation: Isolation,
    bytes_min: usize,
    bytes_max: usize,
    deadline: Instant,
    /// What the partition's share of the response may be.
    bell: Bell,
}

impl<'a> Poll<'a> {
    fn new(broker: &'a Broker, request: &FetchRequest, consumer: Consumer) -> Self {
        let limit = broker.bounds.fetch_response_bytes_max;
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        Self {
            broker,
            consumer,
            isolation: Isolation::from_wire(request.isolation_level),
            bytes_min: usize::try_from(request.min_bytes).unwrap_or(0),
            bytes_max: usize::try_from(request.max_bytes).unwrap_or(0).min(limit),
            deadline: Instant::now() + wait.min(broker.bounds.fetch_wait_max),
            bell: Bell::default(),
        }
    }

    async fn until_enough(
        &self,
        wanted: &[WantedPartition],
        context: &mut RequestContext,
    ) -> Vec<Answer> {
        loop {
            let mut answers = self.read_all(wanted, context).await;
            let bytes: usize = answers.iter().map(Answer::bytes).sum();
            let enough = bytes >= self.bytes_min.min(self.bytes_max).max(1) || self.bytes_min == 0;
            if enough || answers.is_empty() || answers.iter().any(Answer::is_urgent) {
                return answers;
            }
            context.held = None;
            if timeout_at(self.deadline, self.bell.rung()).await.is_err() {
                answers.iter_mut().for_each(Answer::give_up);
                return answers;
            }
        }
    }

    async fn read_all(
        &self,
        wanted: &[WantedPartition],
        context: &mut RequestContext,
    ) -> Vec<Answer> {
        let mut budget = self.budget(context);
        let mut answers: Vec<Answer> = Vec::with_capacity(wanted.len());
        let mut nothing_yet = true;
        for partition in wanted {
            let answer = self.read_partition(partition, budget, nothing_yet).await;
            nothing_yet &= answer.bytes() == 0;
            budget = budget.saturating_sub(answer.bytes());
            answers.push(answer);
        }
        answers
    }

    /// How much may be read: what the client wants, if that much response memory is free; a little
    /// otherwise, so that slow readers who hold it do not starve the others.
    fn budget(&self, context: &mut RequestContext) -> usize {
        let held = self.broker.response_memory.try_acquire(self.bytes_max);
        let budget = if held.is_some() { self.bytes_max } else { FETCH_BYTES_WITHOUT_PERMIT };
        context.held = held;
        budget.min(self.bytes_max)
    }

    async fn read_partition(
        &self,
        wanted: &WantedPartition,
        budget: usize,
        at_least_one_batch: bool,
    ) -> Answer {
        let mut data = PartitionData {
            partition_index: wanted.fetch.partition,
            high_watermark: -1,
            records: Some(Bytes::new()),
            ..PartitionData::default()
        };
        let (topic_id, read) = match self.broker.topic_of(&wanted.topic) {
            Ok(topic) => {
                let index = PartitionIndex(wanted.fetch.partition);
                let read =
                    self.read(&topic, index, wanted, (budget, at_least_one_batch), &mut data);
                (topic.id, read.await)
            }
            Err(code) => (wanted.topic.id, Err(code)),
        };
        let is_ahead = read.unwrap_or_else(|code| {
            data.error_code = code.code();
            false
        });
        Answer { topic_id, data, is_ahead }
    }

    /// Says whether the offset wanted is ahead of what this follower knows to be committed.
    async fn read(
        &self,
        topic: &metadata::image::TopicState,
        index: PartitionIndex,
        wanted: &WantedPartition,
        (budget, at_least_one_batch): (usize, bool),
        data: &mut PartitionData,
    ) -> Result<bool, ErrorCode> {
        let place = self.broker.place_of(topic, index)?;
        if self.broker.is_cut_off() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        place.leave_bell(&self.bell);
        let view =
            self.consumer.view_of(self.broker, &place).ok_or(ErrorCode::NotLeaderOrFollower)?;
        let known = LeaderEpoch::new(wanted.fetch.current_leader_epoch);
        check_leader_epoch(&view, known)?;
        tell_offsets(&view, self.isolation, data);
        let from = Offset::new(wanted.fetch.fetch_offset);
        // first: an epoch goes on at the leader where it ends in a follower's log
        if is_ahead_of_follower(&view, from)? {
            return Ok(true);
        }
        if let Some(end) = diverging(&view, wanted) {
            data.diverging_epoch = end;
            return Ok(false);
        }
        if let Some(replica) = self.consumer.preferred_replica(self.broker, &view, from) {
            data.preferred_read_replica = replica.0;
            return Ok(false);
        }
        let partition_max = usize::try_from(wanted.fetch.partition_max_bytes).unwrap_or(0);
        let request = ReadRequest {
            from,
            up_to: view.readable_end(self.isolation),
            bytes_max: partition_max.min(budget),
            at_least_one_batch,
            mode: ReadMode::NoWait,
        };
        if let Some(outcome) = self.read_log(&view, request).await? {
            let now = place.shown().ok_or(ErrorCode::NotLeaderOrFollower)?;
            if !now.continues(&view) || now.reader.generation() != outcome.generation {
                return Err(ErrorCode::NotLeaderOrFollower);
            }
            self.consumer.count(self.broker, &view, outcome.batches.len());
            data.records = Some(outcome.batches);
        }
        Ok(false)
    }

    /// Reads from memory, or on a storage thread what memory does not hold.
    async fn read_log(
        &self,
        view: &ReadView,
        request: ReadRequest,
    ) -> Result<Option<ReadOutcome>, ErrorCode> {
        if request.from > request.up_to && request.from <= view.reader.log_end_offset() {
            // committed soon: nothing to give yet, and nothing wrong
            return Ok(None);
        }
        if request.bytes_max == 0 && !request.at_least_one_batch && request.from < request.up_to {
            return Ok(None);
        }
        let read = match view.reader.read(request) {
            Err(ReadError::WouldBlock) => self.read_from_disk(view.reader.clone(), request).await,
            read => read,
        };
        read.map(Some).map_err(|error| error_of_read(&error))
    }

    async fn read_from_disk(
        &self,
        reader: LogReader,
        request: ReadRequest,
    ) -> Result<ReadOutcome, ReadError> {
        let request = ReadRequest { mode: ReadMode::MayBlock, ..request };
        let executor = &*self.broker.ports.executor;
        let read = run_blocking(executor, move || reader.read(request)).await;
        read.unwrap_or(Err(ReadError::WouldBlock))
    }
}

/// What may be read while no response memory is free.
const FETCH_BYTES_WITHOUT_PERMIT: usize = 32 * 1024;

fn tell_offsets(view: &ReadView, isolation: Isolation, data: &mut PartitionData) {
    data.high_watermark = view.high_watermark.value();
    data.last_stable_offset = view.last_stable_offset.value();
    data.log_start_offset = view.log_start_offset.value();
    if isolation == Isolation::FinishedTransactions {
        data.aborted_transactions = Some(Vec::new());
    }
}

/// Where the consumer's log and this one part ways, if they do (KIP-595).
fn diverging(view: &ReadView, wanted: &WantedPartition) -> Option<EpochEndOffset> {
    let last_fetched = LeaderEpoch::new(wanted.fetch.last_fetched_epoch);
    if !last_fetched.is_known() {
        return None;
    }
    let (epoch, end) = view.reader.end_offset_for_epoch(last_fetched)?;
    let diverges = epoch < last_fetched || end.value() < wanted.fetch.fetch_offset;
    diverges.then(|| EpochEndOffset { epoch: epoch.value(), end_offset: end.value() })
}

fn respond(version: i16, turn: &mut FetchTurn, answers: &[Answer]) -> FetchResponse {
    let mut response = FetchResponse { session_id: turn.session_id, ..FetchResponse::default() };
    for (wanted, answer) in turn.wanted.iter_mut().zip(answers) {
        let is_new = wanted.tell(answer.data.high_watermark, answer.data.log_start_offset);
        let is_told = !turn.is_incremental || is_new || answer.has_records() || answer.is_urgent();
        if is_told {
            add(version, &mut response.responses, wanted, answer);
        }
    }
    response
}

fn add(
    version: i16,
    topics: &mut Vec<FetchableTopicResponse>,
    wanted: &WantedPartition,
    answer: &Answer,
) {
    let topic_id = if version >= 13 { answer.topic_id } else { TopicId::ZERO };
    let name = if version >= 13 { Default::default() } else { wanted.topic.name.clone() };
    match topics.last_mut() {
        Some(last) if last.topic == name && last.topic_id == topic_id => {
            last.partitions.push(answer.data.clone());
        }
        _ => topics.push(FetchableTopicResponse {
            topic: name,
            topic_id,
            partitions: vec![answer.data.clone()],
        }),
    }
}
