//! A flush that runs elsewhere while appends go on.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::Offset;
use smallvec::SmallVec;

use crate::storage::{OpenMode, Storage, StorageFile};

/// What must be flushed so that everything below an offset is on disk. Runs on any thread.
#[derive(Debug)]
pub struct FlushJob {
    pub(crate) storage: Arc<dyn Storage>,
    /// The log files written since the last flush.
    pub(crate) files: SmallVec<[Arc<dyn StorageFile>; 1]>,
    /// Index files of segments closed since then.
    pub(crate) indexes: Vec<PathBuf>,
    /// The log's directory, if its entries have changed.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) up_to: Offset,
}

impl FlushJob {
    /// The log end offset when the job was made: what will be flushed.
    #[must_use]
    pub fn up_to(&self) -> Offset {
        self.up_to
    }

    /// Flushes. Blocks until the disk has answered.
    pub fn run(self) -> FlushResult {
        FlushResult { outcome: self.flush(), up_to: self.up_to }
    }

    fn flush(&self) -> io::Result<()> {
        for file in &self.files {
            file.sync_data()?;
        }
        for path in &self.indexes {
            match self.storage.open(path, OpenMode::Write) {
                Ok(file) => file.sync_data()?,
                // retention was faster
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        match &self.directory {
            Some(directory) => self.storage.sync_directory(directory),
            None => Ok(()),
        }
    }
}

/// What became of a flush; for [`crate::CommitLog::finish_flush`] of the same log.
#[derive(Debug)]
#[must_use = "the log waits for it"]
pub struct FlushResult {
    pub(crate) outcome: io::Result<()>,
    pub(crate) up_to: Offset,
}

impl FlushResult {
    /// Whether everything reached the disk.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The result of a job that never ran to its end, because its thread died: as bad as a failed
    /// flush, for nobody knows what it did.
    pub fn lost(up_to: Offset) -> Self {
        Self { outcome: Err(io::ErrorKind::BrokenPipe.into()), up_to }
    }
}
