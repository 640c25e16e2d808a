//! Finding offsets by time.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Offset;
use protocol::record::RecordError;
use protocol::record_batch::{BatchHeader, RecordBatch};

use crate::ReadError;
use crate::batch_walk::BatchAt;
use crate::reader::locate::read_error;
use crate::reader::{LogReader, ReadMode, ReadRequest};
use crate::segment::Segment;
use crate::segment_indexes::{MaxTimestamp, SegmentIndexes};

/// A batch found by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedBatch {
    /// The whole batch. Its records tell which of them is meant.
    pub batch: Bytes,
    /// Its header.
    pub header: BatchHeader,
}

impl TimedBatch {
    /// Offset and time of its first record of `timestamp` or later, at or above `from`. The
    /// batch is decompressed to at most `output_bytes_max` bytes.
    ///
    /// # Errors
    /// [`RecordError`] where the records are damaged or too large.
    pub fn first_record_since(
        &self,
        timestamp: i64,
        from: Offset,
        output_bytes_max: usize,
    ) -> Result<Option<(Offset, i64)>, RecordError> {
        for record in RecordBatch::parse(&self.batch)?.records(output_bytes_max)? {
            let record = record?;
            if record.timestamp >= timestamp && record.offset >= from {
                return Ok(Some((record.offset, record.timestamp)));
            }
        }
        Ok(None)
    }
}

impl LogReader {
    /// The first batch below `up_to` that has a record of `timestamp` (milliseconds since 1970) or
    /// later, at or above the log start.
    ///
    /// # Errors
    /// As [`LogReader::read`].
    pub fn batch_for_timestamp(
        &self,
        timestamp: i64,
        up_to: Offset,
        mode: ReadMode,
    ) -> Result<Option<TimedBatch>, ReadError> {
        self.in_one_generation(|| {
            let log_start_offset = self.shared.log_start_offset();
            for segment in self.shared.segments().iter() {
                if self.max_timestamp(segment, mode)?.timestamp < timestamp {
                    continue;
                }
                let from = self.ask(segment, mode, |indexes| indexes.offset_before(timestamp))?;
                let found = self.walk_to(segment, from, mode, &|batch: &BatchAt| {
                    batch.header.max_timestamp >= timestamp
                        && batch.header.last_offset() >= log_start_offset
                })?;
                if let Some(batch) = found {
                    return self.whole_batch(&batch, up_to, mode);
                }
            }
            Ok(None)
        })
    }

    /// The batch with the largest timestamp of the log, the earliest of several; `None` if it
    /// reaches `up_to` or no batch has a timestamp.
    ///
    /// # Errors
    /// As [`LogReader::read`].
    pub fn batch_of_max_timestamp(
        &self,
        up_to: Offset,
        mode: ReadMode,
    ) -> Result<Option<TimedBatch>, ReadError> {
        self.in_one_generation(|| {
            let mut best: Option<(Arc<Segment>, MaxTimestamp)> = None;
            for segment in self.shared.segments().iter() {
                let max = self.max_timestamp(segment, mode)?;
                if best.as_ref().is_none_or(|(_, best)| max.timestamp > best.timestamp) {
                    best = Some((Arc::clone(segment), max));
                }
            }
            let Some((segment, max)) = best.filter(|(_, max)| max.timestamp >= 0) else {
                return Ok(None);
            };
            let found = self.walk_to(&segment, max.offset, mode, &|batch: &BatchAt| {
                batch.header.last_offset() >= max.offset
            })?;
            found.map_or(Ok(None), |batch| self.whole_batch(&batch, up_to, mode))
        })
    }

    fn in_one_generation<T>(
        &self,
        look: impl Fn() -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let generation = self.shared.begin_read()?;
        let outcome = look();
        self.shared.end_read(generation)?;
        outcome
    }

    fn whole_batch(
        &self,
        batch: &BatchAt,
        up_to: Offset,
        mode: ReadMode,
    ) -> Result<Option<TimedBatch>, ReadError> {
        let from = batch.header.base_offset.max(self.shared.log_start_offset());
        let request = ReadRequest { from, up_to, bytes_max: 0, at_least_one_batch: true, mode };
        let outcome = self.read(request)?;
        // empty where the batch reaches `up_to`
        let header = BatchHeader::parse(&outcome.batches).ok();
        Ok(header.map(|header| TimedBatch { batch: outcome.batches, header }))
    }

    fn max_timestamp(
        &self,
        segment: &Arc<Segment>,
        mode: ReadMode,
    ) -> Result<MaxTimestamp, ReadError> {
        match mode {
            ReadMode::NoWait => segment.known_max_timestamp().ok_or(ReadError::WouldBlock),
            ReadMode::MayBlock => segment
                .max_timestamp(&self.shared.resources)
                .map_err(|source| read_error(segment, source)),
        }
    }

    fn ask<T>(
        &self,
        segment: &Arc<Segment>,
        mode: ReadMode,
        question: impl Fn(&SegmentIndexes) -> T,
    ) -> Result<T, ReadError> {
        match mode {
            ReadMode::NoWait => segment.with_loaded_indexes(question).ok_or(ReadError::WouldBlock),
            ReadMode::MayBlock => segment
                .with_indexes(&self.shared.resources, question)
                .map_err(|source| read_error(segment, source)),
        }
    }
}
