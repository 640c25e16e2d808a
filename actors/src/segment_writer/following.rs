//! The writer's work for a follower: batches as the leader has them, and cuts where it has others.

use bytes::Bytes;
use commit_log::{Append, AppendError, AppendOrigin, Damage, LogSettings};
use protocol::record_batch::RecordBatches;
use protocol::{LeaderEpoch, Offset};
use ractor::ActorRef;
use replication::EpochStart;

use super::writer_report::WriterReport;
use super::{SegmentWriterMessage, SegmentWriterState, WriterFault};
use crate::partition_replica::log_offsets;

/// What a follower has its writer do.
#[derive(Debug)]
pub enum FollowerWork {
    /// Append what was fetched from the leader, as it is. Answered by
    /// [`WriterReport::FetchedAppended`].
    Append {
        /// Whole batches, one after the other.
        batches: Bytes,
    },
    /// Cut the log. Answered by [`WriterReport::Truncated`], after every flush that began before.
    Truncate(Cut),
    /// The log start offset follows the leader's, and what lies below goes.
    MoveLogStart {
        /// The first offset to keep.
        offset: Offset,
    },
}

/// Where a log is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its end: no record at or above this offset is left.
    To(Offset),
    /// All of it: it goes on at this offset.
    RestartAt(Offset),
}

/// What became of fetched batches.
#[derive(Debug)]
pub struct FetchedAppend {
    /// Where the log ends now; `None` if nothing was written.
    pub end_offset: Option<Offset>,
    /// Where the leader epochs of what was written start.
    pub epochs: Vec<EpochStart>,
    /// Why not everything was written.
    pub error: Option<AppendError>,
}

/// A log after a cut.
#[derive(Clone, Copy, Debug)]
pub struct TruncatedLog {
    /// Its first offset.
    pub log_start: Offset,
    /// The offset after its last record.
    pub log_end: Offset,
}

impl SegmentWriterState {
    pub(super) fn on_follower_work(
        &mut self,
        work: FollowerWork,
        myself: &ActorRef<SegmentWriterMessage>,
    ) -> Result<(), WriterFault> {
        match work {
            FollowerWork::Append { batches } => self.on_append_fetched(batches, myself),
            FollowerWork::Truncate(cut) => self.on_truncate(cut, myself),
            FollowerWork::MoveLogStart { offset } => self.on_move_log_start(offset),
        }
    }

    fn on_append_fetched(
        &mut self,
        batches: Bytes,
        myself: &ActorRef<SegmentWriterMessage>,
    ) -> Result<(), WriterFault> {
        self.appended_since_check = true;
        let now_ms = self.clock.wall_ms();
        let (appends, damage) = split(batches, now_ms);
        let mut written = FetchedAppend { end_offset: None, epochs: Vec::new(), error: damage };
        for (append, result) in appends.iter().zip(self.log().append(&appends)) {
            match result {
                Ok(outcome) => {
                    written.note(append.header.leader_epoch, append.header.base_offset);
                    written.end_offset = Some(outcome.last_offset().next());
                    let records = outcome.last_offset().next();
                    let records = records.distance_from(append.header.base_offset);
                    self.unflushed_records += u64::try_from(records).unwrap_or_default();
                }
                Err(error) => {
                    written.error.get_or_insert(error);
                }
            }
        }
        let is_storage = written.error.as_ref().is_some_and(AppendError::is_storage);
        self.tell(WriterReport::FetchedAppended(written));
        if is_storage {
            // a log that takes no more work says so here
            return self.begin_flush(myself);
        }
        self.flush_by_policy(myself)
    }

    /// Cuts the log, once no flush is under way: one that began before is reported before.
    pub(super) fn on_truncate(
        &mut self,
        cut: Cut,
        myself: &ActorRef<SegmentWriterMessage>,
    ) -> Result<(), WriterFault> {
        if self.is_flushing {
            self.cut_after_flush = Some(cut);
            return Ok(());
        }
        let now_ms = self.clock.wall_ms();
        let log = self.log();
        match cut {
            Cut::To(offset) => drop(log.truncate_to(offset, now_ms)?),
            Cut::RestartAt(offset) => log.truncate_fully_and_start_at(offset, now_ms)?,
        }
        let recovery_point = log.recovery_point();
        let truncated =
            TruncatedLog { log_start: log.log_start_offset(), log_end: log.log_end_offset() };
        let unflushed = truncated.log_end.distance_from(log.flushed_offset());
        self.unflushed_records = u64::try_from(unflushed).unwrap_or_default();
        self.flushed.note(recovery_point);
        self.tell(WriterReport::Truncated(truncated));
        self.flush_by_policy(myself)
    }

    /// The leader decides what is kept, not this node's own clock and settings.
    fn on_move_log_start(&mut self, offset: Offset) -> Result<(), WriterFault> {
        let now_ms = self.clock.wall_ms();
        let kept = self.settings.log.clone();
        let log = self.log();
        log.advance_log_start(offset)?;
        log.update_settings(LogSettings { retention_deletes: false, ..kept.clone() });
        let removed = log.apply_retention(now_ms, offset);
        log.update_settings(kept);
        removed?;
        self.tell_log_start();
        Ok(())
    }

    pub(super) fn on_drain(
        &mut self,
        myself: &ActorRef<SegmentWriterMessage>,
    ) -> Result<(), WriterFault> {
        if !self.queue.is_empty() {
            self.on_write_due(myself)?;
        }
        let offsets = log_offsets(self.log());
        self.tell(WriterReport::Drained(Box::new(offsets)));
        Ok(())
    }
}

impl FetchedAppend {
    fn note(&mut self, leader_epoch: LeaderEpoch, start_offset: Offset) {
        if self.epochs.last().is_none_or(|last| last.leader_epoch != leader_epoch) {
            self.epochs.push(EpochStart { leader_epoch, start_offset });
        }
    }
}

/// The batches one by one, as far as they are whole; and what is wrong with the next one.
fn split(batches: Bytes, now_ms: i64) -> (Vec<Append>, Option<AppendError>) {
    let mut appends = Vec::new();
    let mut rest = RecordBatches::new(batches);
    for batch in rest.by_ref() {
        match batch {
            Ok(whole) => {
                let (header, batch) = (*whole.header(), whole.bytes().clone());
                let (leader_epoch, origin) = (header.leader_epoch, AppendOrigin::Replication);
                appends.push(Append { batch, header, leader_epoch, origin, now_ms });
            }
            Err(error) => return (appends, Some(AppendError::InvalidBatch(error.into()))),
        }
    }
    let left = rest.rest().len() as u64;
    let damage = Damage::Incomplete { bytes: left.saturating_add(1), available: left };
    (appends, (left > 0).then_some(AppendError::InvalidBatch(damage)))
}
