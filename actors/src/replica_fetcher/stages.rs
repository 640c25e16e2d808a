//! Where the questions of a fetch session stand, and how many stand where.

use tokio::time::Instant;

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// To be asked about.
    Changed,
    /// The leader has the question.
    Asked,
    /// The replica has an answer with this many bytes.
    Away { bytes: usize },
    /// Was refused: to be asked about later.
    Resting { until: Instant },
}

/// How many partitions are in each stage that somebody asks about.
#[derive(Debug, Default)]
pub(super) struct StageCounts {
    pub asked: usize,
    pub resting: usize,
    pub away: usize,
    pub bytes_away: usize,
}

impl StageCounts {
    pub fn enter(&mut self, stage: Stage) {
        match stage {
            Stage::Changed => {}
            Stage::Asked => self.asked += 1,
            Stage::Resting { .. } => self.resting += 1,
            Stage::Away { bytes } => {
                self.away += 1;
                self.bytes_away = self.bytes_away.saturating_add(bytes);
            }
        }
    }

    pub fn leave(&mut self, stage: Stage) {
        match stage {
            Stage::Changed => {}
            Stage::Asked => self.asked = self.asked.saturating_sub(1),
            Stage::Resting { .. } => self.resting = self.resting.saturating_sub(1),
            Stage::Away { bytes } => {
                self.away = self.away.saturating_sub(1);
                self.bytes_away = self.bytes_away.saturating_sub(bytes);
            }
        }
    }
}
