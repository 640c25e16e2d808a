//! Who a node is to the consensus library: a number of its own for each (node, data directory), so
//! that a wiped directory never votes under the identity of the one before it.
//!
//! ```text
//! raft id:           [32 bits by chance, not all zero] [32 bits: node]
//! quorum.identity:   "CBQI" │ version u32 │ raft id u64 │ founds u8 │ CRC-32 of the bytes before u32
//! ```
//!
//! A quorum directory without that file was founded by a version that used the bare node number.

use std::io;
use std::path::Path;

use bytes::{Buf, BufMut, BytesMut};
use commit_log::Storage;
use metadata::{DirectoryId, HostAndPort};
use protocol::{BrokerId, TopicId};

use super::quorum_file::{LOG_FILE, QuorumFileError};
use crate::ports::rng::Rng;

const IDENTITY_FILE: &str = "quorum.identity";
const MAGIC: &[u8; 4] = b"CBQI";
const VERSION: u32 = 1;
const FILE_BYTES: usize = 21;

/// Who a directory is in the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaftIdentity {
    /// Its number.
    pub raft_id: u64,
    /// Whether it began a quorum of its own, and did not join one. Remembered, because a node that
    /// crashes before the first entry is written must not found what it was to join.
    pub founds: bool,
}

/// The number that directories without an identity file use.
fn bare_id(node: BrokerId) -> u64 {
    u64::from(node.0.unsigned_abs())
}

/// The node that a number stands for.
#[must_use]
pub fn broker_of(raft_id: u64) -> BrokerId {
    let low = raft_id & u64::from(u32::MAX);
    BrokerId(i32::try_from(low).unwrap_or(i32::MAX))
}

/// Reads who `directory` is, and makes a new directory somebody.
///
/// # Errors
/// The system's, or damage.
pub fn identify(
    storage: &dyn Storage,
    directory: &Path,
    node: BrokerId,
    founds: bool,
    rng: &dyn Rng,
) -> Result<RaftIdentity, QuorumFileError> {
    let path = directory.join(IDENTITY_FILE);
    let failed = |operation| {
        let path = path.clone();
        move |source| QuorumFileError::Storage { operation, path, source }
    };
    match storage.read(&path, FILE_BYTES as u64 + 1) {
        Ok(bytes) => {
            return decode(&bytes).ok_or(QuorumFileError::Head { path });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("reading")(error)),
    }
    // only whether it is there matters
    match storage.read(&directory.join(LOG_FILE), 0).map_err(|error| error.kind()) {
        Err(io::ErrorKind::NotFound) => {}
        Ok(_) | Err(io::ErrorKind::FileTooLarge) => {
            return Ok(RaftIdentity { raft_id: bare_id(node), founds: true });
        }
        Err(kind) => return Err(failed("reading")(kind.into())),
    }
    let raft_id = ((rng.next() >> 32).max(1) << 32) | bare_id(node);
    let identity = RaftIdentity { raft_id, founds };
    storage.create_directories(directory).map_err(failed("creation"))?;
    storage.replace(&path, &encode(identity)).map_err(failed("saving"))?;
    Ok(identity)
}

fn encode(identity: RaftIdentity) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(FILE_BYTES);
    bytes.put_slice(MAGIC);
    bytes.put_u32(VERSION);
    bytes.put_u64(identity.raft_id);
    bytes.put_u8(u8::from(identity.founds));
    bytes.put_u32(crc32fast::hash(&bytes));
    bytes
}

fn decode(bytes: &[u8]) -> Option<RaftIdentity> {
    let (body, mut crc) = bytes.split_at_checked(FILE_BYTES - 4)?;
    let mut fields = body.strip_prefix(MAGIC)?;
    let is_whole = crc.try_get_u32().ok()? == crc32fast::hash(body) && crc.is_empty();
    let is_known = fields.get_u32() == VERSION;
    let (raft_id, founds) = (fields.get_u64(), fields.get_u8() == 1);
    (is_whole && is_known).then_some(RaftIdentity { raft_id, founds })
}

/// What the membership says of a node beside its number: `directory@host:port`, either part may be
/// missing, and ` never votes` after it where the operator took its vote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberAddress {
    /// Its data directory.
    pub directory: Option<DirectoryId>,
    /// Where other nodes reach it.
    pub address: Option<HostAndPort>,
    /// Whether it gets no vote unless the operator says so.
    pub never_votes: bool,
}

const NEVER_VOTES: &str = " never votes";

impl MemberAddress {
    /// As the membership holds it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let directory = self.directory.map(|id| TopicId(id.0).to_base64()).unwrap_or_default();
        let address = self.address.as_ref().map(ToString::to_string).unwrap_or_default();
        let suffix = if self.never_votes { NEVER_VOTES } else { "" };
        format!("{directory}@{address}{suffix}")
    }

    /// Reads it; what cannot be read is unknown.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let never_votes = text.ends_with(NEVER_VOTES);
        let text = text.strip_suffix(NEVER_VOTES).unwrap_or(text);
        let (directory, address) = text.split_once('@').unwrap_or_default();
        Self {
            directory: TopicId::from_base64(directory).map(|id| DirectoryId(id.0)),
            address: metadata::settings::parse_address(address).ok(),
            never_votes,
        }
    }
}
