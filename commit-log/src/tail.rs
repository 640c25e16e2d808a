//! The active segment as its writer sees it.

use std::io;
use std::sync::Arc;

use protocol::Offset;
use protocol::record_batch::BatchHeader;

use crate::batch_walk::{BatchWalk, Check, HEADER_CHUNK_BYTES, Step, WalkRange};
use crate::offset_index::OFFSET_ENTRY_BYTES;
use crate::segment::Segment;
use crate::segment_files::FileKind;
use crate::segment_indexes::SegmentIndexes;
use crate::storage::{OpenMode, StorageFile};
use crate::time_index::TIME_ENTRY_BYTES;
use crate::{LogResources, LogSettings};

/// New entries of the offset index that are kept in memory only: after a crash, what they cover is
/// read again.
const UNSAVED_ENTRIES_MAX: usize = 128;

/// The active segment.
#[derive(Debug)]
pub(crate) struct ActiveSegment {
    pub(crate) segment: Arc<Segment>,
    /// Bytes written.
    pub(crate) bytes: u64,
    /// The largest timestamp of its first batch, in milliseconds since 1970; `None` without one.
    pub(crate) first_timestamp: Option<i64>,
    /// When it was made or opened, in milliseconds since 1970.
    pub(crate) created_ms: i64,
    /// What is taken off `segment.ms`.
    pub(crate) jitter_ms: i64,
    /// `None` while the log is dormant.
    pub(crate) open: Option<OpenTail>,
}

/// What an active segment holds open.
#[derive(Debug)]
pub(crate) struct OpenTail {
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) saved: SavedEntries,
}

/// How much of the indexes the files have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedEntries {
    pub(crate) offsets: usize,
    pub(crate) times: usize,
    /// Whether the files exist and hold nothing else.
    pub(crate) exact: bool,
}

impl SavedEntries {
    /// What is saved of `indexes` if the files hold `found`, and perhaps more that is wrong.
    pub(crate) fn of(found: &SegmentIndexes, indexes: &SegmentIndexes, complete: bool) -> Self {
        if indexes.begins_with(found) {
            let (offsets, times) = (found.offsets().len(), found.times().len());
            return Self { offsets, times, exact: complete };
        }
        Self::default()
    }
}

/// Why a batch does not go into the active segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RollInput<'a> {
    /// Bytes of the segment, with what is about to be written.
    pub(crate) bytes: u64,
    /// The largest timestamp of the segment's first batch.
    pub(crate) first_timestamp: Option<i64>,
    /// The next batch.
    pub(crate) header: &'a BatchHeader,
    /// The wall clock, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

impl ActiveSegment {
    /// Whether the segment must be rolled before the batch is appended.
    pub(crate) fn must_roll(&self, settings: &LogSettings, input: RollInput<'_>) -> bool {
        if input.bytes == 0 {
            return false;
        }
        let header = input.header;
        let age = match input.first_timestamp {
            Some(first) if first >= 0 => header.max_timestamp.saturating_sub(first),
            _ => input.now_ms.saturating_sub(self.created_ms),
        };
        let bytes = input.bytes.saturating_add(header.total_bytes() as u64);
        bytes > settings.segment_bytes
            || age > settings.segment_ms.saturating_sub(self.jitter_ms)
            || !self.fits(header.last_offset())
            || self.indexes_are_full(settings.segment_index_bytes)
    }

    /// Whether an offset can be said relative to the segment's base offset.
    pub(crate) fn fits(&self, last_offset: Offset) -> bool {
        last_offset.distance_from(self.segment.base_offset()) <= i64::from(i32::MAX)
    }

    fn indexes_are_full(&self, bytes_max: u32) -> bool {
        self.segment.with_loaded_indexes(|indexes| indexes.is_full(bytes_max)).unwrap_or(false)
    }

    /// Opens the file and makes the indexes complete again.
    pub(crate) fn wake(&mut self, resources: &LogResources) -> io::Result<Arc<dyn StorageFile>> {
        if let Some(open) = &self.open {
            return Ok(Arc::clone(&open.file));
        }
        let segment = &self.segment;
        let file = resources.storage.open(&segment.path(FileKind::Log), OpenMode::Write)?;
        let (saved, complete) = segment.saved_indexes(resources)?;
        let mut indexes = saved.clone();
        pass_unindexed(&mut indexes, &*file, segment)?;
        let saved = SavedEntries::of(&saved, &indexes, complete);
        self.open_with(Arc::clone(&file), indexes, saved)?;
        Ok(file)
    }

    /// Takes over an open file and complete indexes.
    pub(crate) fn open_with(
        &mut self,
        file: Arc<dyn StorageFile>,
        indexes: SegmentIndexes,
        saved: SavedEntries,
    ) -> io::Result<()> {
        self.first_timestamp = first_timestamp(&*file, &self.segment)?;
        self.segment.pin(Arc::clone(&file), indexes);
        self.open = Some(OpenTail { file, saved });
        Ok(())
    }

    /// Cuts the batch at `position`, which begins at `base_offset`, and all after it, durably.
    pub(crate) fn cut(
        &mut self,
        resources: &LogResources,
        position: u64,
        base_offset: Offset,
    ) -> io::Result<()> {
        let file = self.wake(resources)?;
        let segment = Arc::clone(&self.segment);
        let mut indexes = segment.change_indexes(|indexes| {
            indexes.keep_below(position, base_offset);
            indexes.clone()
        });
        if let Some(open) = &mut self.open {
            open.saved = SavedEntries {
                offsets: open.saved.offsets.min(indexes.offsets().len()),
                times: open.saved.times.min(indexes.times().len()),
                exact: false,
            };
        }
        // the index files first: an entry beyond the end could later point into other batches
        self.save_indexes(resources)?;
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
            resources.storage.open(&segment.path(kind), OpenMode::Write)?.sync_data()?;
        }
        segment.set_end(position);
        self.bytes = position;
        file.truncate(position)?;
        file.sync_data()?;
        pass_unindexed(&mut indexes, &*file, &segment)?;
        segment.change_indexes(|place| *place = indexes);
        self.first_timestamp = first_timestamp(&*file, &segment)?;
        Ok(())
    }

    /// Writes index entries to their files once enough have come together.
    pub(crate) fn save_indexes_if_due(&mut self, resources: &LogResources) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let entries = self.segment.with_loaded_indexes(|indexes| indexes.offsets().len());
        if entries.unwrap_or(0) < open.saved.offsets + UNSAVED_ENTRIES_MAX {
            return Ok(());
        }
        self.save_indexes(resources)
    }

    /// Writes the index entries that are not in their files yet. Says nothing about flushing.
    pub(crate) fn save_indexes(&mut self, resources: &LogResources) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let saved = open.saved;
        let unsaved = self.segment.with_loaded_indexes(|indexes| {
            let (offsets, times) = (indexes.offsets(), indexes.times());
            let now = SavedEntries { offsets: offsets.len(), times: times.len(), exact: true };
            (offsets.to_bytes(saved.offsets), times.to_bytes(saved.times), now)
        });
        let Some((offsets, times, now)) = unsaved else { return Ok(()) };
        if saved != now {
            let write = |kind, contents: &[u8], position: usize| {
                let path = self.segment.path(kind);
                write_end(resources, &path, contents, position as u64, !saved.exact)
            };
            write(FileKind::OffsetIndex, &offsets, saved.offsets * OFFSET_ENTRY_BYTES)?;
            write(FileKind::TimeIndex, &times, saved.times * TIME_ENTRY_BYTES)?;
            open.saved = now;
        }
        Ok(())
    }
}

/// Writes the end of a file from `position` on; the file ends there if it is to be `exact`.
fn write_end(
    resources: &LogResources,
    path: &std::path::Path,
    contents: &[u8],
    position: u64,
    exact: bool,
) -> io::Result<()> {
    let file = resources.storage.open(path, OpenMode::Create)?;
    if exact {
        file.truncate(position)?;
    }
    file.write_at(&mut [io::IoSlice::new(contents)], position)
}

/// Takes the batches from the last indexed one on into the indexes: those that have no entry, but
/// perhaps the largest timestamp. Indexes that are wrong about the last one are made anew.
pub(crate) fn pass_unindexed(
    indexes: &mut SegmentIndexes,
    file: &dyn StorageFile,
    segment: &Segment,
) -> io::Result<()> {
    let read_at = |buffer: &mut [u8], position| file.read_at(buffer, position);
    let base_offset = segment.base_offset();
    let mut range =
        WalkRange { base_offset, position: indexes.last_position(), end: segment.end() };
    let last = indexes.last_offset().map(|last_offset| (last_offset, range.position));
    if last.is_some() && segment.confirm(file, last)?.is_none() {
        *indexes = SegmentIndexes::new(base_offset);
        range.position = 0;
    }
    let mut walk = BatchWalk::new(&read_at, range, HEADER_CHUNK_BYTES);
    while let Step::Batch(batch) = walk.step(Check::Header)? {
        indexes.on_batch(batch.position, &batch.header, segment.index_interval_bytes());
    }
    Ok(())
}

fn first_timestamp(file: &dyn StorageFile, segment: &Segment) -> io::Result<Option<i64>> {
    let read_at = |buffer: &mut [u8], position| file.read_at(buffer, position);
    let base_offset = segment.base_offset();
    let range = WalkRange { base_offset, position: 0, end: segment.end() };
    match BatchWalk::new(&read_at, range, 0).step(Check::Header)? {
        Step::Batch(batch) => Ok(Some(batch.header.max_timestamp)),
        Step::Damaged { .. } | Step::End => Ok(None),
    }
}

/// What is taken off `segment.ms` for the segment at `base_offset`: evenly spread over
/// `[0, jitter_ms_max)` by a seed.
pub(crate) fn jitter_ms(seed: u64, base_offset: Offset, settings: &LogSettings) -> i64 {
    let bound = settings.segment_jitter_ms.min(settings.segment_ms).max(0).unsigned_abs();
    // SplitMix64, a mixer of 64 bits that leaves no pattern
    let mut mixed = seed ^ base_offset.value().unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    mixed.checked_rem(bound).and_then(|jitter| i64::try_from(jitter).ok()).unwrap_or(0)
}
