//! The quorum's log in one file of our own, and the vote beside it.
//!
//! ```text
//! quorum.log:   "CBQL" │ version u32 │ purged index + 1 u64 │ purged term u64 │ purged leader u64
//!               │ CRC-32 of the 32 bytes before u32 │ frames (see quorum_entry)
//! quorum.vote:  "CBQV" │ version u32 │ term u64 │ node u64 │ committed u8 │ CRC-32 u32
//! ```
//!
//! Entries are appended and flushed before anybody is told. A suffix is cut by shortening the file,
//! which is atomic and leaves no hole; a prefix is dropped by writing the rest anew beside it. A
//! frame that is cut short or damaged at the very end of the file is a torn tail and is cut off:
//! nobody was told of it. Damage with whole frames behind it is corruption and is refused.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use commit_log::{OpenMode, Storage, StorageFile};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::quorum_entry::{EntryError, QuorumEntry};
use super::reinjected_bug::{BugSwitch, QuorumBug, wipe_entries, write_unflushed};

/// The log's name in the quorum's directory.
pub const LOG_FILE: &str = "quorum.log";
const VOTE_FILE: &str = "quorum.vote";
const LOG_MAGIC: &[u8; 4] = b"CBQL";
const VOTE_MAGIC: &[u8; 4] = b"CBQV";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 36;
/// A quorum log is purged long before it grows to this.
const LOG_BYTES_MAX: u64 = 1 << 30;

/// Why the quorum's files cannot be used.
#[derive(Debug, Error)]
pub enum QuorumFileError {
    /// The system's.
    #[error("{operation} of {} failed", path.display())]
    Storage {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not our format, or from a newer version.
    #[error("{} has no head that this version can read", path.display())]
    Head {
        /// Which file.
        path: PathBuf,
    },
    /// Damage that is no torn tail.
    #[error("{} is damaged at position {position}: {source}", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Where, in bytes.
        position: u64,
        /// What is wrong.
        source: EntryError,
    },
    /// The entries do not follow each other.
    #[error("{} holds entry {found} where {expected} is due", path.display())]
    Gap {
        /// Which file.
        path: PathBuf,
        /// The index that is there.
        found: u64,
        /// The index that should be.
        expected: u64,
    },
}

/// The place of an entry in the log of a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPlace {
    /// Its index.
    pub index: u64,
    /// The term of its leader.
    pub term: u64,
    /// That leader.
    pub leader: u64,
}

/// Whom this node voted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVote {
    /// In which term.
    pub term: u64,
    /// For which node.
    pub node: u64,
    /// Whether that node is known to lead the term.
    pub committed: bool,
}

struct Stored {
    entry: QuorumEntry,
    end: u64,
}

/// The quorum's files, all entries in memory: what is purged is in the snapshot.
pub struct QuorumFile {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    file: Arc<dyn StorageFile>,
    purged: Option<EntryPlace>,
    entries: VecDeque<Stored>,
    vote: Option<StoredVote>,
    bugs: BugSwitch,
}

impl QuorumFile {
    /// Opens the files in `directory`, made if missing, and cuts a torn tail.
    ///
    /// # Errors
    /// See [`QuorumFileError`].
    pub fn open(storage: Arc<dyn Storage>, directory: &Path) -> Result<Self, QuorumFileError> {
        let failed = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| QuorumFileError::Storage { operation, path, source }
        };
        storage.create_directories(directory).map_err(failed("creation", directory))?;
        let path = directory.join(LOG_FILE);
        let vote = read_vote(&*storage, &directory.join(VOTE_FILE))?;
        let contents = match storage.read(&path, LOG_BYTES_MAX) {
            Ok(contents) => Bytes::from(contents),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let head = log_head(None);
                storage.replace(&path, &head).map_err(failed("creation", &path))?;
                head
            }
            Err(error) => return Err(failed("reading", &path)(error)),
        };
        let purged =
            read_log_head(&contents).ok_or(QuorumFileError::Head { path: path.clone() })?;
        let (entries, end) = read_entries(&contents, purged, &path)?;
        let file = storage.open(&path, OpenMode::Write).map_err(failed("opening", &path))?;
        if end < contents.len() as u64 {
            tracing::warn!(
                bytes = contents.len() as u64 - end,
                "cut a torn tail of the quorum log"
            );
            file.truncate(end).map_err(failed("truncation", &path))?;
            file.sync_data().map_err(failed("flush", &path))?;
        }
        let (directory, bugs) = (directory.to_owned(), BugSwitch::default());
        Ok(Self { storage, directory, file, purged, entries, vote, bugs })
    }

    /// The vote as last saved.
    #[must_use]
    pub const fn vote(&self) -> Option<StoredVote> {
        self.vote
    }

    /// The last entry that was purged.
    #[must_use]
    pub const fn purged(&self) -> Option<EntryPlace> {
        self.purged
    }

    /// The last entry, purged or not.
    #[must_use]
    pub fn last(&self) -> Option<EntryPlace> {
        self.entries.back().map(|stored| place(&stored.entry)).or(self.purged)
    }

    /// The entries with indexes in `[from, to)` that are here.
    pub fn entries(&self, from: u64, to: u64) -> impl Iterator<Item = &QuorumEntry> {
        let first = self.next_purged();
        let start = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        let in_range = move |entry: &&QuorumEntry| entry.index < to;
        self.entries.iter().skip(start).map(|stored| &stored.entry).take_while(in_range)
    }

    /// The first of the entries with indexes in `[from, to)` that are here, as many as `bytes_max`
    /// bytes hold, and the first one in any case.
    pub fn entries_within(
        &self,
        from: u64,
        to: u64,
        bytes_max: u64,
    ) -> impl Iterator<Item = &QuorumEntry> {
        let start = usize::try_from(from.saturating_sub(self.next_purged())).unwrap_or(usize::MAX);
        let before = match start.checked_sub(1) {
            Some(last) => self.entries.get(last).map_or(u64::MAX, |stored| stored.end),
            None => HEAD_BYTES as u64,
        };
        let fits = move |(at, stored): &(usize, &Stored)| {
            stored.entry.index < to && (*at == 0 || stored.end.saturating_sub(before) <= bytes_max)
        };
        let rest = self.entries.iter().skip(start).enumerate();
        rest.take_while(fits).map(|(_, stored)| &stored.entry)
    }

    /// Appends entries and forces them to disk.
    ///
    /// # Errors
    /// The disk's: the log must not be used any more.
    pub fn append(&mut self, entries: Vec<QuorumEntry>) -> Result<(), QuorumFileError> {
        let start = self.end();
        let mut bytes = BytesMut::new();
        for entry in entries {
            entry.encode(&mut bytes);
            self.entries.push_back(Stored { entry, end: start + bytes.len() as u64 });
        }
        let written = self
            .file
            .write_at(&mut [IoSlice::new(&bytes)], start)
            .and_then(|()| self.file.sync_data());
        written.map_err(|source| self.failed("append", LOG_FILE, source))
    }

    /// Cuts the entries from `index` on.
    ///
    /// # Errors
    /// The disk's.
    pub fn truncate_from(&mut self, index: u64) -> Result<(), QuorumFileError> {
        let kept = self.entries.partition_point(|stored| stored.entry.index < index);
        let cut: Vec<u64> = self.entries.drain(kept..).map(|stored| stored.end).collect();
        let end = self.end();
        if self.bugs.is(QuorumBug::TruncateFrontToBack) {
            let wiped = wipe_entries(&*self.file, end, &cut);
            wiped.map_err(|source| self.failed("truncation", LOG_FILE, source))?;
        }
        let cut = self.file.truncate(end).and_then(|()| self.file.sync_data());
        cut.map_err(|source| self.failed("truncation", LOG_FILE, source))
    }

    /// Drops the entries up to `last`, inclusive: a snapshot holds what they said.
    ///
    /// # Errors
    /// The disk's.
    pub fn purge(&mut self, last: EntryPlace) -> Result<(), QuorumFileError> {
        while self.entries.front().is_some_and(|stored| stored.entry.index <= last.index) {
            self.entries.pop_front();
        }
        self.purged = Some(last);
        let mut contents = BytesMut::from(&log_head(self.purged)[..]);
        for stored in &mut self.entries {
            stored.entry.encode(&mut contents);
            stored.end = contents.len() as u64;
        }
        let path = self.directory.join(LOG_FILE);
        let replaced = self.storage.replace(&path, &contents);
        let opened = replaced.and_then(|()| self.storage.open(&path, OpenMode::Write));
        self.file = opened.map_err(|source| self.failed("purge", LOG_FILE, source))?;
        Ok(())
    }

    /// Saves a vote, durably.
    ///
    /// # Errors
    /// The disk's.
    pub fn save_vote(&mut self, vote: StoredVote) -> Result<(), QuorumFileError> {
        let mut bytes = BytesMut::new();
        bytes.put_slice(VOTE_MAGIC);
        bytes.put_u32(VERSION);
        bytes.put_u64(vote.term);
        bytes.put_u64(vote.node);
        bytes.put_u8(u8::from(vote.committed));
        bytes.put_u32(crc32fast::hash(&bytes));
        let path = self.directory.join(VOTE_FILE);
        let saved = if self.bugs.is(QuorumBug::VoteNotFlushed) {
            write_unflushed(&*self.storage, &path, &bytes)
        } else {
            self.storage.replace(&path, &bytes)
        };
        saved.map_err(|source| self.failed("saving", VOTE_FILE, source))?;
        self.vote = Some(vote);
        Ok(())
    }

    fn next_purged(&self) -> u64 {
        self.purged.map_or(0, |purged| purged.index + 1)
    }

    fn end(&self) -> u64 {
        self.entries.back().map_or(HEAD_BYTES as u64, |stored| stored.end)
    }

    fn failed(&self, operation: &'static str, file: &str, source: io::Error) -> QuorumFileError {
        QuorumFileError::Storage { operation, path: self.directory.join(file), source }
    }
}

const fn place(entry: &QuorumEntry) -> EntryPlace {
    EntryPlace { index: entry.index, term: entry.term, leader: entry.leader }
}

fn log_head(purged: Option<EntryPlace>) -> Bytes {
    let mut head = BytesMut::with_capacity(HEAD_BYTES);
    let place = purged.unwrap_or_default();
    head.put_slice(LOG_MAGIC);
    head.put_u32(VERSION);
    head.put_u64(purged.map_or(0, |purged| purged.index + 1));
    head.put_u64(place.term);
    head.put_u64(place.leader);
    head.put_u32(crc32fast::hash(&head));
    head.freeze()
}

/// The outer `None` is a head that cannot be read.
fn read_log_head(contents: &Bytes) -> Option<Option<EntryPlace>> {
    let mut head = contents.get(..HEAD_BYTES)?;
    let crc = crc32fast::hash(&head[..HEAD_BYTES - 4]);
    if !head.starts_with(LOG_MAGIC) {
        return None;
    }
    head.advance(LOG_MAGIC.len());
    if head.get_u32() != VERSION {
        return None;
    }
    let (next, term, leader) = (head.get_u64(), head.get_u64(), head.get_u64());
    let purged = next.checked_sub(1).map(|index| EntryPlace { index, term, leader });
    (head.get_u32() == crc).then_some(purged)
}

fn read_entries(
    contents: &Bytes,
    purged: Option<EntryPlace>,
    path: &Path,
) -> Result<(VecDeque<Stored>, u64), QuorumFileError> {
    let mut entries = VecDeque::new();
    let mut position = HEAD_BYTES;
    let mut expected = purged.map_or(0, |purged| purged.index + 1);
    while position < contents.len() {
        let rest = contents.slice(position..);
        match QuorumEntry::decode(&rest) {
            Ok((entry, _)) if entry.index != expected => {
                let (path, found) = (path.to_owned(), entry.index);
                return Err(QuorumFileError::Gap { path, found, expected });
            }
            Ok((entry, bytes)) => {
                position += bytes;
                expected += 1;
                entries.push_back(Stored { entry, end: position as u64 });
            }
            Err(error) if is_torn_tail(&error, &rest) => break,
            Err(source) => {
                let (path, position) = (path.to_owned(), position as u64);
                return Err(QuorumFileError::Corrupt { path, position, source });
            }
        }
    }
    Ok((entries, position as u64))
}

/// Whether the damage reaches to the end of the file: what was being written when the power went.
fn is_torn_tail(error: &EntryError, rest: &Bytes) -> bool {
    match error {
        EntryError::Incomplete { .. } => true,
        EntryError::Length { .. } => rest.iter().all(|byte| *byte == 0),
        EntryError::Checksum { .. } => {
            let length = rest.clone().get_u32() as usize;
            rest.len() == super::quorum_entry::FRAME_HEAD_BYTES + length
        }
        EntryError::Kind { .. } | EntryError::Body { .. } => false,
    }
}

fn read_vote(storage: &dyn Storage, path: &Path) -> Result<Option<StoredVote>, QuorumFileError> {
    let contents = match storage.read(path, 64) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(QuorumFileError::Storage { operation: "reading", path, source });
        }
    };
    let vote = decode_vote(&contents);
    vote.map(Some).ok_or_else(|| QuorumFileError::Head { path: path.to_owned() })
}

fn decode_vote(contents: &[u8]) -> Option<StoredVote> {
    let (body, mut crc) = contents.split_at_checked(25)?;
    let mut fields = body.strip_prefix(VOTE_MAGIC)?;
    let is_whole = crc.try_get_u32().ok()? == crc32fast::hash(body) && crc.is_empty();
    let is_known = fields.get_u32() == VERSION;
    let (term, node, committed) = (fields.get_u64(), fields.get_u64(), fields.get_u8() == 1);
    (is_whole && is_known).then_some(StoredVote { term, node, committed })
}

#[cfg(test)]
mod tests;
