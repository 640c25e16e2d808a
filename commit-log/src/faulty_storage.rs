//! A disk in memory that keeps only what was flushed (feature `testing`).
//!
//! - [`FaultyStorage::power_cut`] loses, keeps or tears every write that was not flushed, each on
//!   its own and so in any order, and every directory entry that was not flushed; by seed.
//! - A failed flush loses what it was to write although it can still be read, as the page cache of
//!   Linux does.
//! - A failed write has written a part.
//! - [`FaultyStorage::cut_power_after`] stops the disk after so many changes, so that a test can
//!   visit every point of a run.
//! - [`FaultyStorage::hang`] lets writes and flushes wait, until the disk is healed.
//!
//! Clones share the disk. The same calls with the same seed give the same disk.

mod disk;
mod hang;
mod tree;

use std::fmt;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::disk::Disk;
use self::hang::Hang;
use crate::storage::{DirectoryEntry, OpenMode, Storage, StorageFile, StorageLock};

/// The operations that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultyOperation {
    /// Opening a file.
    Open,
    /// Reading from an open file.
    Read,
    /// Writing to a file; a part is written.
    Write,
    /// Setting a file's length.
    Truncate,
    /// Flushing a file; what it was to flush is lost.
    SyncData,
    /// Flushing a directory.
    SyncDirectory,
    /// Renaming.
    Rename,
    /// Removing a file.
    Remove,
}

/// [`Storage`] in memory.
#[derive(Clone)]
pub struct FaultyStorage {
    disk: Arc<Mutex<Disk>>,
    hang: Arc<Hang>,
}

impl fmt::Debug for FaultyStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FaultyStorage").finish_non_exhaustive()
    }
}

impl FaultyStorage {
    /// An empty disk; `seed` decides what every power cut loses.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { disk: Arc::new(Mutex::new(Disk::new(seed))), hang: Arc::default() }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk for something that changes it, once it answers.
    fn disk_to_change(&self) -> MutexGuard<'_, Disk> {
        self.hang.wait();
        self.disk()
    }

    /// The power goes and comes back: what was not flushed is lost, kept or torn. Files and locks
    /// held before are dead.
    pub fn power_cut(&self) {
        self.disk().power_cut();
        self.hang.end();
    }

    /// The process dies and another one comes: files and locks held before are dead, but nothing is
    /// lost that could be read. It is not flushed by that either.
    pub fn kill(&self) {
        self.disk().kill();
        self.hang.end();
    }

    /// From now on whatever changes the disk blocks its thread, until [`FaultyStorage::heal`],
    /// [`FaultyStorage::kill`] or [`FaultyStorage::power_cut`]. What is there can be read meanwhile.
    /// Not for a storage whose work runs on the thread that is to heal it.
    pub fn hang(&self) {
        self.hang.begin();
    }

    /// After so many more changes (writes, truncations, flushes, and whatever changes a directory)
    /// everything fails, until [`FaultyStorage::power_cut`] or [`FaultyStorage::kill`].
    pub fn cut_power_after(&self, changes: u64) {
        self.disk().cut_power_after(changes);
    }

    /// Whether the power has gone, as [`FaultyStorage::cut_power_after`] ordered.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.disk().is_off
    }

    /// Changes made so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.disk().changes()
    }

    /// Makes an operation fail `times` times, after it has succeeded `skip` times from now.
    pub fn fail(&self, operation: FaultyOperation, skip: u64, times: u64, kind: io::ErrorKind) {
        self.disk().fail(operation, skip, times, kind);
    }

    /// Ends all failing on demand and hanging, and calls a power cut off that has not come yet.
    pub fn heal(&self) {
        self.disk().heal();
        self.hang.end();
    }

    /// How many bytes all files together may have; a write beyond fills the disk and fails.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk().capacity = bytes;
    }

    /// How many bytes a read that may not wait finds in memory; `None` for all.
    pub fn set_warm_bytes(&self, bytes_max: Option<usize>) {
        self.disk().warm_bytes = bytes_max;
    }

    /// The disk's clock for the times of files, in milliseconds since 1970.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.disk().now_ms = now_ms;
    }

    /// Flips bits of one byte of a file, flushed or not.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], [`io::ErrorKind::UnexpectedEof`].
    pub fn flip(&self, path: &Path, position: u64, bits: u8) -> io::Result<()> {
        self.disk().flip(path, position, bits)
    }
}

impl Storage for FaultyStorage {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn StorageFile>> {
        let creates = matches!(mode, OpenMode::Create | OpenMode::CreateNew);
        let mut disk = if creates { self.disk_to_change() } else { self.disk() };
        let inode = disk.open(path, mode)?;
        let (storage, boot) = (self.clone(), disk.boot());
        let writable = mode != OpenMode::Read;
        Ok(Arc::new(FaultyFile { storage, inode, boot, writable }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.disk().list(directory)
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let bytes = file.bytes()?;
        if bytes > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut contents = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        let read = file.read_at(&mut contents, 0)?;
        contents.truncate(read);
        Ok(contents)
    }

    fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".tmp");
        let beside = PathBuf::from(beside);
        let file = self.open(&beside, OpenMode::Create)?;
        file.truncate(0)?;
        file.write_at(&mut [IoSlice::new(contents)], 0)?;
        file.sync_data()?;
        self.rename(&beside, path)?;
        match path.parent() {
            Some(directory) => self.sync_directory(directory),
            None => Ok(()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk_to_change().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk_to_change().remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk_to_change().sync_directory(directory)
    }

    fn create_directories(&self, directory: &Path) -> io::Result<()> {
        self.disk_to_change().create_directories(directory)
    }

    fn remove_directory_tree(&self, directory: &Path) -> io::Result<()> {
        self.disk_to_change().remove_directory_tree(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn StorageLock>> {
        let mut disk = self.disk();
        disk.lock(path)?;
        let (storage, boot) = (self.clone(), disk.boot());
        Ok(Box::new(FaultyLock { storage, path: path.to_owned(), boot }))
    }
}

#[derive(Debug)]
struct FaultyFile {
    storage: FaultyStorage,
    inode: u64,
    /// A file opened before a power cut is dead.
    boot: u64,
    writable: bool,
}

impl FaultyFile {
    fn disk(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.storage.disk();
        if disk.boot() == self.boot { Ok(disk) } else { Err(io::ErrorKind::NotConnected.into()) }
    }

    fn disk_to_change(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.storage.disk_to_change();
        if disk.boot() == self.boot { Ok(disk) } else { Err(io::ErrorKind::NotConnected.into()) }
    }

    fn disk_for_writing(&self) -> io::Result<MutexGuard<'_, Disk>> {
        if self.writable {
            self.disk_to_change()
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl StorageFile for FaultyFile {
    fn bytes(&self) -> io::Result<u64> {
        self.disk()?.bytes(self.inode)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.disk()?.read_at(self.inode, buffer, position)
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>> {
        let mut disk = self.disk()?;
        let warm = disk.warm_bytes.unwrap_or(usize::MAX).min(buffer.len());
        if warm == 0 {
            return Ok(None);
        }
        disk.read_at(self.inode, &mut buffer[..warm], position).map(Some)
    }

    fn write_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let contents: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter()).copied().collect();
        self.disk_for_writing()?.write_at(self.inode, contents, position)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.disk_for_writing()?.truncate(self.inode, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk_to_change()?.sync_data(self.inode)
    }
}

#[derive(Debug)]
struct FaultyLock {
    storage: FaultyStorage,
    path: PathBuf,
    boot: u64,
}

impl StorageLock for FaultyLock {}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        let mut disk = self.storage.disk();
        if disk.boot() == self.boot {
            disk.unlock(&self.path);
        }
    }
}
