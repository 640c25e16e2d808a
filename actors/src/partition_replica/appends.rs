//! The way of an append through the replica: admitted, forwarded, written, answered.

use ractor::{ActorProcessingErr, ActorRef};
use replication::{Effect, Ticket};
use supervision::Counted;
use tokio::sync::oneshot;

use commit_log::{Append, AppendOrigin, AppendOutcome};
use protocol::Offset;
use replication::Refusal;

use super::following::Fetch;
use super::{
    AppendAnswer, AppendPlace, AppendRefusal, AppendRequest, PartitionReplicaMessage,
    PartitionReplicaState, Waiting,
};
use crate::segment_writer::{AppendReport, AppendWork, Cut, FollowerWork, SegmentWriterMessage};

impl PartitionReplicaState {
    pub(super) async fn on_append(
        &mut self,
        request: AppendRequest,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        if self.draining {
            refuse(request.reply, Refusal::NotLeader);
            return Ok(());
        }
        if self.is_retiring() {
            self.postponed.push(PartitionReplicaMessage::Append(request));
            return Ok(());
        }
        let ticket = self.next_ticket;
        if let Err(refusal) = self.machine.on_produce(ticket, request.acks) {
            refuse(request.reply, refusal);
            return Ok(());
        }
        self.next_ticket += 1;
        let work = self.admit(ticket, request);
        let writer = self.writer(myself).await?;
        // a writer that has just failed takes the work with it, and this replica follows
        let _ = writer.cast(SegmentWriterMessage::Append(work));
        Ok(())
    }

    fn admit(&mut self, ticket: Ticket, request: AppendRequest) -> AppendWork {
        let AppendRequest { batch, header, acks: _, held, deadline, reply } = request;
        self.forwarded += 1;
        if deadline.is_some() {
            self.watch_deadlines();
        }
        self.waiting.insert(ticket, Waiting { deadline, log_append_time: None, reply });
        let append = Append {
            batch,
            header,
            leader_epoch: self.machine.leader_epoch(),
            origin: AppendOrigin::Client,
            now_ms: self.arguments.ports.clock.wall_ms(),
        };
        AppendWork { ticket, append, held }
    }

    /// A group was written. The machine is told of each, in order, then answers what it can.
    pub(super) fn on_appended(&mut self, reports: Vec<AppendReport>) {
        for AppendReport { ticket, result } in reports {
            self.forwarded = self.forwarded.saturating_sub(1);
            match result {
                Ok(outcome) => self.on_outcome(ticket, outcome),
                Err(error) => {
                    self.machine.on_append_refused(ticket);
                    if let Some(waiting) = self.waiting.remove(&ticket) {
                        let _ = waiting.reply.send(Err(error.into()));
                    }
                }
            }
        }
        self.publish_to_followers();
        self.perform_effects();
    }

    fn on_outcome(&mut self, ticket: Ticket, outcome: AppendOutcome) {
        let now = self.now();
        let places = (outcome.base_offset(), outcome.last_offset().next());
        let (AppendOutcome::Appended { log_append_time, .. }
        | AppendOutcome::Duplicate { log_append_time, .. }) = outcome;
        if let (Some(time), Some(waiting)) = (log_append_time, self.waiting.get_mut(&ticket)) {
            waiting.log_append_time = Some(time);
        }
        match outcome {
            AppendOutcome::Appended { .. } => {
                self.machine.on_appended(now, ticket, places.0, places.1, &mut self.effects);
            }
            AppendOutcome::Duplicate { .. } => {
                self.machine.on_duplicate(ticket, places.0, places.1, &mut self.effects);
            }
        }
    }

    pub(super) fn on_flushed(&mut self, offset: Offset) {
        self.machine.on_flushed(offset, &mut self.effects);
        self.perform_effects();
    }

    /// Does what the machine wants done.
    pub(super) fn perform_effects(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.perform(effect);
        }
        self.effects = effects;
        self.publish_read_replicas();
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Acknowledge { ticket, base_offset, log_start_offset } => {
                self.acknowledge(ticket, base_offset, log_start_offset);
            }
            Effect::Refuse { ticket, reason } => {
                if let Some(waiting) = self.waiting.remove(&ticket) {
                    refuse(waiting.reply, reason);
                }
            }
            Effect::HighWatermarkAdvanced { .. } | Effect::BecameReadable { .. } => {
                self.publish_view();
            }
            // the writer flushes by the same setting, right after it writes
            Effect::FlushNeeded { .. } => {}
            Effect::LeadershipLost { .. } => self.arguments.place.close(),
            Effect::ArmLagDeadline { at } => self.arm_lag_deadline(at),
            Effect::DisarmLagDeadline => self.disarm_lag_deadline(),
            Effect::ProposeInSyncReplicas(proposal) => self.propose_in_sync(proposal),
            Effect::FetchFrom {
                leader,
                leader_epoch,
                position,
                log_start_offset,
                flushed_offset,
            } => self.fetch_from(Fetch {
                leader,
                leader_epoch,
                position,
                log_start_offset,
                flushed_offset,
            }),
            Effect::StopFetching { leader } => self.stop_fetching(leader),
            Effect::AppendFetched { .. } => self.append_fetched(),
            Effect::TruncateTo { offset, below_high_watermark } => {
                self.cut(Cut::To(offset), below_high_watermark);
            }
            Effect::RestartLogAt { offset } => self.cut(Cut::RestartAt(offset), false),
            Effect::MoveLogStart { offset } => {
                let work = FollowerWork::MoveLogStart { offset };
                self.for_writer.push(SegmentWriterMessage::Following(work));
            }
            Effect::ReportFlushProgress { leader, leader_epoch, flushed_offset } => {
                self.report_flushed(leader, leader_epoch, flushed_offset);
            }
            Effect::ReportFailure { leader, leader_epoch } => {
                self.report_failure(leader, leader_epoch);
            }
        }
    }

    fn acknowledge(&mut self, ticket: Ticket, base_offset: Offset, log_start_offset: Offset) {
        let Some(waiting) = self.waiting.remove(&ticket) else { return };
        let log_append_time = waiting.log_append_time;
        let place = AppendPlace { base_offset, log_append_time, log_start_offset };
        let _ = waiting.reply.send(Ok(place));
    }

    /// The replica ends: whoever still waits is told to look for the leader again.
    pub(super) fn refuse_all(&mut self) {
        for (_, waiting) in self.waiting.drain() {
            refuse(waiting.reply, Refusal::NotLeader);
        }
    }
}

fn refuse(reply: oneshot::Sender<AppendAnswer>, refusal: Refusal) {
    let _ = reply.send(Err(AppendRefusal::Replica(refusal)));
}
