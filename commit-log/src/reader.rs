//! Reading a log from any thread, while its owner appends, truncates and deletes.

mod batch_read;
mod locate;
mod timestamps;

use std::sync::Arc;

use bytes::Bytes;
use protocol::{LeaderEpoch, Offset};

use crate::commit_log::retention_facts;
use crate::retention::{RetentionInput, segments_to_delete};
use crate::shared_log::SharedLog;
use crate::{LogError, LogSettings, ReadError};

pub use timestamps::TimedBatch;

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
    /// No batch that reaches this offset: the high watermark, the last stable offset, or the log
    /// end offset for a follower.
    pub up_to: Offset,
    /// At most this many bytes.
    pub bytes_max: usize,
    /// Whether the first batch comes even if it is larger than `bytes_max`.
    pub at_least_one_batch: bool,
    /// Whether the read may wait.
    pub mode: ReadMode,
}

/// Whole batches as they are in the file, their checksums checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// The batches one after the other; empty if there is nothing between `from` and `up_to`, or
    /// nothing that fits.
    pub batches: Bytes,
    /// Where the next read goes on.
    pub next_offset: Offset,
    /// The truncation generation that the bytes are of: see [`LogReader::generation`].
    pub generation: u64,
}

/// A view of a log for readers on other threads; cheap to clone. It ends with the log's owner.
///
/// A read gives bytes that were part of the log at one moment between its begin and its end, in
/// full batches with good checksums, or an error; never anything else.
#[derive(Clone, Debug)]
pub struct LogReader {
    shared: Arc<SharedLog>,
}

impl LogReader {
    pub(crate) fn new(shared: Arc<SharedLog>) -> Self {
        Self { shared }
    }

    /// Reads whole batches from one segment. Between `up_to` and the log end there is nothing to
    /// read, which is no error.
    ///
    /// # Errors
    /// [`ReadError::OffsetOutOfRange`] below the log start or above the log end,
    /// [`ReadError::WouldBlock`] as the mode says, [`ReadError::Truncated`],
    /// [`ReadError::Closed`], [`ReadError::Corrupt`], [`ReadError::Storage`].
    pub fn read(&self, request: ReadRequest) -> Result<ReadOutcome, ReadError> {
        let generation = self.shared.begin_read()?;
        let outcome = self.read_in(request, generation);
        // whatever a truncation made of the read, its end says so
        self.shared.end_read(generation)?;
        outcome
    }

    /// The largest leader epoch at or below `epoch`, and the offset where it ended; `None` if
    /// `epoch` is above all known ones.
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.shared.end_offset_for_epoch(epoch)
    }

    /// The latest leader epoch that the log knows.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.shared.with_epochs(|epochs| epochs.latest())
    }

    /// The leader epoch that the record at `offset` was appended under.
    #[must_use]
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.shared.with_epochs(|epochs| epochs.epoch_of(offset))
    }

    /// The first offset that can be read.
    #[must_use]
    pub fn log_start_offset(&self) -> Offset {
        self.shared.log_start_offset()
    }

    /// The offset after the last record.
    #[must_use]
    pub fn log_end_offset(&self) -> Offset {
        self.shared.log_end_offset()
    }

    /// How many segments retention would delete now, so that an idle log's owner is woken only if
    /// there is something to do. May read from the disk: for storage threads.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn deletable_segments(
        &self,
        settings: &LogSettings,
        now_ms: i64,
        high_watermark: Offset,
    ) -> Result<usize, LogError> {
        let segments = self.shared.segments();
        let facts = retention_facts(&self.shared, &segments)?;
        let log_start_offset = self.log_start_offset();
        let input = RetentionInput { now_ms, high_watermark, log_start_offset };
        Ok(segments_to_delete(&facts, settings, input))
    }

    /// Changes with every truncation: what was read under one generation may be gone in the next.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.generation()
    }
}
