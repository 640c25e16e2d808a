//! A log directory: one disk's partitions, locked by one process, belonging to one node.
//!
//! ```text
//! .lock                              held by the process that owns the directory
//! meta.properties                    cluster id, node id, directory id, format
//! recovery-point-offset-checkpoint   where logs are scanned from after a crash
//! log-start-offset-checkpoint        where logs begin that had records deleted
//! .kafka_cleanshutdown               there between an orderly stop and the next start
//! orders-0/                          one directory a partition
//! orders-1.<topic id>-delete/        a deleted one, on its way out
//! orders-2.<topic id>-stray/         one of a topic that the cluster does not know; kept
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{BrokerEpoch, BrokerId, PartitionIndex, TopicId, TopicName, TopicPartition};
use thiserror::Error;

use crate::checkpoint::{
    LOG_START_OFFSET_FILE, OffsetCheckpoint, RECOVERY_POINT_FILE, read_offsets, write_offsets,
};
use crate::directory_identity::{DirectoryIdentity, IdentityDamage};
use crate::partition_metadata::read_topic_id;
use crate::{EntryKind, LogError, Storage, StorageLock};

const LOCK_FILE: &str = ".lock";
const META_FILE: &str = "meta.properties";
const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
const DELETE_SUFFIX: &str = "-delete";
const STRAY_SUFFIX: &str = "-stray";
/// The longest file name that common file systems take.
const NAME_BYTES_MAX: usize = 255;

/// Why a log directory cannot be used.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// Another process, or another part of this one, has it open.
    #[error("{} is in use: another process holds its lock", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// It belongs to another node: copied, or the node id was changed.
    #[error("{} belongs to node {found}, this is node {expected}", path.display())]
    OtherNode {
        /// The directory.
        path: PathBuf,
        /// The node that it says it belongs to.
        found: BrokerId,
        /// The node that opens it.
        expected: BrokerId,
    },
    /// `meta.properties` cannot be understood.
    #[error("{} is unusable: {damage}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        damage: IdentityDamage,
    },
    /// A file of the directory failed or is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl DirectoryError {
    /// Whether opening it again may succeed without anybody's help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Locked { .. } => true,
            Self::OtherNode { .. } | Self::Identity { .. } => false,
            Self::Log(error) => error.is_retryable(),
        }
    }
}

/// A log directory, locked as long as this lives.
#[derive(Debug)]
pub struct LogDirectory {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    identity: Option<DirectoryIdentity>,
    _lock: Box<dyn StorageLock>,
}

impl LogDirectory {
    /// Locks the directory, made if missing, and reads whom it belongs to.
    ///
    /// # Errors
    /// [`DirectoryError`]: somebody else has it open, it is another node's, or a newer program
    /// wrote it.
    pub fn open(
        storage: Arc<dyn Storage>,
        path: &Path,
        node_id: BrokerId,
    ) -> Result<Self, DirectoryError> {
        let failed = |operation| {
            move |source| DirectoryError::Log(LogError::storage(operation, path, source))
        };
        storage.create_directories(path).map_err(failed("making the log directory"))?;
        let lock = storage.lock(&path.join(LOCK_FILE)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => DirectoryError::Locked { path: path.to_owned() },
            _ => failed("locking the log directory")(error),
        })?;
        let meta = path.join(META_FILE);
        let identity = match storage.read(&meta, 64 << 10) {
            Ok(text) => Some(
                DirectoryIdentity::parse(&text)
                    .map_err(|damage| DirectoryError::Identity { path: meta, damage })?,
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("reading meta.properties")(error)),
        };
        match &identity {
            Some(identity) if identity.node_id != node_id => Err(DirectoryError::OtherNode {
                path: path.to_owned(),
                found: identity.node_id,
                expected: node_id,
            }),
            _ => Ok(Self { storage, path: path.to_owned(), identity, _lock: lock }),
        }
    }

    /// Whom the directory belongs to; `None` if it is a new one.
    #[must_use]
    pub fn identity(&self) -> Option<&DirectoryIdentity> {
        self.identity.as_ref()
    }

    /// Gives a new directory its identity, durably.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn set_identity(&mut self, identity: DirectoryIdentity) -> Result<(), LogError> {
        let path = self.path.join(META_FILE);
        self.storage
            .replace(&path, identity.to_text().as_bytes())
            .map_err(|source| LogError::storage("writing meta.properties", &path, source))?;
        self.identity = Some(identity);
        Ok(())
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of a partition's log.
    #[must_use]
    pub fn partition_path(&self, partition: &TopicPartition) -> PathBuf {
        self.path.join(partition.to_string())
    }

    /// The partitions that have a log here, by name.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn partitions(&self) -> Result<Vec<TopicPartition>, LogError> {
        let names = self.directories()?;
        Ok(names.iter().filter_map(|name| parse_partition_directory(name)).collect())
    }

    fn directories(&self) -> Result<Vec<String>, LogError> {
        let entries = self
            .storage
            .list(&self.path)
            .map_err(|source| LogError::storage("listing the log directory", &self.path, source))?;
        let directories = entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
        Ok(directories.map(|entry| entry.name).collect())
    }

    /// The recovery points last checkpointed.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Checkpoint`].
    pub fn recovery_points(&self) -> Result<OffsetCheckpoint, LogError> {
        read_offsets(&*self.storage, &self.path.join(RECOVERY_POINT_FILE))
    }

    /// Checkpoints the recovery points of all logs of the directory.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn write_recovery_points(&self, offsets: &OffsetCheckpoint) -> Result<(), LogError> {
        write_offsets(&*self.storage, &self.path.join(RECOVERY_POINT_FILE), offsets)
    }

    /// The log start offsets last checkpointed.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Checkpoint`].
    pub fn log_start_offsets(&self) -> Result<OffsetCheckpoint, LogError> {
        read_offsets(&*self.storage, &self.path.join(LOG_START_OFFSET_FILE))
    }

    /// Checkpoints the log start offsets of the logs of the directory; Kafka leaves out those
    /// that equal the first segment's base offset.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn write_log_start_offsets(&self, offsets: &OffsetCheckpoint) -> Result<(), LogError> {
        write_offsets(&*self.storage, &self.path.join(LOG_START_OFFSET_FILE), offsets)
    }

    /// Notes that every log of the directory was closed in order, as the last thing before the
    /// process ends.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn mark_clean_shutdown(&self, broker_epoch: BrokerEpoch) -> Result<(), LogError> {
        let path = self.path.join(CLEAN_SHUTDOWN_FILE);
        let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        self.storage
            .replace(&path, text.as_bytes())
            .map_err(|source| LogError::storage("noting the orderly stop", &path, source))
    }

    /// Whether the directory was stopped in order. The note is removed durably before this
    /// returns: call it once, before any log is opened.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn take_clean_shutdown(&self) -> Result<bool, LogError> {
        let path = self.path.join(CLEAN_SHUTDOWN_FILE);
        let failed = |source| LogError::storage("removing the note of the stop", &path, source);
        match self.storage.remove(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(error)),
        }
        self.storage.sync_directory(&self.path).map_err(failed)?;
        Ok(true)
    }

    /// Takes a partition's directory out of the way, durably, so that its name is free at once.
    /// Nothing may have its log open for writing. What is returned is to be given to
    /// [`LogDirectory::remove_deleted`] in the background.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn delete_partition(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
    ) -> Result<PathBuf, LogError> {
        let from = self.partition_path(partition);
        let to = self.path.join(renamed_directory(partition, topic_id, DELETE_SUFFIX));
        let failed = |source| LogError::storage("deleting the partition", &from, source);
        self.storage.remove_directory_tree(&to).map_err(failed)?;
        self.storage.rename(&from, &to).map_err(failed)?;
        self.storage.sync_directory(&self.path).map_err(failed)?;
        Ok(to)
    }

    /// Removes the files of a deleted partition. Readers that have them open go on.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn remove_deleted(&self, deleted: &Path) -> Result<(), LogError> {
        self.storage
            .remove_directory_tree(deleted)
            .map_err(|source| LogError::storage("removing the deleted partition", deleted, source))
    }

    /// Takes the directory of a partition that the cluster does not know out of the way, durably,
    /// so that its name is free. Nothing may have its log open. Its files stay, as in Kafka, until
    /// somebody has looked at them.
    ///
    /// # Errors
    /// [`LogError::Storage`], also if such a directory was set aside before.
    pub fn set_partition_aside(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
    ) -> Result<PathBuf, LogError> {
        let from = self.partition_path(partition);
        let name = renamed_directory(partition, topic_id, STRAY_SUFFIX);
        let to = self.path.join(&name);
        let failed = |source| LogError::storage("setting the partition aside", &from, source);
        if self.directories()?.contains(&name) {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        self.storage.rename(&from, &to).map_err(failed)?;
        self.storage.sync_directory(&self.path).map_err(failed)?;
        Ok(to)
    }

    /// The partitions that were set aside.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn strays(&self) -> Result<Vec<PathBuf>, LogError> {
        self.directories_ending(STRAY_SUFFIX)
    }

    /// The topic that the directory of a partition says it belongs to, if it does.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Checkpoint`].
    pub fn topic_id_of(&self, partition: &TopicPartition) -> Result<Option<TopicId>, LogError> {
        read_topic_id(&*self.storage, &self.partition_path(partition))
    }

    /// The deleted partitions whose removal the last process did not finish.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn leftover_deleted(&self) -> Result<Vec<PathBuf>, LogError> {
        self.directories_ending(DELETE_SUFFIX)
    }

    fn directories_ending(&self, suffix: &str) -> Result<Vec<PathBuf>, LogError> {
        let names = self.directories()?;
        // a topic's name may end so too, but then a partition follows it
        let renamed = names.iter().filter(|name| name.ends_with(suffix));
        Ok(renamed.map(|name| self.path.join(name)).collect())
    }
}

/// The partition that a directory's name stands for: `<topic>-<partition>`.
#[must_use]
pub fn parse_partition_directory(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    let index: i32 = partition.parse().ok()?;
    // one name only per partition: no sign, no zeros in front
    if index < 0 || index.to_string() != partition {
        return None;
    }
    Some(TopicPartition::new(TopicName::new(topic).ok()?, PartitionIndex(index)))
}

/// `<topic>-<partition>.<topic id in hex><suffix>`, the topic cut short where the name would be too
/// long for a file system.
fn renamed_directory(partition: &TopicPartition, topic_id: TopicId, suffix: &str) -> String {
    let end = format!("-{}.{}{suffix}", partition.partition, topic_id.0.simple());
    let topic = partition.topic.as_str();
    // topic names are ASCII, so any cut is between characters
    let kept = topic.len().min(NAME_BYTES_MAX - end.len());
    format!("{}{end}", topic.get(..kept).unwrap_or(topic))
}

#[cfg(test)]
mod tests;
