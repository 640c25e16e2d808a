//! One segment as its readers see it: a log file that may be open, indexes that may be in memory,
//! and how far it is written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use protocol::Offset;

use crate::LogResources;
use crate::batch_walk::{BatchAt, BatchWalk, Check, HEADER_CHUNK_BYTES, Step, WalkRange};
use crate::offset_index::OffsetIndex;
use crate::segment_files::{FileKind, segment_path};
use crate::segment_indexes::{MaxTimestamp, SegmentIndexes};
use crate::storage::{OpenMode, StorageFile};
use crate::time_index::{TimeEntry, TimeIndex};

/// A segment's log file as it was found in the directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentPlace {
    /// The segment's first offset.
    pub(crate) base_offset: Offset,
    /// The file's length.
    pub(crate) bytes: u64,
    /// When the file was last written, in milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

/// A segment. Its log's owner writes, anybody reads.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: Offset,
    directory: Arc<Path>,
    /// Bytes written; what lies beyond in the file is not part of the log.
    end: AtomicU64,
    /// `index.interval.bytes` when the segment was opened.
    index_interval_bytes: u32,
    /// When the file was last written before it was opened here, in milliseconds since 1970.
    modified_ms: i64,
    file: Mutex<Option<Arc<dyn StorageFile>>>,
    indexes: RwLock<Option<SegmentIndexes>>,
    /// The largest timestamp, once known; the owner forgets it when it writes.
    max_timestamp: Mutex<Option<MaxTimestamp>>,
    /// The owner writes to it: neither file nor indexes may be dropped.
    pinned: AtomicBool,
    /// Kept by [`crate::open_segments::OpenSegments`].
    pub(crate) queued: AtomicBool,
    /// Kept by [`crate::open_segments::OpenSegments`].
    pub(crate) recently_used: AtomicBool,
}

impl Segment {
    pub(crate) fn new(
        directory: Arc<Path>,
        place: SegmentPlace,
        index_interval_bytes: u32,
    ) -> Self {
        Self {
            base_offset: place.base_offset,
            directory,
            end: AtomicU64::new(place.bytes),
            index_interval_bytes,
            modified_ms: place.modified_ms,
            file: Mutex::default(),
            indexes: RwLock::default(),
            max_timestamp: Mutex::default(),
            pinned: AtomicBool::new(false),
            queued: AtomicBool::new(false),
            recently_used: AtomicBool::new(false),
        }
    }

    pub(crate) fn base_offset(&self) -> Offset {
        self.base_offset
    }

    pub(crate) fn index_interval_bytes(&self) -> u32 {
        self.index_interval_bytes
    }

    pub(crate) fn path(&self, kind: FileKind) -> PathBuf {
        segment_path(&self.directory, self.base_offset, kind)
    }

    /// Bytes written.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Makes everything below `end` visible to readers.
    pub(crate) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// The open file, if it is open.
    pub(crate) fn open_file(&self) -> Option<Arc<dyn StorageFile>> {
        self.recently_used.store(true, Ordering::Relaxed);
        self.file.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file, opened for reading if it was not open.
    pub(crate) fn file(
        self: &Arc<Self>,
        resources: &LogResources,
    ) -> io::Result<Arc<dyn StorageFile>> {
        if let Some(file) = self.open_file() {
            return Ok(file);
        }
        let opened = resources.storage.open(&self.path(FileKind::Log), OpenMode::Read)?;
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = Arc::clone(slot.get_or_insert(opened));
        drop(slot);
        resources.open_segments.admit(self);
        Ok(file)
    }

    /// Gives the segment the owner's file and indexes, and keeps both until [`Segment::unpin`].
    pub(crate) fn pin(&self, file: Arc<dyn StorageFile>, indexes: SegmentIndexes) {
        self.pinned.store(true, Ordering::Release);
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        *self.indexes.write().unwrap_or_else(PoisonError::into_inner) = Some(indexes);
        self.forget_max_timestamp();
    }

    /// Lets file and indexes be dropped when others need the room.
    pub(crate) fn unpin(self: &Arc<Self>, resources: &LogResources) {
        self.pinned.store(false, Ordering::Release);
        resources.open_segments.admit(self);
    }

    /// Drops file and indexes, unless the segment is being written to. Reads under way go on.
    pub(crate) fn close(&self) {
        if !self.pinned.load(Ordering::Acquire) {
            *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
            *self.indexes.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    pub(crate) fn index_bytes(&self) -> usize {
        self.read_indexes().as_ref().map_or(0, SegmentIndexes::bytes)
    }

    fn read_indexes(&self) -> RwLockReadGuard<'_, Option<SegmentIndexes>> {
        self.indexes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the indexes something, if they are in memory.
    pub(crate) fn with_loaded_indexes<T>(&self, ask: impl Fn(&SegmentIndexes) -> T) -> Option<T> {
        self.recently_used.store(true, Ordering::Relaxed);
        self.read_indexes().as_ref().map(ask)
    }

    /// Asks the indexes something, loaded if they were not in memory.
    pub(crate) fn with_indexes<T>(
        self: &Arc<Self>,
        resources: &LogResources,
        ask: impl Fn(&SegmentIndexes) -> T,
    ) -> io::Result<T> {
        if let Some(answer) = self.with_loaded_indexes(&ask) {
            return Ok(answer);
        }
        let indexes = self.load_indexes(resources)?;
        let answer = ask(&indexes);
        self.indexes.write().unwrap_or_else(PoisonError::into_inner).get_or_insert(indexes);
        resources.open_segments.admit(self);
        Ok(answer)
    }

    /// Changes the indexes; only for the owner, while the segment is pinned.
    pub(crate) fn change_indexes<T>(&self, change: impl FnOnce(&mut SegmentIndexes) -> T) -> T {
        let mut slot = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        change(slot.get_or_insert_with(|| SegmentIndexes::new(self.base_offset)))
    }

    /// The indexes as the files have them, or built again if these are missing or damaged.
    fn load_indexes(self: &Arc<Self>, resources: &LogResources) -> io::Result<SegmentIndexes> {
        match self.saved_indexes(resources)? {
            (indexes, true) => Ok(indexes),
            _ => self.rebuild_indexes(resources),
        }
    }

    /// What is good of the index files, and whether all of it is.
    pub(crate) fn saved_indexes(
        &self,
        resources: &LogResources,
    ) -> io::Result<(SegmentIndexes, bool)> {
        let read = |kind| {
            // an index has at most one entry for each batch
            match resources.storage.read(&self.path(kind), u64::from(u32::MAX)) {
                Ok(contents) => Ok(Some(contents)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        };
        let (offsets, times) = (read(FileKind::OffsetIndex)?, read(FileKind::TimeIndex)?);
        let complete = offsets.is_some() && times.is_some();
        let (offsets, good_offsets) = OffsetIndex::parse(&offsets.unwrap_or_default(), self.end());
        let (times, good_times) = TimeIndex::parse(&times.unwrap_or_default());
        let indexes = SegmentIndexes::from_parts(self.base_offset, offsets, times);
        Ok((indexes, complete && good_offsets && good_times))
    }

    /// The batch that an index says is at a position and ends with an offset, if that is so.
    pub(crate) fn confirm(
        &self,
        file: &dyn StorageFile,
        indexed: Option<(Offset, u64)>,
    ) -> io::Result<Option<BatchAt>> {
        let Some((last_offset, position)) = indexed else { return Ok(None) };
        let read_at = |buffer: &mut [u8], position| file.read_at(buffer, position);
        let range = WalkRange { base_offset: self.base_offset, position, end: self.end() };
        match BatchWalk::new(&read_at, range, 0).step(Check::Header)? {
            Step::Batch(batch) if batch.header.last_offset() == last_offset => Ok(Some(batch)),
            _ => Ok(None),
        }
    }

    /// Builds the indexes from the log file, and writes them if nobody writes to the segment.
    pub(crate) fn rebuild_indexes(
        self: &Arc<Self>,
        resources: &LogResources,
    ) -> io::Result<SegmentIndexes> {
        let file = self.file(resources)?;
        let read_at = |buffer: &mut [u8], position| file.read_at(buffer, position);
        let range = WalkRange { base_offset: self.base_offset, position: 0, end: self.end() };
        let mut walk = BatchWalk::new(&read_at, range, HEADER_CHUNK_BYTES);
        let mut indexes = SegmentIndexes::new(self.base_offset);
        // a damaged batch ends the index; who reads there finds the damage
        while let Step::Batch(batch) = walk.step(Check::Header)? {
            indexes.on_batch(batch.position, &batch.header, self.index_interval_bytes);
        }
        indexes.index_max_timestamp();
        if !self.pinned.load(Ordering::Acquire) {
            self.save_whole_indexes(resources, &indexes)?;
        }
        Ok(indexes)
    }

    /// Writes both index files anew, durably.
    pub(crate) fn save_whole_indexes(
        &self,
        resources: &LogResources,
        indexes: &SegmentIndexes,
    ) -> io::Result<()> {
        let (offsets, times) = (indexes.offsets().to_bytes(0), indexes.times().to_bytes(0));
        resources.storage.replace(&self.path(FileKind::OffsetIndex), &offsets)?;
        resources.storage.replace(&self.path(FileKind::TimeIndex), &times)
    }

    /// Drops indexes that proved wrong and builds them again.
    pub(crate) fn replace_indexes(self: &Arc<Self>, resources: &LogResources) -> io::Result<()> {
        let indexes = self.rebuild_indexes(resources)?;
        let mut slot = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        if !self.pinned.load(Ordering::Acquire) {
            *slot = Some(indexes);
        }
        Ok(())
    }

    /// The largest timestamp of the segment.
    pub(crate) fn max_timestamp(
        self: &Arc<Self>,
        resources: &LogResources,
    ) -> io::Result<MaxTimestamp> {
        if let Some(max) = self.known_max_timestamp() {
            return Ok(max);
        }
        // the question how old a segment is must not load the indexes of all of them
        let max = match self.last_time_entry(resources)? {
            Some(entry) => MaxTimestamp {
                timestamp: entry.timestamp,
                offset: self.base_offset.plus(i64::from(entry.relative_offset)),
            },
            None => self.load_indexes(resources)?.max_timestamp(),
        };
        *self.max_timestamp.lock().unwrap_or_else(PoisonError::into_inner) = Some(max);
        Ok(max)
    }

    /// The largest timestamp of the segment, if it is in memory.
    pub(crate) fn known_max_timestamp(&self) -> Option<MaxTimestamp> {
        self.with_loaded_indexes(SegmentIndexes::max_timestamp)
            .or_else(|| *self.max_timestamp.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last entry of the time index file, if there is one.
    fn last_time_entry(&self, resources: &LogResources) -> io::Result<Option<TimeEntry>> {
        let file = match resources.storage.open(&self.path(FileKind::TimeIndex), OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        TimeEntry::read_last(&*file)
    }

    /// Forgets what [`Segment::max_timestamp`] remembers.
    pub(crate) fn forget_max_timestamp(&self) {
        *self.max_timestamp.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The time that retention counts from: that of the last record, or of the last write.
    pub(crate) fn retention_timestamp(
        self: &Arc<Self>,
        resources: &LogResources,
    ) -> io::Result<i64> {
        let max = self.max_timestamp(resources)?.timestamp;
        Ok(if max >= 0 { max } else { self.modified_ms })
    }
}
