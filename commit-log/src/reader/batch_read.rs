//! Reading batches: one read of the file in the common case.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use protocol::Offset;
use protocol::record_batch::{BatchHeader, HEADER_BYTES};

use crate::batch_walk::BATCH_BYTES_MAX;
use crate::read_buffers::ReadBuffer;
use crate::reader::locate::{read_at, read_error, segment_of};
use crate::reader::{LogReader, ReadMode, ReadOutcome, ReadRequest};
use crate::segment::Segment;
use crate::segment_files::FileKind;
use crate::shared_log::Place;
use crate::{Damage, ReadError};

/// The whole batches at the start of some bytes.
struct WholeBatches {
    bytes: usize,
    next_offset: Offset,
    /// What ended them, if it was neither the end of the bytes nor the limit.
    damage: Option<Damage>,
    /// Bytes of the first batch, if it did not fit.
    first_batch_bytes: Option<usize>,
}

impl LogReader {
    /// Reads in a generation; the caller checks that it has not ended.
    pub(super) fn read_in(
        &self,
        request: ReadRequest,
        generation: u64,
    ) -> Result<ReadOutcome, ReadError> {
        let offset = request.from;
        let log_end_offset = self.shared.log_end_offset();
        let log_start_offset = self.shared.log_start_offset();
        if offset < log_start_offset || offset > log_end_offset {
            return Err(ReadError::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        let nothing = ReadOutcome { batches: Bytes::new(), next_offset: offset, generation };
        if offset >= request.up_to.min(log_end_offset) {
            return Ok(nothing);
        }
        let segments = self.shared.segments();
        for segment in segments.iter().skip(segment_of(&segments, offset)) {
            match self.locate(segment, offset, request.mode, generation) {
                Ok(Some(position)) => {
                    return self.read_segment(segment, position, request, generation);
                }
                // the rest of the segment was compacted away
                Ok(None) => {}
                Err(error) => return Err(self.deleted_or(error, offset)),
            }
        }
        Ok(nothing)
    }

    /// A file that is not there was deleted by retention, if the log begins later by now.
    fn deleted_or(&self, error: ReadError, offset: Offset) -> ReadError {
        let log_start_offset = self.shared.log_start_offset();
        match &error {
            ReadError::Storage { source, .. }
                if source.kind() == io::ErrorKind::NotFound && offset < log_start_offset =>
            {
                let log_end_offset = self.shared.log_end_offset();
                ReadError::OffsetOutOfRange { offset, log_start_offset, log_end_offset }
            }
            _ => error,
        }
    }

    fn read_segment(
        &self,
        segment: &Arc<Segment>,
        position: u64,
        request: ReadRequest,
        generation: u64,
    ) -> Result<ReadOutcome, ReadError> {
        let bytes_max = request.bytes_max;
        let left = segment.end().saturating_sub(position);
        let mut buffer = self.read_bytes(segment, position, bytes_max, request.mode)?;
        let mut whole = whole_batches(buffer.as_ref(), request);
        let is_wanted = |bytes: usize| request.at_least_one_batch || bytes <= bytes_max;
        if let Some(bytes) = whole.first_batch_bytes.filter(|bytes| is_wanted(*bytes)) {
            if bytes as u64 > left.min(BATCH_BYTES_MAX) {
                return Err(incomplete(segment, position, bytes));
            }
            buffer = self.read_bytes(segment, position, bytes, request.mode)?;
            whole = whole_batches(buffer.as_ref(), request);
        }
        if let Some(damage) = whole.damage.filter(|_| whole.bytes == 0) {
            return Err(corrupt(segment, position, damage));
        }
        let read = buffer.as_ref().len();
        if read < HEADER_BYTES || whole.first_batch_bytes.is_some_and(is_wanted) {
            return Err(match request.mode {
                ReadMode::NoWait => ReadError::WouldBlock,
                ReadMode::MayBlock => incomplete(segment, position, HEADER_BYTES),
            });
        }
        if whole.bytes > 0 {
            let (segment, position) = (segment.base_offset(), position + whole.bytes as u64);
            let place = Place { offset: whole.next_offset, segment, position };
            self.shared.remember_place(place, generation);
        }
        let next_offset = whole.next_offset;
        Ok(ReadOutcome { batches: buffer.into_bytes(0..whole.bytes), next_offset, generation })
    }

    /// At most `bytes_max` bytes from `position` on, or enough to see how large a batch is.
    fn read_bytes(
        &self,
        segment: &Arc<Segment>,
        position: u64,
        bytes_max: usize,
        mode: ReadMode,
    ) -> Result<ReadBuffer, ReadError> {
        let file = self.file_of(segment, mode)?;
        let left = segment.end().saturating_sub(position);
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(bytes_max.max(HEADER_BYTES));
        let mut buffer = self.shared.resources.read_buffers.lend(bytes);
        let read = read_at(&*file, mode, buffer.as_mut(), position)
            .map_err(|source| read_error(segment, source))?;
        buffer.shorten(read);
        Ok(buffer)
    }
}

fn corrupt(segment: &Segment, position: u64, damage: Damage) -> ReadError {
    ReadError::Corrupt { path: segment.path(FileKind::Log), position, damage }
}

fn incomplete(segment: &Segment, position: u64, bytes: usize) -> ReadError {
    let available = segment.end().saturating_sub(position);
    corrupt(segment, position, Damage::Incomplete { bytes: bytes as u64, available })
}

/// Goes from batch to batch and checks each; batches that reach `up_to` are not for the reader.
fn whole_batches(bytes: &[u8], request: ReadRequest) -> WholeBatches {
    let mut whole =
        WholeBatches { bytes: 0, next_offset: request.from, damage: None, first_batch_bytes: None };
    while let Some(rest) = bytes.get(whole.bytes..).filter(|rest| rest.len() >= HEADER_BYTES) {
        let header = match BatchHeader::parse(rest) {
            Ok(header) => header,
            Err(error) => {
                whole.damage = Some(error.into());
                break;
            }
        };
        if header.total_bytes() > rest.len() {
            if whole.bytes == 0 {
                whole.first_batch_bytes = Some(header.total_bytes());
            }
            break;
        }
        if let Err(error) = header.check_crc(rest) {
            whole.damage = Some(error.into());
            break;
        }
        if !is_between(&header, whole.next_offset, request.up_to) {
            break;
        }
        whole.bytes += header.total_bytes();
        whole.next_offset = header.next_offset();
    }
    // what was allowed as one too large a batch is not padded with others
    if whole.bytes > request.bytes_max && !request.at_least_one_batch {
        whole.bytes = 0;
        whole.next_offset = request.from;
    }
    whole
}

/// Whether a batch ends at or after `from` and before `up_to`; both are far from overflowing, so a
/// batch that is, is none of the log's.
fn is_between(header: &BatchHeader, from: Offset, up_to: Offset) -> bool {
    let last = header.base_offset.value().checked_add(i64::from(header.last_offset_delta));
    last.is_some_and(|last| last >= from.value() && last < up_to.value())
}
