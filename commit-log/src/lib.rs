#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod append;
mod commit_log;
mod error;
mod flush;
mod reader;
mod settings;
mod storage;

pub use append::{Append, AppendOrigin, AppendOutcome, AppendResult};
pub use commit_log::{
    CleanlyClosed, CommitLog, LogResources, OpenHints, ProducerSummary, RecoveryReport,
    SegmentSummary,
};
pub use error::{AppendError, Damage, LogError, ReadError, is_space_error};
pub use flush::{FlushJob, FlushResult};
pub use reader::{LogReader, ReadMode, ReadOutcome, ReadRequest, TimedBatch};
pub use settings::{LogSettings, TimestampType};
pub use storage::{DirectoryEntry, EntryKind, OpenMode, Storage, StorageFile, StorageLock};

/// What is wrong with a small file of the log's directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointDamage {
    /// Not the format.
    #[error("it has not the expected form")]
    Malformed,
    /// The checksum is wrong.
    #[error("its checksum is wrong")]
    Checksum,
    /// Written by a newer program.
    #[error("it has version {version}, at most {known} is known")]
    NewerVersion {
        /// The file's.
        version: i64,
        /// The latest we know.
        known: i64,
    },
}
