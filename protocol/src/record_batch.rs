//! The record batch, format v2: the unit of produce, replication, storage and checksum. Wire and
//! disk hold the same bytes (source: the "Record Batch" section of Kafka's documentation, KIP-98).
//!
//! ```text
//!  0 base offset i64 │ 8 length i32 │ 12 leader epoch i32 │ 16 magic i8 │ 17 CRC-32C u32
//! 21 attributes i16 │ 23 last offset delta i32 │ 27 base timestamp i64 │ 35 max timestamp i64
//! 43 producer id i64 │ 51 producer epoch i16 │ 53 base sequence i32 │ 57 record count i32 │ 61 records
//! ```
//!
//! All numbers are big-endian. `length` counts the bytes after itself. The checksum covers
//! everything from byte 21 on, so base offset and leader epoch are patched in place without a new
//! one.

mod batch_builder;
mod batch_reader;
mod produced_records;
pub(crate) mod varint;

use thiserror::Error;

pub use batch_builder::{BuildError, ProducerStamp, RecordBatchBuilder};
pub use batch_reader::{RecordBatch, RecordBatches, RecordReader};
pub use produced_records::{ProducedRecordsError, check_produced_records};

use crate::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// Bytes before the records.
pub const HEADER_BYTES: usize = 61;
/// Bytes before those that `length` counts.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// The only format written since Kafka 0.11.
pub const MAGIC: i8 = 2;

const CRC_START: usize = 21;
const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// Why bytes are no record batch. A retry with the same bytes never helps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Fewer bytes than a header, or than the header's length says.
    #[error("the batch is cut short: {available} bytes are there, {needed} are needed")]
    Incomplete {
        /// Bytes needed, as far as known.
        needed: usize,
        /// Bytes at hand.
        available: usize,
    },
    /// The length field is smaller than the header it must cover.
    #[error("the batch claims a length of {length}, which its own header does not fit in")]
    Length {
        /// The field's value.
        length: i32,
    },
    /// A format other than v2.
    #[error("the batch has magic {magic}, only {MAGIC} is accepted")]
    Magic {
        /// The field's value.
        magic: i8,
    },
    /// The bytes are not those that the producer checksummed.
    #[error("the batch's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum {
        /// The field's value.
        stored: u32,
        /// CRC-32C of the bytes from 21 on.
        computed: u32,
    },
    /// The record count and the last offset delta contradict each other, or the count is not
    /// positive.
    #[error("the batch counts {count} records but its last offset delta is {last_offset_delta}")]
    Count {
        /// Records, as the header says.
        count: i32,
        /// Offset of the last record minus that of the first, as the header says.
        last_offset_delta: i32,
    },
    /// Offsets that no partition has: negative, or beyond 63 bits.
    #[error("the batch has base offset {base_offset} and last offset delta {last_offset_delta}")]
    Offsets {
        /// The first field.
        base_offset: Offset,
        /// The second field.
        last_offset_delta: i32,
    },
    /// A codec that no client knows.
    #[error("the batch names compression codec {codec}, known are 0 to 4")]
    Codec {
        /// The low three bits of the attributes.
        codec: i16,
    },
}

/// CRC-32C, the checksum of record batches.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The 61 bytes before the records, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Bytes after the length field.
    pub length: i32,
    /// Epoch of the leader that appended the batch.
    pub leader_epoch: LeaderEpoch,
    /// Format version.
    pub magic: i8,
    /// Stored CRC-32C.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: i16,
    /// Offset of the last record minus the base offset.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, in milliseconds since 1970.
    pub base_timestamp: i64,
    /// The largest timestamp, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// Idempotent producer, or −1.
    pub producer_id: ProducerId,
    /// Its epoch, or −1.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the first record, or −1.
    pub base_sequence: i32,
    /// Records in the batch.
    pub record_count: i32,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

impl BatchHeader {
    /// Reads a header. Nothing in it is trusted yet: see [`BatchHeader::check`].
    ///
    /// # Errors
    /// [`BatchError::Incomplete`] below 61 bytes, [`BatchError::Magic`] for another format,
    /// [`BatchError::Length`] where the length does not even cover the header.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() < HEADER_BYTES {
            return Err(BatchError::Incomplete { needed: HEADER_BYTES, available: bytes.len() });
        }
        let header = Self {
            base_offset: Offset::new(i64::from_be_bytes(array(bytes, 0))),
            length: i32::from_be_bytes(array(bytes, 8)),
            leader_epoch: LeaderEpoch::new(i32::from_be_bytes(array(bytes, 12))),
            magic: i8::from_be_bytes(array(bytes, 16)),
            crc: u32::from_be_bytes(array(bytes, 17)),
            attributes: i16::from_be_bytes(array(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)),
            base_timestamp: i64::from_be_bytes(array(bytes, 27)),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)),
            producer_id: ProducerId(i64::from_be_bytes(array(bytes, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(array(bytes, 51))),
            base_sequence: i32::from_be_bytes(array(bytes, 53)),
            record_count: i32::from_be_bytes(array(bytes, 57)),
        };
        if header.magic != MAGIC {
            return Err(BatchError::Magic { magic: header.magic });
        }
        if header.length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 {
            return Err(BatchError::Length { length: header.length });
        }
        Ok(header)
    }

    /// Bytes of the whole batch, header included.
    #[must_use]
    pub const fn total_bytes(&self) -> usize {
        self.length as usize + LENGTH_PREFIX_BYTES
    }

    /// Offset of the last record.
    #[must_use]
    pub const fn last_offset(&self) -> Offset {
        self.base_offset.plus(self.last_offset_delta as i64)
    }

    /// Offset after the last record.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// Sequence of the last record, wrapping at 2³¹ as Kafka's clients do; −1 without a producer.
    #[must_use]
    pub const fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        ((self.base_sequence as i64 + self.last_offset_delta as i64) & 0x7fff_ffff) as i32
    }

    /// The codec's number, 0 (none) to 4 (zstd) in a valid batch.
    #[must_use]
    pub const fn codec(&self) -> i16 {
        self.attributes & CODEC_MASK
    }

    /// Whether an idempotent producer wrote it.
    #[must_use]
    pub const fn has_producer_id(&self) -> bool {
        self.producer_id.0 >= 0
    }

    /// Whether it is part of a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether it is a transaction's end marker rather than data.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether its timestamps were given by the broker.
    #[must_use]
    pub const fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// Whether its base timestamp is a delete horizon (KIP-534).
    #[must_use]
    pub const fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON != 0
    }

    /// Checks that `bytes` hold the whole batch, that its counts agree, that its codec is known
    /// and that its checksum is right. `bytes` may be longer than the batch.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self, bytes: &[u8]) -> Result<(), BatchError> {
        let total = self.total_bytes();
        if bytes.len() < total {
            return Err(BatchError::Incomplete { needed: total, available: bytes.len() });
        }
        if self.record_count < 1 || self.last_offset_delta != self.record_count - 1 {
            return Err(BatchError::Count {
                count: self.record_count,
                last_offset_delta: self.last_offset_delta,
            });
        }
        if self.codec() > 4 {
            return Err(BatchError::Codec { codec: self.codec() });
        }
        self.check_crc(bytes)
    }

    /// Checks the checksum alone, as recovery does for batches that compaction has thinned out (their
    /// count and their last offset delta differ).
    ///
    /// # Errors
    /// [`BatchError::Incomplete`] or [`BatchError::Checksum`].
    pub fn check_crc(&self, bytes: &[u8]) -> Result<(), BatchError> {
        let total = self.total_bytes();
        let Some(batch) = bytes.get(CRC_START..total) else {
            return Err(BatchError::Incomplete { needed: total, available: bytes.len() });
        };
        let computed = crc32c(batch);
        if computed == self.crc {
            return Ok(());
        }
        Err(BatchError::Checksum { stored: self.crc, computed })
    }
}

/// The first 16 bytes of a stored batch: what the broker patches before an append. Written in
/// front of bytes 16.. of the batch as it came, it spares a copy of the whole.
#[must_use]
pub fn patched_head(base_offset: Offset, length: i32, leader_epoch: LeaderEpoch) -> [u8; 16] {
    let mut head = [0; 16];
    head[..8].copy_from_slice(&base_offset.value().to_be_bytes());
    head[8..12].copy_from_slice(&length.to_be_bytes());
    head[12..].copy_from_slice(&leader_epoch.value().to_be_bytes());
    head
}

/// Stamps a whole batch with the broker's time (`message.timestamp.type=LogAppendTime`): the flag,
/// the largest timestamp and a new checksum.
///
/// # Errors
/// Where `batch` is no batch.
pub fn stamp_log_append_time(batch: &mut [u8], timestamp: i64) -> Result<(), BatchError> {
    let header = BatchHeader::parse(batch)?;
    let total = header.total_bytes();
    if batch.len() < total {
        return Err(BatchError::Incomplete { needed: total, available: batch.len() });
    }
    let attributes = header.attributes | LOG_APPEND_TIME;
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[35..43].copy_from_slice(&timestamp.to_be_bytes());
    let crc = crc32c(&batch[CRC_START..total]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

/// Stamps a whole batch with an idempotent producer's numbers, as a client does that must send a
/// batch again under a new producer epoch: the three fields and a new checksum.
///
/// # Errors
/// Where `batch` is no batch.
pub fn stamp_producer(batch: &mut [u8], producer: ProducerStamp) -> Result<(), BatchError> {
    let header = BatchHeader::parse(batch)?;
    let total = header.total_bytes();
    if batch.len() < total {
        return Err(BatchError::Incomplete { needed: total, available: batch.len() });
    }
    batch[43..51].copy_from_slice(&producer.id.0.to_be_bytes());
    batch[51..53].copy_from_slice(&producer.epoch.0.to_be_bytes());
    batch[53..57].copy_from_slice(&producer.base_sequence.to_be_bytes());
    let crc = crc32c(&batch[CRC_START..total]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}
