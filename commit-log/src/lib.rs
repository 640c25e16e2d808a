#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod append;
pub mod checkpoint;
mod commit_log;
mod directory_identity;
mod error;
mod flush;
mod log_directory;
mod partition_metadata;
mod reader;
mod real_storage;
mod settings;
mod storage;

pub use append::{Append, AppendOrigin, AppendOutcome, AppendResult};
pub use checkpoint::CheckpointDamage;
pub use commit_log::{
    CleanlyClosed, CommitLog, LogResources, OpenHints, ProducerSummary, RecoveryReport,
    SegmentSummary,
};
pub use directory_identity::{DirectoryIdentity, IdentityDamage};
pub use error::{AppendError, Damage, LogError, ReadError, is_space_error};
pub use flush::{FlushJob, FlushResult};
pub use log_directory::{DirectoryError, LogDirectory, parse_partition_directory};
pub use partition_metadata::{PARTITION_METADATA_FILE, read_topic_id, write_topic_id};
pub use reader::{LogReader, ReadMode, ReadOutcome, ReadRequest, TimedBatch};
pub use real_storage::RealStorage;
pub use settings::{LogSettings, TimestampType};
pub use storage::{DirectoryEntry, EntryKind, OpenMode, Storage, StorageFile, StorageLock};
