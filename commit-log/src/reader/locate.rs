//! From an offset to the place of its batch: remembered, or by the index and from header to header.

use std::io;
use std::sync::Arc;

use protocol::Offset;

use crate::batch_walk::{BatchAt, BatchWalk, Check, Step, WalkRange};
use crate::reader::{LogReader, ReadMode};
use crate::segment::Segment;
use crate::segment_files::FileKind;
use crate::shared_log::{Place, Segments};
use crate::storage::StorageFile;
use crate::{Damage, ReadError};

/// How far the way from header to header reads ahead: about what lies between two index entries.
const LOCATE_CHUNK_BYTES: usize = 4096;

/// Reads in a mode; [`io::ErrorKind::WouldBlock`] where it may not wait and would have to.
pub(super) fn read_at(
    file: &dyn StorageFile,
    mode: ReadMode,
    buffer: &mut [u8],
    position: u64,
) -> io::Result<usize> {
    match mode {
        ReadMode::MayBlock => file.read_at(buffer, position),
        ReadMode::NoWait => {
            let read = file.read_at_nowait(buffer, position)?;
            read.ok_or_else(|| io::ErrorKind::WouldBlock.into())
        }
    }
}

/// An error of a file operation on a segment.
pub(super) fn read_error(segment: &Segment, source: io::Error) -> ReadError {
    match source.kind() {
        io::ErrorKind::WouldBlock => ReadError::WouldBlock,
        _ => ReadError::Storage { path: segment.path(FileKind::Log), source },
    }
}

impl LogReader {
    /// The segment's open file.
    pub(super) fn file_of(
        &self,
        segment: &Arc<Segment>,
        mode: ReadMode,
    ) -> Result<Arc<dyn StorageFile>, ReadError> {
        match (segment.open_file(), mode) {
            (Some(file), _) => Ok(file),
            (None, ReadMode::NoWait) => Err(ReadError::WouldBlock),
            (None, ReadMode::MayBlock) => {
                segment.file(&self.shared.resources).map_err(|source| read_error(segment, source))
            }
        }
    }

    /// The place of the first batch of the segment that ends at or after `offset`; `None` if there
    /// is none.
    pub(super) fn locate(
        &self,
        segment: &Arc<Segment>,
        offset: Offset,
        mode: ReadMode,
        generation: u64,
    ) -> Result<Option<u64>, ReadError> {
        if let Some(place) = self.shared.place_of(offset)
            && place.segment == segment.base_offset()
        {
            return Ok(Some(place.position).filter(|position| *position < segment.end()));
        }
        let found =
            self.walk_to(segment, offset, mode, &|batch| batch.header.last_offset() >= offset)?;
        let Some(batch) = found else { return Ok(None) };
        let (position, segment) = (batch.position, segment.base_offset());
        let place = Place { offset: batch.header.base_offset, segment, position };
        self.shared.remember_place(place, generation);
        Ok(Some(position))
    }

    /// The first batch at or after the one that holds `from` which `is_wanted`.
    pub(super) fn walk_to(
        &self,
        segment: &Arc<Segment>,
        from: Offset,
        mode: ReadMode,
        is_wanted: &dyn Fn(&BatchAt) -> bool,
    ) -> Result<Option<BatchAt>, ReadError> {
        let indexed = self.indexed(segment, from, mode)?;
        let mut walked = self.walk_from(segment, indexed, mode, is_wanted)?;
        if matches!(walked, Walked::IndexWrong) {
            if mode == ReadMode::NoWait {
                return Err(ReadError::WouldBlock);
            }
            segment
                .replace_indexes(&self.shared.resources)
                .map_err(|source| read_error(segment, source))?;
            walked = self.walk_from(segment, None, mode, is_wanted)?;
        }
        match walked {
            Walked::To(found) => Ok(found),
            Walked::Damaged { position, damage } => {
                let path = segment.path(FileKind::Log);
                Err(ReadError::Corrupt { path, position, damage })
            }
            // no index was asked
            Walked::IndexWrong => Err(ReadError::Truncated),
        }
    }

    /// The last indexed batch that ends at or below `offset`.
    fn indexed(
        &self,
        segment: &Arc<Segment>,
        offset: Offset,
        mode: ReadMode,
    ) -> Result<Option<(Offset, u64)>, ReadError> {
        match mode {
            ReadMode::NoWait => segment
                .with_loaded_indexes(|indexes| indexes.lookup(offset))
                .ok_or(ReadError::WouldBlock),
            ReadMode::MayBlock => segment
                .with_indexes(&self.shared.resources, |indexes| indexes.lookup(offset))
                .map_err(|source| read_error(segment, source)),
        }
    }

    fn walk_from(
        &self,
        segment: &Arc<Segment>,
        indexed: Option<(Offset, u64)>,
        mode: ReadMode,
        is_wanted: &dyn Fn(&BatchAt) -> bool,
    ) -> Result<Walked, ReadError> {
        let failed = |source| read_error(segment, source);
        let file = self.file_of(segment, mode)?;
        let read_at = |buffer: &mut [u8], position| {
            let read = read_at(&*file, mode, buffer, position)?;
            // a part of it in memory is no batch cut short
            let may_come = mode == ReadMode::NoWait && read < buffer.len();
            if may_come { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(read) }
        };
        let range = WalkRange {
            base_offset: segment.base_offset(),
            position: indexed.map_or(0, |(_, position)| position),
            end: segment.end(),
        };
        let mut walk = BatchWalk::new(&read_at, range, LOCATE_CHUNK_BYTES);
        // the first batch must be the one that the index says
        let mut expected = indexed.map(|(last_offset, _)| last_offset);
        loop {
            let step = walk.step(Check::Header).map_err(failed)?;
            if let Some(last_offset) = expected.take()
                && !matches!(&step, Step::Batch(batch) if batch.header.last_offset() == last_offset)
            {
                return Ok(Walked::IndexWrong);
            }
            match step {
                Step::Batch(batch) if is_wanted(&batch) => return Ok(Walked::To(Some(batch))),
                Step::Batch(_) => {}
                Step::End => return Ok(Walked::To(None)),
                Step::Damaged { position, damage } => {
                    return Ok(Walked::Damaged { position, damage });
                }
            }
        }
    }
}

enum Walked {
    To(Option<BatchAt>),
    IndexWrong,
    Damaged { position: u64, damage: Damage },
}

/// The place among the segments of the one that holds `offset`.
pub(super) fn segment_of(segments: &Segments, offset: Offset) -> usize {
    let after = segments.partition_point(|segment| segment.base_offset() <= offset);
    after.saturating_sub(1)
}
