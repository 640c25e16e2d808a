//! The public type: one partition's log, owned by one thread at a time.

use std::path::Path;
use std::sync::Arc;

use protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use crate::{
    Append, AppendResult, FlushJob, FlushResult, LogError, LogReader, LogSettings, Storage,
};

/// What the logs of one process share.
#[derive(Clone, Debug)]
pub struct LogResources {
    /// The disk.
    pub storage: Arc<dyn Storage>,
}

impl LogResources {
    /// Resources with the default bounds: 1,024 open files of closed segments, 64 MiB of their
    /// indexes, 64 MiB of read buffers kept for use again.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }
}

/// What the opener knows about a log, mostly from the directory's checkpoints.
#[derive(Clone, Debug, Default)]
pub struct OpenHints {
    /// The recovery point last checkpointed; without one, the whole log is scanned.
    pub recovery_point: Option<Offset>,
    /// The log start offset last checkpointed.
    pub log_start_offset: Option<Offset>,
    /// Whether the directory was stopped in order (`.kafka_cleanshutdown`).
    pub clean_shutdown: bool,
    /// The flushed offset that a failed incarnation of this log in the same process ended with,
    /// when it could not note it on disk (see [`LogError::FlushFailed`]).
    pub flushed_proof: Option<Offset>,
    /// Spreads `segment.jitter.ms`: any number, another one for every log.
    pub jitter_seed: u64,
    /// The wall clock, in milliseconds since 1970.
    pub now_ms: i64,
}

/// What opening a log found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Bytes read to check batches.
    pub scanned_bytes: u64,
    /// Bytes of a torn tail that were cut off and kept aside.
    pub cut_bytes: u64,
    /// The first offset that was cut off, if anything was.
    pub cut_from: Option<Offset>,
    /// Segments whose indexes were built again.
    pub rebuilt_indexes: usize,
}

/// What a producer's idempotence rests on, as DescribeProducers tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSummary {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its latest epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of its last record; −1 if none is known.
    pub last_sequence: i32,
    /// The time of its last batch, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// The first offset of its open transaction.
    pub transaction_start_offset: Option<Offset>,
}

/// One segment, for status and dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSummary {
    /// Its first offset.
    pub base_offset: Offset,
    /// Bytes of its log file.
    pub bytes: u64,
    /// Whether it is the one being appended to.
    pub active: bool,
}

/// One partition's log.
#[derive(Debug)]
pub struct CommitLog {}

#[allow(unused_variables, clippy::missing_errors_doc, reason = "signatures only, so far")]
#[allow(missing_docs, clippy::unused_self, clippy::needless_pass_by_value, reason = "the same")]
impl CommitLog {
    /// Opens the log in `directory`, made if missing, and recovers it.
    pub fn open(
        resources: &LogResources,
        directory: &Path,
        settings: LogSettings,
        hints: OpenHints,
    ) -> Result<(Self, RecoveryReport), LogError> {
        unimplemented!()
    }

    /// Appends in order, one write for the group. As many results as appends.
    pub fn append(&mut self, appends: &[Append]) -> Vec<AppendResult> {
        unimplemented!()
    }

    /// What must be flushed; `None` if nothing is, or a flush is under way.
    pub fn begin_flush(&mut self) -> Result<Option<FlushJob>, LogError> {
        unimplemented!()
    }

    /// Takes in what became of a flush and gives the flushed offset.
    pub fn finish_flush(&mut self, result: FlushResult) -> Result<Offset, LogError> {
        unimplemented!()
    }

    /// Flushes here and now.
    pub fn flush(&mut self) -> Result<Offset, LogError> {
        unimplemented!()
    }

    /// Cuts the log's end so that no record at or above `offset` is left; gives the new end.
    pub fn truncate_to(&mut self, offset: Offset, now_ms: i64) -> Result<Offset, LogError> {
        unimplemented!()
    }

    /// Deletes everything and goes on at `offset`.
    pub fn truncate_fully_and_start_at(&mut self, offset: Offset) -> Result<(), LogError> {
        unimplemented!()
    }

    /// Moves the log start offset (DeleteRecords), durably; never back.
    pub fn advance_log_start(&mut self, offset: Offset) -> Result<(), LogError> {
        unimplemented!()
    }

    /// Deletes what the retention settings give up; the number of segments.
    pub fn apply_retention(
        &mut self,
        now_ms: i64,
        high_watermark: Offset,
    ) -> Result<usize, LogError> {
        unimplemented!()
    }

    /// Removes deleted files whose delay has passed.
    pub fn remove_deleted_files(&mut self, now_ms: i64) -> Result<usize, LogError> {
        unimplemented!()
    }

    /// Flushes, closes all files and drops all caches. The next append opens what it needs.
    pub fn become_dormant(&mut self) -> Result<(), LogError> {
        unimplemented!()
    }

    /// Flushes and leaves the files as Kafka's orderly stop does.
    pub fn close_cleanly(self) -> Result<CleanlyClosed, LogError> {
        unimplemented!()
    }

    /// Tells that the directory's checkpoint holds this recovery point.
    pub fn recovery_point_checkpointed(&mut self, offset: Offset) -> Result<(), LogError> {
        unimplemented!()
    }

    /// Makes the epoch known from `start_offset` on.
    pub fn assign_epoch(
        &mut self,
        epoch: LeaderEpoch,
        start_offset: Offset,
    ) -> Result<(), LogError> {
        unimplemented!()
    }

    pub fn reader(&self) -> LogReader {
        unimplemented!()
    }

    pub fn update_settings(&mut self, settings: LogSettings) {
        unimplemented!()
    }

    /// The offset to checkpoint as recovery point.
    pub fn recovery_point(&self) -> Offset {
        unimplemented!()
    }

    pub fn flushed_offset(&self) -> Offset {
        unimplemented!()
    }

    pub fn log_end_offset(&self) -> Offset {
        unimplemented!()
    }

    pub fn log_start_offset(&self) -> Offset {
        unimplemented!()
    }

    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        unimplemented!()
    }

    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        unimplemented!()
    }

    pub fn producer_count(&self) -> usize {
        unimplemented!()
    }

    pub fn producers(&mut self) -> Result<Vec<ProducerSummary>, LogError> {
        unimplemented!()
    }

    /// Bytes of all log files.
    pub fn bytes(&self) -> u64 {
        unimplemented!()
    }

    pub fn segments(&self) -> Vec<SegmentSummary> {
        unimplemented!()
    }
}

/// What an orderly stop leaves for the directory's checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanlyClosed {
    /// The recovery point: the log's end.
    pub recovery_point: Offset,
    /// The first offset.
    pub log_start_offset: Offset,
}
