//! What a replica knows of its log, whatever its role: four offsets and the epochs.

use protocol::{LeaderEpoch, Offset};

use crate::epoch_history::EpochHistory;
use crate::fetch::{FetchPosition, FetchVerdict};
use crate::high_watermark::HighWatermark;
use crate::reinjected_bug::{BugSwitch, ReinjectedBug};
use crate::term::LogOffsets;

/// The offsets of one log: `log_start ≤ high_watermark ≤ log_end`, `flushed ≤ log_end`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplicaLog {
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    pub(crate) flushed: Offset,
    pub(crate) high_watermark: HighWatermark,
    pub(crate) epochs: EpochHistory,
    pub(crate) bugs: BugSwitch,
}

impl ReplicaLog {
    /// The log was opened or its writer drained. The high watermark known before stays, as far as
    /// the log still reaches.
    pub(crate) fn reopen(&mut self, offsets: &LogOffsets) {
        self.log_start = offsets.log_start;
        self.log_end = offsets.log_end;
        self.flushed = offsets.flushed.min(offsets.log_end);
        self.epochs = EpochHistory::from_starts(&offsets.epochs);
        let known = self.high_watermark.get();
        self.high_watermark = HighWatermark::new(known.min(offsets.log_end).max(offsets.log_start));
    }

    /// Records from `base_offset` to `end_offset` were written under `leader_epoch`.
    pub(crate) fn append(&mut self, leader_epoch: LeaderEpoch, base: Offset, end: Offset) {
        self.epochs.begin(leader_epoch, base);
        self.log_end = end;
    }

    /// A flush ended that covered everything below `offset`. Bounded by what was reported as
    /// written, so that it never vouches for bytes written later.
    pub(crate) fn flush(&mut self, offset: Offset) {
        self.flushed = self.flushed.max(offset.min(self.log_end));
    }

    /// The offset that this replica counts with for the high watermark.
    pub(crate) fn counted(&self, flush_before_ack: bool) -> Offset {
        if flush_before_ack { self.flushed } else { self.log_end }
    }

    /// Retention or DeleteRecords moved the start.
    pub(crate) fn move_start(&mut self, offset: Offset) -> bool {
        let offset = offset.min(self.log_end);
        if offset <= self.log_start {
            return false;
        }
        self.log_start = offset;
        self.epochs.move_start(offset);
        self.high_watermark.raise_to(offset)
    }

    /// The end was cut.
    pub(crate) fn truncate_to(&mut self, offset: Offset) {
        let keeps_empty = self.bugs.is(ReinjectedBug::KeepEmptyEpochs);
        self.epochs.truncate_to(if keeps_empty { offset.next() } else { offset });
        self.log_end = self.log_end.min(offset);
        self.flushed = self.flushed.min(offset);
        self.high_watermark.cut_at(offset);
    }

    /// Everything was deleted; the log continues at `offset`.
    pub(crate) fn restart_at(&mut self, offset: Offset) {
        self.epochs.clear();
        self.log_start = offset;
        self.log_end = offset;
        self.flushed = offset;
        self.high_watermark = HighWatermark::new(offset);
    }

    /// Where the next fetch of this replica begins.
    pub(crate) fn fetch_position(&self) -> FetchPosition {
        let last_epoch = self.epochs.last_epoch();
        let last_fetched_epoch = last_epoch.filter(|_| !self.bugs.has_forgotten_epoch());
        FetchPosition { fetch_offset: self.log_end, last_fetched_epoch }
    }

    /// Whether a follower at `position` holds a prefix of this log (KIP-320, KIP-595).
    ///
    /// A follower whose last epoch retention has removed here is out of range, even if it ends
    /// where this log starts: nothing shows that what it holds is what was here. And within a
    /// leadership a position found to agree has always agreed: a follower that was told otherwise
    /// may still act on that, while its offset would count.
    pub(crate) fn judge(&self, position: FetchPosition) -> FetchVerdict {
        let offset = position.fetch_offset;
        let (log_start_offset, log_end_offset) = (self.log_start, self.log_end);
        let out_of_range = FetchVerdict::OutOfRange { log_start_offset, log_end_offset };
        if offset < self.log_start {
            return out_of_range;
        }
        let bugs = self.bugs;
        let compares = |_: &LeaderEpoch| !bugs.is(ReinjectedBug::JudgeByOffsetAlone);
        if let Some(epoch) = position.last_fetched_epoch.filter(compares) {
            match self.epochs.end_of(epoch, self.log_end) {
                Some(end) if end.end_offset < offset => return FetchVerdict::Diverging(end),
                Some(end) if end.leader_epoch < epoch => {
                    if !bugs.is(ReinjectedBug::HideMissingEpoch) {
                        return FetchVerdict::Diverging(end);
                    }
                }
                Some(_) if !self.epochs.begins_after(epoch) => {}
                Some(_) | None => return out_of_range,
            }
        }
        if offset > self.log_end {
            return out_of_range;
        }
        FetchVerdict::ReadFrom { offset }
    }
}
