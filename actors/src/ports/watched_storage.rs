//! The port to the disk with a watch over it: every operation that changes something is entered into
//! the table of work under way while it runs. Reads are not: most are answered from memory, and a
//! disk that hangs stops the next flush.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use commit_log::{DirectoryEntry, OpenMode, Storage, StorageFile, StorageLock};
use ractor::thread_local::ThreadLocalActorSpawner;

use super::storage_executor::{Job, StorageExecutor};
use crate::file_work::FileWork;

/// A disk that is watched.
#[derive(Clone)]
pub struct WatchedStorage {
    storage: Arc<dyn Storage>,
    work: FileWork,
}

impl WatchedStorage {
    /// Watches over a disk.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, work: &FileWork) -> Self {
        Self { storage, work: work.clone() }
    }
}

impl std::fmt::Debug for WatchedStorage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.storage.fmt(formatter)
    }
}

impl Storage for WatchedStorage {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn StorageFile>> {
        if mode == OpenMode::Read {
            return self.storage.open(path, mode);
        }
        let under_way = self.work.begin(0);
        let file = self.storage.open(path, mode)?;
        drop(under_way);
        Ok(Arc::new(WatchedFile { file, work: self.work.clone(), unflushed: AtomicU64::new(0) }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.storage.list(directory)
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        self.storage.read(path, bytes_max)
    }

    fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let _under_way = self.work.begin(contents.len() as u64);
        self.storage.replace(path, contents)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _under_way = self.work.begin(0);
        self.storage.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let _under_way = self.work.begin(0);
        self.storage.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let _under_way = self.work.begin(0);
        self.storage.sync_directory(directory)
    }

    fn create_directories(&self, directory: &Path) -> io::Result<()> {
        let _under_way = self.work.begin(0);
        self.storage.create_directories(directory)
    }

    /// Not watched: it takes as long as there is much to remove.
    fn remove_directory_tree(&self, directory: &Path) -> io::Result<()> {
        self.storage.remove_directory_tree(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn StorageLock>> {
        self.storage.lock(path)
    }
}

struct WatchedFile {
    file: Arc<dyn StorageFile>,
    work: FileWork,
    /// Bytes written since the last flush: what the next one has to write.
    unflushed: AtomicU64,
}

impl std::fmt::Debug for WatchedFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.file.fmt(formatter)
    }
}

impl StorageFile for WatchedFile {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>> {
        self.file.read_at_nowait(buffer, position)
    }

    fn write_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        let _under_way = self.work.begin(bytes);
        self.unflushed.fetch_add(bytes, Ordering::Relaxed);
        self.file.write_at(buffers, position)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let _under_way = self.work.begin(0);
        self.file.truncate(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        let _under_way = self.work.begin(self.unflushed.swap(0, Ordering::Relaxed));
        self.file.sync_data()
    }
}

/// An executor whose disk is watched, for those where the disk is slow before a job runs and not in
/// it; see [`StorageExecutor::jobs_wait_for_the_disk`].
pub struct WatchedExecutor {
    executor: Arc<dyn StorageExecutor>,
    work: FileWork,
}

impl WatchedExecutor {
    /// Watches over what the disk of an executor keeps waiting, if it does.
    #[must_use]
    pub fn over(executor: Arc<dyn StorageExecutor>, work: &FileWork) -> Arc<dyn StorageExecutor> {
        if !executor.jobs_wait_for_the_disk() {
            return executor;
        }
        Arc::new(Self { executor, work: work.clone() })
    }

    fn watched(&self, job: Job) -> Job {
        let under_way = self.work.begin(0);
        Box::new(move || {
            job();
            drop(under_way);
        })
    }
}

impl StorageExecutor for WatchedExecutor {
    fn writer_thread(&self, hash: u64) -> Option<ThreadLocalActorSpawner> {
        self.executor.writer_thread(hash)
    }

    fn flush(&self, job: Job) {
        self.executor.flush(self.watched(job));
    }

    fn run(&self, job: Job) {
        self.executor.run(self.watched(job));
    }
}
