//! Directory entries: those that are seen, and those that a power cut leaves.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Directory,
    File(u64),
}

/// A change of directory entries.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Create { path: PathBuf, entry: Entry },
    Remove { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
}

impl Change {
    fn concerns(&self, directory: &Path) -> bool {
        let is_in = |path: &Path| path.parent() == Some(directory);
        match self {
            Self::Create { path, .. } | Self::Remove { path } => is_in(path),
            Self::Rename { from, to } => is_in(from) || is_in(to),
        }
    }

    fn apply(&self, entries: &mut BTreeMap<PathBuf, Entry>) {
        match self {
            Self::Create { path, entry } => _ = entries.insert(path.clone(), *entry),
            Self::Remove { path } => _ = entries.remove(path),
            Self::Rename { from, to } => {
                let moved: Vec<_> =
                    entries.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for path in moved {
                    let rest = path.strip_prefix(from).unwrap_or(Path::new("")).to_owned();
                    if let Some(entry) = entries.remove(&path) {
                        let is_whole = rest.as_os_str().is_empty();
                        entries.insert(if is_whole { to.clone() } else { to.join(rest) }, entry);
                    }
                }
            }
        }
    }
}

/// The entries of a disk.
#[derive(Debug, Default)]
pub(super) struct Tree {
    seen: BTreeMap<PathBuf, Entry>,
    durable: BTreeMap<PathBuf, Entry>,
    /// What has been seen since and is not durable.
    pending: Vec<Change>,
}

impl Tree {
    pub(super) fn get(&self, path: &Path) -> Option<Entry> {
        self.seen.get(path).copied()
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        path.parent().is_none()
            || path.as_os_str().is_empty()
            || self.get(path) == Some(Entry::Directory)
    }

    /// The file at a path.
    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.get(path) {
            Some(Entry::File(inode)) => Ok(inode),
            Some(Entry::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// All entries below a directory.
    pub(super) fn below(&self, directory: &Path) -> impl Iterator<Item = (&PathBuf, Entry)> {
        let start = directory.to_owned();
        let inside = self.seen.range(start.clone()..).map(|(path, entry)| (path, *entry));
        // the order of paths is by component, so what lies below comes in one piece
        inside
            .skip_while(move |(path, _)| **path == start)
            .take_while(move |(path, _)| path.starts_with(directory))
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    /// Makes a directory that is durable at once.
    pub(super) fn create_directory(&mut self, path: &Path) {
        self.seen.insert(path.to_owned(), Entry::Directory);
        self.durable.insert(path.to_owned(), Entry::Directory);
    }

    /// Makes the entries of a directory durable.
    pub(super) fn sync(&mut self, directory: &Path) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let now = change.concerns(directory);
            if now {
                change.apply(durable);
            }
            !now
        });
    }

    /// Goes back to what is durable; `survives` decides for each change that is not.
    pub(super) fn power_cut(&mut self, mut survives: impl FnMut() -> bool) {
        for change in self.pending.drain(..) {
            if survives() {
                change.apply(&mut self.durable);
            }
        }
        self.seen.clone_from(&self.durable);
    }

    /// Files that can be reached.
    pub(super) fn files(&self) -> impl Iterator<Item = u64> {
        self.seen.values().filter_map(|entry| match entry {
            Entry::File(inode) => Some(*inode),
            Entry::Directory => None,
        })
    }
}
