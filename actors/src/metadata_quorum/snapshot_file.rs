//! The snapshot of the metadata in one file, replaced atomically.
//!
//! ```text
//! metadata.snapshot:  "CBMS" │ version u32 │ CRC-32 of the rest u32
//!                     │ last index + 1 u64 │ term u64 │ leader u64
//!                     │ membership's index + 1 u64 │ term u64 │ leader u64 │ membership
//!                     │ the image as metadata::wire encodes it
//! ```

use std::io;
use std::path::Path;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use commit_log::Storage;

use super::quorum_entry::{QuorumMembership, get_membership, put_membership};
use super::quorum_file::{EntryPlace, QuorumFileError};

/// The snapshot's name in the quorum's directory.
pub const SNAPSHOT_FILE: &str = "metadata.snapshot";
const MAGIC: &[u8; 4] = b"CBMS";
const VERSION: u32 = 1;
/// The longest snapshot, in bytes (inclusive).
pub const SNAPSHOT_BYTES_MAX: u64 = 1 << 30;

/// An image, and the place in the log that it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataSnapshot {
    /// The last entry in it.
    pub last: Option<EntryPlace>,
    /// The entry that changed the voters last.
    pub membership_place: Option<EntryPlace>,
    /// The voters.
    pub membership: QuorumMembership,
    /// The image's bytes.
    pub image: Bytes,
}

fn put_place(place: Option<EntryPlace>, out: &mut BytesMut) {
    let fields = place.unwrap_or_default();
    out.put_u64(place.map_or(0, |place| place.index + 1));
    out.put_u64(fields.term);
    out.put_u64(fields.leader);
}

fn get_place(bytes: &mut Bytes) -> Option<Option<EntryPlace>> {
    let next = bytes.try_get_u64().ok()?;
    let (term, leader) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
    Some(next.checked_sub(1).map(|index| EntryPlace { index, term, leader }))
}

impl MetadataSnapshot {
    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut body = BytesMut::new();
        put_place(self.last, &mut body);
        put_place(self.membership_place, &mut body);
        put_membership(&self.membership, &mut body);
        body.put_slice(&self.image);
        let mut out = BytesMut::with_capacity(body.len() + 12);
        out.put_slice(MAGIC);
        out.put_u32(VERSION);
        out.put_u32(crc32fast::hash(&body));
        out.put_slice(&body);
        out.freeze()
    }

    /// Reads the file's bytes; `None` if they are damaged or of a newer version.
    #[must_use]
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        bytes.advance(MAGIC.len());
        if bytes.try_get_u32().ok()? != VERSION {
            return None;
        }
        if bytes.try_get_u32().ok()? != crc32fast::hash(&bytes) {
            return None;
        }
        let (last, membership_place) = (get_place(&mut bytes)?, get_place(&mut bytes)?);
        let membership = get_membership(&mut bytes)?;
        Some(Self { last, membership_place, membership, image: bytes })
    }

    /// Reads the snapshot in `directory`; `None` if there is none.
    ///
    /// # Errors
    /// The system's, or damage: a snapshot is never taken for "there is nothing".
    pub fn read(storage: &dyn Storage, directory: &Path) -> Result<Option<Self>, QuorumFileError> {
        let path = directory.join(SNAPSHOT_FILE);
        match storage.read(&path, SNAPSHOT_BYTES_MAX) {
            Ok(bytes) => match Self::decode(Bytes::from(bytes)) {
                Some(snapshot) => Ok(Some(snapshot)),
                None => Err(QuorumFileError::Head { path }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(QuorumFileError::Storage { operation: "reading", path, source }),
        }
    }

    /// Makes this the snapshot in `directory`.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, storage: &dyn Storage, directory: &Path) -> Result<(), QuorumFileError> {
        let path = directory.join(SNAPSHOT_FILE);
        let written = storage.replace(&path, &self.encode());
        written.map_err(|source| QuorumFileError::Storage { operation: "saving", path, source })
    }
}
