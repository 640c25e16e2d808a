//! Looking at a segment file as it is, damaged or not: what `callboard log dump` prints.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protocol::Offset;
use protocol::record_batch::BatchHeader;

use crate::batch_walk::{BatchWalk, Check, Step, WalkRange};
use crate::segment_files::{FileKind, parse_segment_file};
use crate::storage::{OpenMode, Storage, StorageFile};
use crate::{Damage, LogError};

/// One batch of a segment file, or the bytes where one is due.
#[derive(Clone, Debug)]
pub struct DumpedBatch {
    /// Where it begins, in bytes.
    pub position: u64,
    /// Its header, as far as there is one.
    pub header: Option<BatchHeader>,
    /// Its bytes, for `protocol::record_batch::RecordBatch`, which reads the records; empty if it
    /// does not end within the file.
    pub bytes: Bytes,
    /// What is wrong with it.
    pub damage: Option<Damage>,
}

/// Goes through a segment's log file. A batch with a wrong checksum is told and passed over; where
/// no next batch can be found, the rest of the file is the last item.
#[derive(Debug)]
pub struct SegmentDump {
    file: Arc<dyn StorageFile>,
    path: PathBuf,
    base_offset: Offset,
    position: u64,
    end: u64,
    expected: Offset,
}

impl SegmentDump {
    /// Opens a segment's log file for looking at; nothing is changed.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn open(storage: &dyn Storage, path: &Path) -> Result<Self, LogError> {
        let failed = |source| LogError::storage("opening the segment", path, source);
        let file = storage.open(path, OpenMode::Read).map_err(failed)?;
        let end = file.bytes().map_err(failed)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let base_offset = match parse_segment_file(name) {
            Some((base_offset, FileKind::Log)) => base_offset,
            // a copy under another name: its first batch says where it begins
            _ => first_offset(&*file).map_err(failed)?,
        };
        let path = path.to_owned();
        Ok(Self { file, path, base_offset, position: 0, end, expected: base_offset })
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end
    }

    fn step(&mut self) -> io::Result<Option<DumpedBatch>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let read_at = |buffer: &mut [u8], position| self.file.read_at(buffer, position);
        let range = WalkRange { base_offset: self.base_offset, position, end: self.end };
        let mut walk = BatchWalk::new(&read_at, range, 0);
        walk.back_to(position, self.expected);
        match walk.step(Check::Header)? {
            Step::Batch(batch) => {
                let bytes = Bytes::copy_from_slice(walk.batch_bytes(&batch)?);
                self.position = position + batch.header.total_bytes() as u64;
                self.expected = batch.header.next_offset();
                let damage = batch.header.check_crc(&bytes).err().map(Damage::from);
                Ok(Some(DumpedBatch { position, header: Some(batch.header), bytes, damage }))
            }
            Step::Damaged { damage, .. } => {
                self.position = self.end;
                let mut head = [0; protocol::record_batch::HEADER_BYTES];
                let read = self.file.read_at(&mut head, position)?;
                let header = head.get(..read).and_then(|head| BatchHeader::parse(head).ok());
                let bytes = Bytes::new();
                Ok(Some(DumpedBatch { position, header, bytes, damage: Some(damage) }))
            }
            Step::End => Ok(None),
        }
    }
}

fn first_offset(file: &dyn StorageFile) -> io::Result<Offset> {
    let mut head = [0; 8];
    file.read_at(&mut head, 0)?;
    let offset = Offset::new(i64::from_be_bytes(head));
    Ok(if offset.is_valid() { offset } else { Offset::ZERO })
}

impl Iterator for SegmentDump {
    type Item = Result<DumpedBatch, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(batch) => batch.map(Ok),
            Err(source) => {
                self.position = self.end;
                Some(Err(LogError::storage("reading the segment", &self.path, source)))
            }
        }
    }
}
