//! What goes into [`crate::CommitLog::append`] and what comes out.

use bytes::Bytes;
use protocol::record_batch::BatchHeader;
use protocol::{LeaderEpoch, Offset};

use crate::AppendError;

/// Where a batch comes from, which decides what is checked and what is written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A client of the leader: it is checked and gets its offsets and leader epoch here.
    Client,
    /// The partition's leader: it is written as it came, with the offsets and epoch it has.
    Replication,
}

/// One batch to append.
#[derive(Clone, Debug)]
pub struct Append {
    /// Exactly one whole batch of format v2, its checksum already checked.
    pub batch: Bytes,
    /// The header of `batch`.
    pub header: BatchHeader,
    /// The epoch of the leader that appends; without meaning for [`AppendOrigin::Replication`],
    /// where the batch says it.
    pub leader_epoch: LeaderEpoch,
    /// Where it comes from.
    pub origin: AppendOrigin,
    /// The wall clock, in milliseconds since 1970.
    pub now_ms: i64,
}

/// What became of an append that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// It was written; whether it is flushed, [`crate::CommitLog::flushed_offset`] says.
    Appended {
        /// Offset of its first record.
        base_offset: Offset,
        /// Offset of its last record.
        last_offset: Offset,
        /// The broker's time on it (`message.timestamp.type=LogAppendTime`), in milliseconds
        /// since 1970.
        log_append_time: Option<i64>,
        /// The first offset of the log.
        log_start_offset: Offset,
    },
    /// The producer's batch is in the log already (KIP-98). It may be acknowledged only when the
    /// original may.
    Duplicate {
        /// Offset of the original's first record.
        base_offset: Offset,
        /// Offset of the original's last record.
        last_offset: Offset,
        /// The broker's time on the original, as above.
        log_append_time: Option<i64>,
        /// The first offset of the log.
        log_start_offset: Offset,
    },
}

impl AppendOutcome {
    /// Offset of the first record of what is in the log.
    #[must_use]
    pub const fn base_offset(&self) -> Offset {
        match self {
            Self::Appended { base_offset, .. } | Self::Duplicate { base_offset, .. } => {
                *base_offset
            }
        }
    }

    /// Offset of the last record of what is in the log.
    #[must_use]
    pub const fn last_offset(&self) -> Offset {
        match self {
            Self::Appended { last_offset, .. } | Self::Duplicate { last_offset, .. } => {
                *last_offset
            }
        }
    }
}

/// What became of one append.
pub type AppendResult = Result<AppendOutcome, AppendError>;
