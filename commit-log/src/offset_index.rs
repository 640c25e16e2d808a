//! The sparse index from offset to position of one segment, Kafka's `.index`.
//!
//! ```text
//! 0 offset of a batch's last record, minus the base offset, u32 │ 4 position of the batch, u32
//! ```
//!
//! Entries grow strictly in both fields. A batch gets one when more than `index.interval.bytes`
//! lie between it and the last one that has one, so none has position 0.

/// Bytes of an entry in the file.
pub(crate) const OFFSET_ENTRY_BYTES: usize = 8;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// Offset of the batch's last record, minus the segment's base offset.
    pub(crate) relative_offset: u32,
    /// Where the batch begins, in bytes.
    pub(crate) position: u32,
}

impl OffsetEntry {
    fn from_bytes(bytes: [u8; OFFSET_ENTRY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self {
            relative_offset: u32::from_be_bytes([a, b, c, d]),
            position: u32::from_be_bytes([e, f, g, h]),
        }
    }

    fn to_bytes(self) -> [u8; OFFSET_ENTRY_BYTES] {
        let mut bytes = [0; OFFSET_ENTRY_BYTES];
        bytes[..4].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes[4..].copy_from_slice(&self.position.to_be_bytes());
        bytes
    }
}

/// The entries in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OffsetIndex {
    entries: Vec<OffsetEntry>,
}

impl OffsetIndex {
    /// The entries of a file's contents up to the first one that cannot be right for a log of
    /// `log_bytes`, and whether all of them were right.
    pub(crate) fn parse(contents: &[u8], log_bytes: u64) -> (Self, bool) {
        let mut index = Self { entries: Vec::with_capacity(contents.len() / OFFSET_ENTRY_BYTES) };
        let (entries, rest) = contents.as_chunks::<OFFSET_ENTRY_BYTES>();
        for bytes in entries {
            let entry = OffsetEntry::from_bytes(*bytes);
            if !index.may_append(entry) || u64::from(entry.position) >= log_bytes {
                return (index, false);
            }
            index.entries.push(entry);
        }
        (index, rest.is_empty())
    }

    fn may_append(&self, entry: OffsetEntry) -> bool {
        self.entries.last().map_or(entry.position > 0, |last| {
            entry.relative_offset > last.relative_offset && entry.position > last.position
        })
    }

    /// Adds an entry above all others.
    pub(crate) fn append(&mut self, entry: OffsetEntry) {
        debug_assert!(self.may_append(entry), "entries grow: {entry:?}");
        self.entries.push(entry);
    }

    /// The last entry whose offset is at most `relative_offset`.
    pub(crate) fn lookup(&self, relative_offset: u32) -> Option<OffsetEntry> {
        let after = self.entries.partition_point(|entry| entry.relative_offset <= relative_offset);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// Keeps the entries of batches that begin before `position`.
    pub(crate) fn keep_below(&mut self, position: u64) {
        let kept = self.entries.partition_point(|entry| u64::from(entry.position) < position);
        self.entries.truncate(kept);
    }

    /// Position of the last entry; 0 without entries, as if the first batch had one.
    pub(crate) fn last_position(&self) -> u64 {
        self.entries.last().map_or(0, |entry| u64::from(entry.position))
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
        self.entries.capacity() * size_of::<OffsetEntry>()
    }

    /// The file's contents from entry `first` on.
    pub(crate) fn to_bytes(&self, first: usize) -> Vec<u8> {
        self.entries.iter().skip(first).flat_map(|entry| entry.to_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(relative_offset: u32, position: u32) -> OffsetEntry {
        OffsetEntry { relative_offset, position }
    }

    fn index(entries: &[(u32, u32)]) -> OffsetIndex {
        OffsetIndex { entries: entries.iter().map(|(o, p)| entry(*o, *p)).collect() }
    }

    #[test]
    fn a_lookup_finds_the_entry_at_or_below() {
        let index = index(&[(10, 5000), (20, 9000)]);
        let cases = [(9, None), (10, Some((10, 5000))), (19, Some((10, 5000)))];
        for (offset, expected) in cases {
            assert_eq!(index.lookup(offset), expected.map(|(o, p)| entry(o, p)), "{offset}");
        }
        assert_eq!(index.lookup(u32::MAX), Some(entry(20, 9000)));
    }

    #[test]
    fn contents_come_back_and_stop_at_the_first_impossible_entry() {
        let good = index(&[(10, 5000), (20, 9000)]);
        assert_eq!(OffsetIndex::parse(&good.to_bytes(0), 9001), (good.clone(), true));
        assert_eq!(OffsetIndex::parse(&good.to_bytes(0), 9000), (index(&[(10, 5000)]), false));
        let zeros = [good.to_bytes(0), vec![0; 16]].concat();
        assert_eq!(OffsetIndex::parse(&zeros, 1 << 20), (good.clone(), false));
        let cut = &good.to_bytes(0)[..13];
        assert_eq!(OffsetIndex::parse(cut, 1 << 20), (index(&[(10, 5000)]), false));
        assert_eq!(OffsetIndex::parse(&[0; 8], 1 << 20), (OffsetIndex::default(), false));
    }
}
