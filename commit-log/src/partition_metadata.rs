//! `partition.metadata`: the topic id beside the log, in Kafka's form.
//!
//! ```text
//! version: 0
//! topic_id: Yq2Xb1JyQ7y1hFn7nT1b1w      (no line end after it)
//! ```

use std::io;
use std::path::Path;

use protocol::TopicId;
use uuid::Uuid;

use crate::{CheckpointDamage, LogError, Storage};

/// The file's name in a partition's directory.
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";

const VERSION: i64 = 0;

/// Writes the topic id of the partition in `directory`, durably.
///
/// # Errors
/// [`LogError::Storage`].
pub fn write_topic_id(
    storage: &dyn Storage,
    directory: &Path,
    topic_id: TopicId,
) -> Result<(), LogError> {
    let path = directory.join(PARTITION_METADATA_FILE);
    let text = format!("version: {VERSION}\ntopic_id: {topic_id}");
    storage
        .replace(&path, text.as_bytes())
        .map_err(|source| LogError::storage("writing the topic id", &path, source))
}

/// The topic id of the partition in `directory`, if it has one.
///
/// # Errors
/// [`LogError::Storage`], [`LogError::Checkpoint`].
pub fn read_topic_id(storage: &dyn Storage, directory: &Path) -> Result<Option<TopicId>, LogError> {
    let path = directory.join(PARTITION_METADATA_FILE);
    let text = match storage.read(&path, 4096) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LogError::storage("reading the topic id", &path, error)),
    };
    parse(&text).map(Some).map_err(|reason| LogError::checkpoint(&path, reason))
}

fn parse(text: &[u8]) -> Result<TopicId, CheckpointDamage> {
    let malformed = |line| CheckpointDamage::Malformed { line };
    let text = std::str::from_utf8(text).map_err(|_| malformed(1))?;
    let mut lines = text.lines();
    let mut value = |line, key| {
        let text: Option<&str> = lines.next().and_then(|text| text.strip_prefix(key));
        text.map(str::trim).ok_or(malformed(line))
    };
    let version = value(1, "version:")?.parse().map_err(|_| malformed(1))?;
    if version != VERSION {
        return Err(CheckpointDamage::NewerVersion { version, known: VERSION });
    }
    topic_id_from_base64(value(2, "topic_id:")?).ok_or(malformed(2))
}

/// Reads the 22 characters that [`TopicId::to_base64`] writes.
fn topic_id_from_base64(text: &str) -> Option<TopicId> {
    let digits = text.as_bytes();
    if digits.len() != 22 {
        return None;
    }
    let (last, first) = digits.split_last()?;
    let mut bits = 0u128;
    for digit in first {
        bits = bits << 6 | u128::from(base64_digit(*digit)?);
    }
    // two bits are left for the last character, the low four of its six are padding
    let last = base64_digit(*last)?;
    (last & 0b1111 == 0).then(|| TopicId(Uuid::from_u128(bits << 2 | u128::from(last >> 4))))
}

fn base64_digit(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_id_comes_back_from_its_text() {
        for bits in [0, 1, 2, 3, u128::MAX, 0x0123_4567_89ab_cdef_0fed_cba9_8765_4321] {
            let topic_id = TopicId(Uuid::from_u128(bits));
            assert_eq!(topic_id_from_base64(&topic_id.to_base64()), Some(topic_id));
        }
    }

    #[test]
    fn a_damaged_file_is_refused() {
        assert_eq!(parse(b"version: 0"), Err(CheckpointDamage::Malformed { line: 2 }));
        let newer = CheckpointDamage::NewerVersion { version: 1, known: 0 };
        assert_eq!(parse(b"version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"), Err(newer));
        let short = b"version: 0\ntopic_id: AAAA";
        assert_eq!(parse(short), Err(CheckpointDamage::Malformed { line: 2 }));
    }
}
