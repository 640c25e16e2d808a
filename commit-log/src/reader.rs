//! Reading a log from any thread, while its owner appends.

use bytes::Bytes;
use protocol::record_batch::BatchHeader;
use protocol::{LeaderEpoch, Offset};

use crate::ReadError;

/// Whether a read may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// Only from memory; [`ReadError::WouldBlock`] otherwise. For the runtime's threads.
    NoWait,
    /// From wherever the bytes are. For storage threads.
    MayBlock,
}

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// The first offset wanted; its batch may begin below.
    pub from: Offset,
    /// No batch that reaches this offset or beyond: the high watermark or last stable offset.
    pub up_to: Offset,
    /// At most this many bytes.
    pub bytes_max: usize,
    /// Whether the first batch comes even if it is larger than `bytes_max`.
    pub at_least_one_batch: bool,
    /// Whether the read may wait.
    pub mode: ReadMode,
}

/// Whole batches as they are in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// The batches one after the other; empty if there is nothing between `from` and `up_to`.
    pub batches: Bytes,
    /// Where the next read goes on.
    pub next_offset: Offset,
    /// The truncation generation that the bytes are of: see [`LogReader::generation`].
    pub generation: u64,
}

/// A batch found by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedBatch {
    /// The whole batch. Its records tell which of them is meant.
    pub batch: Bytes,
    /// Its header.
    pub header: BatchHeader,
}

/// A view of a log for readers on other threads; cheap to clone.
#[derive(Clone, Debug)]
pub struct LogReader {}

#[allow(unused_variables, clippy::missing_errors_doc, reason = "signatures only, so far")]
#[allow(missing_docs, reason = "the same")]
impl LogReader {
    /// Reads whole batches.
    pub fn read(&self, request: ReadRequest) -> Result<ReadOutcome, ReadError> {
        unimplemented!()
    }

    /// The first batch below `up_to` with a record of this time or later.
    pub fn batch_for_timestamp(
        &self,
        timestamp: i64,
        up_to: Offset,
        mode: ReadMode,
    ) -> Result<Option<TimedBatch>, ReadError> {
        unimplemented!()
    }

    /// The batch below `up_to` with the largest timestamp, the earliest of several.
    pub fn batch_of_max_timestamp(
        &self,
        up_to: Offset,
        mode: ReadMode,
    ) -> Result<Option<TimedBatch>, ReadError> {
        unimplemented!()
    }

    /// The epoch and offset where `epoch`, or the largest known below it, ended.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        unimplemented!()
    }

    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        unimplemented!()
    }

    pub fn log_start_offset(&self) -> Offset {
        unimplemented!()
    }

    pub fn log_end_offset(&self) -> Offset {
        unimplemented!()
    }

    /// Counts truncations: what was read under one generation may be gone in the next.
    pub fn generation(&self) -> u64 {
        unimplemented!()
    }
}
