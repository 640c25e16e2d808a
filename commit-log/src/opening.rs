//! What goes into opening a log, and what it tells.

use std::path::PathBuf;

use protocol::Offset;

use crate::Damage;

/// What the opener knows about a log, mostly from the directory's checkpoints. They must be of
/// this incarnation of the topic: take a deleted partition out of the checkpoints first.
#[derive(Clone, Debug, Default)]
pub struct OpenHints {
    /// The recovery point last checkpointed: what lies below was flushed. Without one, the whole
    /// log is scanned, and damage anywhere counts as a torn tail.
    pub recovery_point: Option<Offset>,
    /// The log start offset last checkpointed.
    pub log_start_offset: Option<Offset>,
    /// Whether the directory was stopped in order (`.kafka_cleanshutdown`): then no tail can be
    /// torn, and any damage is refused.
    pub clean_shutdown: bool,
    /// The flushed offset that a failed incarnation of this log in the same process ended with,
    /// when it could not note it on disk (see [`crate::LogError::FlushFailed`] and
    /// [`crate::LogError::Poisoned`]).
    pub flushed_proof: Option<Offset>,
    /// Spreads `segment.jitter.ms`: any number, another one for every log.
    pub jitter_seed: u64,
    /// The wall clock, in milliseconds since 1970.
    pub now_ms: i64,
}

/// What opening a log found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Bytes read to check batches.
    pub scanned_bytes: u64,
    /// Why a tail was cut off, if one was; `None` also where a flush had failed before.
    pub damage: Option<Damage>,
    /// The first offset that was cut off, if anything was.
    pub cut_from: Option<Offset>,
    /// Bytes that were cut off.
    pub cut_bytes: u64,
    /// Where they are kept.
    pub kept_aside: Vec<PathBuf>,
    /// Segments whose index files were written again.
    pub rebuilt_indexes: usize,
    /// Whether the log was emptied because all its records lay below its start.
    pub emptied: bool,
}
