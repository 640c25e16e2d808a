//! Who a node is to the consensus library: a number of its own for each (node, data directory), so
//! that a wiped directory never votes under the identity of the one before it.
//!
//! ```text
//! raft id:           [32 bits of the directory's id, not all zero] [32 bits: node]
//! quorum.identity:   "CBQI" │ version u32 │ raft id u64 │ CRC-32 of the bytes before u32
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

const IDENTITY_FILE: &str = "quorum.identity";
const MAGIC: &[u8; 4] = b"CBQI";
const VERSION: u32 = 1;
const FILE_BYTES: usize = 20;

/// A member's number, as the consensus library knows it.
#[must_use]
pub fn raft_id(node: BrokerId, directory: DirectoryId) -> u64 {
    let (high, low) = directory.0.as_u64_pair();
    let mixed = high ^ low;
    let folded = (mixed >> 32) ^ (mixed & u64::from(u32::MAX));
    (folded.max(1) << 32) | bare_id(node)
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

/// Reads the number that `directory` votes under, and gives a new directory one.
///
/// # Errors
/// The system's, or damage.
pub fn identify(
    storage: &dyn Storage,
    directory: &Path,
    node: BrokerId,
    id: DirectoryId,
) -> Result<u64, QuorumFileError> {
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
        Ok(_) | Err(io::ErrorKind::FileTooLarge) => return Ok(bare_id(node)),
        Err(kind) => return Err(failed("reading")(kind.into())),
    }
    let raft_id = raft_id(node, id);
    storage.create_directories(directory).map_err(failed("creation"))?;
    storage.replace(&path, &encode(raft_id)).map_err(failed("saving"))?;
    Ok(raft_id)
}

fn encode(raft_id: u64) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(FILE_BYTES);
    bytes.put_slice(MAGIC);
    bytes.put_u32(VERSION);
    bytes.put_u64(raft_id);
    bytes.put_u32(crc32fast::hash(&bytes));
    bytes
}

fn decode(bytes: &[u8]) -> Option<u64> {
    let (body, mut crc) = bytes.split_at_checked(FILE_BYTES - 4)?;
    let mut fields = body.strip_prefix(MAGIC)?;
    let is_whole = crc.try_get_u32().ok()? == crc32fast::hash(body) && crc.is_empty();
    let is_known = fields.get_u32() == VERSION;
    (is_whole && is_known).then(|| fields.get_u64())
}

/// What the membership says of a node beside its number: `directory@host:port`, either part may be
/// missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberAddress {
    /// Its data directory.
    pub directory: Option<DirectoryId>,
    /// Where other nodes reach it.
    pub address: Option<HostAndPort>,
}

impl MemberAddress {
    /// As the membership holds it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let directory = self.directory.map(|id| TopicId(id.0).to_base64()).unwrap_or_default();
        let address = self.address.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{directory}@{address}")
    }

    /// Reads it; what cannot be read is unknown.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let (directory, address) = text.split_once('@').unwrap_or_default();
        Self {
            directory: TopicId::from_base64(directory).map(|id| DirectoryId(id.0)),
            address: metadata::settings::parse_address(address).ok(),
        }
    }
}
