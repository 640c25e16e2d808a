//! Sleeping, waking and the orderly end.

use protocol::Offset;

use crate::LogError;
use crate::commit_log::CommitLog;
use crate::commit_log::append_group::AppendGroup;
use crate::producer_recovery::recover_producers;
use crate::producer_state::ProducerStates;
use crate::segment_files::FileKind;
use crate::storage::OpenMode;

/// What an orderly stop leaves for the directory's checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanlyClosed {
    /// The recovery point: the log's end.
    pub recovery_point: Offset,
    /// The first offset.
    pub log_start_offset: Offset,
}

impl CommitLog {
    /// Opens what appending needs, if the log is dormant.
    pub(super) fn wake(&mut self) -> Result<(), LogError> {
        if self.active.open.is_some() {
            return Ok(());
        }
        let path = self.active.segment.path(FileKind::Log);
        self.active
            .wake(&self.shared.resources)
            .map_err(|source| LogError::storage("opening the active segment", &path, source))?;
        Ok(())
    }

    /// The producers, read from disk if the log was dormant.
    pub(super) fn awake_producers(&mut self) -> Result<&mut ProducerStates, LogError> {
        let producers = match self.producers.take() {
            Some(producers) => producers,
            None => recover_producers(
                &self.shared.resources,
                &self.shared.directory,
                &self.shared.segments(),
                &mut self.snapshots,
                self.shared.log_end_offset(),
            )?,
        };
        Ok(self.producers.insert(producers))
    }

    /// Whether the log holds no file open and no cache.
    #[must_use]
    pub fn is_dormant(&self) -> bool {
        self.active.open.is_none()
    }

    /// Flushes, closes all files and drops all caches, for a partition that nobody writes to. The
    /// next append opens again what it needs. `false`, and nothing happens, while a flush is under
    /// way.
    ///
    /// # Errors
    /// [`LogError::FlushFailed`], [`LogError::Storage`], [`LogError::Poisoned`].
    pub fn become_dormant(&mut self) -> Result<bool, LogError> {
        self.ensure_good()?;
        if self.flush.under_way {
            return Ok(false);
        }
        self.flush()?;
        if self.producers.as_ref().is_some_and(|producers| producers.len() > 0) {
            self.take_snapshot()?;
            self.producers = None;
        }
        self.close_active_indexes()?;
        self.active.open = None;
        self.active.segment.unpin(self.resources());
        self.shared.segments().iter().for_each(|segment| segment.close());
        self.group = AppendGroup::default();
        Ok(true)
    }

    /// Flushes everything and leaves the directory as Kafka leaves one: indexes closed, a producer
    /// snapshot at the end. The log's readers end with it.
    ///
    /// # Errors
    /// [`LogError::FlushFailed`], [`LogError::Storage`], [`LogError::Poisoned`]; the log is then
    /// as after a crash.
    pub fn close_cleanly(mut self) -> Result<CleanlyClosed, LogError> {
        self.ensure_good()?;
        self.wake()?;
        self.flush()?;
        self.close_active_indexes()?;
        self.take_snapshot()?;
        let storage = &self.resources().storage;
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
            let path = self.active.segment.path(kind);
            storage
                .open(&path, OpenMode::Create)
                .and_then(|file| file.sync_data())
                .map_err(|source| LogError::storage("flushing an index", &path, source))?;
        }
        let directory = &self.shared.directory;
        storage.sync_directory(directory).map_err(|source| {
            LogError::storage("flushing the log's directory", directory, source)
        })?;
        let (recovery_point, log_start_offset) = (self.recovery_point(), self.log_start_offset());
        Ok(CleanlyClosed { recovery_point, log_start_offset })
    }
}
