//! One per active partition: the sole owner of the partition's log.
//!
//! Supervised by its partition_replica, which starts it with the first append and ends when it
//! fails: what the log is worth after a failure is for recovery to say, so nothing is restarted
//! here. It lives on a storage thread and calls the disk directly in its handlers.
//!
//! Sent to by its replica only, which bounds what is under way (bytes pending per partition). Sends
//! to its replica only.
//!
//! ```text
//! Append … Append ─▶ WriteDue: one group, one vectored write ─▶ Appended (to the replica)
//!                              └─▶ flush job on the flush pool ─▶ Flushed (to the replica)
//! ```
//!
//! A restart keeps the files and loses what was not flushed, which nobody was told is on disk. The
//! lease is the last field of its state, and a flush under way holds a clone, so that the next
//! incarnation does not open the log while this one still touches it. It never retries a flush and
//! never answers a client.

mod append_work;
mod faults;
mod following;
mod writer_report;
mod writer_settings;

use std::io;
use std::sync::Arc;

use commit_log::{AppendOutcome, CommitLog, FlushResult};
use protocol::Offset;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use supervision::Lease;

use crate::log_checkpoints::FlushedLog;
use crate::partition_replica::PartitionReplicaMessage;
use crate::ports::clock::Clock;
use crate::ports::storage_executor::StorageExecutor;

pub use append_work::{AppendReport, AppendWork, HeldBytes};
pub use faults::{Poison, WriterFault};
pub use following::{Cut, FetchedAppend, FollowerWork, TruncatedLog};
pub use writer_report::WriterReport;
pub use writer_settings::WriterSettings;

/// The right to own one partition directory.
pub type LogLease = Lease<std::path::PathBuf>;

/// What a segment writer is told, all by its replica or itself.
pub enum SegmentWriterMessage {
    /// Append a batch. Answered by [`WriterReport::Appended`].
    Append(AppendWork),
    /// What a follower has to do.
    Following(FollowerWork),
    /// Say where the log stands, after everything given before. Answered by
    /// [`WriterReport::Drained`].
    Drain,
    /// The directory's checkpoints hold this recovery point.
    ConfirmCheckpoint {
        /// As written.
        offset: Offset,
    },
    /// From itself: everything queued so far is one group.
    WriteDue,
    /// From the flush pool.
    FlushEnded(FlushResult),
    /// From itself: `flush.ms` after an unflushed append.
    FlushDue,
    /// DeleteRecords: raise the log start offset.
    AdvanceLogStart {
        /// The first offset to keep.
        offset: Offset,
        /// The log start offset afterwards.
        reply: LogStartReply,
    },
    /// Maintenance: delete the segments that retention gives up.
    ApplyRetention {
        /// Nothing at or above it is deleted.
        high_watermark: Offset,
    },
    /// The topic's settings changed.
    ChangeSettings(Box<WriterSettings>),
    /// From itself: look whether it has been idle for long.
    IdleCheck,
    /// Give the log back, dormant, and end.
    Retire,
    /// For the failure demonstrations: fail as named.
    Poison(Poison),
}

impl ractor::Message for SegmentWriterMessage {}

/// Where the log start offset is reported to.
pub type LogStartReply = RpcReplyPort<Offset>;

/// The named reason with which a writer that gave its log back ends.
pub const RETIRED: &str = "retired";

/// Everything a writer is born with.
pub struct SegmentWriterArguments {
    /// The log, recovered.
    pub log: Box<CommitLog>,
    /// The settings.
    pub settings: WriterSettings,
    /// The replica that it reports to.
    pub replica: ActorRef<supervision::Counted<PartitionReplicaMessage>>,
    /// Where flushes run.
    pub executor: Arc<dyn StorageExecutor>,
    /// Wall time, for record timestamps and retention.
    pub clock: Arc<dyn Clock>,
    /// Where it says how far the log is flushed, for the directory's checkpoints.
    pub flushed: FlushedLog,
    /// The right to the directory.
    pub lease: LogLease,
}

/// See the head of this file.
#[derive(Default)]
pub struct SegmentWriter;

/// What a writer knows.
pub struct SegmentWriterState {
    /// Given away as the writer's last act.
    log: Option<Box<CommitLog>>,
    queue: Vec<AppendWork>,
    unflushed_records: u64,
    flush_timer_armed: bool,
    is_flushing: bool,
    /// A cut that waits for the flush under way.
    cut_after_flush: Option<Cut>,
    is_retiring: bool,
    appended_since_check: bool,
    settings: WriterSettings,
    replica: ActorRef<supervision::Counted<PartitionReplicaMessage>>,
    executor: Arc<dyn StorageExecutor>,
    clock: Arc<dyn Clock>,
    flushed: FlushedLog,
    lease: LogLease,
}

impl Actor for SegmentWriter {
    type Msg = SegmentWriterMessage;
    type State = SegmentWriterState;
    type Arguments = SegmentWriterArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let idle_after = arguments.settings.idle_after;
        myself.send_after(idle_after, || SegmentWriterMessage::IdleCheck);
        Ok(SegmentWriterState {
            log: Some(arguments.log),
            queue: Vec::new(),
            unflushed_records: 0,
            flush_timer_armed: false,
            is_flushing: false,
            cut_after_flush: None,
            is_retiring: false,
            appended_since_check: true,
            settings: arguments.settings,
            replica: arguments.replica,
            executor: arguments.executor,
            clock: arguments.clock,
            flushed: arguments.flushed,
            lease: arguments.lease,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SegmentWriterMessage::Append(work) => state.on_append(work, &myself),
            SegmentWriterMessage::Following(work) => state.on_follower_work(work, &myself)?,
            SegmentWriterMessage::Drain => state.on_drain(&myself)?,
            SegmentWriterMessage::ConfirmCheckpoint { offset } => {
                state.log().recovery_point_checkpointed(offset).map_err(WriterFault::from)?;
            }
            SegmentWriterMessage::WriteDue => state.on_write_due(&myself)?,
            SegmentWriterMessage::FlushEnded(result) => state.on_flush_ended(result, &myself)?,
            SegmentWriterMessage::FlushDue => state.on_flush_due(&myself)?,
            SegmentWriterMessage::AdvanceLogStart { offset, reply } => {
                state.on_advance_log_start(offset, reply)?;
            }
            SegmentWriterMessage::ApplyRetention { high_watermark } => {
                state.on_apply_retention(high_watermark)?;
            }
            SegmentWriterMessage::ChangeSettings(settings) => {
                state.on_change_settings(*settings, &myself)?;
            }
            SegmentWriterMessage::IdleCheck => state.on_idle_check(&myself),
            SegmentWriterMessage::Retire => state.on_retire(&myself)?,
            SegmentWriterMessage::Poison(Poison::Panic) => panic!("poisoned on demand"),
            SegmentWriterMessage::Poison(Poison::StorageError) => {
                return Err(io::Error::other("storage error injected on demand").into());
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }
}

impl SegmentWriterState {
    fn tell(&self, report: WriterReport) {
        let _ = self.replica.cast(PartitionReplicaMessage::Writer(report).into());
    }

    fn log(&mut self) -> &mut CommitLog {
        self.log.as_deref_mut().expect("giving the log away is the writer's last act")
    }

    /// Queues the append. What arrives before the writer comes back to its mailbox joins the group.
    fn on_append(&mut self, work: AppendWork, myself: &ActorRef<SegmentWriterMessage>) {
        if self.queue.is_empty() {
            let _ = myself.cast(SegmentWriterMessage::WriteDue);
        }
        self.queue.push(work);
    }

    fn on_write_due(&mut self, myself: &ActorRef<SegmentWriterMessage>) -> Result<(), WriterFault> {
        let works = std::mem::take(&mut self.queue);
        if works.is_empty() {
            return Ok(());
        }
        self.appended_since_check = true;
        let mut held = Vec::with_capacity(works.len());
        let mut tickets = Vec::with_capacity(works.len());
        let mut appends = Vec::with_capacity(works.len());
        for work in works {
            tickets.push(work.ticket);
            held.push(work.held);
            appends.push(work.append);
        }
        let results = self.log().append(&appends);
        // the bytes are in the file: from here on they hold no memory
        drop((held, appends));
        let reports: Vec<_> = tickets
            .into_iter()
            .zip(results)
            .map(|(ticket, result)| AppendReport { ticket, result })
            .collect();
        self.count_unflushed(&reports);
        self.tell(WriterReport::Appended(reports));
        self.flush_by_policy(myself)
    }

    fn count_unflushed(&mut self, reports: &[AppendReport]) {
        for report in reports {
            if let Ok(AppendOutcome::Appended { base_offset, last_offset, .. }) = report.result {
                let records = last_offset.next().distance_from(base_offset);
                self.unflushed_records += u64::try_from(records).unwrap_or_default();
            }
        }
    }

    /// Flushes when the topic's settings say so; else arms their timer.
    fn flush_by_policy(
        &mut self,
        myself: &ActorRef<SegmentWriterMessage>,
    ) -> Result<(), WriterFault> {
        if self.unflushed_records == 0 {
            return Ok(());
        }
        // a segment that was closed is flushed however rarely the settings ask for it, as in Kafka
        let is_due = self.settings.flush_before_ack
            || self.unflushed_records >= self.settings.flush_records
            || self.log().has_rolled_since_flush();
        if is_due {
            return self.begin_flush(myself);
        }
        if let (Some(interval), false) = (self.settings.flush_interval, self.flush_timer_armed) {
            self.flush_timer_armed = true;
            myself.send_after(interval, || SegmentWriterMessage::FlushDue);
        }
        Ok(())
    }

    /// Hands a flush to the pool. One is under way at a time; what is written meanwhile is the next
    /// one's.
    fn begin_flush(&mut self, myself: &ActorRef<SegmentWriterMessage>) -> Result<(), WriterFault> {
        let Some(job) = self.log().begin_flush()? else { return Ok(()) };
        self.unflushed_records = 0;
        self.is_flushing = true;
        let (writer, replica) = (myself.clone(), self.replica.clone());
        let lease = self.lease.clone();
        self.executor.flush(Box::new(move || {
            let up_to = job.up_to();
            let result = job.run();
            // the replica hears of success from here: one wake-up less on the way to the ack
            if result.is_ok() {
                let _ = replica.cast(PartitionReplicaMessage::Flushed(up_to).into());
            }
            let _ = writer.cast(SegmentWriterMessage::FlushEnded(result));
            drop(lease);
        }));
        Ok(())
    }

    fn on_flush_ended(
        &mut self,
        result: FlushResult,
        myself: &ActorRef<SegmentWriterMessage>,
    ) -> Result<(), WriterFault> {
        self.is_flushing = false;
        self.log().finish_flush(result)?;
        let recovery_point = self.log().recovery_point();
        self.flushed.note(recovery_point);
        if let Some(cut) = self.cut_after_flush.take() {
            self.on_truncate(cut, myself)?;
        }
        if self.is_retiring {
            return self.on_retire(myself);
        }
        self.flush_by_policy(myself)
    }

    fn on_flush_due(&mut self, myself: &ActorRef<SegmentWriterMessage>) -> Result<(), WriterFault> {
        self.flush_timer_armed = false;
        self.begin_flush(myself)
    }

    fn on_advance_log_start(
        &mut self,
        offset: Offset,
        reply: LogStartReply,
    ) -> Result<(), WriterFault> {
        self.log().advance_log_start(offset)?;
        // the replica's picture follows before the answer: who was told reads no less
        let _ = reply.send(self.tell_log_start());
        Ok(())
    }

    fn on_apply_retention(&mut self, high_watermark: Offset) -> Result<(), WriterFault> {
        let now_ms = self.clock.wall_ms();
        self.log().apply_retention(now_ms, high_watermark)?;
        self.tell_log_start();
        Ok(())
    }

    fn tell_log_start(&mut self) -> Offset {
        let offset = self.log().log_start_offset();
        self.tell(WriterReport::LogStartMoved(offset));
        offset
    }

    /// What is not flushed yet may have to be, now.
    fn on_change_settings(
        &mut self,
        settings: WriterSettings,
        myself: &ActorRef<SegmentWriterMessage>,
    ) -> Result<(), WriterFault> {
        self.log().update_settings(settings.log.clone());
        self.settings = settings;
        self.flush_by_policy(myself)
    }

    /// After a quiet interval the log is offered back: an idle partition has no writer.
    fn on_idle_check(&mut self, myself: &ActorRef<SegmentWriterMessage>) {
        if std::mem::take(&mut self.appended_since_check) {
            let idle_after = self.settings.idle_after;
            myself.send_after(idle_after, || SegmentWriterMessage::IdleCheck);
        } else {
            self.tell(WriterReport::Idle);
        }
    }

    /// Gives the log back. A flush under way ends first, for its result is the log's.
    fn on_retire(&mut self, myself: &ActorRef<SegmentWriterMessage>) -> Result<(), WriterFault> {
        self.is_retiring = true;
        if self.is_flushing {
            return Ok(());
        }
        self.log().become_dormant()?;
        if let Some(log) = self.log.take() {
            self.tell(WriterReport::Retired(log));
        }
        myself.stop(Some(RETIRED.to_owned()));
        Ok(())
    }
}
