//! One broker's disk: the records of its log, and how many of them would survive a crash.

use protocol::{LeaderEpoch, Offset};
use replication::{EpochHistory, EpochStart, LogOffsets};

/// A record names itself: no two appends carry the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub epoch: LeaderEpoch,
    pub value: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// The offset of the first record kept.
    start: i64,
    records: Vec<Record>,
    flushed: i64,
    epochs: EpochHistory,
}

impl Disk {
    pub fn start(&self) -> i64 {
        self.start
    }

    pub fn end(&self) -> i64 {
        self.start + i64::try_from(self.records.len()).unwrap()
    }

    pub fn flushed(&self) -> i64 {
        self.flushed
    }

    fn index(&self, offset: i64) -> usize {
        usize::try_from(offset - self.start).unwrap()
    }

    pub fn record(&self, offset: i64) -> Option<Record> {
        (offset >= self.start).then(|| self.records.get(self.index(offset)).copied()).flatten()
    }

    /// At most `limit` records from `offset` on.
    pub fn read(&self, offset: i64, limit: usize) -> Vec<Record> {
        self.records[self.index(offset)..].iter().take(limit).copied().collect()
    }

    pub fn append(&mut self, record: Record) {
        self.epochs.begin(record.epoch, Offset::new(self.end()));
        self.records.push(record);
    }

    pub fn flush(&mut self) {
        self.flushed = self.end();
    }

    pub fn truncate_to(&mut self, offset: i64) {
        self.records.truncate(self.index(offset));
        self.epochs.truncate_to(Offset::new(offset));
        self.flushed = self.flushed.min(offset);
    }

    pub fn restart_at(&mut self, offset: i64) {
        *self = Self { start: offset, flushed: offset, ..Self::default() };
    }

    pub fn move_start(&mut self, offset: i64) {
        let gone = self.index(offset);
        self.records.drain(..gone);
        self.start = offset;
        self.flushed = self.flushed.max(offset);
        self.epochs.move_start(Offset::new(offset));
    }

    /// The power fails: what was flushed stays, and `lucky` records after it.
    pub fn crash(&mut self, lucky: i64) {
        self.truncate_to(self.end().min(self.flushed + lucky));
        self.flush();
    }

    /// What recovery tells a replica.
    pub fn offsets(&self) -> LogOffsets {
        LogOffsets {
            log_start: Offset::new(self.start),
            log_end: Offset::new(self.end()),
            flushed: Offset::new(self.flushed),
            epochs: self.epochs.starts().to_vec(),
        }
    }

    /// Where the epochs of the records from `offset` on start.
    pub fn epochs_from(&self, offset: i64) -> Vec<EpochStart> {
        let mut starts: Vec<EpochStart> = Vec::new();
        for (place, record) in (offset..).zip(&self.records[self.index(offset)..]) {
            if starts.last().is_none_or(|last| last.leader_epoch != record.epoch) {
                let start_offset = Offset::new(place);
                starts.push(EpochStart { leader_epoch: record.epoch, start_offset });
            }
        }
        starts
    }
}
