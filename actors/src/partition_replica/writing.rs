//! The replica as the parent of its writer: started by the first append, ended when idle.

use commit_log::{CommitLog, LogError};
use protocol::{ErrorCode, Offset};
use ractor::thread_local::ThreadLocalActor;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use replication::Role;
use supervision::Counted;
use tokio::sync::oneshot;

use super::{LogPlace, OwnMessage, PartitionReplicaMessage, PartitionReplicaState};
use crate::segment_writer::{
    FollowerWork, Poison, RETIRED, SegmentWriter, SegmentWriterArguments, SegmentWriterMessage,
    WriterFault, WriterReport, WriterSettings,
};

/// Why a replica ends itself.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaFault {
    /// The log was given away and did not come back.
    #[error("the segment writer ended without giving the log back: {reason}")]
    WriterLost {
        /// What the writer said.
        reason: String,
    },
    /// A cut took more than it should: the machine's picture of the log is wrong, and the next
    /// incarnation reads the log itself.
    #[error("the log was to be cut at {wanted} and ends at {log_end}")]
    CutFurther {
        /// Where it was to end.
        wanted: Offset,
        /// Where it ends.
        log_end: Offset,
    },
    /// A demonstration wanted it.
    #[error("storage error injected on demand")]
    Injected,
}

impl PartitionReplicaState {
    /// The writer; started if there is none.
    pub(super) async fn writer(
        &mut self,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<ActorRef<SegmentWriterMessage>, ActorProcessingErr> {
        match std::mem::replace(&mut self.log, LogPlace::Elsewhere) {
            LogPlace::Dormant(log) => {
                let writer = self.start_writer(log, myself).await?;
                self.log = LogPlace::Writing(writer.clone());
                Ok(writer)
            }
            LogPlace::Writing(writer) => {
                self.log = LogPlace::Writing(writer.clone());
                Ok(writer)
            }
            LogPlace::Elsewhere | LogPlace::Retiring => {
                Err(ReplicaFault::WriterLost { reason: "no log at hand".to_owned() }.into())
            }
        }
    }

    async fn start_writer(
        &mut self,
        log: Box<CommitLog>,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<ActorRef<SegmentWriterMessage>, ActorProcessingErr> {
        let ports = &self.arguments.ports;
        let arguments = SegmentWriterArguments {
            log,
            settings: self.writer_settings(),
            replica: myself.clone(),
            executor: ports.executor.clone(),
            clock: ports.clock.clone(),
            flushed: self.arguments.checkpoints.flushed_log(&self.arguments.place.name),
            lease: self.lease.clone(),
        };
        let parent = myself.get_cell();
        let started = match ports.executor.writer_thread(self.arguments.place.storage_hash()) {
            Some(thread) => {
                <SegmentWriter as ThreadLocalActor>::spawn_linked(None, arguments, parent, thread)
                    .await?
            }
            None => Actor::spawn_linked(None, SegmentWriter, arguments, parent).await?,
        };
        let writer = started.0.clone();
        self.shown_writer = Some(self.arguments.own_children.show("segment_writer", started));
        Ok(writer)
    }

    fn writer_settings(&self) -> WriterSettings {
        let settings = self.arguments.place.settings();
        WriterSettings {
            log: settings.log.clone(),
            flush_before_ack: settings.replication.flush_before_ack,
            flush_records: settings.flush_records,
            flush_interval: settings.flush_interval,
            idle_after: self.arguments.writer_idle_after,
        }
    }

    pub(super) fn change_writer_settings(&mut self) {
        let settings = self.writer_settings();
        match &mut self.log {
            LogPlace::Writing(writer) => {
                let message = SegmentWriterMessage::ChangeSettings(Box::new(settings));
                let _ = writer.cast(message);
            }
            LogPlace::Dormant(log) => log.update_settings(settings.log),
            LogPlace::Elsewhere | LogPlace::Retiring => {}
        }
    }

    pub(super) const fn is_retiring(&self) -> bool {
        matches!(self.log, LogPlace::Retiring)
    }

    /// Asks the writer for the log; says whether it has to be waited for.
    pub(super) fn retire_writer(&mut self) -> bool {
        match &self.log {
            LogPlace::Writing(writer) => {
                let _ = writer.cast(SegmentWriterMessage::Retire);
                self.log = LogPlace::Retiring;
                true
            }
            LogPlace::Retiring => true,
            LogPlace::Dormant(_) | LogPlace::Elsewhere => false,
        }
    }

    /// The writer has had nothing to do. If nothing is on its way to it, it may end.
    pub(super) fn on_writer_idle(&mut self) {
        if self.forwarded == 0 {
            self.retire_writer();
        }
    }

    /// What the machine wants the writer to do, after what it was given before.
    pub(super) async fn hand_to_writer(
        &mut self,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        if self.for_writer.is_empty() || self.is_retiring() {
            return Ok(());
        }
        let writer = self.writer(myself).await?;
        for message in self.for_writer.drain(..) {
            let is_reported = matches!(
                message,
                SegmentWriterMessage::Following(
                    FollowerWork::Append { .. } | FollowerWork::Truncate(_)
                )
            );
            self.forwarded += usize::from(is_reported);
            let _ = writer.cast(message);
        }
        Ok(())
    }

    pub(super) fn on_writer_report(&mut self, report: WriterReport) -> Result<(), ReplicaFault> {
        match report {
            WriterReport::Appended(reports) => self.on_appended(reports),
            WriterReport::FetchedAppended(append) => self.on_fetched_appended(append),
            WriterReport::Truncated(log) => self.on_truncated(log)?,
            WriterReport::LogStartMoved(offset) => self.on_log_start_moved(offset),
            WriterReport::Drained(offsets) => self.on_drained(&offsets),
            WriterReport::Idle => self.on_writer_idle(),
            WriterReport::Retired(log) => self.on_writer_retired(log),
        }
        Ok(())
    }

    /// The directory's checkpoints hold what a truncation noted beside the log.
    pub(super) fn on_checkpointed(&mut self, offset: Offset) {
        self.for_writer.push(SegmentWriterMessage::ConfirmCheckpoint { offset });
    }

    /// A log that was recovered was not written to since: nobody sends again what it holds.
    pub(super) fn on_log_idle(&mut self) {
        let mut log = match std::mem::replace(&mut self.log, LogPlace::Retiring) {
            LogPlace::Dormant(log) if !log.is_dormant() => log,
            other => {
                self.log = other;
                return;
            }
        };
        let (myself, lease) = (self.myself.clone(), self.lease.clone());
        self.arguments.ports.executor.run(Box::new(move || {
            let message = match log.become_dormant() {
                Ok(_) => OwnMessage::LogAtRest(log),
                Err(error) => OwnMessage::Opened(Box::new(Err(error.into()))),
            };
            let _ = myself.cast(PartitionReplicaMessage::Own(message).into());
            drop(lease);
        }));
    }

    fn on_writer_retired(&mut self, log: Box<CommitLog>) {
        self.shown_writer = None;
        self.on_log_back(log);
    }

    /// The log is at hand again: what waited for it goes on.
    pub(super) fn on_log_back(&mut self, log: Box<CommitLog>) {
        self.report_checkpoint(&log);
        self.arguments.place.note_log_end(log.log_end_offset());
        self.log = LogPlace::Dormant(log);
        self.draining = false;
        self.take_up_role();
        for message in std::mem::take(&mut self.postponed) {
            let _ = self.myself.cast(message.into());
        }
    }

    /// The writer failed, and with it this replica: who waits is told, and so is the leader.
    pub(super) fn on_writer_failed(&mut self, error: &ActorProcessingErr) {
        self.remember_failure(error);
        self.remember_loss(error);
        self.machine.on_flush_failed(&mut self.effects);
        self.perform_effects();
    }

    /// A flush failed, and the disk took no note of it: the next incarnation must know nevertheless
    /// how far the log is good, for what lies above may read back as if it were on disk.
    fn remember_failure(&self, error: &ActorProcessingErr) {
        let fault = error.downcast_ref::<WriterFault>();
        if let Some(LogError::FlushFailed { flushed_offset, proof_written: false, .. }) =
            fault.map(WriterFault::log_error)
        {
            let arguments = &self.arguments;
            arguments.checkpoints.report_failure(&arguments.place.name, *flushed_offset);
        }
    }

    /// What a failed flush takes back is gone, whatever the next incarnation finds.
    fn remember_loss(&self, error: &ActorProcessingErr) {
        let fault = error.downcast_ref::<WriterFault>();
        if let Some(LogError::FlushFailed { flushed_offset, .. }) =
            fault.map(WriterFault::log_error)
            && *flushed_offset < self.machine.log_end_offset()
            && self.counts_unflushed()
        {
            self.arguments.place.lost_confirmed();
        }
    }

    /// The writer ended in order: only after it gave the log back.
    pub(super) fn on_writer_ended(&self, reason: Option<String>) -> Result<(), ActorProcessingErr> {
        match reason.as_deref() {
            Some(RETIRED) => Ok(()),
            _ => {
                let reason = reason.unwrap_or_else(|| "no reason".to_owned());
                Err(ReplicaFault::WriterLost { reason }.into())
            }
        }
    }

    pub(super) async fn on_delete_records(
        &mut self,
        offset: Offset,
        reply: oneshot::Sender<Result<Offset, ErrorCode>>,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        if self.is_retiring() {
            self.postponed.push(PartitionReplicaMessage::DeleteRecords { offset, reply });
            return Ok(());
        }
        let offset = match self.machine.may_delete_records(offset) {
            Ok(offset) => offset,
            Err(refusal) => {
                let _ = reply.send(Err(refusal.error_code()));
                return Ok(());
            }
        };
        let writer = self.writer(myself).await?;
        let (moved, log_start) = oneshot::channel();
        let _ = writer.cast(SegmentWriterMessage::AdvanceLogStart { offset, reply: moved.into() });
        // answered outside of this handler: the writer may be busy
        tokio::spawn(async move {
            if let Ok(log_start) = log_start.await {
                let _ = reply.send(Ok(log_start));
            }
        });
        Ok(())
    }

    pub(super) async fn on_apply_retention(
        &mut self,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        if self.is_retiring() || self.machine.role() != Role::Leader {
            return Ok(());
        }
        let high_watermark = self.machine.high_watermark();
        let writer = self.writer(myself).await?;
        let _ = writer.cast(SegmentWriterMessage::ApplyRetention { high_watermark });
        Ok(())
    }

    pub(super) async fn on_poison(
        &mut self,
        poison: Poison,
        in_writer: bool,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        if in_writer && !self.is_retiring() {
            let writer = self.writer(myself).await?;
            let _ = writer.cast(SegmentWriterMessage::Poison(poison));
            return Ok(());
        }
        match poison {
            Poison::Panic => panic!("poisoned on demand"),
            Poison::StorageError => Err(ReplicaFault::Injected.into()),
        }
    }
}
