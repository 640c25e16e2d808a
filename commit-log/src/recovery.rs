//! Which of a log's bytes are the log: the scan at opening.
//!
//! ```text
//! segments:   ├── flushed and closed ──┤├── … ──recovery point── … ──┤├── … ── end of file
//!                not looked at            │ checked from the last     │
//!                                         │ index entry before it     │
//!                              damage: refused ──┤├── damage: a torn tail, cut off and kept aside
//! ```
//!
//! What was flushed must be there; what was not may be torn in any way. So the offset reached when
//! the damage is met decides, not its place in a file.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::Offset;

use crate::batch_walk::{BatchWalk, CHECK_CHUNK_BYTES, Check, Step, WalkRange};
use crate::leader_epochs::LeaderEpochs;
use crate::log_files::{TORN_INFIX, remove};
use crate::segment::Segment;
use crate::segment_files::{FileKind, with_suffix};
use crate::segment_indexes::SegmentIndexes;
use crate::storage::{OpenMode, StorageFile};
use crate::tail::SavedEntries;
use crate::{Damage, FlushEvidence, LogError, LogResources, RecoveryReport};

/// What the scan may believe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanBounds {
    /// Below this nothing needs to be looked at.
    pub(crate) scan_from: Offset,
    /// Below this everything was flushed: damage is corruption.
    pub(crate) good_up_to: Offset,
    /// The log ends here at the latest, whatever can be read.
    pub(crate) cut_at: Option<Offset>,
    /// Everything was flushed.
    pub(crate) clean_shutdown: bool,
}

/// The scan's result: a log that ends with a whole batch.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// Its segments; never empty.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The indexes of the last one.
    pub(crate) tail_indexes: SegmentIndexes,
    /// What the last one's index files have of them.
    pub(crate) tail_saved: SavedEntries,
    /// The offset after the last record.
    pub(crate) end: Offset,
    /// Whether the cut was made because of [`ScanBounds::cut_at`].
    pub(crate) cut_by_bound: bool,
}

/// How the scan of one segment ended.
enum SegmentEnd {
    Whole,
    /// Its bytes from `position` on do not belong to the log.
    Stop {
        position: u64,
        damage: Option<Damage>,
    },
}

/// Scans `segments`, cuts what does not belong to the log, and takes note of leader epochs.
pub(crate) fn scan(
    resources: &LogResources,
    segments: Vec<Arc<Segment>>,
    bounds: ScanBounds,
    epochs: &mut LeaderEpochs,
    report: &mut RecoveryReport,
) -> Result<Scanned, LogError> {
    let after = segments.partition_point(|segment| segment.base_offset() <= bounds.scan_from);
    // an empty segment says nothing of where the log goes on
    let mut scanned = segments.iter().take(after);
    let first = scanned.rposition(|segment| segment.end() > 0).unwrap_or(0);
    let mut scan = Scan { resources, bounds, epochs, report, end: Offset::ZERO };
    scan.end = segments.get(first).map_or(Offset::ZERO, |segment| segment.base_offset());
    let mut kept: Vec<_> = segments.iter().take(first).map(Arc::clone).collect();
    let mut tail = None;
    for (index, segment) in segments.iter().enumerate().skip(first) {
        if segment.end() == 0 && segment.base_offset() < scan.end {
            // made by a roll that failed, after which the segment before was written to
            remove(&*resources.storage, &segment.path(FileKind::Log))?;
            continue;
        }
        if segment.base_offset() != scan.end {
            let damage = Damage::Missing { missing_from: scan.end };
            scan.judge(segment, 0, damage)?;
            scan.report.cut_from = Some(scan.end);
            scan.set_aside(&segments[index..])?;
            break;
        }
        let (indexes, saved, segment_end) = scan.segment(segment, index == first)?;
        let is_last = index + 1 == segments.len();
        kept.push(Arc::clone(segment));
        if let SegmentEnd::Stop { position, damage } = segment_end {
            scan.cut(segment, position, damage.clone())?;
            scan.set_aside(&segments[index + 1..])?;
            tail = Some((indexes, SavedEntries::default(), damage.is_none()));
            break;
        }
        if !is_last {
            scan.close_indexes(segment, indexes.clone())?;
        }
        tail = Some((indexes, saved, false));
    }
    scan.check_end(kept.last())?;
    let (tail_indexes, tail_saved, cut_by_bound) =
        tail.unwrap_or_else(|| (SegmentIndexes::new(scan.end), SavedEntries::default(), false));
    let end = scan.end;
    Ok(Scanned { segments: kept, tail_indexes, tail_saved, end, cut_by_bound })
}

struct Scan<'a> {
    resources: &'a LogResources,
    bounds: ScanBounds,
    epochs: &'a mut LeaderEpochs,
    report: &'a mut RecoveryReport,
    /// The offset after the last good record.
    end: Offset,
}

impl Scan<'_> {
    /// Checks one segment, the first one from near the recovery point on.
    fn segment(
        &mut self,
        segment: &Arc<Segment>,
        is_first: bool,
    ) -> Result<(SegmentIndexes, SavedEntries, SegmentEnd), LogError> {
        let path = segment.path(FileKind::Log);
        let failed = |source| LogError::storage("checking a segment", &path, source);
        let file = segment.file(self.resources).map_err(failed)?;
        let (saved, complete) = segment.saved_indexes(self.resources).map_err(failed)?;
        // the last indexed batch wholly below the recovery point
        let indexed = saved.lookup(self.bounds.scan_from.plus(-1)).filter(|_| is_first);
        let start = segment.confirm(&*file, indexed).map_err(failed)?;
        let mut indexes = SegmentIndexes::new(segment.base_offset());
        let position = start.map_or(0, |batch| batch.position);
        if let Some(batch) = start {
            indexes = saved.clone();
            indexes.keep_below(batch.position, batch.header.base_offset);
        }
        let range = WalkRange { base_offset: segment.base_offset(), position, end: segment.end() };
        let read_at = |buffer: &mut [u8], position| file.read_at(buffer, position);
        let mut walk = BatchWalk::new(&read_at, range, CHECK_CHUNK_BYTES);
        let end = self.walk(segment, &mut walk, &mut indexes).map_err(failed)?;
        self.end = walk.next_offset();
        self.report.scanned_bytes += walk.bytes_read();
        if let SegmentEnd::Stop { position, damage: Some(damage) } = &end {
            self.judge(segment, *position, damage.clone())?;
        }
        let saved = SavedEntries::of(&saved, &indexes, complete);
        Ok((indexes, saved, end))
    }

    fn walk(
        &mut self,
        segment: &Segment,
        walk: &mut BatchWalk<'_>,
        indexes: &mut SegmentIndexes,
    ) -> std::io::Result<SegmentEnd> {
        loop {
            let position = walk.position();
            let before = walk.next_offset();
            match walk.step(Check::Checksum)? {
                Step::End => return Ok(SegmentEnd::Whole),
                Step::Damaged { position, damage } => {
                    return Ok(SegmentEnd::Stop { position, damage: Some(damage) });
                }
                Step::Batch(batch) => {
                    let last_offset = batch.header.last_offset();
                    if self.bounds.cut_at.is_some_and(|cut_at| last_offset >= cut_at) {
                        walk.back_to(position, before);
                        return Ok(SegmentEnd::Stop { position, damage: None });
                    }
                    indexes.on_batch(position, &batch.header, segment.index_interval_bytes());
                    if self.epochs.latest().is_none_or(|latest| batch.header.leader_epoch > latest)
                    {
                        self.epochs.assign(batch.header.leader_epoch, batch.header.base_offset);
                    }
                }
            }
        }
    }

    /// Whether damage met at the offset reached is a torn tail. If not, the log is refused.
    fn judge(&mut self, segment: &Segment, position: u64, damage: Damage) -> Result<(), LogError> {
        let bounds = self.bounds;
        let evidence = match bounds.clean_shutdown {
            _ if self.end < bounds.good_up_to => FlushEvidence::RecoveryPoint(bounds.good_up_to),
            true => FlushEvidence::CleanShutdown,
            false => {
                self.report.damage = Some(damage);
                return Ok(());
            }
        };
        let path = segment.path(FileKind::Log);
        Err(LogError::Corrupt { path, position, damage, evidence })
    }

    /// Whether the log ends early without any damage that shows.
    fn check_end(&mut self, last: Option<&Arc<Segment>>) -> Result<(), LogError> {
        match last {
            Some(segment) if self.end < self.bounds.good_up_to => Err(LogError::Corrupt {
                path: segment.path(FileKind::Log),
                position: segment.end(),
                damage: Damage::Missing { missing_from: self.end },
                evidence: FlushEvidence::RecoveryPoint(self.bounds.good_up_to),
            }),
            _ => Ok(()),
        }
    }

    /// Cuts the end of a segment off and keeps it aside.
    fn cut(
        &mut self,
        segment: &Arc<Segment>,
        position: u64,
        damage: Option<Damage>,
    ) -> Result<(), LogError> {
        let path = segment.path(FileKind::Log);
        let failed = |source| LogError::storage("cutting a torn tail", &path, source);
        let file = self.resources.storage.open(&path, OpenMode::Write).map_err(failed)?;
        let aside = with_suffix(&path, &format!("{TORN_INFIX}{position}"));
        let cut_bytes = self.copy_aside(&*file, position, &aside).map_err(failed)?;
        file.truncate(position).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        segment.set_end(position);
        self.report.damage = damage;
        self.report.cut_from = Some(self.end);
        self.note_aside(cut_bytes, aside);
        Ok(())
    }

    fn copy_aside(
        &self,
        file: &dyn StorageFile,
        from: u64,
        to: &std::path::Path,
    ) -> std::io::Result<u64> {
        let aside = self.resources.storage.open(to, OpenMode::Create)?;
        aside.truncate(0)?;
        let mut chunk = vec![0; CHECK_CHUNK_BYTES];
        let mut copied = 0;
        loop {
            let read = file.read_at(&mut chunk, from + copied)?;
            if read == 0 {
                break;
            }
            let bytes = chunk.get(..read).unwrap_or_default();
            aside.write_at(&mut [std::io::IoSlice::new(bytes)], copied)?;
            copied += read as u64;
        }
        aside.sync_data()?;
        Ok(copied)
    }

    fn note_aside(&mut self, bytes: u64, path: PathBuf) {
        self.report.cut_bytes += bytes;
        self.report.kept_aside.push(path);
    }

    /// Takes whole segments out of the log, the last one first, so that what is left of them after
    /// a crash still begins where the log ends.
    fn set_aside(&mut self, segments: &[Arc<Segment>]) -> Result<(), LogError> {
        let storage = &*self.resources.storage;
        for segment in segments.iter().rev() {
            let path = segment.path(FileKind::Log);
            let aside = with_suffix(&path, &format!("{TORN_INFIX}0"));
            storage
                .rename(&path, &aside)
                .map_err(|source| LogError::storage("setting a segment aside", &path, source))?;
            for kind in FileKind::ALL.into_iter().filter(|kind| *kind != FileKind::Log) {
                remove(storage, &segment.path(kind))?;
            }
            self.note_aside(segment.end(), aside);
        }
        Ok(())
    }

    /// Writes the index files of a closed segment anew if they are not what they should be.
    fn close_indexes(
        &mut self,
        segment: &Arc<Segment>,
        mut indexes: SegmentIndexes,
    ) -> Result<(), LogError> {
        indexes.index_max_timestamp();
        let path = segment.path(FileKind::OffsetIndex);
        let failed = |source| LogError::storage("writing an index", &path, source);
        let (found, complete) = segment.saved_indexes(self.resources).map_err(failed)?;
        if complete && found.has_the_files_of(&indexes) {
            return Ok(());
        }
        segment.save_whole_indexes(self.resources, &indexes).map_err(failed)?;
        self.report.rebuilt_indexes += 1;
        Ok(())
    }
}
