#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod append;
mod batch_walk;
pub mod checkpoint;
mod commit_log;
mod directory_identity;
mod dump;
mod error;
#[cfg(any(test, feature = "testing"))]
mod faulty_storage;
mod flush;
mod leader_epochs;
mod log_directory;
mod log_files;
mod log_state;
mod offset_index;
mod open_segments;
mod opening;
mod partition_metadata;
mod producer_recovery;
mod producer_snapshot;
mod producer_state;
mod read_buffers;
mod reader;
mod real_storage;
mod recovery;
mod resources;
mod retention;
mod segment;
mod segment_files;
mod segment_indexes;
mod settings;
mod shared_log;
mod storage;
mod tail;
mod time_index;

pub use append::{Append, AppendOrigin, AppendOutcome, AppendResult};
pub use checkpoint::CheckpointDamage;
pub use commit_log::{CleanlyClosed, CommitLog, ProducerSummary, SegmentSummary};
pub use directory_identity::{DirectoryIdentity, IdentityDamage};
pub use dump::{DumpedBatch, SegmentDump};
pub use error::{AppendError, Damage, FlushEvidence, LogError, ReadError, is_space_error};
#[cfg(any(test, feature = "testing"))]
pub use faulty_storage::{FaultyOperation, FaultyStorage};
pub use flush::{FlushJob, FlushResult};
pub use log_directory::{DirectoryError, LogDirectory, parse_partition_directory};
pub use opening::{OpenHints, RecoveryReport};
pub use partition_metadata::{PARTITION_METADATA_FILE, read_topic_id, write_topic_id};
pub use reader::{LogReader, ReadMode, ReadOutcome, ReadRequest, TimedBatch};
pub use real_storage::RealStorage;
pub use resources::LogResources;
pub use settings::{LogSettings, TimestampType};
pub use storage::{DirectoryEntry, EntryKind, OpenMode, Storage, StorageFile, StorageLock};
