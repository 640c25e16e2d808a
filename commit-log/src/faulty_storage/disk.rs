//! The disk behind [`super::FaultyStorage`]: files as they are seen and as a power cut leaves them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::FaultyOperation;
use super::tree::{Change, Entry, Tree};
use crate::storage::{DirectoryEntry, EntryKind, OpenMode};

/// What a device writes whole or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// What has been seen since and is not durable.
    pending: Vec<FileChange>,
    modified_ms: i64,
}

#[derive(Clone, Debug)]
enum FileChange {
    Write { position: usize, contents: Vec<u8> },
    Truncate { bytes: usize },
}

impl FileChange {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { position, contents } => write(bytes, *position, contents),
            Self::Truncate { bytes: length } => bytes.resize(*length, 0),
        }
    }
}

fn write(bytes: &mut Vec<u8>, position: usize, contents: &[u8]) {
    let end = position + contents.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[position..end].copy_from_slice(contents);
}

#[derive(Debug)]
struct Fault {
    operation: FaultyOperation,
    skip: u64,
    times: u64,
    kind: io::ErrorKind,
}

#[derive(Debug)]
pub(super) struct Disk {
    random: u64,
    boot: u64,
    pub(super) is_off: bool,
    changes: u64,
    power_off_at: Option<u64>,
    inodes: BTreeMap<u64, Inode>,
    tree: Tree,
    locks: BTreeSet<PathBuf>,
    faults: Vec<Fault>,
    pub(super) capacity: Option<u64>,
    pub(super) warm_bytes: Option<usize>,
    pub(super) now_ms: i64,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: seed,
            boot: 0,
            is_off: false,
            changes: 0,
            power_off_at: None,
            inodes: BTreeMap::new(),
            tree: Tree::default(),
            locks: BTreeSet::new(),
            faults: Vec::new(),
            capacity: None,
            warm_bytes: None,
            now_ms: 0,
        }
    }

    pub(super) fn boot(&self) -> u64 {
        self.boot
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn fail(
        &mut self,
        operation: FaultyOperation,
        skip: u64,
        times: u64,
        kind: io::ErrorKind,
    ) {
        self.faults.push(Fault { operation, skip, times, kind });
    }

    pub(super) fn heal(&mut self) {
        self.faults.clear();
        if !self.is_off {
            self.power_off_at = None;
        }
    }

    pub(super) fn cut_power_after(&mut self, changes: u64) {
        self.power_off_at = Some(self.changes + changes);
    }

    /// SplitMix64: the same numbers for the same seed, everywhere.
    fn random(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        mixed.checked_rem(bound as u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    /// Lets an operation pass, or not.
    fn admit(&mut self, operation: FaultyOperation, is_change: bool) -> io::Result<()> {
        if self.is_off || self.power_off_at.is_some_and(|at| self.changes >= at) {
            self.is_off = true;
            return Err(io::Error::other("the power is off"));
        }
        self.changes += u64::from(is_change);
        for fault in &mut self.faults {
            if fault.operation != operation || fault.times == 0 {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            return Err(fault.kind.into());
        }
        Ok(())
    }

    fn inode(&mut self, inode: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn open(&mut self, path: &Path, mode: OpenMode) -> io::Result<u64> {
        self.admit(FaultyOperation::Open, false)?;
        match (self.tree.get(path), mode) {
            (Some(_), OpenMode::CreateNew) => Err(io::ErrorKind::AlreadyExists.into()),
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                if !path.parent().is_some_and(|parent| self.tree.is_directory(parent)) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                self.changes += 1;
                let inode = self.inodes.len() as u64;
                let modified_ms = self.now_ms;
                self.inodes.insert(inode, Inode { modified_ms, ..Inode::default() });
                let entry = Entry::File(inode);
                self.tree.change(Change::Create { path: path.to_owned(), entry });
                Ok(inode)
            }
            _ => self.tree.file(path),
        }
    }

    pub(super) fn list(&mut self, directory: &Path) -> io::Result<Vec<DirectoryEntry>> {
        self.admit(FaultyOperation::Read, false)?;
        if !self.tree.is_directory(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut entries = Vec::new();
        for (path, entry) in self.tree.below(directory) {
            let name = path.file_name().and_then(|name| name.to_str());
            let (Some(name), true) = (name, path.parent() == Some(directory)) else { continue };
            let name = name.to_owned();
            entries.push(match entry {
                Entry::Directory => {
                    DirectoryEntry { name, kind: EntryKind::Directory, bytes: 0, modified_ms: 0 }
                }
                Entry::File(inode) => {
                    let inode = self.inodes.get(&inode);
                    let bytes = inode.map_or(0, |inode| inode.seen.len() as u64);
                    let modified_ms = inode.map_or(0, |inode| inode.modified_ms);
                    DirectoryEntry { name, kind: EntryKind::File, bytes, modified_ms }
                }
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub(super) fn bytes(&mut self, inode: u64) -> io::Result<u64> {
        self.admit(FaultyOperation::Read, false)?;
        Ok(self.inode(inode)?.seen.len() as u64)
    }

    pub(super) fn read_at(
        &mut self,
        inode: u64,
        buffer: &mut [u8],
        position: u64,
    ) -> io::Result<usize> {
        self.admit(FaultyOperation::Read, false)?;
        let seen = &self.inode(inode)?.seen;
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(seen.len());
        let read = buffer.len().min(seen.len() - start);
        buffer[..read].copy_from_slice(&seen[start..start + read]);
        Ok(read)
    }

    pub(super) fn write_at(
        &mut self,
        inode: u64,
        mut contents: Vec<u8>,
        position: u64,
    ) -> io::Result<()> {
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        let mut outcome = self.admit(FaultyOperation::Write, true);
        if self.is_off {
            return outcome;
        }
        if outcome.is_err() {
            let part = self.random(contents.len() + 1);
            contents.truncate(part);
        }
        let growth = (position + contents.len()).saturating_sub(self.inode(inode)?.seen.len());
        if let Some(room) = self.room()
            && growth as u64 > room
        {
            let missing = growth - usize::try_from(room).unwrap_or(usize::MAX);
            contents.truncate(contents.len().saturating_sub(missing));
            outcome = Err(io::ErrorKind::StorageFull.into());
        }
        let now_ms = self.now_ms;
        let inode = self.inode(inode)?;
        inode.modified_ms = now_ms;
        write(&mut inode.seen, position, &contents);
        inode.pending.push(FileChange::Write { position, contents });
        outcome
    }

    /// Bytes that may still be written.
    fn room(&self) -> Option<u64> {
        let used: usize = self
            .tree
            .files()
            .filter_map(|inode| self.inodes.get(&inode))
            .map(|inode| inode.seen.len())
            .sum();
        self.capacity.map(|capacity| capacity.saturating_sub(used as u64))
    }

    pub(super) fn truncate(&mut self, inode: u64, bytes: u64) -> io::Result<()> {
        self.admit(FaultyOperation::Truncate, true)?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let inode = self.inode(inode)?;
        inode.seen.resize(bytes, 0);
        inode.pending.push(FileChange::Truncate { bytes });
        Ok(())
    }

    pub(super) fn sync_data(&mut self, inode: u64) -> io::Result<()> {
        let outcome = self.admit(FaultyOperation::SyncData, true);
        if self.is_off {
            return outcome;
        }
        let inode = self.inode(inode)?;
        let pending = std::mem::take(&mut inode.pending);
        if outcome.is_ok() {
            pending.iter().for_each(|change| change.apply(&mut inode.durable));
        }
        outcome
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.admit(FaultyOperation::Rename, true)?;
        if self.tree.get(from).is_none()
            || !to.parent().is_some_and(|parent| self.tree.is_directory(parent))
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.tree.change(Change::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.admit(FaultyOperation::Remove, true)?;
        self.tree.file(path)?;
        self.tree.change(Change::Remove { path: path.to_owned() });
        Ok(())
    }

    pub(super) fn sync_directory(&mut self, directory: &Path) -> io::Result<()> {
        self.admit(FaultyOperation::SyncDirectory, true)?;
        if !self.tree.is_directory(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.tree.sync(directory);
        Ok(())
    }

    pub(super) fn create_directories(&mut self, directory: &Path) -> io::Result<()> {
        self.admit(FaultyOperation::Open, true)?;
        for path in directory.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !self.tree.is_directory(path) {
                self.tree.create_directory(path);
            }
        }
        Ok(())
    }

    pub(super) fn remove_directory_tree(&mut self, directory: &Path) -> io::Result<()> {
        self.admit(FaultyOperation::Remove, true)?;
        let mut paths: Vec<_> = self.tree.below(directory).map(|(path, _)| path.clone()).collect();
        paths.insert(0, directory.to_owned());
        for path in paths.into_iter().rev() {
            if self.tree.get(&path).is_some() {
                self.tree.change(Change::Remove { path });
            }
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, path: &Path) -> io::Result<()> {
        self.open(path, OpenMode::Create)?;
        let is_new = self.locks.insert(path.to_owned());
        if is_new { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    pub(super) fn unlock(&mut self, path: &Path) {
        self.locks.remove(path);
    }

    pub(super) fn flip(&mut self, path: &Path, position: u64, bits: u8) -> io::Result<()> {
        let inode = self.tree.file(path)?;
        let inode = self.inode(inode)?;
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        let seen = inode.seen.get_mut(position).ok_or(io::ErrorKind::UnexpectedEof)?;
        *seen ^= bits;
        if let Some(durable) = inode.durable.get_mut(position) {
            *durable ^= bits;
        }
        Ok(())
    }

    pub(super) fn power_cut(&mut self) {
        let mut inodes = std::mem::take(&mut self.inodes);
        for inode in inodes.values_mut() {
            for change in std::mem::take(&mut inode.pending) {
                if let Some(change) = self.what_survives(change) {
                    change.apply(&mut inode.durable);
                }
            }
            inode.seen.clone_from(&inode.durable);
        }
        self.inodes = inodes;
        let mut chances: Vec<bool> = Vec::new();
        chances.resize_with(1 << 12, || self.random(3) > 0);
        let mut chance = chances.into_iter().cycle();
        self.tree.power_cut(|| chance.next().unwrap_or(true));
        self.kill();
    }

    pub(super) fn kill(&mut self) {
        self.locks.clear();
        self.boot += 1;
        self.is_off = false;
        self.power_off_at = None;
    }

    /// All of a change, nothing, its beginning, or some of its sectors.
    fn what_survives(&mut self, change: FileChange) -> Option<FileChange> {
        let FileChange::Write { position, mut contents } = change else {
            return (self.random(2) == 0).then_some(change);
        };
        match self.random(4) {
            0 => return None,
            1 => {
                let part = self.random(contents.len() + 1);
                contents.truncate(part);
            }
            2 => {
                for sector in contents.chunks_mut(SECTOR_BYTES) {
                    if self.random(2) == 0 {
                        sector.fill(0);
                    }
                }
            }
            _ => {}
        }
        Some(FileChange::Write { position, contents })
    }
}
