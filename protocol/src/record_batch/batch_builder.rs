//! Writes record batches as a producer does: base offset 0, offsets dense, one checksum.

use thiserror::Error;

use super::{CONTROL, CRC_START, HEADER_BYTES, LENGTH_PREFIX_BYTES, MAGIC, TRANSACTIONAL, crc32c};
use crate::compression::{Compression, CompressionError};
use crate::record::{RecordContent, encoded_bytes, write_record};
use crate::{ProducerEpoch, ProducerId};

/// What an idempotent producer stamps on a batch (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStamp {
    /// Its identity.
    pub id: ProducerId,
    /// Its fencing number.
    pub epoch: ProducerEpoch,
    /// The sequence of the batch's first record in its partition.
    pub base_sequence: i32,
}

impl ProducerStamp {
    /// What a producer without idempotence writes.
    pub const NONE: Self = Self { id: ProducerId(-1), epoch: ProducerEpoch(-1), base_sequence: -1 };
}

/// Why a batch could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The records would pass the 2³¹ bytes or 2³¹ records that the header can say.
    #[error("the batch would hold {bytes} bytes of records, more than the format can say")]
    TooLarge {
        /// Bytes of all records, uncompressed.
        bytes: usize,
    },
    /// The distance to the first record's timestamp does not fit 64 bits.
    #[error("timestamp {timestamp} is too far from the batch's first, {base}")]
    Timestamp {
        /// The record's.
        timestamp: i64,
        /// The first record's.
        base: i64,
    },
    /// A batch has at least one record.
    #[error("the batch has no records")]
    Empty,
    /// The encoder failed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// A batch in the making. Records are encoded as they come and compressed at the end.
#[derive(Clone, Debug)]
pub struct RecordBatchBuilder {
    compression: Compression,
    flags: i16,
    records: Vec<u8>,
    record_count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl RecordBatchBuilder {
    /// An empty batch whose records will be compressed by `compression`.
    #[must_use]
    pub const fn new(compression: Compression) -> Self {
        Self {
            compression,
            flags: 0,
            records: Vec::new(),
            record_count: 0,
            base_timestamp: -1,
            max_timestamp: -1,
        }
    }

    /// Marks the batch as part of a transaction.
    #[must_use]
    pub const fn transactional(mut self) -> Self {
        self.flags |= TRANSACTIONAL;
        self
    }

    /// Marks the batch as a control batch: a transaction's end marker, not data.
    #[must_use]
    pub const fn control(mut self) -> Self {
        self.flags |= CONTROL;
        self
    }

    /// Bytes of a whole batch of this one record, uncompressed: the least that it takes.
    #[must_use]
    pub fn single_record_bytes(content: &RecordContent<'_>) -> usize {
        HEADER_BYTES + encoded_bytes(0, 0, content)
    }

    /// Records appended so far.
    #[must_use]
    pub const fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Bytes of the whole batch so far, header included, before compression.
    #[must_use]
    pub const fn uncompressed_bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// Bytes of the whole batch if this record were appended, before compression.
    #[must_use]
    pub fn uncompressed_bytes_with(&self, timestamp: i64, content: &RecordContent<'_>) -> usize {
        let delta = timestamp.saturating_sub(self.first_timestamp(timestamp));
        self.uncompressed_bytes() + encoded_bytes(delta, self.record_count, content)
    }

    const fn first_timestamp(&self, timestamp: i64) -> i64 {
        if self.record_count == 0 { timestamp } else { self.base_timestamp }
    }

    /// Appends a record with a timestamp in milliseconds since 1970, and gives its offset delta:
    /// its number in the batch, from 0.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`] or [`BuildError::Timestamp`]; the batch is then as before.
    pub fn append(
        &mut self,
        timestamp: i64,
        content: &RecordContent<'_>,
    ) -> Result<i32, BuildError> {
        let base = self.first_timestamp(timestamp);
        let delta = timestamp.checked_sub(base).ok_or(BuildError::Timestamp { timestamp, base })?;
        let offset_delta = self.record_count;
        let bytes = self.records.len() + encoded_bytes(delta, offset_delta, content);
        let fits = i32::try_from(bytes + HEADER_BYTES).is_ok() && offset_delta < i32::MAX;
        if !fits {
            return Err(BuildError::TooLarge { bytes });
        }
        write_record(&mut self.records, delta, offset_delta, content);
        self.base_timestamp = base;
        self.max_timestamp =
            if offset_delta == 0 { timestamp } else { self.max_timestamp.max(timestamp) };
        self.record_count += 1;
        Ok(offset_delta)
    }

    /// The batch's bytes: base offset 0, leader epoch −1, with checksum.
    ///
    /// # Errors
    /// [`BuildError::Empty`] without records; [`BuildError::TooLarge`] if compression made the
    /// records larger than the format can say.
    pub fn build(&self, producer: ProducerStamp) -> Result<Vec<u8>, BuildError> {
        if self.record_count == 0 {
            return Err(BuildError::Empty);
        }
        let compressed = match self.compression {
            Compression::None => None,
            codec => Some(codec.compress(&self.records)?),
        };
        let records = compressed.as_deref().unwrap_or(&self.records);
        let length = HEADER_BYTES - LENGTH_PREFIX_BYTES + records.len();
        let length =
            i32::try_from(length).map_err(|_| BuildError::TooLarge { bytes: records.len() })?;
        let mut batch = Vec::with_capacity(HEADER_BYTES + records.len());
        batch.extend_from_slice(&0_i64.to_be_bytes());
        batch.extend_from_slice(&length.to_be_bytes());
        batch.extend_from_slice(&(-1_i32).to_be_bytes());
        batch.extend_from_slice(&MAGIC.to_be_bytes());
        batch.extend_from_slice(&0_u32.to_be_bytes());
        batch.extend_from_slice(&(self.compression.codec() | self.flags).to_be_bytes());
        batch.extend_from_slice(&(self.record_count - 1).to_be_bytes());
        batch.extend_from_slice(&self.base_timestamp.to_be_bytes());
        batch.extend_from_slice(&self.max_timestamp.to_be_bytes());
        batch.extend_from_slice(&producer.id.0.to_be_bytes());
        batch.extend_from_slice(&producer.epoch.0.to_be_bytes());
        batch.extend_from_slice(&producer.base_sequence.to_be_bytes());
        batch.extend_from_slice(&self.record_count.to_be_bytes());
        batch.extend_from_slice(records);
        let crc = crc32c(&batch[CRC_START..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        Ok(batch)
    }
}
