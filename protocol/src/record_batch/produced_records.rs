//! What a broker checks of uncompressed records before it stores them.

use crate::record::{RecordError, read_record};
use crate::record_batch::{BatchHeader, HEADER_BYTES};

/// Why the records of a produced batch were refused.
#[derive(Debug, thiserror::Error)]
pub enum ProducedRecordsError {
    /// They are damaged, or not as many as the header says.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// The topic is compacted, and the record has no key to compact by.
    #[error("record {index} has no key, which a compacted topic requires")]
    NoKey {
        /// The record's place in the batch, from 0.
        index: i32,
    },
}

impl ProducedRecordsError {
    /// The record at fault, if one is.
    #[must_use]
    pub const fn record(&self) -> Option<i32> {
        match self {
            Self::NoKey { index } => Some(*index),
            Self::Records(_) => None,
        }
    }
}

/// Walks over the uncompressed records of a whole batch: their lengths must fill it, their number
/// must be the header's, their offsets must count up from 0. Nothing is kept, and nothing is
/// allocated but the places of one record's headers.
///
/// # Errors
/// The first thing found wrong.
pub fn check_produced_records(
    batch: &[u8],
    header: &BatchHeader,
    requires_keys: bool,
) -> Result<(), ProducedRecordsError> {
    let section = batch.get(HEADER_BYTES..header.total_bytes()).unwrap_or_default();
    let last = header.last_offset_delta;
    let mut position = 0;
    for index in 0..header.record_count {
        let record = read_record(section, position, index)?;
        let delta = record.offset_delta;
        if delta != index {
            let previous = index - 1;
            return Err(RecordError::OffsetDelta { index, delta, previous, last }.into());
        }
        if requires_keys && record.key.is_none() {
            return Err(ProducedRecordsError::NoKey { index });
        }
        position = record.end;
    }
    match section.len() - position {
        0 => Ok(()),
        unread => Err(RecordError::AfterLast { count: header.record_count, unread }.into()),
    }
}
