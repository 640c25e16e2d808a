//! What a data directory remembers of its last use, in a small file of its own: which start of a
//! process used it last, and under which registration. No actor.
//!
//! ```text
//! callboard.use:  "CBUS" │ version u32 │ incarnation u128 │ known u8 │ broker epoch i64
//!                 │ in order u8 │ CRC-32 of the bytes before u32
//! ```
//!
//! It is written before a process registers, with the registration of the process before it. So it
//! tells a directory that is as the cluster knows it from an older copy, also after a crash between
//! the registration and the next write: there the cluster knows the incarnation that stands here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, BufMut, BytesMut};
use commit_log::Storage;
use metadata::{BrokerState, DirectoryId, Incarnation, LastUse};
use protocol::BrokerEpoch;
use thiserror::Error;
use uuid::Uuid;

use crate::broker::Broker;
use crate::ports::storage_executor::{StorageExecutor, run_blocking};

const FILE: &str = "callboard.use";
const MAGIC: &[u8; 4] = b"CBUS";
const VERSION: u32 = 1;
const FILE_BYTES: usize = 38;

/// Why the file cannot be used.
#[derive(Debug, Error)]
pub enum DirectoryUseError {
    /// The system's.
    #[error("{} cannot be used", path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not our format, or from a newer version.
    #[error("{} is damaged or of a newer version", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The work was lost.
    #[error("the storage thread gave up")]
    GaveUp,
}

impl DirectoryUseError {
    /// Whether trying again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Storage { .. } | Self::GaveUp => true,
            Self::Damaged { .. } => false,
        }
    }
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    /// The process that used the directory last.
    incarnation: Incarnation,
    /// The use before it: under which registration, and whether it stopped in order.
    before: LastUse,
}

/// The use of a data directory by one process.
#[derive(Clone)]
pub struct DirectoryUse {
    /// The directory.
    pub path: PathBuf,
    /// Its identity.
    pub id: DirectoryId,
    /// The process.
    pub incarnation: Incarnation,
    /// Whether the process before it stopped in order.
    pub stopped_in_order: bool,
    /// Where files are.
    pub storage: Arc<dyn Storage>,
    /// Where file work runs.
    pub executor: Arc<dyn StorageExecutor>,
    /// What was found when the use began.
    pub found: Arc<Mutex<Option<LastUse>>>,
}

impl DirectoryUse {
    /// The use of the directory at `path` by the process of `broker`.
    #[must_use]
    pub fn new(broker: &Broker, path: &Path, id: DirectoryId, stopped_in_order: bool) -> Self {
        Self {
            path: path.to_owned(),
            id,
            incarnation: broker.incarnation,
            stopped_in_order,
            storage: Arc::clone(&broker.ports.storage),
            executor: Arc::clone(&broker.ports.executor),
            found: Arc::default(),
        }
    }

    /// Notes that this process uses the directory, and gives what it was last used for. `own` is
    /// this broker as the cluster knows it now. Called again, it gives the same.
    ///
    /// # Errors
    /// The system's, or damage: a directory that cannot say what it holds is not used.
    pub async fn begin(&self, own: Option<Arc<BrokerState>>) -> Result<LastUse, DirectoryUseError> {
        if let Some(found) = *self.found() {
            return Ok(found);
        }
        let this = self.clone();
        let work = move || this.note(own.as_deref());
        let found = run_blocking(&*self.executor, work).await;
        let found = found.unwrap_or(Err(DirectoryUseError::GaveUp))?;
        *self.found() = Some(found);
        Ok(found)
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Option<LastUse>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, own: Option<&BrokerState>) -> Result<LastUse, DirectoryUseError> {
        let path = self.path.join(FILE);
        let failed = |source| DirectoryUseError::Storage { path: path.clone(), source };
        let note = match self.storage.read(&path, FILE_BYTES as u64 + 1) {
            Ok(bytes) => {
                let damaged = || DirectoryUseError::Damaged { path: path.clone() };
                Some(decode(&bytes).ok_or_else(damaged)?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(failed(source)),
        };
        let before = self.last_use(note, own);
        let next = encode(Note { incarnation: self.incarnation, before });
        self.storage.replace(&path, &next).map_err(failed)?;
        Ok(before)
    }

    fn last_use(&self, note: Option<Note>, own: Option<&BrokerState>) -> LastUse {
        let ended_under = |epoch| match self.stopped_in_order {
            true => LastUse::StoppedInOrder(epoch),
            false => LastUse::Crashed(epoch),
        };
        match (note, own) {
            // the last process registered
            (Some(note), Some(own)) if own.registration.incarnation == note.incarnation => {
                ended_under(own.epoch())
            }
            // it did not, and so it wrote no record
            (Some(note), _) => note.before,
            // a directory of an older version: quorum log and partitions are in it together
            (None, Some(own)) if own.registration.directory == self.id => ended_under(own.epoch()),
            (None, _) => LastUse::Never,
        }
    }
}

fn encode(note: Note) -> BytesMut {
    let (epoch, in_order) = match note.before {
        LastUse::Never => (None, false),
        LastUse::StoppedInOrder(epoch) => (Some(epoch), true),
        LastUse::Crashed(epoch) => (Some(epoch), false),
    };
    let mut bytes = BytesMut::with_capacity(FILE_BYTES);
    bytes.put_slice(MAGIC);
    bytes.put_u32(VERSION);
    bytes.put_u128(note.incarnation.0.as_u128());
    bytes.put_u8(u8::from(epoch.is_some()));
    bytes.put_i64(epoch.unwrap_or(BrokerEpoch::UNKNOWN).value());
    bytes.put_u8(u8::from(in_order));
    bytes.put_u32(crc32fast::hash(&bytes));
    bytes
}

fn decode(bytes: &[u8]) -> Option<Note> {
    let (body, mut crc) = bytes.split_at_checked(FILE_BYTES - 4)?;
    let mut fields = body.strip_prefix(MAGIC)?;
    let is_whole = crc.try_get_u32().ok()? == crc32fast::hash(body) && crc.is_empty();
    if !is_whole || fields.get_u32() != VERSION {
        return None;
    }
    let incarnation = Incarnation(Uuid::from_u128(fields.get_u128()));
    let is_known = fields.get_u8() == 1;
    let epoch = BrokerEpoch::new(fields.get_i64());
    let before = match (is_known, fields.get_u8() == 1) {
        (false, _) => LastUse::Never,
        (true, true) => LastUse::StoppedInOrder(epoch),
        (true, false) => LastUse::Crashed(epoch),
    };
    Some(Note { incarnation, before })
}

#[cfg(test)]
mod tests;
