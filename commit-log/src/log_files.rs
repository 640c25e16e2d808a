//! What lies in a partition's directory, tidied up.

use std::collections::BTreeSet;
use std::path::Path;

use protocol::Offset;

use crate::segment::SegmentPlace;
use crate::segment_files::{DELETED_SUFFIX, FileKind, parse_segment_file, segment_path};
use crate::{EntryKind, LogError, Storage};

/// Between the log file's name and the position that the bytes were cut off at.
pub(crate) const TORN_INFIX: &str = ".torn-";
/// Files of cut bytes kept; older ones go.
const TORN_FILES_MAX: usize = 8;

/// The files of a log.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    /// Its segments' log files by base offset.
    pub(crate) segments: Vec<SegmentPlace>,
    /// The offsets that there are producer snapshots of.
    pub(crate) snapshots: BTreeSet<Offset>,
}

/// Lists a log's files and removes what earlier processes left: files to be deleted, half-written
/// ones, indexes without a log, all but the latest files of cut bytes.
pub(crate) fn survey(storage: &dyn Storage, directory: &Path) -> Result<LogFiles, LogError> {
    let entries = storage
        .list(directory)
        .map_err(|source| LogError::storage("listing the log's files", directory, source))?;
    let mut files = LogFiles::default();
    let mut others = Vec::new();
    let mut torn = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
        let path = directory.join(&entry.name);
        if entry.name.ends_with(".swap") {
            return Err(LogError::InterruptedSwap { path });
        }
        let leftover = [DELETED_SUFFIX, ".tmp", ".cleaned"];
        if leftover.iter().any(|suffix| entry.name.ends_with(suffix)) {
            remove(storage, &path)?;
        } else if entry.name.contains(TORN_INFIX) {
            torn.push((entry.modified_ms, path));
        }
        match parse_segment_file(&entry.name) {
            Some((base_offset, FileKind::Log)) => {
                let (bytes, modified_ms) = (entry.bytes, entry.modified_ms);
                files.segments.push(SegmentPlace { base_offset, bytes, modified_ms });
            }
            Some((offset, FileKind::Snapshot)) => _ = files.snapshots.insert(offset),
            Some((base_offset, kind)) => others.push((base_offset, kind)),
            None => {}
        }
    }
    for (base_offset, kind) in others {
        let place = files.segments.binary_search_by_key(&base_offset, |place| place.base_offset);
        if place.is_err() {
            remove(storage, &segment_path(directory, base_offset, kind))?;
        }
    }
    torn.sort();
    for (_, path) in torn.iter().rev().skip(TORN_FILES_MAX) {
        remove(storage, path)?;
    }
    Ok(files)
}

/// Removes a file, whether or not it is there.
pub(crate) fn remove(storage: &dyn Storage, path: &Path) -> Result<(), LogError> {
    match storage.remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LogError::storage("removing a file", path, error))
        }
        _ => Ok(()),
    }
}
