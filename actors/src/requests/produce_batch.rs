//! What a client's batch must be before it goes to a log. Only the header is read, and of
//! uncompressed records their lengths: a compressed batch is never decompressed here, so no bomb
//! can go off (design: "a batch is never decompressed on the hot path").

use std::sync::Arc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::record_batch::{
    BatchError, BatchHeader, ProducedRecordsError, check_produced_records,
};

use crate::partition_directory::PartitionPlace;

/// Why a batch was refused, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRefusal {
    /// The code.
    pub code: ErrorCode,
    /// What a person should know.
    pub message: Option<String>,
    /// Which record of the batch is at fault, counted from 0.
    pub record: Option<i32>,
}

impl From<ErrorCode> for BatchRefusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None, record: None }
    }
}

impl From<BatchError> for BatchRefusal {
    fn from(error: BatchError) -> Self {
        let code = match error {
            BatchError::Magic { .. } => ErrorCode::UnsupportedForMessageFormat,
            BatchError::Codec { .. } => ErrorCode::UnsupportedCompressionType,
            BatchError::Count { .. } | BatchError::Offsets { .. } => ErrorCode::InvalidRecord,
            BatchError::Incomplete { .. }
            | BatchError::Length { .. }
            | BatchError::Checksum { .. } => ErrorCode::CorruptMessage,
        };
        Self { code, message: Some(error.to_string()), record: None }
    }
}

fn invalid(message: impl Into<String>) -> BatchRefusal {
    BatchRefusal { code: ErrorCode::InvalidRecord, message: Some(message.into()), record: None }
}

/// Checks the records of one partition in a Produce request: exactly one batch of format v2, whole,
/// not too large, with a right checksum and counts, not a control batch, not transactional.
///
/// # Errors
/// The first rule that is broken, with Kafka's code for it.
pub fn check_batch(
    batch: &Bytes,
    place: &Arc<PartitionPlace>,
) -> Result<BatchHeader, BatchRefusal> {
    let settings = place.settings();
    let header = BatchHeader::parse(batch)?;
    if batch.len() > settings.log.max_message_bytes as usize {
        let (bytes, bytes_max) = (batch.len(), settings.log.max_message_bytes);
        return Err(BatchRefusal {
            code: ErrorCode::MessageTooLarge,
            message: Some(format!("the batch has {bytes} bytes, max.message.bytes is {bytes_max}")),
            record: None,
        });
    }
    header.check(batch)?;
    if header.total_bytes() != batch.len() {
        return Err(invalid("exactly one record batch per partition is accepted"));
    }
    if header.is_control() {
        return Err(invalid("clients may not write control batches"));
    }
    if header.is_transactional() {
        return Err(ErrorCode::InvalidTxnState.into());
    }
    check_producer(&header)?;
    if header.codec() == 0 {
        check_produced_records(batch, &header, settings.requires_keys)?;
    }
    Ok(header)
}

impl From<ProducedRecordsError> for BatchRefusal {
    fn from(error: ProducedRecordsError) -> Self {
        let (message, record) = (Some(error.to_string()), error.record());
        Self { code: ErrorCode::InvalidRecord, message, record }
    }
}

fn check_producer(header: &BatchHeader) -> Result<(), BatchRefusal> {
    if header.has_producer_id() && (header.producer_epoch.0 < 0 || header.base_sequence < 0) {
        return Err(invalid("a producer id without epoch or sequence"));
    }
    Ok(())
}
