//! Reads record batches: a view of a checked batch, the batches of a fetched section, and the
//! records of a batch, decompressed under a cap.

use bytes::Bytes;

use super::{BatchError, BatchHeader, HEADER_BYTES};
use crate::compression::Compression;
use crate::record::{RawRecord, Record, RecordError, RecordHeader, read_record};

/// One whole batch: its header and exactly its bytes.
#[derive(Clone, Debug)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// The batch at the start of `bytes`, which may hold more. Format, length, offsets, codec and
    /// checksum are checked; counts are not, for compaction makes them differ
    /// ([`BatchHeader::check`] is for batches from a producer).
    ///
    /// # Errors
    /// The first thing found wrong; [`BatchError::Incomplete`] where more bytes are needed.
    pub fn parse(bytes: &Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        header.check_crc(bytes)?;
        if Compression::from_codec(header.codec()).is_none() {
            return Err(BatchError::Codec { codec: header.codec() });
        }
        let (base_offset, last_offset_delta) = (header.base_offset, header.last_offset_delta);
        let end = base_offset.value().checked_add(i64::from(last_offset_delta) + 1);
        if !base_offset.is_valid() || last_offset_delta < 0 || end.is_none() {
            return Err(BatchError::Offsets { base_offset, last_offset_delta });
        }
        Ok(Self { header, bytes: bytes.slice(..header.total_bytes()) })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch as it stands on wire and disk.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its records. Compressed ones are decompressed here, to at most `output_bytes_max` bytes.
    ///
    /// # Errors
    /// [`RecordError::Compression`], or [`RecordError::Batch`] for a negative record count.
    pub fn records(&self, output_bytes_max: usize) -> Result<RecordReader, RecordError> {
        let codec = self.header.codec();
        let compression = Compression::from_codec(codec).ok_or(BatchError::Codec { codec })?;
        let section = self.bytes.slice(HEADER_BYTES..);
        RecordReader::new(self.header, compression.decompress(&section, output_bytes_max)?)
    }

    /// Reads every record of a batch that a producer sent and checks that there are as many as
    /// the header counts, numbered without gaps from 0. Nothing of them is kept.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check_records(&self, output_bytes_max: usize) -> Result<(), RecordError> {
        let mut reader = self.records(output_bytes_max)?;
        let last = self.header.last_offset_delta;
        while let Some(record) = reader.next_raw() {
            let (index, delta) = (reader.index - 1, record?.offset_delta);
            if delta != index {
                return Err(RecordError::OffsetDelta { index, delta, previous: index - 1, last });
            }
        }
        Ok(())
    }
}

/// The batches of a fetched section, one after the other. A batch that is cut short at the end,
/// as a fetch response may end, ends the iteration without an error; anything else wrong is the
/// last item.
#[derive(Clone, Debug)]
pub struct RecordBatches {
    rest: Bytes,
}

impl RecordBatches {
    /// The batches in `section`.
    #[must_use]
    pub const fn new(section: Bytes) -> Self {
        Self { rest: section }
    }

    /// Bytes not yet given out; those of a batch cut short at the end.
    #[must_use]
    pub const fn rest(&self) -> &Bytes {
        &self.rest
    }
}

impl Iterator for RecordBatches {
    type Item = Result<RecordBatch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        match RecordBatch::parse(&self.rest) {
            Ok(batch) => {
                self.rest = self.rest.slice(batch.bytes.len()..);
                Some(Ok(batch))
            }
            Err(BatchError::Incomplete { .. }) => None,
            Err(error) => {
                self.rest = Bytes::new();
                Some(Err(error))
            }
        }
    }
}

/// The records of one decompressed batch, in order. The first error is the last item.
#[derive(Clone, Debug)]
pub struct RecordReader {
    header: BatchHeader,
    section: Bytes,
    position: usize,
    index: i32,
    previous_delta: i32,
    finished: bool,
}

impl RecordReader {
    /// Reads `section`, the decompressed bytes after the batch's header.
    ///
    /// # Errors
    /// [`BatchError::Count`] for a negative record count.
    pub fn new(header: BatchHeader, section: Bytes) -> Result<Self, RecordError> {
        if header.record_count < 0 {
            let (count, last_offset_delta) = (header.record_count, header.last_offset_delta);
            return Err(BatchError::Count { count, last_offset_delta }.into());
        }
        Ok(Self { header, section, position: 0, index: 0, previous_delta: -1, finished: false })
    }

    fn next_raw(&mut self) -> Option<Result<RawRecord, RecordError>> {
        if self.finished {
            return None;
        }
        if self.index == self.header.record_count {
            self.finished = true;
            let unread = self.section.len() - self.position;
            let count = self.header.record_count;
            return (unread > 0).then_some(Err(RecordError::AfterLast { count, unread }));
        }
        let record = self.read_next();
        self.finished = record.is_err();
        self.index += 1;
        Some(record)
    }

    fn read_next(&mut self) -> Result<RawRecord, RecordError> {
        let (index, previous) = (self.index, self.previous_delta);
        let record = read_record(&self.section, self.position, index)?;
        let (delta, last) = (record.offset_delta, self.header.last_offset_delta);
        if delta <= previous || delta > last {
            return Err(RecordError::OffsetDelta { index, delta, previous, last });
        }
        self.position = record.end;
        self.previous_delta = delta;
        Ok(record)
    }

    fn complete(&self, raw: &RawRecord) -> Result<Record, RecordError> {
        let (base, delta) = (self.header.base_timestamp, raw.timestamp_delta);
        let timestamp = if self.header.is_log_append_time() {
            self.header.max_timestamp
        } else {
            let index = self.index - 1;
            base.checked_add(delta).ok_or(RecordError::Timestamp { index, base, delta })?
        };
        let part = |place: &std::ops::Range<usize>| self.section.slice(place.clone());
        let headers = raw
            .headers
            .iter()
            .map(|(key, value)| RecordHeader { key: part(key), value: value.as_ref().map(part) });
        Ok(Record {
            offset: self.header.base_offset.plus(i64::from(raw.offset_delta)),
            timestamp,
            key: raw.key.as_ref().map(part),
            value: raw.value.as_ref().map(part),
            headers: headers.collect(),
        })
    }
}

impl Iterator for RecordReader {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let raw = self.next_raw()?;
        let record = raw.and_then(|raw| self.complete(&raw));
        self.finished |= record.is_err();
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // the count is the sender's claim: an upper bound, never a reservation
        let left = usize::try_from(self.header.record_count - self.index).unwrap_or(0);
        (0, Some(left.saturating_add(1)))
    }
}
