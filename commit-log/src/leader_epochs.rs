//! Where each leader epoch began (KIP-101), Kafka's `leader-epoch-checkpoint`.
//!
//! ```text
//! 0            version
//! 2            entries
//! 0 0          epoch  first offset
//! 3 4711
//! ```
//!
//! Epochs and offsets grow strictly from entry to entry.

use std::path::{Path, PathBuf};

use protocol::{LeaderEpoch, Offset};

use crate::checkpoint::{CheckpointDamage, format_lines, parse_lines};

/// The file's name in a partition's directory.
const FILE: &str = "leader-epoch-checkpoint";

/// The file's path.
pub(crate) fn leader_epochs_path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    epoch: LeaderEpoch,
    start_offset: Offset,
}

/// The epochs of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaderEpochs {
    entries: Vec<Entry>,
}

impl LeaderEpochs {
    /// Notes that `epoch` begins at `start_offset`; says whether that was news. Entries that
    /// contradict it, of later epochs or offsets, are dropped: they never got a record.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        let known = self
            .entries
            .last()
            .is_some_and(|last| last.epoch == epoch && last.start_offset <= start_offset);
        if known || !epoch.is_known() {
            return false;
        }
        let follows = |entry: &Entry| entry.epoch < epoch && entry.start_offset < start_offset;
        let kept = self.entries.iter().rposition(follows).map_or(0, |last| last + 1);
        self.entries.truncate(kept);
        self.entries.push(Entry { epoch, start_offset });
        true
    }

    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// The epochs with their first offsets, oldest first.
    pub(crate) fn starts(&self) -> Vec<(LeaderEpoch, Offset)> {
        self.entries.iter().map(|entry| (entry.epoch, entry.start_offset)).collect()
    }

    /// The epoch that the record at `offset` belongs to.
    pub(crate) fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let later = self.entries.partition_point(|entry| entry.start_offset <= offset);
        later.checked_sub(1).and_then(|at| self.entries.get(at)).map(|entry| entry.epoch)
    }

    /// The largest epoch at or below `epoch`, and where it ended. A request below all known epochs
    /// is answered with the requested epoch and where the first known one begins; one above all,
    /// with nothing.
    pub(crate) fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        log_end_offset: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        let latest = self.latest()?;
        if !epoch.is_known() || epoch > latest {
            return None;
        }
        if epoch == latest {
            return Some((epoch, log_end_offset));
        }
        let later = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let end = self.entries.get(later)?.start_offset;
        let floor = later.checked_sub(1).and_then(|floor| self.entries.get(floor));
        Some((floor.map_or(epoch, |floor| floor.epoch), end))
    }

    /// Forgets epochs that begin at or after the log's new end; says whether any did.
    pub(crate) fn truncate_from_end(&mut self, log_end_offset: Offset) -> bool {
        let before = self.entries.len();
        let kept = self.entries.partition_point(|entry| entry.start_offset < log_end_offset);
        self.entries.truncate(kept);
        kept != before
    }

    /// Forgets epochs that ended at or before the log's new start; the one in force there now
    /// begins there. Says whether anything changed.
    pub(crate) fn truncate_from_start(&mut self, log_start_offset: Offset) -> bool {
        let ended = self.entries.partition_point(|entry| entry.start_offset <= log_start_offset);
        let Some(in_force) = ended.checked_sub(1) else { return false };
        let before = self.entries.first().copied();
        self.entries.drain(..in_force);
        if let Some(first) = self.entries.first_mut() {
            first.start_offset = log_start_offset;
        }
        self.entries.first().copied() != before
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The file's text.
    pub(crate) fn to_text(&self) -> String {
        let lines = self.entries.iter();
        format_lines(lines.map(|entry| format!("{} {}", entry.epoch, entry.start_offset)))
    }

    /// Reads the file's text.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, CheckpointDamage> {
        let mut epochs = Self::default();
        for (line, text) in parse_lines(text)? {
            let malformed = CheckpointDamage::Malformed { line };
            let Some((epoch, start)) = text.split_once(' ') else { return Err(malformed) };
            let (Ok(epoch), Ok(start)) = (epoch.trim().parse(), start.trim().parse()) else {
                return Err(malformed);
            };
            let (epoch, start_offset) = (LeaderEpoch::new(epoch), Offset::new(start));
            let grows = epochs
                .entries
                .last()
                .is_none_or(|last| last.epoch < epoch && last.start_offset < start_offset);
            if !grows || !epoch.is_known() || !start_offset.is_valid() {
                return Err(malformed);
            }
            epochs.entries.push(Entry { epoch, start_offset });
        }
        Ok(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, start) in entries {
            epochs.assign(LeaderEpoch::new(*epoch), Offset::new(*start));
        }
        epochs
    }

    fn end_of(epochs: &LeaderEpochs, epoch: i32) -> Option<(i32, i64)> {
        let end = epochs.end_offset_for(LeaderEpoch::new(epoch), Offset::new(100));
        end.map(|(epoch, offset)| (epoch.value(), offset.value()))
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let epochs = epochs(&[(2, 10), (4, 30), (7, 60)]);
        let cases = [
            (-1, None),
            (1, Some((1, 10))),
            (2, Some((2, 30))),
            (3, Some((2, 30))),
            (4, Some((4, 60))),
            (6, Some((4, 60))),
            (7, Some((7, 100))),
            (8, None),
        ];
        for (epoch, end) in cases {
            assert_eq!(end_of(&epochs, epoch), end, "epoch {epoch}");
        }
        assert_eq!(end_of(&LeaderEpochs::default(), 0), None);
    }

    #[test]
    fn an_epoch_without_records_gives_way_to_the_next_at_its_place() {
        assert_eq!(epochs(&[(1, 0), (2, 10), (3, 10)]), epochs(&[(1, 0), (3, 10)]));
        assert_eq!(epochs(&[(1, 0), (5, 10), (3, 10)]), epochs(&[(1, 0), (3, 10)]));
        let mut same = epochs(&[(1, 0)]);
        assert!(!same.assign(LeaderEpoch::new(1), Offset::new(9)), "the first start stays");
        assert!(!same.assign(LeaderEpoch::UNKNOWN, Offset::new(9)));
    }

    #[test]
    fn cutting_either_end_keeps_the_epoch_in_force() {
        let mut cut = epochs(&[(2, 10), (4, 30), (7, 60)]);
        assert!(cut.truncate_from_end(Offset::new(60)));
        assert!(!cut.truncate_from_end(Offset::new(60)));
        assert_eq!(cut, epochs(&[(2, 10), (4, 30)]));
        assert!(!cut.truncate_from_start(Offset::new(9)));
        assert!(!cut.truncate_from_start(Offset::new(10)));
        assert!(cut.truncate_from_start(Offset::new(35)));
        assert_eq!(cut, epochs(&[(4, 35)]));
    }

    #[test]
    fn the_text_is_kafkas_and_comes_back() {
        let epochs = epochs(&[(0, 0), (3, 4711)]);
        assert_eq!(epochs.to_text(), "0\n2\n0 0\n3 4711\n");
        assert_eq!(LeaderEpochs::parse(epochs.to_text().as_bytes()), Ok(epochs));
        for text in ["0\n1\n0\n", "0\n2\n1 0\n1 5\n", "0\n2\n1 5\n2 5\n", "0\n1\n-1 0\n"] {
            assert!(LeaderEpochs::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
