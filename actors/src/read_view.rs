//! What a replica publishes to readers. Reads never pass through its mailbox: a fetch takes the
//! view, reads the files through it, and looks again afterwards.

use std::sync::Arc;

use commit_log::LogReader;
use protocol::{LeaderEpoch, Offset};
use replication::ReadReplica;

/// Whose picture it is.
#[derive(Clone, Debug)]
pub enum Viewpoint {
    /// The leader's.
    Leader {
        /// Followers in sync that consumers may be sent to; none unless followers serve (KIP-392).
        read_replicas: Arc<[ReadReplica]>,
    },
    /// That of a follower that serves consumers: its high watermark is what its leader told it last.
    Follower,
}

/// An immutable picture of one replica while it leads, or follows and serves consumers. The next
/// picture replaces it; the end of the role or of the replica takes it away.
#[derive(Clone, Debug)]
pub struct ReadView {
    /// Which start of the replica published it.
    pub incarnation: u64,
    /// The leadership under which it was published.
    pub leader_epoch: LeaderEpoch,
    /// Whose picture it is.
    pub viewpoint: Viewpoint,
    /// The first offset of that leadership; a follower does not know it.
    pub epoch_start_offset: Offset,
    /// The segments.
    pub reader: LogReader,
    /// The first offset that can be read.
    pub log_start_offset: Offset,
    /// The first offset that is not committed: ordinary consumers read below it.
    pub high_watermark: Offset,
    /// The offset after the last record that the replica's machine knows of: followers read below
    /// it. The log may end later, with records that are being reported.
    pub log_end_offset: Offset,
    /// Consumers that want only finished transactions read below it.
    pub last_stable_offset: Offset,
}

/// What a consumer wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Everything committed (`read_uncommitted`).
    Committed,
    /// Committed records of finished transactions (`read_committed`).
    FinishedTransactions,
}

impl Isolation {
    /// The meaning of the number on the wire; unknown numbers read as the stricter level.
    #[must_use]
    pub const fn from_wire(level: i8) -> Self {
        if level == 0 { Self::Committed } else { Self::FinishedTransactions }
    }
}

impl ReadView {
    /// Whether the replica leads.
    #[must_use]
    pub const fn is_leaders(&self) -> bool {
        matches!(self.viewpoint, Viewpoint::Leader { .. })
    }

    /// The first offset that a consumer of this isolation may not see yet.
    #[must_use]
    pub fn readable_end(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::Committed => self.high_watermark,
            Isolation::FinishedTransactions => self.last_stable_offset,
        }
    }

    /// Whether the latest offset may be told: a new leader does not know it before its high
    /// watermark has reached the start of its epoch (KIP-207).
    #[must_use]
    pub fn knows_latest_offset(&self) -> bool {
        self.high_watermark >= self.epoch_start_offset
    }

    /// Whether bytes read through `earlier` may be given out: it is still the same start of the
    /// replica, and its log has not been cut in between.
    #[must_use]
    pub fn continues(&self, earlier: &Self) -> bool {
        self.incarnation == earlier.incarnation && self.leader_epoch == earlier.leader_epoch
    }
}
