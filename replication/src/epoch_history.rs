//! Where each leader epoch of a log starts (KIP-101, KIP-279).
//!
//! Only epochs with records are named, but for one case: when retention removed every record, the
//! last epoch stays, starting at the log end offset, so that the log remembers whose it was.

use protocol::{LeaderEpoch, Offset};

/// One epoch of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The epoch.
    pub leader_epoch: LeaderEpoch,
    /// The offset of its first record.
    pub start_offset: Offset,
}

/// The answer to "where did that epoch end?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch in the log that is not above the one asked for; the one asked for itself
    /// if the log starts later.
    pub leader_epoch: LeaderEpoch,
    /// The offset after its last record.
    pub end_offset: Offset,
}

/// The epochs of one log, oldest first; epochs and start offsets both increase strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochHistory {
    starts: Vec<EpochStart>,
}

impl EpochHistory {
    /// The history that a log was opened with. An entry that contradicts a later one is dropped,
    /// as Kafka does: the later one was written with the record itself.
    #[must_use]
    pub fn from_starts(starts: &[EpochStart]) -> Self {
        let mut history = Self::default();
        for start in starts {
            history.begin(start.leader_epoch, start.start_offset);
        }
        history
    }

    /// The epochs, oldest first.
    #[must_use]
    pub fn starts(&self) -> &[EpochStart] {
        &self.starts
    }

    /// The epoch of the last record; `None` if the log never held one.
    #[must_use]
    pub fn last_epoch(&self) -> Option<LeaderEpoch> {
        self.starts.last().map(|start| start.leader_epoch)
    }

    /// Notes that the record at `start_offset` carries `leader_epoch`.
    pub fn begin(&mut self, leader_epoch: LeaderEpoch, start_offset: Offset) {
        if self.last_epoch() == Some(leader_epoch) {
            return;
        }
        self.starts.retain(|s| s.leader_epoch < leader_epoch && s.start_offset < start_offset);
        self.starts.push(EpochStart { leader_epoch, start_offset });
    }

    /// Where `leader_epoch` ended in a log that ends at `log_end`. `None` if the history is empty.
    #[must_use]
    pub fn end_of(&self, leader_epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        let later = self.starts.partition_point(|s| s.leader_epoch <= leader_epoch);
        let end_offset = self.starts.get(later).map_or(log_end, |next| next.start_offset);
        match later.checked_sub(1).and_then(|index| self.starts.get(index)) {
            Some(floor) => Some(EpochEnd { leader_epoch: floor.leader_epoch, end_offset }),
            None if self.starts.is_empty() => None,
            None => Some(EpochEnd { leader_epoch, end_offset }),
        }
    }

    /// Whether every epoch of the log is later than `leader_epoch`.
    #[must_use]
    pub fn begins_after(&self, leader_epoch: LeaderEpoch) -> bool {
        self.starts.first().is_some_and(|first| first.leader_epoch > leader_epoch)
    }

    /// Forgets what starts at or after `offset`, also if the log ends there: an epoch without
    /// records would be asked about for ever (KAFKA-10706).
    pub fn truncate_to(&mut self, offset: Offset) {
        self.starts.retain(|start| start.start_offset < offset);
    }

    /// Forgets epochs that end at or before `log_start`; the one that holds it starts there now.
    pub fn move_start(&mut self, log_start: Offset) {
        let later = self.starts.partition_point(|s| s.start_offset <= log_start);
        if later > 1 {
            self.starts.drain(..later - 1);
        }
        if let Some(first) = self.starts.first_mut() {
            first.start_offset = first.start_offset.max(log_start);
        }
    }

    /// Forgets everything: the log starts anew.
    pub fn clear(&mut self) {
        self.starts.clear();
    }

    /// Whether epochs and offsets increase strictly.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.starts.windows(2).all(|pair| match pair {
            [a, b] => a.leader_epoch < b.leader_epoch && a.start_offset < b.start_offset,
            _ => true,
        })
    }
}

#[cfg(test)]
mod tests {
    //! A log of three epochs: what it answers decides what a follower cuts.

    use super::{EpochEnd, EpochHistory, EpochStart};
    use protocol::{LeaderEpoch, Offset};

    fn start(epoch: i32, offset: i64) -> EpochStart {
        EpochStart { leader_epoch: LeaderEpoch::new(epoch), start_offset: Offset::new(offset) }
    }

    fn history() -> EpochHistory {
        EpochHistory::from_starts(&[start(2, 0), start(5, 10), start(6, 15)])
    }

    #[test]
    fn an_epoch_ends_where_the_next_one_starts() {
        let table = [(1, 1, 0), (2, 2, 10), (3, 2, 10), (5, 5, 15), (6, 6, 20), (9, 6, 20)];
        for (asked, epoch, offset) in table {
            let end = history().end_of(LeaderEpoch::new(asked), Offset::new(20));
            let leader_epoch = LeaderEpoch::new(epoch);
            let end_offset = Offset::new(offset);
            assert_eq!(end, Some(EpochEnd { leader_epoch, end_offset }), "epoch {asked}");
        }
    }

    #[test]
    fn an_empty_log_knows_no_epoch() {
        let history = EpochHistory::default();
        assert_eq!(history.end_of(LeaderEpoch::ZERO, Offset::ZERO), None);
        assert_eq!(history.last_epoch(), None);
    }

    #[test]
    fn truncation_drops_an_epoch_that_starts_at_the_cut() {
        let mut history = history();
        history.truncate_to(Offset::new(15));
        assert_eq!(history.starts(), [start(2, 0), start(5, 10)]);
    }

    #[test]
    fn retention_keeps_the_epoch_that_holds_the_new_start() {
        let mut history = history();
        history.move_start(Offset::new(12));
        assert_eq!(history.starts(), [start(5, 12), start(6, 15)]);
        history.move_start(Offset::new(20));
        assert_eq!(history.starts(), [start(6, 20)], "the last one stays without records");
    }

    #[test]
    fn a_later_entry_wins_over_one_that_contradicts_it() {
        let history = EpochHistory::from_starts(&[start(2, 0), start(7, 10), start(5, 8)]);
        assert_eq!(history.starts(), [start(2, 0), start(5, 8)]);
    }
}
