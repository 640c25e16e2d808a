//! Appending: a group of batches is checked one by one and written at once.

use std::io::{self, IoSlice};
use std::sync::Arc;

use protocol::record_batch::{
    BatchHeader, HEADER_BYTES, MAGIC, patched_head, stamp_log_append_time,
};
use protocol::{LeaderEpoch, Offset};
use smallvec::SmallVec;

use crate::commit_log::CommitLog;
use crate::log_state::EndBound;
use crate::producer_recovery::record_marker;
use crate::producer_state::ProducerBatch;
use crate::shared_log::Place;
use crate::tail::RollInput;
use crate::{
    Append, AppendError, AppendOrigin, AppendOutcome, AppendResult, Damage, LogError,
    TimestampType, is_space_error,
};

/// Bytes of a batch that are written anew: base offset, length, leader epoch.
const HEAD_BYTES: usize = 16;

/// Batches that are checked and not written yet.
#[derive(Debug, Default)]
pub(super) struct AppendGroup {
    batches: Vec<CheckedBatch>,
    bytes: u64,
    /// The offset that the next batch gets.
    next_offset: Offset,
    /// Results given before this group.
    results_before: usize,
    /// Changes of producers before this group.
    changes_before: usize,
}

#[derive(Debug)]
struct CheckedBatch {
    /// Its place among the appends.
    append: usize,
    head: [u8; HEAD_BYTES],
    /// Its bytes, where they had to be changed beyond the head.
    stamped: Option<Vec<u8>>,
    /// As it is written.
    header: BatchHeader,
}

impl AppendGroup {
    fn begin(&mut self, next_offset: Offset, results_before: usize, changes_before: usize) {
        self.batches.clear();
        self.bytes = 0;
        self.next_offset = next_offset;
        self.results_before = results_before;
        self.changes_before = changes_before;
    }
}

impl CommitLog {
    /// Appends batches in order, with one write for all of them unless a segment is rolled in
    /// between. Each has its own result, in the same order; a refused one does not keep the
    /// others from being appended. After a failed write, or a refused batch of the leader's log,
    /// none of the rest is.
    pub fn append(&mut self, appends: &[Append]) -> Vec<AppendResult> {
        let mut results = Vec::with_capacity(appends.len());
        if let Err(error) = self.ensure_good().and_then(|()| self.wake()) {
            let error = append_error(error);
            results.extend(appends.iter().map(|_| Err(error.clone())));
            return results;
        }
        let mut group = std::mem::take(&mut self.group);
        self.begin_group(&mut group, 0);
        let mut stopped = None;
        for (index, append) in appends.iter().enumerate() {
            let result = match &stopped {
                Some(error) => Err(AppendError::clone(error)),
                None => self.take_in(index, append, appends, &mut group, &mut results),
            };
            if let Err(error) = &result
                && (error.is_storage() || append.origin == AppendOrigin::Replication)
            {
                // what follows a hole does not belong there
                stopped.get_or_insert_with(|| error.clone());
            }
            results.push(result);
        }
        _ = self.write_group(&mut group, appends, &mut results);
        self.group = group;
        results
    }

    fn begin_group(&mut self, group: &mut AppendGroup, results_before: usize) {
        let changes = self.producers.as_ref().map_or(0, |producers| producers.changes());
        group.begin(self.log_end_offset(), results_before, changes);
    }

    /// Checks one append and adds it to the group, which is written first if the segment is full.
    fn take_in(
        &mut self,
        index: usize,
        append: &Append,
        appends: &[Append],
        group: &mut AppendGroup,
        results: &mut [AppendResult],
    ) -> AppendResult {
        self.ensure_good().map_err(append_error)?;
        let header = self.check(append, group.next_offset)?;
        if header.has_producer_id() {
            let producers = self.awake_producers().map_err(append_error)?;
            if let Some(original) = producers.check(&header, append.origin)? {
                return Ok(self.duplicate(original));
            }
        }
        if self.must_roll(group, &header, append.now_ms) {
            self.write_group(group, appends, results)?;
            self.roll(append.now_ms).map_err(append_error)?;
        }
        if !self.active.fits(header.last_offset()) {
            let (base_offset, log_end_offset) = (header.base_offset, group.next_offset);
            return Err(AppendError::UnexpectedOffset { base_offset, log_end_offset });
        }
        self.note_epoch(append.origin, &header)?;
        let stamped = self.stamped(append, &header)?;
        if header.has_producer_id() {
            let producers = self.awake_producers().map_err(append_error)?;
            if header.is_control() {
                record_marker(producers, &header, &append.batch);
            } else {
                producers.record(&header);
            }
        }
        let head = patched_head(header.base_offset, header.length, header.leader_epoch);
        group.bytes += header.total_bytes() as u64;
        group.next_offset = header.next_offset();
        group.batches.push(CheckedBatch { append: index, head, stamped, header });
        Ok(AppendOutcome::Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time: self.log_append_time(header.max_timestamp),
            log_start_offset: self.log_start_offset(),
        })
    }

    /// Checks what can be told from a batch alone, and gives its header as it will be written.
    fn check(&self, append: &Append, next_offset: Offset) -> Result<BatchHeader, AppendError> {
        let mut header = append.header;
        check_shape(append)?;
        match append.origin {
            AppendOrigin::Replication if header.base_offset < next_offset => {
                let (base_offset, log_end_offset) = (header.base_offset, next_offset);
                return Err(AppendError::UnexpectedOffset { base_offset, log_end_offset });
            }
            AppendOrigin::Replication => return Ok(header),
            AppendOrigin::Client => {}
        }
        let bytes = header.total_bytes() as u64;
        let (bytes_max, segment_bytes) =
            (self.settings.max_message_bytes, self.settings.segment_bytes);
        if bytes > u64::from(bytes_max) {
            return Err(AppendError::BatchTooLarge { bytes, bytes_max });
        }
        if bytes > segment_bytes {
            return Err(AppendError::BatchLargerThanSegment { bytes, segment_bytes });
        }
        match self.settings.message_timestamp_type {
            TimestampType::CreateTime => self.check_timestamps(&header, append.now_ms)?,
            TimestampType::LogAppendTime => header.max_timestamp = append.now_ms,
        }
        header.base_offset = next_offset;
        header.leader_epoch = append.leader_epoch;
        Ok(header)
    }

    /// The earliest timestamp is not in the header; the first record's stands for it.
    fn check_timestamps(&self, header: &BatchHeader, now_ms: i64) -> Result<(), AppendError> {
        if header.is_log_append_time() {
            return Err(AppendError::TimestampType);
        }
        let earliest = now_ms.saturating_sub(self.settings.message_timestamp_before_max_ms);
        let latest = now_ms.saturating_add(self.settings.message_timestamp_after_max_ms);
        for timestamp in [header.base_timestamp, header.max_timestamp] {
            // −1 stands for none
            if timestamp != -1 && !(earliest..=latest).contains(&timestamp) {
                return Err(AppendError::TimestampOutOfRange { timestamp, earliest, latest });
            }
        }
        Ok(())
    }

    fn duplicate(&self, original: ProducerBatch) -> AppendOutcome {
        AppendOutcome::Duplicate {
            base_offset: original.base_offset(),
            last_offset: original.last_offset,
            log_append_time: self.log_append_time(original.timestamp),
            log_start_offset: self.log_start_offset(),
        }
    }

    fn log_append_time(&self, timestamp: i64) -> Option<i64> {
        let stamps = self.settings.message_timestamp_type == TimestampType::LogAppendTime;
        stamps.then_some(timestamp)
    }

    fn must_roll(&self, group: &AppendGroup, header: &BatchHeader, now_ms: i64) -> bool {
        let first_in_group = group.batches.first().map(|batch| batch.header.max_timestamp);
        let input = RollInput {
            bytes: self.active.bytes + group.bytes,
            first_timestamp: self.active.first_timestamp.or(first_in_group),
            header,
            now_ms,
        };
        self.active.must_roll(&self.settings, input)
    }

    /// Writes down the epoch of a batch before the batch, if it is a new one.
    fn note_epoch(
        &mut self,
        origin: AppendOrigin,
        header: &BatchHeader,
    ) -> Result<(), AppendError> {
        let leader_epoch = header.leader_epoch;
        let latest_epoch = self.latest_epoch().unwrap_or(LeaderEpoch::UNKNOWN);
        if leader_epoch == latest_epoch {
            return Ok(());
        }
        // a leader's log is believed, as its follower has cut its own to fit
        if leader_epoch < latest_epoch && origin == AppendOrigin::Client {
            return Err(AppendError::FencedLeaderEpoch { leader_epoch, latest_epoch });
        }
        self.assign_epoch(leader_epoch, header.base_offset).map_err(append_error)
    }

    fn stamped(
        &self,
        append: &Append,
        header: &BatchHeader,
    ) -> Result<Option<Vec<u8>>, AppendError> {
        if append.origin == AppendOrigin::Replication
            || self.settings.message_timestamp_type == TimestampType::CreateTime
        {
            return Ok(None);
        }
        let mut batch = append.batch.to_vec();
        stamp_log_append_time(&mut batch, header.max_timestamp)
            .map_err(|error| AppendError::InvalidBatch(error.into()))?;
        Ok(Some(batch))
    }

    /// Writes the group and begins the next. If that fails, nothing of it is in the log, and its results say so.
    fn write_group(
        &mut self,
        group: &mut AppendGroup,
        appends: &[Append],
        results: &mut [AppendResult],
    ) -> Result<(), AppendError> {
        let written = match group.batches.is_empty() {
            true => Ok(()),
            false => self.write_batches(&group.batches, appends),
        };
        let producers = self.producers.as_mut();
        match written {
            Ok(()) => {
                producers.into_iter().for_each(|producers| producers.commit());
                self.publish(group);
                self.begin_group(group, results.len());
                Ok(())
            }
            Err(error) => {
                producers.into_iter().for_each(|producers| producers.undo_to(group.changes_before));
                let error = self.undo_write(error);
                for result in results.iter_mut().skip(group.results_before) {
                    if result.is_ok() {
                        *result = Err(error.clone());
                    }
                }
                self.begin_group(group, results.len());
                Err(error)
            }
        }
    }

    fn write_batches(&self, batches: &[CheckedBatch], appends: &[Append]) -> io::Result<()> {
        let open = self.active.open.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut slices: SmallVec<[IoSlice<'_>; 64]> = SmallVec::new();
        for batch in batches {
            let whole = match &batch.stamped {
                Some(stamped) => stamped.as_slice(),
                None => appends.get(batch.append).map_or(&[][..], |append| &append.batch),
            };
            slices.push(IoSlice::new(&batch.head));
            slices.push(IoSlice::new(whole.get(HEAD_BYTES..).unwrap_or_default()));
        }
        open.file.write_at(&mut slices, self.active.bytes)
    }

    /// Makes a written group part of the log.
    fn publish(&mut self, group: &AppendGroup) {
        let Some(first) = group.batches.first() else { return };
        let segment = &self.active.segment;
        let place = Place {
            offset: first.header.base_offset,
            segment: segment.base_offset(),
            position: self.active.bytes,
        };
        self.active.first_timestamp.get_or_insert(first.header.max_timestamp);
        let interval = segment.index_interval_bytes();
        let mut position = self.active.bytes;
        segment.change_indexes(|indexes| {
            for batch in &group.batches {
                indexes.on_batch(position, &batch.header, interval);
                position += batch.header.total_bytes() as u64;
            }
        });
        self.active.bytes = position;
        segment.set_end(position);
        self.shared.remember_place(place, self.shared.generation());
        self.shared.set_log_end_offset(group.next_offset);
        // they can be built again from the log; a full disk shows at the next append
        _ = self.active.save_indexes_if_due(&self.shared.resources);
    }

    /// Takes the bytes of a failed write out of the file again, where they could be mistaken for
    /// batches after a crash; durably, for a power cut could bring them back.
    fn undo_write(&mut self, error: io::Error) -> AppendError {
        let file = self.active.open.as_ref().map(|open| Arc::clone(&open.file));
        let cut = file.as_ref().is_some_and(|file| file.truncate(self.active.bytes).is_ok());
        // whether that could be noted, the next call is told
        if !cut {
            self.fail_with(EndBound::WriteFailed(self.log_end_offset()));
        } else if file.is_some_and(|file| file.sync_data().is_err()) {
            self.fail_with(EndBound::FlushFailed(self.flush.flushed_offset));
        }
        let full = is_space_error(&error);
        let error = Arc::new(error);
        if full { AppendError::StorageFull(error) } else { AppendError::Storage(error) }
    }
}

/// Checks that the header is that of the batch, and that its offsets can be counted with.
fn check_shape(append: &Append) -> Result<(), AppendError> {
    let header = &append.header;
    let (bytes, available) = (header.length.max(0) as u64 + 12, append.batch.len() as u64);
    if bytes != available || available < HEADER_BYTES as u64 || header.magic != MAGIC {
        return Err(AppendError::InvalidBatch(Damage::Incomplete { bytes, available }));
    }
    let last_offset_delta = header.last_offset_delta;
    let base_offset = header.base_offset.value();
    // 2³² short of the end of all offsets, no sum below can overflow
    if last_offset_delta < 0 || base_offset > i64::MAX - (1 << 32) {
        return Err(AppendError::InvalidBatch(Damage::OffsetDelta { last_offset_delta }));
    }
    Ok(())
}

/// An append's share in a failure of the log.
fn append_error(error: LogError) -> AppendError {
    match error {
        LogError::Storage { source, .. } if is_space_error(&source) => {
            AppendError::StorageFull(Arc::new(source))
        }
        error => AppendError::Log(Arc::new(error)),
    }
}
