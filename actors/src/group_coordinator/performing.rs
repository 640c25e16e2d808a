//! What the machine wants done: answers, appends and the timer.

use std::time::Duration;

use bytes::Bytes;
use coordination::{AppendTicket, Effect};
use protocol::ErrorCode;
use protocol::record_batch::BatchHeader;
use ractor::ActorRef;
use replication::Acks;
use supervision::Counted;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};
use tracing::{debug, warn};

use super::queued_appends::QueuedBatch;
use super::{GroupCoordinatorMessage, GroupCoordinatorState};
use crate::partition_replica::{AppendRequest, PartitionReplicaMessage};
use crate::segment_writer::HeldBytes;

/// The one timer of a group; stops when dropped.
pub(super) struct Timer(JoinHandle<()>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl GroupCoordinatorState {
    pub(super) fn perform_effects(&mut self, myself: &ActorRef<Counted<GroupCoordinatorMessage>>) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain() {
            self.perform(effect, myself);
        }
        self.effects = effects;
        if let Some(machine) = &self.machine {
            self.place.list(machine.listed());
        }
    }

    fn perform(&mut self, effect: Effect, myself: &ActorRef<Counted<GroupCoordinatorMessage>>) {
        match self.parked.answer(effect) {
            Some(Effect::AppendRecords { ticket, records }) => {
                if self.queued.push(&self.place.group_id, ticket, &records) {
                    let _ = myself.cast(GroupCoordinatorMessage::AppendDue.into());
                }
            }
            Some(Effect::ArmTimer { at }) => self.arm_timer(at, myself),
            Some(Effect::StateChanged { from, to, generation }) => {
                debug!(group = %self.place.group_id, %from, %to, %generation, "state changed");
                self.show();
            }
            // seen by the machine's vacancy, after all effects
            Some(Effect::GroupRemoved) => debug!(group = %self.place.group_id, "removed"),
            Some(
                Effect::AnswerJoin { .. }
                | Effect::AnswerSync { .. }
                | Effect::AnswerHeartbeat { .. }
                | Effect::AnswerLeave { .. }
                | Effect::AnswerCommit { .. }
                | Effect::AnswerDeleteOffsets { .. }
                | Effect::AnswerDeleteGroup { .. },
            )
            | None => {}
        }
    }

    fn arm_timer(&mut self, at: Duration, myself: &ActorRef<Counted<GroupCoordinatorMessage>>) {
        let myself = myself.clone();
        self.timer = self.origin.checked_add(at).map(|at| {
            Timer(tokio::spawn(async move {
                sleep_until(at).await;
                let _ = myself.cast(GroupCoordinatorMessage::TimerRang.into());
            }))
        });
    }

    pub(super) fn show(&self) {
        let Some(machine) = &self.machine else { return };
        self.status.set("state", machine.state().name());
        self.status.set("generation", i64::from(machine.generation().value()));
        self.status.set("members", i64::try_from(machine.member_count()).unwrap_or(i64::MAX));
    }

    pub(super) fn on_append_due(&mut self, myself: &ActorRef<Counted<GroupCoordinatorMessage>>) {
        if !self.place.is_current() {
            self.resign();
            return;
        }
        let bytes_max = self.place.partition.settings().log.max_message_bytes;
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let timestamp = self.broker.ports.clock.wall_ms();
        for QueuedBatch { tickets, built } in self.queued.take_batches(timestamp, bytes_max) {
            match built {
                Ok((batch, header)) => self.append(tickets, batch, header, myself),
                Err(code) => {
                    warn!(group = %self.place.group_id, ?code, "an append could not be built");
                    self.on_appended(tickets, Err(code));
                }
            }
        }
    }

    fn append(
        &self,
        tickets: Vec<AppendTicket>,
        batch: Bytes,
        header: BatchHeader,
        myself: &ActorRef<Counted<GroupCoordinatorMessage>>,
    ) {
        let (reply, answer) = oneshot::channel();
        let held = HeldBytes::default();
        let acks = Acks::All;
        let request = AppendRequest { batch, header, acks, held, deadline: None, reply };
        // undeliverable, the reply port is dropped with the request, and read as such below
        let _ = self.place.partition.replica.send(PartitionReplicaMessage::Append(request));
        let deadline = self.broker.settings.load().offsets.commit_timeout;
        let (myself, lease) = (myself.clone(), self.lease.clone());
        tokio::spawn(async move {
            let outcome = match timeout(deadline, answer).await {
                Ok(Ok(Ok(_))) => Ok(()),
                Ok(Ok(Err(refusal))) => Err(refusal.error_code()),
                Ok(Err(_)) => Err(ErrorCode::NotLeaderOrFollower),
                Err(_) => Err(ErrorCode::RequestTimedOut),
            };
            let _ = myself.cast(GroupCoordinatorMessage::Appended { tickets, outcome }.into());
            drop(lease);
        });
    }

    pub(super) fn on_appended(
        &mut self,
        tickets: Vec<AppendTicket>,
        outcome: Result<(), ErrorCode>,
    ) {
        let now = self.now();
        let Some(machine) = &mut self.machine else { return };
        for ticket in tickets {
            match outcome {
                Ok(()) => machine.on_records_durable(now, ticket, &mut self.effects),
                Err(code) => machine.on_records_failed(now, ticket, code, &mut self.effects),
            }
        }
    }
}
