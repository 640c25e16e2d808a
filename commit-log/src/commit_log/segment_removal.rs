//! Deleting from the start: `DeleteRecords` and retention.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::Offset;

use crate::commit_log::CommitLog;
use crate::log_files::remove;
use crate::retention::{RetentionInput, SegmentFacts, segments_to_delete};
use crate::segment::Segment;
use crate::segment_files::{FileKind, deleted_path};
use crate::shared_log::SharedLog;
use crate::{LogError, SegmentSummary};

/// A file renamed that waits to be removed.
#[derive(Debug)]
pub(super) struct DeletedFile {
    due_ms: i64,
    path: PathBuf,
}

impl CommitLog {
    /// Moves the log start offset (DeleteRecords), durably and never back. Segments wholly below
    /// it go with the next [`CommitLog::apply_retention`].
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`] above the log end, [`LogError::Storage`],
    /// [`LogError::Poisoned`].
    pub fn advance_log_start(&mut self, offset: Offset) -> Result<(), LogError> {
        self.ensure_good()?;
        let (log_start_offset, log_end_offset) = (self.log_start_offset(), self.log_end_offset());
        if offset > log_end_offset {
            return Err(LogError::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        if offset <= log_start_offset {
            return Ok(());
        }
        self.state.log_start_offset = offset;
        self.state.write(&*self.resources().storage, &self.shared.directory)?;
        self.shared.set_log_start_offset(offset);
        let mut epochs = self.shared.with_epochs(Clone::clone);
        if epochs.truncate_from_start(offset) {
            self.write_epochs(epochs)?;
        }
        Ok(())
    }

    /// Deletes the segments that the settings give up, forgets producers that have been idle for
    /// too long, and removes files deleted earlier. Nothing at or above the high watermark goes.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Poisoned`].
    pub fn apply_retention(
        &mut self,
        now_ms: i64,
        high_watermark: Offset,
    ) -> Result<Vec<SegmentSummary>, LogError> {
        self.ensure_good()?;
        self.remove_deleted_files(now_ms)?;
        if let Some(producers) = &mut self.producers {
            producers.expire(now_ms, self.settings.producer_id_expiration_ms);
        }
        let segments = self.shared.segments();
        let facts = retention_facts(&self.shared, &segments)?;
        let log_start_offset = self.log_start_offset();
        let input = RetentionInput { now_ms, high_watermark, log_start_offset };
        let count = segments_to_delete(&facts, &self.settings, input);
        let was_dormant = self.is_dormant();
        if count == segments.len() {
            self.roll(now_ms)?;
        }
        let deleted = segments.get(..count).unwrap_or_default();
        if !deleted.is_empty() {
            self.delete_segments(deleted, now_ms)?;
        }
        if was_dormant && !self.is_dormant() {
            self.become_dormant()?;
        }
        let summary = |segment: &Arc<Segment>| SegmentSummary {
            base_offset: segment.base_offset(),
            bytes: segment.end(),
            active: false,
        };
        Ok(deleted.iter().map(summary).collect())
    }

    /// Takes segments from the start out of the log. The new log start offset is on disk before
    /// the first file goes, so that no reader ever finds a hole after a crash.
    fn delete_segments(&mut self, deleted: &[Arc<Segment>], now_ms: i64) -> Result<(), LogError> {
        let segments = self.shared.segments();
        let left = segments.get(deleted.len()..).unwrap_or_default().to_vec();
        let Some(first) = left.first() else { return Ok(()) };
        self.advance_log_start(first.base_offset())?;
        self.shared.set_segments(left);
        for segment in deleted {
            self.delete_files(segment, now_ms)?;
        }
        Ok(())
    }

    pub(super) fn delete_files(&mut self, segment: &Segment, now_ms: i64) -> Result<(), LogError> {
        let due_ms = now_ms.saturating_add(self.settings.file_delete_delay_ms);
        self.flush.forget_segment(segment.base_offset());
        self.flush.directory_changed = true;
        self.snapshots.remove(&segment.base_offset());
        for kind in FileKind::ALL {
            let path = segment.path(kind);
            let to = deleted_path(&path);
            match self.resources().storage.rename(&path, &to) {
                Ok(()) => self.deleted.push_back(DeletedFile { due_ms, path: to }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(LogError::storage("deleting a segment", &path, source)),
            }
        }
        Ok(())
    }

    /// Removes deleted files whose `file.delete.delay.ms` has passed; says how many.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn remove_deleted_files(&mut self, now_ms: i64) -> Result<usize, LogError> {
        let mut removed = 0;
        while self.deleted.front().is_some_and(|file| file.due_ms <= now_ms) {
            if let Some(file) = self.deleted.pop_front() {
                remove(&*self.resources().storage, &file.path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// What the retention decision needs to know of the segments; may read time indexes.
pub(crate) fn retention_facts(
    shared: &SharedLog,
    segments: &[Arc<Segment>],
) -> Result<Vec<SegmentFacts>, LogError> {
    let next = segments.iter().skip(1).map(|segment| segment.base_offset());
    let ends = next.chain([shared.log_end_offset()]);
    let facts = segments.iter().zip(ends).map(|(segment, end_offset)| {
        let timestamp = segment.retention_timestamp(&shared.resources);
        let path = || segment.path(FileKind::TimeIndex);
        let last_timestamp = timestamp
            .map_err(|source| LogError::storage("reading a time index", &path(), source))?;
        Ok(SegmentFacts { end_offset, bytes: segment.end(), last_timestamp })
    });
    facts.collect()
}
