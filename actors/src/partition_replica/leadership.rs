//! Which role the controller gave this replica.
//!
//! ```text
//! decided ──needs the log at rest──▶ the writer drains ──▶ the machine takes the role
//!    │                                (nothing is admitted meanwhile)
//!    └──leads here under an epoch spent──▶ asks the controller for a new one
//! ```

use std::sync::Arc;
use std::time::Duration;

use commit_log::CommitLog;
use metadata::{PartitionState, ReplicaReport};
use protocol::{BrokerId, LeaderEpoch, Offset};
use replication::{
    EpochStart, FollowerTerm, LeaderTerm, LogOffsets, PartitionChange, PartitionEpoch, Refusal,
    Role,
};
use tracing::debug;

use super::{LogPlace, OwnMessage, PartitionReplicaMessage, PartitionReplicaState};
use crate::controller::ask;
use crate::controller::question::ReportReplica;
use crate::segment_writer::SegmentWriterMessage;

/// How long until the controller is asked again for an epoch; doubled with each question.
const ELECTION_RETRY: Duration = Duration::from_millis(100);
/// How often it is doubled at most.
const DOUBLINGS_MAX: u32 = 4;

impl PartitionReplicaState {
    /// The cluster agreed on a new state of the partition.
    pub(super) fn on_decided(&mut self, state: Arc<PartitionState>) {
        if state.partition_epoch < self.decided.partition_epoch {
            return;
        }
        let before = std::mem::replace(&mut self.decided, state);
        self.take_up_role();
        self.show_itself(&before);
        self.welcome_mended(&before);
    }

    /// A follower that was taken out of the in-sync replicas may wait for an answer that was lost; and
    /// on an idle partition it has nothing to say by which its leader could notice that it is there.
    fn show_itself(&self, before: &PartitionState) {
        let this_broker = self.arguments.this_broker;
        let is_behind = before.is_in_sync(this_broker) && !self.decided.is_in_sync(this_broker);
        if let Some(leader) = self.decided.leader.filter(|_| is_behind)
            && self.has_role(Role::Follower, self.decided.leader_epoch)
        {
            self.ask_anew(leader);
        }
    }

    /// A follower that was given up and is back has nothing to say on an idle partition by which its
    /// leader could notice it.
    fn welcome_mended(&mut self, before: &PartitionState) {
        let decided = Arc::clone(&self.decided);
        let is_mended = |broker: &&BrokerId| !decided.offline_replicas.contains(*broker);
        let now = self.now();
        for broker in before.offline_replicas.iter().filter(is_mended) {
            self.machine.on_follower_unfenced(now, *broker, &mut self.effects);
        }
        self.perform_effects();
    }

    /// Takes the role that was decided, if the machine does not have it.
    pub(super) fn take_up_role(&mut self) {
        let decided = Arc::clone(&self.decided);
        if self.was_given_up() || !self.arguments.place.is_whole() {
            self.ask_for_election();
        }
        match decided.leader {
            None if self.has_role(Role::AwaitingElection, decided.leader_epoch) => {}
            Some(leader) if leader == self.arguments.this_broker => self.be_leader(&decided),
            Some(_) if self.has_role(Role::Follower, decided.leader_epoch) => {
                self.show_as_follower();
                self.show_role();
            }
            None | Some(_) => self.bring_log_to_rest(),
        }
    }

    /// Whether the cluster counts this replica as lost: one that comes out of quarantine has to say
    /// that it is back.
    fn was_given_up(&self) -> bool {
        self.decided.offline_replicas.contains(&self.arguments.this_broker)
    }

    fn has_role(&self, role: Role, epoch: LeaderEpoch) -> bool {
        self.machine.role() == role && self.machine.leader_epoch() == epoch
    }

    /// Leads, if the epoch was not told of here before, and given in the knowledge of what is gone
    /// here; asks for such an epoch otherwise.
    fn be_leader(&mut self, decided: &PartitionState) {
        if self.has_role(Role::Leader, decided.leader_epoch) {
            self.change_replicas(decided);
        } else if decided.leader_epoch <= self.arguments.place.last_told_epoch()
            || !self.arguments.place.is_whole()
        {
            self.ask_for_election();
        } else {
            self.bring_log_to_rest();
        }
    }

    /// The controller says that nobody leads.
    fn follow_nobody(&mut self, epoch: LeaderEpoch) {
        if let Err(refusal) = self.machine.on_no_leader(epoch, &mut self.effects) {
            debug!(partition = %self.arguments.place.name, %refusal, "epoch refused");
        }
        self.arguments.place.told(epoch);
        self.perform_effects();
        self.show_role();
    }

    /// A role begins with a log that nobody writes: the writer finishes what it was given.
    fn bring_log_to_rest(&mut self) {
        match &self.log {
            LogPlace::Dormant(log) => {
                let offsets = log_offsets(log);
                self.take_role(&offsets);
            }
            LogPlace::Writing(writer) => {
                if !std::mem::replace(&mut self.draining, true) {
                    // who reads through it goes to the next leader
                    self.arguments.place.close();
                    let _ = writer.cast(SegmentWriterMessage::Drain);
                    self.leave_lead();
                }
            }
            // when the log is at hand again, so is the decision
            LogPlace::Retiring | LogPlace::Elsewhere => {}
        }
    }

    /// Another one leads: whoever waits for an ack goes there, and not only when the writer has
    /// drained, which takes as long as its disk does.
    fn leave_lead(&mut self) {
        let decided = Arc::clone(&self.decided);
        if decided.leader == Some(self.arguments.this_broker) || self.machine.role() != Role::Leader
        {
            return;
        }
        if let Err(refusal) = self.machine.on_no_leader(decided.leader_epoch, &mut self.effects) {
            debug!(partition = %self.arguments.place.name, %refusal, "epoch refused");
        }
        self.perform_effects();
    }

    /// The writer has written what it was given, and nothing was admitted since.
    pub(super) fn on_drained(&mut self, offsets: &LogOffsets) {
        if std::mem::take(&mut self.draining) {
            self.take_role(offsets);
        }
    }

    fn take_role(&mut self, offsets: &LogOffsets) {
        let decided = Arc::clone(&self.decided);
        let taken = match decided.leader {
            None => return self.follow_nobody(decided.leader_epoch),
            Some(leader) if leader == self.arguments.this_broker => self.lead(&decided, offsets),
            Some(leader) => self.follow(leader, &decided, offsets),
        };
        if let Err(refusal) = taken {
            debug!(partition = %self.arguments.place.name, %refusal, "role refused");
            self.on_role_refused(refusal);
        }
        self.perform_effects();
        self.show_role();
    }

    fn lead(&mut self, decided: &PartitionState, offsets: &LogOffsets) -> Result<(), Refusal> {
        let (term, now) = (self.term(decided), self.now());
        self.machine.on_become_leader(now, &term, offsets, &mut self.effects)?;
        let (epoch, end) = (decided.leader_epoch, offsets.log_end);
        self.arguments.place.told(epoch);
        self.epoch_start_offset = end;
        self.elections_asked = 0;
        debug!(partition = %self.arguments.place.name, %epoch, %end, "leads");
        // first what the leadership before leaves behind: its end takes its own view away
        self.perform_effects();
        self.publish_view();
        Ok(())
    }

    fn follow(
        &mut self,
        leader: BrokerId,
        decided: &PartitionState,
        offsets: &LogOffsets,
    ) -> Result<(), Refusal> {
        let term = FollowerTerm {
            leader_epoch: decided.leader_epoch,
            leader,
            this_broker: self.arguments.this_broker,
            settings: self.arguments.place.settings().replication,
        };
        self.machine.on_become_follower(&term, offsets, &mut self.effects)?;
        let (epoch, end) = (decided.leader_epoch, offsets.log_end);
        self.arguments.place.told(epoch);
        self.elections_asked = 0;
        debug!(partition = %self.arguments.place.name, %leader, %epoch, %end, "follows");
        Ok(())
    }

    /// A spent epoch is asked anew for; with an old one, a newer decision is on its way.
    fn on_role_refused(&mut self, refusal: Refusal) {
        if let Refusal::LeaderEpochSpent { .. } = refusal {
            self.arguments.place.told(self.decided.leader_epoch);
            self.ask_for_election();
        } else if self.machine.role() == Role::Follower {
            self.repeat_fetch();
            self.show_as_follower();
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
        self.show_role();
    }

    /// Asks the controller for an epoch of its own, and keeps asking: the question may get lost.
    pub(super) fn ask_for_election(&mut self) {
        let (place, decided) = (&self.arguments.place, &self.decided);
        let is_elsewhere = decided.leader != Some(self.arguments.this_broker);
        let is_fresh = decided.leader_epoch > place.last_told_epoch();
        let is_known = !self.was_given_up() && place.is_whole();
        let is_settled = (is_elsewhere || is_fresh) && is_known;
        if is_settled || self.machine.role() == Role::Leader || self.waits_for_election {
            return;
        }
        self.report_restart();
        self.waits_for_election = true;
        let retry = ELECTION_RETRY * (1 << self.elections_asked.min(DOUBLINGS_MAX));
        self.elections_asked = self.elections_asked.saturating_add(1);
        let due = || PartitionReplicaMessage::Own(OwnMessage::ElectionDue).into();
        self.myself.send_after(retry, due);
    }

    pub(super) fn on_election_due(&mut self) {
        self.waits_for_election = false;
        self.ask_for_election();
    }

    /// Tells the controller that this replica began anew; the answer comes as a decision.
    fn report_restart(&self) {
        let (leader_epoch, place) = (self.decided.leader_epoch, Arc::clone(&self.arguments.place));
        let (losses, is_whole) = (place.losses(), place.is_whole());
        let question = ReportReplica {
            broker: self.arguments.this_broker,
            broker_epoch: self.arguments.registration.epoch(),
            key: self.arguments.place.key,
            report: ReplicaReport::Restarted { leader_epoch, is_whole },
        };
        let (asked, myself) = (ask(&self.arguments.controller, question), self.myself.clone());
        tokio::spawn(async move {
            if let Ok(Ok(state)) = asked.await {
                place.losses_are_known(losses);
                let _ = myself.cast(PartitionReplicaMessage::Decided(state).into());
            }
        });
    }

    /// No longer leads or follows, for good: nobody reads through it, and whoever waits is told.
    pub(super) fn stop_role(&mut self) {
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

    pub(super) fn show_role(&self) {
        let status = &self.arguments.status;
        let role = match self.machine.role() {
            Role::Leader => "leader",
            Role::Follower => "follower",
            Role::AwaitingElection | Role::Offline => "none",
        };
        status.set("role", role);
        if role == "none" {
            status.clear("leader epoch");
        } else {
            status.set("leader epoch", i64::from(self.machine.leader_epoch().value()));
        }
        let isr: Vec<_> = self.decided.isr.iter().map(ToString::to_string).collect();
        status.set("isr", isr.join(","));
    }

    pub(super) fn on_log_start_moved(&mut self, offset: Offset) {
        self.machine.on_log_start_moved(offset, &mut self.effects);
        self.publish_view();
        self.perform_effects();
    }
}

/// Where a log that nobody writes stands.
pub fn log_offsets(log: &CommitLog) -> LogOffsets {
    let start = |(leader_epoch, start_offset)| EpochStart { leader_epoch, start_offset };
    LogOffsets {
        log_start: log.log_start_offset(),
        log_end: log.log_end_offset(),
        flushed: log.flushed_offset(),
        epochs: log.epochs().into_iter().map(start).collect(),
    }
}
