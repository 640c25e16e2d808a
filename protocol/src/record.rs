//! One record: key, value, headers, timestamp, and its bytes inside a batch (source: the "Record"
//! section of Kafka's documentation, KIP-82 for headers).
//!
//! ```text
//! length varint │ attributes i8 │ timestamp delta varlong │ offset delta varint
//! │ key length varint │ key │ value length varint │ value
//! │ header count varint │ { key length varint │ key │ value length varint │ value }…
//! ```
//!
//! Varints are zigzag-encoded; the length −1 stands for null. Deltas count from the batch's base
//! offset and base timestamp.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;

use crate::Offset;
use crate::compression::CompressionError;
use crate::record_batch::{BatchError, varint};

/// A record as a consumer sees it. Key, value and headers share the memory of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in the partition.
    pub offset: Offset,
    /// Milliseconds since 1970, from the producer or from the broker (see
    /// [`crate::record_batch::BatchHeader::is_log_append_time`]); −1 where there is none.
    pub timestamp: i64,
    /// What the partition was chosen by, and what compaction keeps the last record of.
    pub key: Option<Bytes>,
    /// The content; null is a tombstone to compaction.
    pub value: Option<Bytes>,
    /// In the producer's order; a key may stand there more than once.
    pub headers: Vec<RecordHeader>,
}

/// One header of a record (KIP-82).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// UTF-8 by the protocol; kept as bytes, since brokers store what they are given.
    pub key: Bytes,
    /// Any bytes, or null.
    pub value: Option<Bytes>,
}

impl RecordHeader {
    /// A header with a value.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self { key: Bytes::from(key.into()), value: Some(value.into()) }
    }

    /// The key as text, with replacement characters where it is no UTF-8.
    #[must_use]
    pub fn key_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.key)
    }
}

/// A part of a record, named in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordField {
    /// The number of bytes that follow.
    Length,
    /// Flags, none of which is in use.
    Attributes,
    /// Milliseconds after the batch's base timestamp.
    TimestampDelta,
    /// Records after the batch's base offset.
    OffsetDelta,
    /// The record's key.
    Key,
    /// The record's value.
    Value,
    /// The number of headers.
    HeaderCount,
    /// The key of a header.
    HeaderKey,
    /// The value of a header.
    HeaderValue,
}

/// Why the records of a batch could not be read. A retry with the same bytes never helps.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The batch around them is wrong.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// They could not be decompressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// The bytes end inside a field, or a varint does not end or exceeds its type.
    #[error("record {index} has no readable {field:?}")]
    Field {
        /// The record's place in the batch, from 0.
        index: i32,
        /// The field.
        field: RecordField,
    },
    /// A length or count that is negative where it may not be, or more than the bytes at hand.
    #[error("record {index} claims {field:?} of {claimed} with {available} bytes left")]
    Length {
        /// The record's place in the batch, from 0.
        index: i32,
        /// The field.
        field: RecordField,
        /// The length or count that it claims.
        claimed: i32,
        /// Bytes that are left for it.
        available: usize,
    },
    /// The record's fields end before its length does.
    #[error("record {index} leaves {unread} of its own bytes unread")]
    Unread {
        /// The record's place in the batch, from 0.
        index: i32,
        /// Bytes between the end of its fields and its end.
        unread: usize,
    },
    /// The timestamp does not fit 64 bits.
    #[error("record {index} has timestamp delta {delta} on top of {base}")]
    Timestamp {
        /// The record's place in the batch, from 0.
        index: i32,
        /// The batch's base timestamp.
        base: i64,
        /// The record's delta.
        delta: i64,
    },
    /// Offsets that do not rise, or leave the range that the batch's header gives.
    #[error("record {index} has offset delta {delta} after {previous}, the batch's last is {last}")]
    OffsetDelta {
        /// The record's place in the batch, from 0.
        index: i32,
        /// Its delta.
        delta: i32,
        /// That of the record before; −1 for the first.
        previous: i32,
        /// The batch's last offset delta.
        last: i32,
    },
    /// Bytes are left when all records that the header counts have been read.
    #[error("{unread} bytes follow the {count} records of the batch")]
    AfterLast {
        /// Records, as the header says.
        count: i32,
        /// Bytes after them.
        unread: usize,
    },
}

/// A record whose parts are still places in the records section.
pub(crate) struct RawRecord {
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<Range<usize>>,
    pub value: Option<Range<usize>>,
    /// Key and value of each header.
    pub headers: Vec<(Range<usize>, Option<Range<usize>>)>,
    /// The position after the record.
    pub end: usize,
}

/// Reads fields from `bytes[position..end]`; positions are those of the whole section.
struct FieldReader<'a> {
    bytes: &'a [u8],
    position: usize,
    index: i32,
}

impl FieldReader<'_> {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn unreadable(&self, field: RecordField) -> RecordError {
        RecordError::Field { index: self.index, field }
    }

    fn number_32(&mut self, field: RecordField) -> Result<i32, RecordError> {
        let read = varint::read_32(self.rest());
        let (value, length) = read.ok_or_else(|| self.unreadable(field))?;
        self.position += length;
        Ok(value)
    }

    fn number_64(&mut self, field: RecordField) -> Result<i64, RecordError> {
        let read = varint::read_64(self.rest());
        let (value, length) = read.ok_or_else(|| self.unreadable(field))?;
        self.position += length;
        Ok(value)
    }

    /// A length or count, at most the bytes left.
    fn bounded(&mut self, field: RecordField) -> Result<Option<usize>, RecordError> {
        let claimed = self.number_32(field)?;
        let available = self.bytes.len() - self.position;
        match usize::try_from(claimed) {
            Ok(length) if length <= available => Ok(Some(length)),
            Err(_) if claimed == -1 => Ok(None),
            _ => Err(RecordError::Length { index: self.index, field, claimed, available }),
        }
    }

    fn nullable(&mut self, field: RecordField) -> Result<Option<Range<usize>>, RecordError> {
        let Some(length) = self.bounded(field)? else { return Ok(None) };
        let start = self.position;
        self.position += length;
        Ok(Some(start..self.position))
    }

    /// As [`Self::bounded`], but null is refused.
    fn required(&mut self, field: RecordField) -> Result<usize, RecordError> {
        let read = self.bounded(field)?;
        let available = self.bytes.len() - self.position;
        read.ok_or(RecordError::Length { index: self.index, field, claimed: -1, available })
    }
}

/// Reads the record at `position` of the decompressed records section. Nothing is allocated but
/// the headers' places, one by one as they are found.
pub(crate) fn read_record(
    section: &[u8],
    position: usize,
    index: i32,
) -> Result<RawRecord, RecordError> {
    let mut outer = FieldReader { bytes: section, position, index };
    let length = outer.required(RecordField::Length)?;
    let end = outer.position + length;
    let body = section.get(..end).unwrap_or(section);
    let mut reader = FieldReader { bytes: body, position: outer.position, index };
    if reader.rest().is_empty() {
        return Err(reader.unreadable(RecordField::Attributes));
    }
    reader.position += 1;
    let timestamp_delta = reader.number_64(RecordField::TimestampDelta)?;
    let offset_delta = reader.number_32(RecordField::OffsetDelta)?;
    let key = reader.nullable(RecordField::Key)?;
    let value = reader.nullable(RecordField::Value)?;
    let count = reader.required(RecordField::HeaderCount)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let length = reader.required(RecordField::HeaderKey)?;
        let start = reader.position;
        reader.position += length;
        headers.push((start..reader.position, reader.nullable(RecordField::HeaderValue)?));
    }
    if reader.position != end {
        return Err(RecordError::Unread { index, unread: end - reader.position });
    }
    Ok(RawRecord { timestamp_delta, offset_delta, key, value, headers, end })
}

fn nullable_bytes(part: Option<&[u8]>) -> usize {
    part.map_or(1, |bytes| varint::length(bytes.len() as i64) + bytes.len())
}

/// Bytes that [`write_record`] appends.
pub(crate) fn encoded_bytes(
    timestamp_delta: i64,
    offset_delta: i32,
    content: &RecordContent<'_>,
) -> usize {
    let body = body_bytes(timestamp_delta, offset_delta, content);
    varint::length(body as i64) + body
}

fn body_bytes(timestamp_delta: i64, offset_delta: i32, content: &RecordContent<'_>) -> usize {
    let headers: usize = content
        .headers
        .iter()
        .map(|header| nullable_bytes(Some(&header.key)) + nullable_bytes(header.value.as_deref()))
        .sum();
    1 + varint::length(timestamp_delta)
        + varint::length(i64::from(offset_delta))
        + nullable_bytes(content.key)
        + nullable_bytes(content.value)
        + varint::length(content.headers.len() as i64)
        + headers
}

/// What a producer gives for one record, borrowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordContent<'a> {
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value, or null.
    pub value: Option<&'a [u8]>,
    /// In this order, duplicates kept.
    pub headers: &'a [RecordHeader],
}

fn write_nullable(output: &mut Vec<u8>, part: Option<&[u8]>) {
    match part {
        None => varint::write(output, -1),
        Some(bytes) => {
            varint::write(output, bytes.len() as i64);
            output.extend_from_slice(bytes);
        }
    }
}

/// Appends a record to a records section.
pub(crate) fn write_record(
    output: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    content: &RecordContent<'_>,
) {
    varint::write(output, body_bytes(timestamp_delta, offset_delta, content) as i64);
    output.push(0);
    varint::write(output, timestamp_delta);
    varint::write(output, i64::from(offset_delta));
    write_nullable(output, content.key);
    write_nullable(output, content.value);
    varint::write(output, content.headers.len() as i64);
    for header in content.headers {
        write_nullable(output, Some(&header.key));
        write_nullable(output, header.value.as_deref());
    }
}
