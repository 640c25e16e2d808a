//! The sparse index from timestamp to offset of one segment, Kafka's `.timeindex`.
//!
//! ```text
//! 0 largest timestamp so far, i64 │ 8 last offset of its batch, minus the base offset, u32
//! ```
//!
//! Timestamps grow strictly, offsets never fall. An entry is added beside one of the offset index
//! whenever the largest timestamp has grown, and once more when the segment is closed, so that the
//! last entry of a closed segment is its largest timestamp.

use std::io;

use crate::storage::StorageFile;

/// Bytes of an entry in the file.
pub(crate) const TIME_ENTRY_BYTES: usize = 12;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    /// The largest timestamp up to and including `relative_offset`, in milliseconds since 1970.
    pub(crate) timestamp: i64,
    /// Last offset of the batch that has it, minus the segment's base offset.
    pub(crate) relative_offset: u32,
}

impl TimeEntry {
    fn from_bytes(bytes: [u8; TIME_ENTRY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self {
            timestamp: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            relative_offset: u32::from_be_bytes([i, j, k, l]),
        }
    }

    /// The last entry of a whole file; `None` if it has none.
    pub(crate) fn read_last(file: &dyn StorageFile) -> io::Result<Option<Self>> {
        let bytes = file.bytes()?;
        let entry = TIME_ENTRY_BYTES as u64;
        let Some(position) = bytes.checked_sub(entry).filter(|_| bytes % entry == 0) else {
            return Ok(None);
        };
        let mut last = [0; TIME_ENTRY_BYTES];
        let read = file.read_at(&mut last, position)?;
        Ok((read == last.len()).then(|| Self::from_bytes(last)))
    }

    fn to_bytes(self) -> [u8; TIME_ENTRY_BYTES] {
        let mut bytes = [0; TIME_ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes
    }
}

/// The entries in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimeIndex {
    entries: Vec<TimeEntry>,
}

impl TimeIndex {
    /// The entries of a file's contents up to the first one that cannot be right, and whether all
    /// of them were right.
    pub(crate) fn parse(contents: &[u8]) -> (Self, bool) {
        let mut index = Self { entries: Vec::with_capacity(contents.len() / TIME_ENTRY_BYTES) };
        let (entries, rest) = contents.as_chunks::<TIME_ENTRY_BYTES>();
        for bytes in entries {
            if !index.append_if_later(TimeEntry::from_bytes(*bytes)) {
                return (index, false);
            }
        }
        (index, rest.is_empty())
    }

    /// Adds an entry if its timestamp is above all others; says whether it did.
    pub(crate) fn append_if_later(&mut self, entry: TimeEntry) -> bool {
        let later = self.entries.last().map_or(entry.timestamp >= 0, |last| {
            entry.timestamp > last.timestamp && entry.relative_offset >= last.relative_offset
        });
        if later {
            self.entries.push(entry);
        }
        later
    }

    /// The last entry whose timestamp is at most `timestamp`.
    pub(crate) fn lookup(&self, timestamp: i64) -> Option<TimeEntry> {
        let after = self.entries.partition_point(|entry| entry.timestamp <= timestamp);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Option<TimeEntry> {
        self.entries.last().copied()
    }

    /// Keeps the entries of batches that end before `relative_offset`.
    pub(crate) fn keep_below(&mut self, relative_offset: u32) {
        let kept = self.entries.partition_point(|entry| entry.relative_offset < relative_offset);
        self.entries.truncate(kept);
    }

    /// Whether the entries of `found` are the first ones of these.
    pub(crate) fn begins_with(&self, found: &Self) -> bool {
        self.entries.starts_with(&found.entries)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<TimeEntry>()
    }

    /// The file's contents from entry `first` on.
    pub(crate) fn to_bytes(&self, first: usize) -> Vec<u8> {
        self.entries.iter().skip(first).flat_map(|entry| entry.to_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(timestamp: i64, relative_offset: u32) -> TimeEntry {
        TimeEntry { timestamp, relative_offset }
    }

    #[test]
    fn only_later_timestamps_get_an_entry() {
        let mut index = TimeIndex::default();
        assert!(!index.append_if_later(entry(-1, 0)), "no timestamp");
        assert!(index.append_if_later(entry(100, 5)));
        assert!(!index.append_if_later(entry(100, 6)));
        assert!(index.append_if_later(entry(101, 9)));
        assert_eq!(index.lookup(99), None);
        assert_eq!(index.lookup(100), Some(entry(100, 5)));
        assert_eq!(index.lookup(i64::MAX), Some(entry(101, 9)));
        index.keep_below(9);
        assert_eq!(index.last(), Some(entry(100, 5)));
    }

    #[test]
    fn contents_come_back_and_stop_at_the_first_impossible_entry() {
        let mut index = TimeIndex::default();
        index.append_if_later(entry(100, 5));
        assert_eq!(TimeIndex::parse(&index.to_bytes(0)), (index.clone(), true));
        let zeros = [index.to_bytes(0), vec![0; 12]].concat();
        assert_eq!(TimeIndex::parse(&zeros), (index.clone(), false));
        let longer = [index.to_bytes(0), vec![1; 5]].concat();
        assert_eq!(TimeIndex::parse(&longer), (index, false));
    }
}
