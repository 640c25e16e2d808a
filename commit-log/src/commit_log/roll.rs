//! Rolling: the active segment is closed as Kafka closes one, and the next begins at the log end.

use std::sync::Arc;

use protocol::Offset;

use crate::LogError;
use crate::commit_log::CommitLog;
use crate::commit_log::flushing::ClosedSegment;
use crate::log_files::remove;
use crate::producer_snapshot::snapshot_to_bytes;
use crate::segment::{Segment, SegmentPlace};
use crate::segment_files::{FileKind, segment_path};
use crate::segment_indexes::SegmentIndexes;
use crate::storage::OpenMode;
use crate::tail::{ActiveSegment, OpenTail, SavedEntries, jitter_ms};

impl CommitLog {
    /// Closes the active segment and begins a new one; nothing happens if it is empty. The closed
    /// one is flushed with the next flush.
    ///
    /// # Errors
    /// [`LogError::Storage`]: the log is as before, [`LogError::Poisoned`].
    pub fn roll(&mut self, now_ms: i64) -> Result<(), LogError> {
        self.ensure_good()?;
        if self.active.bytes == 0 {
            return Ok(());
        }
        self.wake()?;
        self.close_active_indexes()?;
        self.take_snapshot()?;
        let base_offset = self.log_end_offset();
        let next = self.new_segment(base_offset, now_ms)?;
        let closed = std::mem::replace(&mut self.active, next);
        let mut segments = self.shared.segments().to_vec();
        segments.push(Arc::clone(&self.active.segment));
        self.shared.set_segments(segments);
        self.flush.directory_changed = true;
        closed.segment.unpin(self.resources());
        if let Some(OpenTail { file, .. }) = closed.open {
            self.flush.closed_segments.push(ClosedSegment { segment: closed.segment, file });
        }
        Ok(())
    }

    /// Gives the largest timestamp its entry and writes the indexes to their files.
    pub(super) fn close_active_indexes(&mut self) -> Result<(), LogError> {
        if self.active.open.is_none() {
            return Ok(());
        }
        self.active.segment.change_indexes(SegmentIndexes::index_max_timestamp);
        self.save_active_indexes()
    }

    pub(super) fn save_active_indexes(&mut self) -> Result<(), LogError> {
        let path = self.active.segment.path(FileKind::OffsetIndex);
        self.active
            .save_indexes(&self.shared.resources)
            .map_err(|source| LogError::storage("writing an index", &path, source))
    }

    /// Makes an empty segment that is open for appending. It is not part of the log yet.
    pub(super) fn new_segment(
        &mut self,
        base_offset: Offset,
        now_ms: i64,
    ) -> Result<ActiveSegment, LogError> {
        let place = SegmentPlace { base_offset, bytes: 0, modified_ms: now_ms };
        let directory = Arc::clone(&self.shared.directory);
        let segment = Segment::new(directory, place, self.settings.index_interval_bytes);
        let path = segment.path(FileKind::Log);
        let failed = |source| LogError::storage("making a segment", &path, source);
        // a file of this name is what an attempt before this one has left
        remove(&*self.resources().storage, &path)?;
        // nothing may fail after this: the file would stay, and its name say where the log goes on
        let file = self.resources().storage.open(&path, OpenMode::CreateNew).map_err(failed)?;
        let mut active = ActiveSegment {
            segment: Arc::new(segment),
            bytes: 0,
            first_timestamp: None,
            created_ms: now_ms,
            jitter_ms: jitter_ms(self.jitter_seed, base_offset, &self.settings),
            open: None,
        };
        active
            .open_with(file, SegmentIndexes::new(base_offset), SavedEntries::default())
            .map_err(failed)?;
        Ok(active)
    }

    /// Writes the producers' state at the log end, if there is no snapshot of it yet.
    pub(super) fn take_snapshot(&mut self) -> Result<(), LogError> {
        let offset = self.log_end_offset();
        if self.snapshots.contains(&offset) {
            return Ok(());
        }
        let contents = snapshot_to_bytes(self.awake_producers()?);
        let path = segment_path(&self.shared.directory, offset, FileKind::Snapshot);
        self.resources()
            .storage
            .replace(&path, &contents)
            .map_err(|source| LogError::storage("writing a snapshot", &path, source))?;
        self.snapshots.insert(offset);
        self.remove_stray_snapshots()
    }

    /// Removes snapshots that belong to no segment, but for the latest, as Kafka does.
    pub(super) fn remove_stray_snapshots(&mut self) -> Result<(), LogError> {
        let segments = self.shared.segments();
        let latest = self.snapshots.last().copied();
        let is_stray = |offset: &Offset| {
            Some(*offset) != latest
                && segments.binary_search_by_key(offset, |segment| segment.base_offset()).is_err()
        };
        let stray: Vec<_> = self.snapshots.iter().copied().filter(is_stray).collect();
        for offset in stray {
            let path = segment_path(&self.shared.directory, offset, FileKind::Snapshot);
            remove(&*self.resources().storage, &path)?;
            self.snapshots.remove(&offset);
        }
        Ok(())
    }
}
