//! Flushing, here or elsewhere, and what a failed flush means.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use protocol::Offset;
use smallvec::SmallVec;

use crate::commit_log::{CommitLog, Failed};
use crate::log_state::EndBound;
use crate::segment::Segment;
use crate::segment_files::FileKind;
use crate::storage::StorageFile;
use crate::{FlushJob, FlushResult, LogError};

/// How far the log is flushed, and what a flush must include.
#[derive(Debug)]
pub(super) struct FlushProgress {
    /// Everything below is on disk.
    pub(super) flushed_offset: Offset,
    pub(super) under_way: bool,
    /// Where the log was cut while the flush was under way: what was written above it since is not
    /// part of that flush.
    ceiling: Offset,
    /// Closed since the last flush was begun.
    pub(super) closed_segments: Vec<ClosedSegment>,
    /// Whether files came or went since the last flush was begun.
    pub(super) directory_changed: bool,
    /// The highest recovery point that may stand in the directory's checkpoint.
    recovery_point_told: AtomicI64,
}

/// A segment that must be flushed although nothing more is written to it. Its file stays open till
/// then: an error of the disk is told to who had it open.
#[derive(Debug)]
pub(super) struct ClosedSegment {
    pub(super) segment: Arc<Segment>,
    pub(super) file: Arc<dyn StorageFile>,
}

impl FlushProgress {
    /// Of a log that is flushed up to `offset`, and whose directory may have changed since.
    pub(super) fn at(offset: Offset, directory_changed: bool) -> Self {
        Self {
            flushed_offset: offset,
            under_way: false,
            ceiling: offset,
            closed_segments: Vec::new(),
            directory_changed,
            recovery_point_told: AtomicI64::new(offset.value()),
        }
    }

    /// Takes note that the log ends at `offset` now.
    pub(super) fn on_truncated(&mut self, offset: Offset) {
        self.flushed_offset = self.flushed_offset.min(offset);
        self.ceiling = self.ceiling.min(offset);
    }

    /// The highest recovery point that may stand in the directory's checkpoint.
    pub(super) fn recovery_point_told(&self) -> Offset {
        Offset::new(self.recovery_point_told.load(Ordering::Relaxed))
    }

    /// Takes note that a segment is gone.
    pub(super) fn forget_segment(&mut self, base_offset: Offset) {
        self.closed_segments.retain(|closed| closed.segment.base_offset() != base_offset);
    }
}

impl CommitLog {
    /// Whether there is anything that a flush would make durable.
    #[must_use]
    pub fn needs_flush(&self) -> bool {
        self.flush.flushed_offset < self.log_end_offset()
            || self.flush.directory_changed
            || !self.flush.closed_segments.is_empty()
    }

    /// Whether a segment was closed since the last flush was begun: what Kafka flushes in the
    /// background however rarely `flush.messages` and `flush.ms` ask for it.
    #[must_use]
    pub fn has_rolled_since_flush(&self) -> bool {
        !self.flush.closed_segments.is_empty()
    }

    /// Begins a flush of everything appended so far; `None` if there is nothing to flush or a
    /// flush is under way. Run the job on any thread, then give its result to
    /// [`CommitLog::finish_flush`]; appends may go on meanwhile.
    ///
    /// # Errors
    /// [`LogError::Poisoned`].
    pub fn begin_flush(&mut self) -> Result<Option<FlushJob>, LogError> {
        self.ensure_good()?;
        if self.flush.under_way || !self.needs_flush() {
            return Ok(None);
        }
        let mut files = SmallVec::new();
        let mut indexes = Vec::new();
        for ClosedSegment { segment, file } in self.flush.closed_segments.drain(..) {
            files.push(file);
            let kinds = [FileKind::OffsetIndex, FileKind::TimeIndex];
            indexes.extend(kinds.map(|kind| segment.path(kind)));
        }
        files.extend(self.active.open.as_ref().map(|open| Arc::clone(&open.file)));
        let up_to = self.log_end_offset();
        let directory = self.flush.directory_changed.then(|| self.shared.directory.to_path_buf());
        self.flush.directory_changed = false;
        self.flush.under_way = true;
        self.flush.ceiling = up_to;
        let storage = Arc::clone(self.resources().storage());
        Ok(Some(FlushJob { storage, files, indexes, directory, up_to }))
    }

    /// Takes in what became of the flush begun, and gives the flushed offset.
    ///
    /// # Errors
    /// [`LogError::FlushFailed`]: the log takes no more work, ever. The flushed offset was noted on
    /// disk, if that was possible.
    pub fn finish_flush(&mut self, result: FlushResult) -> Result<Offset, LogError> {
        self.flush.under_way = false;
        match result.outcome {
            Ok(()) => {
                let flushed = result.up_to.min(self.flush.ceiling);
                self.flush.flushed_offset = self.flush.flushed_offset.max(flushed);
                Ok(self.flush.flushed_offset)
            }
            Err(source) => Err(self.on_flush_failed(source)),
        }
    }

    /// Flushes here and now, and gives the flushed offset.
    ///
    /// # Errors
    /// [`LogError::FlushFailed`], as [`CommitLog::finish_flush`]; [`LogError::Storage`].
    pub fn flush(&mut self) -> Result<Offset, LogError> {
        match self.begin_flush()? {
            Some(job) => self.finish_flush(job.run()),
            None => Ok(self.flush.flushed_offset),
        }
    }

    /// Whether a flush begun has not been finished.
    #[must_use]
    pub fn flush_is_under_way(&self) -> bool {
        self.flush.under_way
    }

    fn on_flush_failed(&mut self, source: io::Error) -> LogError {
        let flushed_offset = self.flush.flushed_offset;
        let proof_written = self.fail_with(EndBound::FlushFailed(flushed_offset));
        let path = self.shared.directory.to_path_buf();
        LogError::FlushFailed { path, flushed_offset, proof_written, source: Arc::new(source) }
    }

    /// Ends all work on the log and notes on disk how much of it is good; says whether it could.
    pub(super) fn fail_with(&mut self, bound: EndBound) -> bool {
        self.state.end_bound = Some(bound);
        let written = self.state.write(&*self.resources().storage, &self.shared.directory);
        let proof_written = written.is_ok();
        self.failed = Some(Failed { proof_written });
        proof_written
    }

    /// The offset to write into the directory's checkpoint: a crash after that is recovered from
    /// by reading what lies above it. Confirm it with [`CommitLog::recovery_point_checkpointed`].
    #[must_use]
    pub fn recovery_point(&self) -> Offset {
        let recovery_point = self.flush.flushed_offset;
        self.flush.recovery_point_told.fetch_max(recovery_point.value(), Ordering::Relaxed);
        recovery_point
    }

    /// Tells that the directory's checkpoints hold this recovery point, and this log's start
    /// offset: what a truncation has noted beside the log is no longer needed then.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Poisoned`].
    pub fn recovery_point_checkpointed(&mut self, offset: Offset) -> Result<(), LogError> {
        self.ensure_good()?;
        let truncated = matches!(self.state.end_bound, Some(EndBound::Truncated(_)));
        if truncated && offset <= self.flush.flushed_offset {
            self.state.end_bound = None;
            self.state.write(&*self.resources().storage, &self.shared.directory)?;
        }
        Ok(())
    }
}
