//! What can go wrong, one enum per family of operations: [`LogError`] for owning a log,
//! [`AppendError`] for one append, [`ReadError`] for one read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::record_batch::BatchError;
use protocol::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use thiserror::Error;

use crate::checkpoint::CheckpointDamage;

/// What is wrong with the bytes at some position of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// They are no batch, or one with a wrong checksum.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The batch does not end within the file.
    #[error("a batch of {bytes} bytes begins where {available} are left")]
    Incomplete {
        /// Bytes of the batch by its header.
        bytes: u64,
        /// Bytes left in the file.
        available: u64,
    },
    /// The batch's offsets do not follow those before it.
    #[error("a batch of offset {base_offset} stands where {expected} or more is due")]
    OffsetOrder {
        /// Its base offset.
        base_offset: Offset,
        /// The least offset that may stand here.
        expected: Offset,
    },
    /// The batch's offsets do not fit into its segment.
    #[error("a batch claims {last_offset_delta} as its last offset delta")]
    OffsetDelta {
        /// The field's value.
        last_offset_delta: i32,
    },
    /// The file, or the next one, ends or begins too early: flushed records are missing.
    #[error("the records from offset {missing_from} on are missing")]
    Missing {
        /// The first missing offset.
        missing_from: Offset,
    },
}

/// Why bytes are known to have been on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushEvidence {
    /// Everything below the recovery point was flushed.
    RecoveryPoint(Offset),
    /// The log was closed in order.
    CleanShutdown,
}

impl fmt::Display for FlushEvidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecoveryPoint(offset) => {
                write!(formatter, "everything below offset {offset} was flushed once")
            }
            Self::CleanShutdown => formatter.write_str("the log was closed in order"),
        }
    }
}

/// Why a log cannot be opened, or cannot go on. Apart from [`LogError::OffsetOutOfRange`], the
/// owner of the log ends with it.
#[derive(Debug, Error)]
pub enum LogError {
    /// A file operation failed.
    #[error("{operation} of {} failed", path.display())]
    Storage {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Bytes that were flushed are no longer what was written.
    #[error(
        "{} is damaged at position {position}: {damage}; {evidence}, so this is no torn tail and \
         nothing is cut: take the partition from another replica, or look at the file with \
         `callboard log dump` and cut it there by hand",
        path.display()
    )]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where, in bytes.
        position: u64,
        /// What is wrong.
        damage: Damage,
        /// Why the bytes are known to have been whole once.
        evidence: FlushEvidence,
    },
    /// One of our own small files is damaged.
    #[error("{} is damaged: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: CheckpointDamage,
    },
    /// A file that a compaction of Kafka left half done.
    #[error(
        "{} is left from an interrupted compaction: start and stop Kafka on this directory once",
        path.display()
    )]
    InterruptedSwap {
        /// The file.
        path: PathBuf,
    },
    /// A flush failed: everything written since the last one may be gone, whatever can be read.
    #[error(
        "flushing {} failed, offsets from {flushed_offset} on are lost{}",
        path.display(),
        if *proof_written { "" } else { ", and that could not be noted on disk" }
    )]
    FlushFailed {
        /// The log's directory.
        path: PathBuf,
        /// The offset up to which the log is good.
        flushed_offset: Offset,
        /// Whether `flushed_offset` is on disk, so that the log may be opened again. If not, only
        /// the owner's memory keeps it: give it to [`crate::OpenHints::flushed_proof`].
        proof_written: bool,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The log refused to work on after an earlier failure.
    #[error("the log failed before and takes no more work; it is good up to {flushed_offset}")]
    Poisoned {
        /// The offset up to which the log is good.
        flushed_offset: Offset,
        /// Whether that is on disk, as in [`LogError::FlushFailed`].
        proof_written: bool,
    },
    /// The offset given is not between the log's start and end.
    #[error("offset {offset} is outside [{log_start_offset}, {log_end_offset}]")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// The first offset.
        log_start_offset: Offset,
        /// The offset after the last.
        log_end_offset: Offset,
    },
}

impl LogError {
    pub(crate) fn storage(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Storage { operation, path: path.to_owned(), source }
    }

    pub(crate) fn checkpoint(path: &Path, reason: CheckpointDamage) -> Self {
        Self::Checkpoint { path: path.to_owned(), reason }
    }

    /// Whether the same call may succeed later without anybody's help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Storage { source, .. } => is_space_error(source),
            Self::Corrupt { .. }
            | Self::Checkpoint { .. }
            | Self::InterruptedSwap { .. }
            | Self::FlushFailed { .. }
            | Self::Poisoned { .. }
            | Self::OffsetOutOfRange { .. } => false,
        }
    }
}

/// Whether an error says that the disk, or somebody's share of it, is full.
#[must_use]
pub fn is_space_error(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Why one append was refused. The log goes on; a refused append has left no trace, and its
/// sequence is free again.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// The batch does not follow the producer's last one (KIP-98).
    #[error(
        "producer {producer_id} in epoch {producer_epoch} sent sequence {first_sequence} after \
         {last_sequence}"
    )]
    OutOfOrderSequence {
        /// The producer.
        producer_id: ProducerId,
        /// The epoch it wrote under.
        producer_epoch: ProducerEpoch,
        /// Sequence of the batch's first record.
        first_sequence: i32,
        /// Sequence of the last record that is in the log; −1 in a new epoch.
        last_sequence: i32,
    },
    /// A newer incarnation of the producer has written already.
    #[error("producer {producer_id} wrote under epoch {producer_epoch}, {current_epoch} is known")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// The epoch it wrote under.
        producer_epoch: ProducerEpoch,
        /// The epoch that the log knows.
        current_epoch: ProducerEpoch,
    },
    /// A batch outside a transaction while the producer has one open.
    #[error("producer {producer_id} has a transaction open and wrote outside it")]
    InvalidTransactionState {
        /// The producer.
        producer_id: ProducerId,
    },
    /// Larger than `max.message.bytes`.
    #[error("the batch has {bytes} bytes, max.message.bytes is {bytes_max}")]
    BatchTooLarge {
        /// Bytes of the batch.
        bytes: u64,
        /// The setting.
        bytes_max: u32,
    },
    /// Larger than a whole segment.
    #[error("the batch has {bytes} bytes, segment.bytes is {segment_bytes}")]
    BatchLargerThanSegment {
        /// Bytes of the batch.
        bytes: u64,
        /// The setting.
        segment_bytes: u64,
    },
    /// Too far in the past or future for `message.timestamp.before.max.ms` and `….after.max.ms`.
    #[error("timestamp {timestamp} is outside [{earliest}, {latest}]")]
    TimestampOutOfRange {
        /// The batch's timestamp, in milliseconds since 1970.
        timestamp: i64,
        /// The earliest allowed now.
        earliest: i64,
        /// The latest allowed now.
        latest: i64,
    },
    /// A client claims that the broker gave the timestamps.
    #[error("the batch says that its timestamps are the broker's")]
    TimestampType,
    /// A replicated batch begins below the log's end.
    #[error("a batch of offset {base_offset} was to follow {log_end_offset}")]
    UnexpectedOffset {
        /// Its base offset.
        base_offset: Offset,
        /// The log's end.
        log_end_offset: Offset,
    },
    /// The leader epoch is older than the log's latest.
    #[error("leader epoch {leader_epoch} is older than the log's {latest_epoch}")]
    FencedLeaderEpoch {
        /// The epoch given.
        leader_epoch: LeaderEpoch,
        /// The latest epoch of the log.
        latest_epoch: LeaderEpoch,
    },
    /// The bytes are not exactly the batch that the header describes.
    #[error("the batch is invalid: {0}")]
    InvalidBatch(Damage),
    /// The disk is full. The log is as before and can be read.
    #[error("the disk is full")]
    StorageFull(#[source] Arc<io::Error>),
    /// The write failed, and was undone.
    #[error("the write failed")]
    Storage(#[source] Arc<io::Error>),
    /// The log cannot go on: [`LogError`] says why.
    #[error("the log failed: {0}")]
    Log(#[source] Arc<LogError>),
}

impl AppendError {
    /// The code that Kafka answers with.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::InvalidTransactionState { .. } => ErrorCode::InvalidTxnState,
            Self::BatchTooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::BatchLargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::TimestampOutOfRange { .. } | Self::TimestampType => ErrorCode::InvalidTimestamp,
            Self::InvalidBatch(_) => ErrorCode::CorruptMessage,
            Self::UnexpectedOffset { .. } | Self::FencedLeaderEpoch { .. } => {
                ErrorCode::NotLeaderOrFollower
            }
            Self::StorageFull(_) | Self::Storage(_) | Self::Log(_) => ErrorCode::KafkaStorageError,
        }
    }

    /// Whether the disk is the reason, not the batch.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        matches!(self, Self::StorageFull(_) | Self::Storage(_) | Self::Log(_))
    }

    /// Whether the same batch may be accepted later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::StorageFull(_) | Self::Storage(_) => true,
            Self::OutOfOrderSequence { .. }
            | Self::InvalidProducerEpoch { .. }
            | Self::InvalidTransactionState { .. }
            | Self::BatchTooLarge { .. }
            | Self::BatchLargerThanSegment { .. }
            | Self::TimestampOutOfRange { .. }
            | Self::TimestampType
            | Self::UnexpectedOffset { .. }
            | Self::FencedLeaderEpoch { .. }
            | Self::InvalidBatch(_)
            | Self::Log(_) => false,
        }
    }
}

/// Why a read gave no batches.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The bytes, or what is needed to find them, are not in memory: read again with
    /// [`crate::ReadMode::MayBlock`] on a thread that may wait.
    #[error("the read would have to wait for the disk")]
    WouldBlock,
    /// Below the log's start or above its end.
    #[error("offset {offset} is outside [{log_start_offset}, {log_end_offset}]")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// The first offset.
        log_start_offset: Offset,
        /// The offset after the last.
        log_end_offset: Offset,
    },
    /// The log was cut while it was read.
    #[error("the log was truncated during the read")]
    Truncated,
    /// The log's owner is gone; another incarnation may hold other records.
    #[error("the log was closed")]
    Closed,
    /// A batch is damaged; it is not served.
    #[error("{} is damaged at position {position}: {damage}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where, in bytes.
        position: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// A file operation failed.
    #[error("reading {} failed", path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl ReadError {
    /// The code that Kafka answers with.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::WouldBlock | Self::Truncated | Self::Closed => ErrorCode::NotLeaderOrFollower,
            Self::Corrupt { .. } | Self::Storage { .. } => ErrorCode::KafkaStorageError,
        }
    }

    /// Whether the same read may succeed when it is simply done again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::WouldBlock | Self::Truncated => true,
            Self::OffsetOutOfRange { .. }
            | Self::Closed
            | Self::Corrupt { .. }
            | Self::Storage { .. } => false,
        }
    }
}
