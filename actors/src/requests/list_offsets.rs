//! ListOffsets (KIP-79, KIP-207, KIP-734) and OffsetForLeaderEpoch (KIP-101, KIP-320).

use commit_log::{ReadError, ReadMode, TimedBatch};
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use protocol::generated::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};
use protocol::primitives::Encoded;
use protocol::record_batch::RecordBatch;
use protocol::{ErrorCode, LeaderEpoch, Offset, PartitionIndex};

use super::Turn;
use super::partition_lookup::{check_leader_epoch, error_of_read};
use crate::broker::Broker;
use crate::client_session::connection::ConnectionEnd;
use crate::ports::storage_executor::run_blocking;
use crate::read_view::{Isolation, ReadView};

/// The offset after the last readable record.
const LATEST: i64 = -1;
/// The first offset.
const EARLIEST: i64 = -2;
/// The record with the largest timestamp (KIP-734).
const MAX_TIMESTAMP: i64 = -3;
/// The first offset on local disk (KIP-405): without tiers, the first offset.
const EARLIEST_LOCAL: i64 = -4;
/// The last offset in remote storage (KIP-1005): without tiers, none.
const LATEST_TIERED: i64 = -5;
/// The first offset not yet in remote storage (KIP-1023): without tiers, the first offset.
const EARLIEST_PENDING_UPLOAD: i64 = -6;
/// Asks any replica for the end of its own log, whoever leads: what Kafka's tools say when they
/// compare replicas.
const DEBUGGING_REPLICA: i32 = -2;
/// Decompressed bytes of one batch that is searched for a timestamp.
const SEARCHED_BYTES_MAX: usize = 64 << 20;

/// A record found.
struct Found {
    timestamp: i64,
    offset: Offset,
    leader_epoch: LeaderEpoch,
}

const NOTHING: Found =
    Found { timestamp: -1, offset: Offset::UNKNOWN, leader_epoch: LeaderEpoch::UNKNOWN };

/// Answers ListOffsets.
///
/// # Errors
/// As every request.
pub async fn list_offsets(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<ListOffsetsRequest>()?;
    let mut response = ListOffsetsResponse::default();
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let search = Search {
                broker: turn.broker,
                topic: &topic.name,
                isolation: Isolation::from_wire(request.isolation_level),
                version: turn.frame.version,
                of_any_replica: request.replica_id == DEBUGGING_REPLICA,
            };
            partitions.push(search.answer(&wanted).await);
        }
        response.topics.push(ListOffsetsTopicResponse { name: topic.name, partitions });
    }
    turn.respond::<ListOffsetsRequest>(&response)
}

struct Search<'a> {
    broker: &'a Broker,
    topic: &'a str,
    isolation: Isolation,
    version: i16,
    /// The question is for this node's replica, whatever its role.
    of_any_replica: bool,
}

impl Search<'_> {
    async fn answer(&self, wanted: &ListOffsetsPartition) -> ListOffsetsPartitionResponse {
        let partition_index = wanted.partition_index;
        match self.find(wanted).await {
            Ok(found) => ListOffsetsPartitionResponse {
                partition_index,
                timestamp: found.timestamp,
                offset: found.offset.value(),
                leader_epoch: if self.version >= 4 { found.leader_epoch.value() } else { -1 },
                ..ListOffsetsPartitionResponse::default()
            },
            Err(code) => ListOffsetsPartitionResponse {
                partition_index,
                error_code: self.code_in_version(code).code(),
                timestamp: -1,
                offset: -1,
                ..ListOffsetsPartitionResponse::default()
            },
        }
    }

    const fn code_in_version(&self, code: ErrorCode) -> ErrorCode {
        match code {
            ErrorCode::OffsetNotAvailable if self.version < 5 => ErrorCode::LeaderNotAvailable,
            code => code,
        }
    }

    /// Where this node's replica ends, with what is not committed.
    fn own_end(&self, index: PartitionIndex) -> Result<Found, ErrorCode> {
        let image = self.broker.image.load();
        let topic = image.topic(self.topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let end = self.broker.place_of(topic, index)?.log_end_offset();
        Ok(Found { offset: end.ok_or(ErrorCode::NotLeaderOrFollower)?, ..NOTHING })
    }

    async fn find(&self, wanted: &ListOffsetsPartition) -> Result<Found, ErrorCode> {
        if self.of_any_replica && wanted.timestamp == LATEST {
            return self.own_end(PartitionIndex(wanted.partition_index));
        }
        let view = self.broker.view_of(self.topic, PartitionIndex(wanted.partition_index))?;
        check_leader_epoch(&view, LeaderEpoch::new(wanted.current_leader_epoch))?;
        let end = view.readable_end(self.isolation);
        match wanted.timestamp {
            LATEST => latest(&view, end),
            EARLIEST => Ok(at(&view, view.log_start_offset)),
            EARLIEST_LOCAL if self.version >= 8 => Ok(at(&view, view.log_start_offset)),
            LATEST_TIERED if self.version >= 9 => Ok(NOTHING),
            EARLIEST_PENDING_UPLOAD if self.version >= 11 => Ok(at(&view, view.log_start_offset)),
            MAX_TIMESTAMP if self.version >= 7 => self.largest_timestamp(&view, end).await,
            timestamp if timestamp >= 0 => self.by_timestamp(&view, timestamp, end).await,
            _ => Err(ErrorCode::UnsupportedVersion),
        }
    }

    async fn largest_timestamp(&self, view: &ReadView, end: Offset) -> Result<Found, ErrorCode> {
        let reader = view.reader.clone();
        let search = move || reader.batch_of_max_timestamp(end, ReadMode::MayBlock);
        let batch = self.on_storage_thread(search).await?;
        let found = batch.map(|batch| record_with(&batch, batch.header.max_timestamp)).transpose();
        Ok(found?.flatten().unwrap_or(NOTHING))
    }

    async fn by_timestamp(
        &self,
        view: &ReadView,
        timestamp: i64,
        end: Offset,
    ) -> Result<Found, ErrorCode> {
        let reader = view.reader.clone();
        let search = move || reader.batch_for_timestamp(timestamp, end, ReadMode::MayBlock);
        let batch = self.on_storage_thread(search).await?;
        let found = batch.map(|batch| record_with(&batch, timestamp)).transpose()?.flatten();
        match found {
            Some(found) => Ok(found),
            // there may be such a record between the high watermark and what the last leader knew
            None if !view.knows_latest_offset() => Err(ErrorCode::OffsetNotAvailable),
            None => Ok(NOTHING),
        }
    }

    async fn on_storage_thread(
        &self,
        search: impl FnOnce() -> Result<Option<TimedBatch>, ReadError> + Send + 'static,
    ) -> Result<Option<TimedBatch>, ErrorCode> {
        let found = run_blocking(&*self.broker.ports.executor, search).await;
        found.ok_or(ErrorCode::KafkaStorageError)?.map_err(|error| error_of_read(&error))
    }
}

fn latest(view: &ReadView, end: Offset) -> Result<Found, ErrorCode> {
    if view.knows_latest_offset() { Ok(at(view, end)) } else { Err(ErrorCode::OffsetNotAvailable) }
}

fn at(view: &ReadView, offset: Offset) -> Found {
    let leader_epoch = view.reader.epoch_of(offset).unwrap_or(view.leader_epoch);
    Found { timestamp: -1, offset, leader_epoch }
}

/// The first record of the batch at or after `timestamp`.
fn record_with(timed: &TimedBatch, timestamp: i64) -> Result<Option<Found>, ErrorCode> {
    let damaged = |_| ErrorCode::CorruptMessage;
    let batch = RecordBatch::parse(&timed.batch).map_err(|_| ErrorCode::CorruptMessage)?;
    for record in batch.records(SEARCHED_BYTES_MAX).map_err(damaged)? {
        let record = record.map_err(damaged)?;
        if record.timestamp >= timestamp {
            return Ok(Some(Found {
                timestamp: record.timestamp,
                offset: record.offset,
                leader_epoch: timed.header.leader_epoch,
            }));
        }
    }
    Ok(None)
}

/// Answers OffsetForLeaderEpoch.
///
/// # Errors
/// As every request.
pub fn offset_for_leader_epoch(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<OffsetForLeaderEpochRequest>()?;
    let mut response = OffsetForLeaderEpochResponse::default();
    for topic in request.topics {
        let end = |wanted: &OffsetForLeaderPartition| {
            let found = end_of_epoch(turn.broker, &topic.topic, wanted);
            let code = found.as_ref().err().copied().unwrap_or(ErrorCode::None);
            let (epoch, offset) =
                found.ok().flatten().unwrap_or((LeaderEpoch::UNKNOWN, Offset::UNKNOWN));
            EpochEndOffset {
                error_code: code.code(),
                partition: wanted.partition,
                leader_epoch: epoch.value(),
                end_offset: offset.value(),
            }
        };
        let partitions = topic.partitions.iter().map(end).collect();
        response.topics.push(OffsetForLeaderTopicResult { topic: topic.topic, partitions });
    }
    turn.respond::<OffsetForLeaderEpochRequest>(&response)
}

fn end_of_epoch(
    broker: &Broker,
    topic: &str,
    wanted: &OffsetForLeaderPartition,
) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    let view = broker.view_of(topic, PartitionIndex(wanted.partition))?;
    check_leader_epoch(&view, LeaderEpoch::new(wanted.current_leader_epoch))?;
    let asked = LeaderEpoch::new(wanted.leader_epoch);
    if asked == view.leader_epoch {
        // an epoch that still goes on ends where the log does
        return Ok(Some((asked, view.reader.log_end_offset())));
    }
    Ok(view.reader.end_offset_for_epoch(asked))
}
