//! Which role the controller gave this replica, and what readers see of it.

use std::sync::Arc;

use commit_log::CommitLog;
use metadata::{PartitionState, ReplicaReport};
use protocol::{LeaderEpoch, Offset};
use ractor::{ActorProcessingErr, ActorRef};
use replication::{EpochStart, LeaderTerm, LogOffsets, PartitionChange, PartitionEpoch, Role};
use supervision::Counted;
use tracing::debug;

use super::{LogPlace, PartitionReplicaMessage, PartitionReplicaState};
use crate::controller::ask;
use crate::controller::question::ReportReplica;
use crate::read_view::ReadView;

/// How long until the controller is asked again for an epoch.
const ELECTION_RETRY: std::time::Duration = std::time::Duration::from_millis(100);

impl PartitionReplicaState {
    /// The cluster agreed on a new state of the partition.
    pub(super) fn on_decided(
        &mut self,
        state: Arc<PartitionState>,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        if state.partition_epoch < self.decided.partition_epoch {
            return Ok(());
        }
        self.decided = state;
        self.take_up_role(myself)
    }

    /// Leads, if the controller says so under an epoch that was not led here before; asks for such
    /// an epoch otherwise. Needs the log at hand: a writer gives it back first.
    pub(super) fn take_up_role(
        &mut self,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        let decided = Arc::clone(&self.decided);
        if self.was_given_up() {
            self.ask_for_election(myself);
        }
        if decided.leader != Some(self.arguments.this_broker) {
            return self.follow_nobody(&decided);
        }
        if self.leads_under(decided.leader_epoch) {
            self.change_replicas(&decided);
            return Ok(());
        }
        if decided.leader_epoch <= self.arguments.place.last_led_epoch() {
            self.ask_for_election(myself);
            return Ok(());
        }
        if self.retire_writer() {
            self.postponed.push(PartitionReplicaMessage::Decided(decided));
            return Ok(());
        }
        self.lead(&decided, myself)
    }

    /// Whether the cluster counts this replica as lost: one that comes out of quarantine has to say
    /// that it is back.
    fn was_given_up(&self) -> bool {
        self.decided.offline_replicas.contains(&self.arguments.this_broker)
    }

    fn leads_under(&self, epoch: LeaderEpoch) -> bool {
        self.machine.role() == Role::Leader && self.machine.leader_epoch() == epoch
    }

    /// The controller says that somebody else leads, or nobody does.
    fn follow_nobody(&mut self, decided: &PartitionState) -> Result<(), ActorProcessingErr> {
        self.arguments.place.close();
        self.machine.on_no_leader(decided.leader_epoch, &mut self.effects)?;
        self.perform_effects();
        self.show_role();
        Ok(())
    }

    fn lead(
        &mut self,
        decided: &PartitionState,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        let LogPlace::Dormant(log) = &self.log else { return Ok(()) };
        let offsets = log_offsets(log);
        let term = self.term(decided);
        let now = self.now();
        match self.machine.on_become_leader(now, &term, &offsets, &mut self.effects) {
            Ok(()) => {
                let (epoch, end) = (decided.leader_epoch, offsets.log_end);
                self.arguments.place.led(epoch);
                self.epoch_start_offset = end;
                debug!(partition = %self.arguments.place.name, %epoch, %end, "leads");
                self.show_role();
                self.publish_view();
                self.perform_effects();
                Ok(())
            }
            Err(refusal) => {
                debug!(partition = %self.arguments.place.name, %refusal, "epoch refused");
                self.ask_for_election(myself);
                Ok(())
            }
        }
    }

    fn term(&self, decided: &PartitionState) -> LeaderTerm {
        LeaderTerm {
            leader_epoch: decided.leader_epoch,
            partition_epoch: PartitionEpoch(decided.partition_epoch.value()),
            in_sync_replicas: decided.isr.clone(),
            assigned_replicas: decided.assigned_replicas.clone(),
            this_broker: self.arguments.this_broker,
            settings: self.arguments.place.settings().replication,
        }
    }

    /// The same leadership with other replicas.
    fn change_replicas(&mut self, decided: &PartitionState) {
        let change = PartitionChange {
            leader_epoch: decided.leader_epoch,
            partition_epoch: PartitionEpoch(decided.partition_epoch.value()),
            in_sync_replicas: decided.isr.clone(),
            assigned_replicas: decided.assigned_replicas.clone(),
        };
        let now = self.now();
        self.machine.on_partition_changed(now, &change, &mut self.effects);
        self.perform_effects();
    }

    /// Asks the controller for an epoch of its own, and keeps asking: the question may get lost.
    pub(super) fn ask_for_election(&mut self, myself: &ActorRef<Counted<PartitionReplicaMessage>>) {
        let place = &self.arguments.place;
        let is_settled = self.decided.leader_epoch > place.last_led_epoch() && !self.was_given_up();
        if is_settled || self.machine.role() == Role::Leader {
            return;
        }
        // what was flushed or written is still there: only this replica's memory is gone
        let report =
            ReplicaReport::Restarted { leader_epoch: self.decided.leader_epoch, is_whole: true };
        let question = ReportReplica {
            broker: self.arguments.this_broker,
            broker_epoch: self.arguments.registration.epoch(),
            key: place.key,
            report,
        };
        // the new epoch comes by the publisher
        drop(ask(&self.arguments.controller, question));
        myself.send_after(ELECTION_RETRY, || PartitionReplicaMessage::ElectionDue.into());
    }

    /// No longer leads, for good: nobody reads through it, and whoever waits is told.
    pub(super) fn stop_leading(&mut self) {
        self.arguments.place.close();
        self.machine.on_stop(&mut self.effects);
        self.perform_effects();
        self.refuse_all();
        self.show_role();
    }

    pub(super) fn on_settings_changed(&mut self) {
        let now = self.now();
        let settings = self.arguments.place.settings().replication;
        self.machine.on_settings_changed(now, settings, &mut self.effects);
        self.change_writer_settings();
        self.perform_effects();
    }

    /// Publishes what readers may see now.
    pub(super) fn publish_view(&self) {
        let Some(reader) = self.reader.as_ref().filter(|_| self.machine.role() == Role::Leader)
        else {
            return;
        };
        let high_watermark = self.machine.high_watermark();
        self.arguments.place.publish(ReadView {
            incarnation: self.arguments.incarnation,
            leader_epoch: self.machine.leader_epoch(),
            epoch_start_offset: self.epoch_start_offset,
            reader: reader.clone(),
            log_start_offset: self.machine.log_start_offset(),
            high_watermark,
            // without transactions every committed record is stable
            last_stable_offset: high_watermark,
        });
    }

    fn show_role(&self) {
        let status = &self.arguments.status;
        if self.machine.role() == Role::Leader {
            status.set("role", "leader");
            status.set("leader epoch", i64::from(self.machine.leader_epoch().value()));
        } else {
            status.set("role", "none");
            status.clear("leader epoch");
        }
    }

    pub(super) fn on_log_start_moved(&mut self, offset: Offset) {
        self.machine.on_log_start_moved(offset, &mut self.effects);
        self.publish_view();
        self.perform_effects();
    }
}

fn log_offsets(log: &CommitLog) -> LogOffsets {
    let start = |(leader_epoch, start_offset)| EpochStart { leader_epoch, start_offset };
    LogOffsets {
        log_start: log.log_start_offset(),
        log_end: log.log_end_offset(),
        flushed: log.flushed_offset(),
        epochs: log.epochs().into_iter().map(start).collect(),
    }
}
