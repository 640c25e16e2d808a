//! The port to the disk: every file operation that a log makes. [`crate::RealStorage`] is the
//! operating system's; `FaultyStorage` (feature `testing`) keeps a disk in memory, loses what was
//! not flushed and fails on demand. Both pass `tests/storage_conformance.rs`, which says what an
//! implementation must hold.
//!
//! All calls block. Which thread may be blocked is the caller's business; only
//! [`StorageFile::read_at_nowait`] never waits for a disk.

use std::fmt;
use std::io;
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; the file must be there.
    Read,
    /// For reading and writing; the file must be there.
    Write,
    /// For reading and writing; made empty if it is not there, kept as it is otherwise.
    Create,
    /// For reading and writing; it must not be there yet.
    CreateNew,
}

/// What a directory entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its name, without the directory.
    pub name: String,
    /// File or directory; anything else is not listed.
    pub kind: EntryKind,
    /// Length of a file in bytes; 0 for a directory.
    pub bytes: u64,
    /// When a file was last written, in milliseconds since 1970; 0 for a directory.
    pub modified_ms: i64,
}

/// The file operations of a log, one disk's.
///
/// What a caller may rely on after a power cut: bytes of a file that [`StorageFile::sync_data`]
/// has returned `Ok` for, and entries of a directory that [`Storage::sync_directory`] has returned
/// `Ok` for. Nothing else, in any combination.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::NotFound`] and [`io::ErrorKind::AlreadyExists`] as the mode
    /// says.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn StorageFile>>;

    /// The files and directories of a directory, by name in ascending order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>>;

    /// Reads a small file whole.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] if it has more than `bytes_max` bytes, else the system's.
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>>;

    /// Makes `contents` the contents of `path` so that a power cut at any time leaves either the
    /// old or the new ones: written beside it, flushed, renamed over it, directory flushed.
    ///
    /// # Errors
    /// The system's. Which of the two contents is there is then unknown.
    fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()>;

    /// Renames a file or directory; a file at `to` is replaced. Durable once the directories
    /// involved are flushed.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Who has it open can still read it.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Flushes a directory's entries: created, renamed and removed files.
    ///
    /// # Errors
    /// The system's.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Makes a directory and those above it, where they are missing, durably.
    ///
    /// # Errors
    /// The system's.
    fn create_directories(&self, directory: &Path) -> io::Result<()>;

    /// Removes a directory with everything in it; nothing happens if it is not there.
    ///
    /// # Errors
    /// The system's; some of the contents may then be gone.
    fn remove_directory_tree(&self, directory: &Path) -> io::Result<()>;

    /// Takes the exclusive lock that the file stands for, made if missing. It is held until the
    /// result is dropped or the process ends.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if somebody holds it, else the system's.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn StorageLock>>;
}

/// An open file. It is closed when the last clone is dropped.
pub trait StorageFile: fmt::Debug + Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The system's.
    fn bytes(&self) -> io::Result<u64>;

    /// Reads at `position` until the buffer is full or the file ends, and says how much it read.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Reads what memory holds at `position` without ever waiting for the disk: `None` if the
    /// first byte is not in memory, and possibly less than there is.
    ///
    /// # Errors
    /// The system's.
    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>>;

    /// Writes all bytes of all buffers one after the other from `position` on. The slices are
    /// consumed in the course of it.
    ///
    /// # Errors
    /// The system's; any part may then have been written.
    fn write_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;

    /// Sets the length, dropping bytes or adding zeros.
    ///
    /// # Errors
    /// The system's.
    fn truncate(&self, bytes: u64) -> io::Result<()>;

    /// Forces the file's bytes and length to the disk.
    ///
    /// # Errors
    /// The system's. The bytes written since the last success are then lost, even if they can
    /// still be read: never try again on the same file.
    fn sync_data(&self) -> io::Result<()>;
}

/// A lock held; dropping it gives it up.
pub trait StorageLock: fmt::Debug + Send + Sync {}
