//! Names of the files of a segment: its base offset in twenty digits, then what the file holds.

use std::path::{Path, PathBuf};

use protocol::Offset;

/// Digits of a base offset in a file name.
const DIGITS: usize = 20;
/// What a file to be removed ends with.
pub(crate) const DELETED_SUFFIX: &str = ".deleted";

/// What a file of a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    /// The record batches.
    Log,
    /// Offset → position.
    OffsetIndex,
    /// Timestamp → offset.
    TimeIndex,
    /// Aborted transactions: Kafka's, not written here.
    TransactionIndex,
    /// The producers' state just before the base offset.
    Snapshot,
}

impl FileKind {
    /// All of them, the log last: a segment without it is none.
    pub(crate) const ALL: [Self; 5] =
        [Self::OffsetIndex, Self::TimeIndex, Self::TransactionIndex, Self::Snapshot, Self::Log];

    const fn extension(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::OffsetIndex => "index",
            Self::TimeIndex => "timeindex",
            Self::TransactionIndex => "txnindex",
            Self::Snapshot => "snapshot",
        }
    }
}

/// The path of one file of a segment.
pub(crate) fn segment_path(directory: &Path, base_offset: Offset, kind: FileKind) -> PathBuf {
    directory.join(format!("{:0DIGITS$}.{}", base_offset.value(), kind.extension()))
}

/// The path that a file has while it waits to be removed.
pub(crate) fn deleted_path(path: &Path) -> PathBuf {
    with_suffix(path, DELETED_SUFFIX)
}

/// A path with something added to its file name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What a file name stands for, if it is one of a segment's.
pub(crate) fn parse_segment_file(name: &str) -> Option<(Offset, FileKind)> {
    let (digits, extension) = name.split_once('.')?;
    if digits.len() != DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let kind = FileKind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
    Some((Offset::new(digits.parse().ok()?), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_and_no_other_does() {
        for kind in FileKind::ALL {
            let path = segment_path(Path::new("/log"), Offset::new(4711), kind);
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(parse_segment_file(name), Some((Offset::new(4711), kind)));
        }
        let others = [
            "0.log",
            "00000000000000000000.log.deleted",
            "0000000000000000000a.log",
            "-0000000000000000001.log",
            "99999999999999999999.log",
            "leader-epoch-checkpoint",
        ];
        for name in others {
            assert_eq!(parse_segment_file(name), None, "{name}");
        }
    }
}
