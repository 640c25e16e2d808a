//! A disk of which one partition's part fails, from a flush on: the rest of the node goes on.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use commit_log::{DirectoryEntry, FaultyStorage, OpenMode, Storage, StorageFile, StorageLock};

/// What is about to fail.
#[derive(Debug, Default)]
pub struct Breakage {
    /// Flushes of files in this directory fail.
    pub directory: Option<PathBuf>,
    /// How many more do.
    pub flushes: usize,
    /// Whether files in it cannot be opened any more, once a flush has failed.
    pub for_good: bool,
    /// Whether one has failed.
    pub has_failed: bool,
}

/// See the head of this file.
#[derive(Debug)]
pub struct BrittleStorage {
    pub disk: FaultyStorage,
    pub breakage: Arc<Mutex<Breakage>>,
}

#[derive(Debug)]
struct BrittleFile {
    file: Arc<dyn StorageFile>,
    path: PathBuf,
    breakage: Arc<Mutex<Breakage>>,
}

impl Breakage {
    fn strikes(&self, path: &Path) -> bool {
        self.directory.as_ref().is_some_and(|directory| path.starts_with(directory))
    }
}

fn broken() -> io::Error {
    io::Error::other("broken on demand")
}

impl Storage for BrittleStorage {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn StorageFile>> {
        let breakage = self.breakage.lock().unwrap();
        if breakage.strikes(path) && breakage.for_good && breakage.has_failed {
            return Err(broken());
        }
        let file = self.disk.open(path, mode)?;
        let breakage = Arc::clone(&self.breakage);
        Ok(Arc::new(BrittleFile { file, path: path.to_owned(), breakage }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.disk.list(directory)
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        self.disk.read(path, bytes_max)
    }

    fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        self.disk.replace(path, contents)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk.sync_directory(directory)
    }

    fn create_directories(&self, directory: &Path) -> io::Result<()> {
        self.disk.create_directories(directory)
    }

    fn remove_directory_tree(&self, directory: &Path) -> io::Result<()> {
        self.disk.remove_directory_tree(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn StorageLock>> {
        self.disk.lock(path)
    }
}

impl StorageFile for BrittleFile {
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
        self.file.write_at(buffers, position)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.file.truncate(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut breakage = self.breakage.lock().unwrap();
        if breakage.strikes(&self.path) && breakage.flushes > 0 {
            breakage.flushes -= 1;
            breakage.has_failed = true;
            return Err(broken());
        }
        drop(breakage);
        self.file.sync_data()
    }
}
