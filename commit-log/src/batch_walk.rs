//! From batch to batch through a segment's log file, believing nothing it reads.

use std::io;

use protocol::Offset;
use protocol::record_batch::{BatchHeader, HEADER_BYTES};

use crate::Damage;

/// No batch is larger: what claims to be is damage. Far above any `max.message.bytes` that the
/// broker accepts, and the most memory that a walk takes.
pub(crate) const BATCH_BYTES_MAX: u64 = 256 << 20;

/// How far a walk reads ahead where it looks at headers only.
pub(crate) const HEADER_CHUNK_BYTES: usize = 16 << 10;
/// How far a walk reads ahead where it checks every byte.
pub(crate) const CHECK_CHUNK_BYTES: usize = 1 << 20;

/// Reads at a position into a buffer, and says how much it read: less only at the file's end.
pub(crate) type ReadAt<'a> = dyn Fn(&mut [u8], u64) -> io::Result<usize> + 'a;

/// How much of each batch is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The header's plausibility.
    Header,
    /// The checksum over all of it, too.
    Checksum,
}

/// What a step of the walk came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// A batch.
    Batch(BatchAt),
    /// Something that is none; the walk cannot go on.
    Damaged {
        /// Where, in bytes.
        position: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The end.
    End,
}

/// A batch and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchAt {
    /// Where it begins, in bytes.
    pub(crate) position: u64,
    /// Its header.
    pub(crate) header: BatchHeader,
}

/// The bounds of a walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalkRange {
    /// The segment's first offset.
    pub(crate) base_offset: Offset,
    /// Where the first batch begins, in bytes.
    pub(crate) position: u64,
    /// Where the last one ends, in bytes.
    pub(crate) end: u64,
}

/// A walk.
pub(crate) struct BatchWalk<'a> {
    read_at: &'a ReadAt<'a>,
    range: WalkRange,
    /// No later batch may have a lower offset.
    expected: Offset,
    chunk_bytes: usize,
    buffer: Vec<u8>,
    buffer_position: u64,
    bytes_read: u64,
}

impl<'a> BatchWalk<'a> {
    pub(crate) fn new(read_at: &'a ReadAt<'a>, range: WalkRange, chunk_bytes: usize) -> Self {
        Self {
            read_at,
            range,
            expected: range.base_offset,
            chunk_bytes,
            buffer: Vec::new(),
            buffer_position: range.position,
            bytes_read: 0,
        }
    }

    /// The place of the next batch, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.range.position
    }

    /// The offset after the last batch passed; at first the segment's base offset.
    pub(crate) fn next_offset(&self) -> Offset {
        self.expected
    }

    /// Bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Goes over the next batch.
    pub(crate) fn step(&mut self, check: Check) -> io::Result<Step> {
        let position = self.range.position;
        if position >= self.range.end {
            return Ok(Step::End);
        }
        match self.look(check)? {
            Ok(header) => {
                self.range.position = position + header.total_bytes() as u64;
                self.expected = header.next_offset();
                Ok(Step::Batch(BatchAt { position, header }))
            }
            Err(damage) => Ok(Step::Damaged { position, damage }),
        }
    }

    fn look(&mut self, check: Check) -> io::Result<Result<BatchHeader, Damage>> {
        let available = self.range.end - self.range.position;
        let position = self.range.position;
        let header = match BatchHeader::parse(self.bytes_at(position, HEADER_BYTES)?) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error.into())),
        };
        let bytes = header.total_bytes();
        if bytes as u64 > available.min(BATCH_BYTES_MAX) {
            return Ok(Err(Damage::Incomplete { bytes: bytes as u64, available }));
        }
        if let Err(damage) = self.check_offsets(&header) {
            return Ok(Err(damage));
        }
        if check == Check::Checksum
            && let Err(error) = header.check_crc(self.bytes_at(position, bytes)?)
        {
            return Ok(Err(error.into()));
        }
        Ok(Ok(header))
    }

    fn check_offsets(&self, header: &BatchHeader) -> Result<(), Damage> {
        let (base_offset, expected) = (header.base_offset, self.expected);
        if base_offset < expected {
            return Err(Damage::OffsetOrder { base_offset, expected });
        }
        // neither sum can overflow: the base offset of a segment is not negative
        let relative = base_offset.distance_from(self.range.base_offset);
        let last = relative.saturating_add(i64::from(header.last_offset_delta));
        if header.last_offset_delta < 0 || last > i64::from(i32::MAX) {
            return Err(Damage::OffsetDelta { last_offset_delta: header.last_offset_delta });
        }
        Ok(())
    }

    /// Goes back to before the batch just passed.
    pub(crate) fn back_to(&mut self, position: u64, next_offset: Offset) {
        self.range.position = position;
        self.expected = next_offset;
    }

    /// The bytes of a batch that the walk has passed.
    pub(crate) fn batch_bytes(&mut self, batch: &BatchAt) -> io::Result<&[u8]> {
        self.bytes_at(batch.position, batch.header.total_bytes())
    }

    /// The `bytes` bytes at `position`, fewer at the end.
    fn bytes_at(&mut self, position: u64, bytes: usize) -> io::Result<&[u8]> {
        let held = self.buffer_position..self.buffer_position + self.buffer.len() as u64;
        if !(held.contains(&position) && position + bytes as u64 <= held.end) {
            let left = self.range.end.saturating_sub(position);
            let wanted = left.min(bytes.max(self.chunk_bytes) as u64);
            // the end lies within the file, so this much is there to be read
            self.buffer.resize(usize::try_from(wanted).unwrap_or(usize::MAX), 0);
            let read = (self.read_at)(&mut self.buffer, position)?;
            self.buffer.truncate(read);
            self.buffer_position = position;
            self.bytes_read += read as u64;
        }
        let start = usize::try_from(position - self.buffer_position).unwrap_or(usize::MAX);
        let rest = self.buffer.get(start..).unwrap_or_default();
        Ok(rest.get(..bytes).unwrap_or(rest))
    }
}
