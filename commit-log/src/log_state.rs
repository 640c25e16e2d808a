//! What a log must remember across a crash beyond Kafka's files: where it begins, and that it ends
//! earlier than its recovery point or its bytes say. Our own file, `callboard-log-state`; without
//! it there is nothing to remember.
//!
//! ```text
//! 0 "CBLS" │ 4 version u16 │ 6 log start offset i64 │ 14 bound kind u8 │ 15 bound i64 │ 23 CRC-32 u32
//! ```
//!
//! All numbers are big-endian; the CRC-32 (IEEE) covers bytes 0 to 22.

use std::io;
use std::path::{Path, PathBuf};

use protocol::Offset;

use crate::checkpoint::CheckpointDamage;
use crate::{LogError, Storage};

const FILE: &str = "callboard-log-state";
const MAGIC: &[u8; 4] = b"CBLS";
const VERSION: u16 = 1;
const BYTES: usize = 27;
const CRC_START: usize = 23;

/// Why the end that the log's files suggest is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndBound {
    /// A flush failed: below this everything is flushed; what lies above is not on disk, even if
    /// it can be read.
    FlushFailed(Offset),
    /// A write failed and could not be undone: what lies above is not part of the log.
    WriteFailed(Offset),
    /// The log was cut here, perhaps below the recovery point and the log start offset that the
    /// directory's checkpoints hold.
    Truncated(Offset),
}

/// The contents of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogState {
    /// The log start offset; there may be a higher one in the directory's checkpoint.
    pub(crate) log_start_offset: Offset,
    /// What is known about the end.
    pub(crate) end_bound: Option<EndBound>,
}

impl LogState {
    /// What there is to remember of a new log.
    pub(crate) const NONE: Self = Self { log_start_offset: Offset::ZERO, end_bound: None };

    fn path(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Reads the file, if there is one.
    pub(crate) fn read(storage: &dyn Storage, directory: &Path) -> Result<Option<Self>, LogError> {
        let path = Self::path(directory);
        match storage.read(&path, 4096) {
            Ok(contents) => {
                let state = Self::parse(&contents);
                state.map(Some).map_err(|reason| LogError::checkpoint(&path, reason))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LogError::storage("reading the log's state", &path, error)),
        }
    }

    /// Writes the file, atomically and durably.
    pub(crate) fn write(&self, storage: &dyn Storage, directory: &Path) -> Result<(), LogError> {
        let path = Self::path(directory);
        storage
            .replace(&path, &self.to_bytes())
            .map_err(|source| LogError::storage("writing the log's state", &path, source))
    }

    fn to_bytes(self) -> [u8; BYTES] {
        let (kind, bound) = match self.end_bound {
            None => (0, Offset::ZERO),
            Some(EndBound::FlushFailed(offset)) => (1, offset),
            Some(EndBound::Truncated(offset)) => (2, offset),
            Some(EndBound::WriteFailed(offset)) => (3, offset),
        };
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_be_bytes());
        bytes[6..14].copy_from_slice(&self.log_start_offset.value().to_be_bytes());
        bytes[14] = kind;
        bytes[15..CRC_START].copy_from_slice(&bound.value().to_be_bytes());
        let crc = crc32fast::hash(&bytes[..CRC_START]);
        bytes[CRC_START..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn parse(contents: &[u8]) -> Result<Self, CheckpointDamage> {
        let malformed = CheckpointDamage::Malformed { line: 1 };
        let version = contents.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk());
        let version = u16::from_be_bytes(*version.ok_or(malformed.clone())?);
        if version > VERSION {
            let (version, known) = (i64::from(version), i64::from(VERSION));
            return Err(CheckpointDamage::NewerVersion { version, known });
        }
        let bytes: &[u8; BYTES] = contents.try_into().map_err(|_| malformed.clone())?;
        let (content, crc) = bytes.split_at(CRC_START);
        if crc32fast::hash(content).to_be_bytes() != crc {
            return Err(CheckpointDamage::Checksum);
        }
        let offset = |at: usize| {
            let bytes = content.get(at..).and_then(|rest| rest.first_chunk());
            bytes.map(|bytes| Offset::new(i64::from_be_bytes(*bytes))).ok_or(malformed.clone())
        };
        let bound = offset(15)?;
        let end_bound = match content.get(14) {
            Some(0) => None,
            Some(1) => Some(EndBound::FlushFailed(bound)),
            Some(2) => Some(EndBound::Truncated(bound)),
            Some(3) => Some(EndBound::WriteFailed(bound)),
            _ => return Err(malformed),
        };
        Ok(Self { log_start_offset: offset(6)?, end_bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_comes_back_and_no_damaged_byte_goes_unnoticed() {
        let bound = Offset::new(0x0123_4567_89ab_cdef);
        let kinds = [EndBound::FlushFailed, EndBound::WriteFailed, EndBound::Truncated];
        let bounds = kinds.map(|kind| Some(kind(bound)));
        for end_bound in bounds.into_iter().chain([None]) {
            let state = LogState { log_start_offset: Offset::new(7), end_bound };
            let bytes = state.to_bytes();
            assert_eq!(LogState::parse(&bytes), Ok(state));
            for place in 0..bytes.len() {
                let mut damaged = bytes;
                damaged[place] ^= 0x10;
                assert!(LogState::parse(&damaged).is_err(), "byte {place}");
            }
        }
        assert!(LogState::parse(&[]).is_err());
    }

    #[test]
    fn a_newer_version_is_named_as_such() {
        let mut bytes = LogState::NONE.to_bytes();
        bytes[5] = 2;
        let newer = CheckpointDamage::NewerVersion { version: 2, known: 1 };
        assert_eq!(LogState::parse(&bytes), Err(newer));
    }
}
