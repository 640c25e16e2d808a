//! Truncation: cutting the log's end, on a follower whose leader has other records there.

use std::sync::Arc;

use protocol::Offset;

use crate::batch_walk::{BatchWalk, Check, HEADER_CHUNK_BYTES, Step, WalkRange};
use crate::commit_log::{CommitLog, Failed};
use crate::log_files::remove;
use crate::log_state::EndBound;
use crate::producer_recovery::recover_producers;
use crate::producer_state::ProducerStates;
use crate::segment::Segment;
use crate::segment_files::{FileKind, segment_path};
use crate::tail::{ActiveSegment, jitter_ms};
use crate::{FlushEvidence, LogError};

/// Where a segment is cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// In bytes.
    position: u64,
    /// Base offset of the first batch that goes.
    base_offset: Offset,
    /// The offset after the last record that stays.
    end: Offset,
}

impl CommitLog {
    /// Cuts the log so that no record at or above `offset` is left, and gives the new log end
    /// offset. A batch goes whole, so that may be below `offset`. Producers, leader epochs and
    /// indexes go back with it; reads under way are thrown away.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Corrupt`]: the log takes no more work if it may be half
    /// cut; [`LogError::Poisoned`].
    pub fn truncate_to(&mut self, offset: Offset, now_ms: i64) -> Result<Offset, LogError> {
        self.ensure_good()?;
        let log_end_offset = self.log_end_offset();
        if offset >= log_end_offset {
            let mut epochs = self.shared.with_epochs(Clone::clone);
            if epochs.truncate_from_end(offset) {
                self.write_epochs(epochs)?;
            }
            return Ok(log_end_offset);
        }
        let first_offset = self.shared.segments().first().map(|segment| segment.base_offset());
        if first_offset.is_none_or(|first| offset <= first) {
            self.truncate_fully_and_start_at(offset, now_ms)?;
            return Ok(offset);
        }
        let segments = self.shared.segments();
        let kept = segments.partition_point(|segment| segment.base_offset() <= offset);
        let (kept, removed) = segments.split_at(kept);
        let Some(last) = kept.last() else { return Ok(log_end_offset) };
        let cut = self.find_cut(last, offset)?;
        self.note_truncation(cut.end, self.log_start_offset().min(cut.end))?;
        self.shared.begin_truncation();
        let outcome = self.cut_to(kept, removed, cut, now_ms);
        self.end_truncation(outcome)?;
        Ok(cut.end)
    }

    /// Deletes all records and goes on at `offset`, as a follower whose leader's log begins there.
    ///
    /// # Errors
    /// [`LogError::Storage`]: the log takes no more work if it may be half emptied;
    /// [`LogError::Poisoned`].
    pub fn truncate_fully_and_start_at(
        &mut self,
        offset: Offset,
        now_ms: i64,
    ) -> Result<(), LogError> {
        self.ensure_good()?;
        self.note_truncation(offset, offset)?;
        self.shared.begin_truncation();
        let outcome = self.empty_and_start_at(offset, now_ms);
        self.end_truncation(outcome)
    }

    /// A half-done truncation is never shown to readers, and nothing is built on it.
    fn end_truncation<T>(&mut self, outcome: Result<T, LogError>) -> Result<T, LogError> {
        match &outcome {
            Ok(_) => self.shared.end_truncation(),
            Err(_) => {
                // the note of a truncation is on disk before it begins
                self.failed = Some(Failed { proof_written: true });
                self.shared.close();
            }
        }
        outcome
    }

    /// Writes down, before anything is cut, that the log may end and begin lower than the
    /// directory's checkpoints say.
    fn note_truncation(&mut self, end: Offset, log_start: Offset) -> Result<(), LogError> {
        let lowers_end = end < self.flush.recovery_point_told();
        let lowers_start = log_start < self.log_start_offset();
        let bound = match self.state.end_bound {
            Some(EndBound::Truncated(bound)) => bound.min(end),
            _ => end,
        };
        let noted = matches!(self.state.end_bound, Some(EndBound::Truncated(_)));
        let before = self.state;
        if lowers_end || lowers_start || noted {
            self.state.end_bound = Some(EndBound::Truncated(bound));
        }
        self.state.log_start_offset = log_start;
        if self.state == before {
            return Ok(());
        }
        self.state.write(&*self.resources().storage, &self.shared.directory)
    }

    fn cut_to(
        &mut self,
        kept: &[Arc<Segment>],
        removed: &[Arc<Segment>],
        cut: Cut,
        now_ms: i64,
    ) -> Result<(), LogError> {
        self.drop_active();
        self.shared.set_segments(kept.to_vec());
        self.remove_segments(removed)?;
        if let Some(last) = kept.last() {
            self.cut_segment(last, cut, now_ms)?;
        }
        self.shared.set_log_end_offset(cut.end);
        self.shared.set_log_start_offset(self.state.log_start_offset);
        self.flush.on_truncated(cut.end);
        let mut epochs = self.shared.with_epochs(Clone::clone);
        if epochs.truncate_from_end(cut.end) {
            self.write_epochs(epochs)?;
        }
        self.producers = Some(recover_producers(
            &self.shared.resources,
            &self.shared.directory,
            kept,
            &mut self.snapshots,
            cut.end,
        )?);
        Ok(())
    }

    /// Lets go of the active segment, which may not stay the active one.
    fn drop_active(&mut self) {
        self.active.open = None;
        self.active.segment.unpin(&self.shared.resources);
        self.active.segment.close();
    }

    /// Removes segments, the last one first: what a crash leaves is a log that ends earlier.
    fn remove_segments(&mut self, segments: &[Arc<Segment>]) -> Result<(), LogError> {
        for segment in segments.iter().rev() {
            self.flush.forget_segment(segment.base_offset());
            self.flush.directory_changed = true;
            for kind in FileKind::ALL.into_iter().rev() {
                remove(&*self.resources().storage, &segment.path(kind))?;
            }
            self.snapshots.remove(&segment.base_offset());
        }
        Ok(())
    }

    /// Cuts a segment and makes it the active one.
    fn cut_segment(
        &mut self,
        segment: &Arc<Segment>,
        cut: Cut,
        now_ms: i64,
    ) -> Result<(), LogError> {
        let path = segment.path(FileKind::Log);
        let mut active = ActiveSegment {
            segment: Arc::clone(segment),
            bytes: segment.end(),
            first_timestamp: None,
            created_ms: now_ms,
            jitter_ms: jitter_ms(self.jitter_seed, segment.base_offset(), &self.settings),
            open: None,
        };
        segment.close();
        active
            .cut(&self.shared.resources, cut.position, cut.base_offset)
            .map_err(|source| LogError::storage("truncating a segment", &path, source))?;
        self.active = active;
        Ok(())
    }

    fn empty_and_start_at(&mut self, offset: Offset, now_ms: i64) -> Result<(), LogError> {
        let segments = self.shared.segments();
        self.drop_active();
        self.remove_segments(&segments)?;
        for snapshot in std::mem::take(&mut self.snapshots) {
            let path = segment_path(&self.shared.directory, snapshot, FileKind::Snapshot);
            remove(&*self.resources().storage, &path)?;
        }
        self.active = self.new_segment(offset, now_ms)?;
        self.shared.set_segments(vec![Arc::clone(&self.active.segment)]);
        let directory = Arc::clone(&self.shared.directory);
        self.resources()
            .storage
            .sync_directory(&directory)
            .map_err(|source| LogError::storage("emptying the log", &directory, source))?;
        self.shared.set_log_start_offset(offset);
        self.shared.set_log_end_offset(offset);
        self.flush.on_truncated(offset);
        self.flush.flushed_offset = offset;
        self.producers = Some(ProducerStates::default());
        let mut epochs = self.shared.with_epochs(Clone::clone);
        if !epochs.is_empty() {
            epochs.clear();
            self.write_epochs(epochs)?;
        }
        Ok(())
    }
}

impl CommitLog {
    /// Where a segment must be cut so that no record at or above `offset` is left.
    fn find_cut(&self, segment: &Arc<Segment>, offset: Offset) -> Result<Cut, LogError> {
        let path = segment.path(FileKind::Log);
        let failed = |source| LogError::storage("reading a segment's headers", &path, source);
        let resources = self.resources();
        let file = segment.file(resources).map_err(failed)?;
        let read_at = |buffer: &mut [u8], position| file.read_at(buffer, position);
        // a batch wholly below `offset` to begin with, so that the end before the cut is known
        let below = segment.with_indexes(resources, |indexes| indexes.lookup(offset.plus(-1)));
        let start = segment.confirm(&*file, below.map_err(failed)?).map_err(failed)?;
        let base_offset = segment.base_offset();
        let position = start.map_or(0, |batch| batch.position);
        let range = WalkRange { base_offset, position, end: segment.end() };
        let mut walk = BatchWalk::new(&read_at, range, HEADER_CHUNK_BYTES);
        loop {
            let end = walk.next_offset();
            match walk.step(Check::Header).map_err(failed)? {
                Step::Batch(batch) if batch.header.last_offset() >= offset => {
                    let (position, base_offset) = (batch.position, batch.header.base_offset);
                    return Ok(Cut { position, base_offset, end });
                }
                Step::Batch(_) => {}
                Step::End => {
                    return Ok(Cut { position: walk.position(), base_offset: end, end });
                }
                Step::Damaged { position, damage } => {
                    let evidence = FlushEvidence::RecoveryPoint(end.max(offset));
                    return Err(LogError::Corrupt { path, position, damage, evidence });
                }
            }
        }
    }
}
