//! Both indexes of a segment and the rule by which batches get entries.

use protocol::Offset;
use protocol::record_batch::BatchHeader;

use crate::offset_index::{OFFSET_ENTRY_BYTES, OffsetEntry, OffsetIndex};
use crate::time_index::{TIME_ENTRY_BYTES, TimeEntry, TimeIndex};

/// The largest timestamp of a segment and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaxTimestamp {
    /// In milliseconds since 1970; −1 if no batch has a timestamp.
    pub(crate) timestamp: i64,
    /// Last offset of the first batch that has it.
    pub(crate) offset: Offset,
}

/// The indexes of one segment, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentIndexes {
    base_offset: Offset,
    offsets: OffsetIndex,
    times: TimeIndex,
    /// Of all batches passed, indexed or not.
    max_timestamp: MaxTimestamp,
}

impl SegmentIndexes {
    pub(crate) fn new(base_offset: Offset) -> Self {
        let (offsets, times) = (OffsetIndex::default(), TimeIndex::default());
        Self::from_parts(base_offset, offsets, times)
    }

    pub(crate) fn from_parts(base_offset: Offset, offsets: OffsetIndex, times: TimeIndex) -> Self {
        let last = times.last();
        let max_timestamp = MaxTimestamp {
            timestamp: last.map_or(-1, |entry| entry.timestamp),
            offset: base_offset.plus(last.map_or(0, |entry| i64::from(entry.relative_offset))),
        };
        Self { base_offset, offsets, times, max_timestamp }
    }

    /// Takes in a batch that follows all others.
    pub(crate) fn on_batch(&mut self, position: u64, header: &BatchHeader, interval_bytes: u32) {
        let last_offset = header.last_offset();
        if header.max_timestamp > self.max_timestamp.timestamp {
            self.max_timestamp =
                MaxTimestamp { timestamp: header.max_timestamp, offset: last_offset };
        }
        let since_last = position.saturating_sub(self.offsets.last_position());
        // a position beyond 4 GiB, in a segment that one huge batch has overgrown, gets no entry
        if since_last > u64::from(interval_bytes)
            && let Ok(position) = u32::try_from(position)
        {
            let relative_offset = self.relative(last_offset);
            self.offsets.append(OffsetEntry { relative_offset, position });
            self.index_max_timestamp();
        }
    }

    /// Gives the largest timestamp an entry, as is due beside an entry of the offset index and
    /// when the segment is closed.
    pub(crate) fn index_max_timestamp(&mut self) {
        let MaxTimestamp { timestamp, offset } = self.max_timestamp;
        let relative_offset = self.relative(offset);
        self.times.append_if_later(TimeEntry { timestamp, relative_offset });
    }

    fn relative(&self, offset: Offset) -> u32 {
        let relative = offset.distance_from(self.base_offset).max(0);
        u32::try_from(relative).unwrap_or(u32::MAX)
    }

    /// The last indexed batch that ends at or below `offset`: the offset of its last record, and
    /// its position.
    pub(crate) fn lookup(&self, offset: Offset) -> Option<(Offset, u64)> {
        let entry = self.offsets.lookup(self.relative(offset))?;
        let last_offset = self.base_offset.plus(i64::from(entry.relative_offset));
        Some((last_offset, u64::from(entry.position)))
    }

    /// The offset to look for `timestamp` from: no batch that ends below it has that time or a
    /// later one.
    pub(crate) fn offset_before(&self, timestamp: i64) -> Offset {
        let entry = self.times.lookup(timestamp);
        self.base_offset.plus(entry.map_or(0, |entry| i64::from(entry.relative_offset)))
    }

    pub(crate) fn max_timestamp(&self) -> MaxTimestamp {
        self.max_timestamp
    }

    /// Forgets the batch at `position`, which begins at `base_offset`, and all after it. The
    /// largest timestamp is then that of the entries; batches without one must be passed again.
    pub(crate) fn keep_below(&mut self, position: u64, base_offset: Offset) {
        self.offsets.keep_below(position);
        self.times.keep_below(self.relative(base_offset));
        let (offsets, times) = (std::mem::take(&mut self.offsets), std::mem::take(&mut self.times));
        *self = Self::from_parts(self.base_offset, offsets, times);
    }

    /// Where the last indexed batch begins; 0 if none is indexed.
    pub(crate) fn last_position(&self) -> u64 {
        self.offsets.last_position()
    }

    /// Whether one of them has no room left in a file of `bytes_max`.
    pub(crate) fn is_full(&self, bytes_max: u32) -> bool {
        let bytes_max = bytes_max as usize;
        // the time index keeps a place for the entry that closing the segment adds
        self.offsets.len() >= bytes_max / OFFSET_ENTRY_BYTES
            || self.times.len() + 1 >= bytes_max / TIME_ENTRY_BYTES
    }

    /// Offset of the last record of the last indexed batch.
    pub(crate) fn last_offset(&self) -> Option<Offset> {
        let entry = self.offsets.lookup(u32::MAX)?;
        Some(self.base_offset.plus(i64::from(entry.relative_offset)))
    }

    /// Whether the entries of `found` are the first ones of these.
    pub(crate) fn begins_with(&self, found: &Self) -> bool {
        self.offsets.begins_with(&found.offsets) && self.times.begins_with(&found.times)
    }

    /// Whether both would be written as the same files.
    pub(crate) fn has_the_files_of(&self, other: &Self) -> bool {
        self.offsets == other.offsets && self.times == other.times
    }

    pub(crate) fn offsets(&self) -> &OffsetIndex {
        &self.offsets
    }

    pub(crate) fn times(&self) -> &TimeIndex {
        &self.times
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.offsets.bytes() + self.times.bytes()
    }
}
