//! Kafka's small text files: a version, the number of entries, one entry a line.
//!
//! ```text
//! 0                          version
//! 2                          entries that follow
//! orders 0 4711              topic partition offset   (recovery-point-offset-checkpoint, …)
//! orders 1 12
//! ```
//!
//! Each is replaced atomically and flushed, so a damaged one is bit rot or somebody's editor.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use protocol::{Offset, PartitionIndex, TopicName, TopicPartition};
use thiserror::Error;

use crate::{LogError, Storage};

/// Where a log is scanned from after a crash.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// Where the logs that had records deleted begin.
pub const LOG_START_OFFSET_FILE: &str = "log-start-offset-checkpoint";

const VERSION: i64 = 0;
/// Far above what a million partitions need.
const BYTES_MAX: u64 = 512 << 20;

/// What is wrong with a small file of a log or its directory.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointDamage {
    /// Not the format.
    #[error("line {line} has not the expected form")]
    Malformed {
        /// The line, counted from 1.
        line: usize,
    },
    /// It is shorter or longer than it says.
    #[error("it holds {found} entries and promises {promised}")]
    Entries {
        /// Entries in it.
        found: usize,
        /// Entries that it says it has.
        promised: usize,
    },
    /// The checksum is wrong.
    #[error("its checksum is wrong")]
    Checksum,
    /// Written by a newer program.
    #[error("it has format {version}, this program knows up to {known}: use a newer one")]
    NewerVersion {
        /// The file's.
        version: i64,
        /// The latest we know.
        known: i64,
    },
}

/// The text of a checkpoint with these lines.
pub(crate) fn format_lines(lines: impl ExactSizeIterator<Item = impl std::fmt::Display>) -> String {
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        // writing to a string cannot fail
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The entry lines of a checkpoint, each with its number.
pub(crate) fn parse_lines(text: &[u8]) -> Result<Vec<(usize, &str)>, CheckpointDamage> {
    let text = std::str::from_utf8(text).map_err(|_| CheckpointDamage::Malformed { line: 1 })?;
    let mut lines = text.lines();
    let mut number = |line| -> Result<i64, CheckpointDamage> {
        let damage = CheckpointDamage::Malformed { line };
        lines.next().and_then(|text| text.trim().parse().ok()).ok_or(damage)
    };
    let version = number(1)?;
    if version != VERSION {
        return Err(CheckpointDamage::NewerVersion { version, known: VERSION });
    }
    let promised = usize::try_from(number(2)?);
    let promised = promised.map_err(|_| CheckpointDamage::Malformed { line: 2 })?;
    let entries: Vec<_> = lines.enumerate().map(|(place, line)| (place + 3, line)).collect();
    if entries.len() != promised {
        return Err(CheckpointDamage::Entries { found: entries.len(), promised });
    }
    Ok(entries)
}

/// Offsets by partition, as a log directory's checkpoint files hold them.
pub type OffsetCheckpoint = BTreeMap<TopicPartition, Offset>;

/// Writes a checkpoint file of offsets, atomically and durably.
///
/// # Errors
/// [`LogError::Storage`].
pub fn write_offsets(
    storage: &dyn Storage,
    path: &Path,
    offsets: &OffsetCheckpoint,
) -> Result<(), LogError> {
    let lines = offsets
        .iter()
        .map(|(partition, offset)| format!("{} {} {offset}", partition.topic, partition.partition));
    let text = format_lines(lines);
    storage
        .replace(path, text.as_bytes())
        .map_err(|source| LogError::storage("writing a checkpoint", path, source))
}

/// Reads a checkpoint file of offsets; without a file there are none.
///
/// # Errors
/// [`LogError::Storage`], [`LogError::Checkpoint`].
pub fn read_offsets(storage: &dyn Storage, path: &Path) -> Result<OffsetCheckpoint, LogError> {
    let contents = match storage.read(path, BYTES_MAX) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(LogError::storage("reading a checkpoint", path, error)),
    };
    parse_offsets(&contents).map_err(|reason| LogError::checkpoint(path, reason))
}

fn parse_offsets(text: &[u8]) -> Result<OffsetCheckpoint, CheckpointDamage> {
    parse_lines(text)?.into_iter().map(|(line, text)| parse_offset(line, text)).collect()
}

fn parse_offset(line: usize, text: &str) -> Result<(TopicPartition, Offset), CheckpointDamage> {
    let mut words = text.split_whitespace();
    let mut next = || words.next().ok_or(CheckpointDamage::Malformed { line });
    let (topic, partition, offset) = (next()?, next()?, next()?);
    let malformed = || CheckpointDamage::Malformed { line };
    let topic = TopicName::new(topic).map_err(|_| malformed())?;
    let partition = PartitionIndex(partition.parse().map_err(|_| malformed())?);
    let offset = Offset::new(offset.parse().map_err(|_| malformed())?);
    if !offset.is_valid() || words.next().is_some() {
        return Err(malformed());
    }
    Ok((TopicPartition::new(topic, partition), offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(topic: &str, index: i32) -> TopicPartition {
        TopicPartition::new(TopicName::new(topic).unwrap(), PartitionIndex(index))
    }

    #[test]
    fn offsets_come_back_as_written_and_in_kafkas_form() {
        let mut offsets = OffsetCheckpoint::new();
        offsets.insert(partition("orders", 1), Offset::new(12));
        offsets.insert(partition("orders", 0), Offset::new(4711));
        let text = "0\n2\norders 0 4711\norders 1 12\n";
        assert_eq!(parse_offsets(text.as_bytes()), Ok(offsets));
    }

    #[test]
    fn a_damaged_checkpoint_is_refused_by_line() {
        let cases: [(&str, CheckpointDamage); 6] = [
            ("", CheckpointDamage::Malformed { line: 1 }),
            ("0\n-1\n", CheckpointDamage::Malformed { line: 2 }),
            ("1\n0\n", CheckpointDamage::NewerVersion { version: 1, known: 0 }),
            ("0\n2\na 0 1\n", CheckpointDamage::Entries { found: 1, promised: 2 }),
            ("0\n1\na 0 x\n", CheckpointDamage::Malformed { line: 3 }),
            ("0\n1\n../a 0 1\n", CheckpointDamage::Malformed { line: 3 }),
        ];
        for (text, damage) in cases {
            assert_eq!(parse_offsets(text.as_bytes()), Err(damage), "{text:?}");
        }
    }
}
