//! Who is in sync: proposals to the controller and what comes of them.

use protocol::{BrokerEpoch, BrokerId};

use super::Leader;
use crate::effect::{Effect, Effects, InSyncProposal, ProposedMember};
use crate::follower_progress::FollowerProgress;
use crate::moment::Moment;
use crate::refusal::InSyncRefusal;
use crate::reinjected_bug::ReinjectedBug;
use crate::replica_log::ReplicaLog;
use crate::term::{PartitionChange, PartitionEpoch, ReplicationSettings};

impl Leader {
    pub(crate) fn on_partition_changed(
        &mut self,
        now: Moment,
        change: &PartitionChange,
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) {
        if !self.in_sync.on_change(change.partition_epoch, &change.in_sync_replicas) {
            return;
        }
        for follower in &mut self.followers {
            // one that the controller took out (it is fenced, or lags) must show itself first
            follower.is_heard &= self.in_sync.contains(follower.broker);
        }
        self.set_assignment(now, log, &change.assigned_replicas);
        self.propose_change(now, log, effects);
        self.advance_high_watermark(log, effects);
        self.arm_deadline(effects);
    }

    pub(crate) fn on_in_sync_refused(
        &mut self,
        now: Moment,
        (partition_epoch, reason): (PartitionEpoch, InSyncRefusal),
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) {
        if self.in_sync.on_refused(now, partition_epoch, reason) {
            self.followers.iter_mut().for_each(|follower| follower.is_heard = false);
        }
        // a member that may not join after all no longer holds the high watermark back
        self.advance_high_watermark(log, effects);
        self.arm_deadline(effects);
    }

    pub(crate) fn on_settings_changed(
        &mut self,
        now: Moment,
        settings: ReplicationSettings,
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) {
        self.settings = settings;
        let flush = self.counts_flushed();
        for follower in &mut self.followers {
            follower.note_heard(now, flush, log.log_end);
        }
        self.want_flush(log, effects);
        self.propose_change(now, log, effects);
        self.advance_high_watermark(log, effects);
        self.arm_deadline(effects);
    }

    pub(crate) fn on_time(&mut self, now: Moment, log: &ReplicaLog, effects: &mut Effects) {
        self.deadline.on_time();
        if let Some(proposal) = self.in_sync.take_resend(now) {
            effects.push(Effect::ProposeInSyncReplicas(proposal.clone()));
        }
        self.propose_change(now, log, effects);
        self.arm_deadline(effects);
    }

    /// Knows the followers anew, keeping what is known of those that stay.
    pub(super) fn set_assignment(&mut self, now: Moment, log: &ReplicaLog, assigned: &[BrokerId]) {
        self.replication_factor = assigned.len();
        let mut known = std::mem::take(&mut self.followers);
        let in_sync_only = self.in_sync.members().iter().filter(|b| !assigned.contains(b));
        for &broker in assigned.iter().chain(in_sync_only) {
            if broker == self.this_broker {
                continue;
            }
            let is_assigned = assigned.contains(&broker);
            let mut follower = match known.iter().position(|follower| follower.broker == broker) {
                Some(index) => known.swap_remove(index),
                None => FollowerProgress::new(broker, is_assigned, now, log.log_end),
            };
            follower.is_assigned = is_assigned;
            self.followers.push(follower);
        }
    }

    /// Proposes to drop who is behind too long or failed, and to take in who has caught up.
    pub(super) fn propose_change(&mut self, now: Moment, log: &ReplicaLog, out: &mut Effects) {
        if !self.in_sync.may_propose(now) {
            return;
        }
        let is_in_sync = |follower: &FollowerProgress| {
            if self.in_sync.contains(follower.broker) {
                !follower.must_leave(now, self.settings.replica_lag_time_max)
            } else {
                self.may_join(follower, now, log)
            }
        };
        let differs = |f: &FollowerProgress| is_in_sync(f) != self.in_sync.contains(f.broker);
        if !self.followers.iter().any(differs) {
            return;
        }
        let own = ProposedMember { broker: self.this_broker, broker_epoch: BrokerEpoch::UNKNOWN };
        let staying = self.followers.iter().filter(|follower| is_in_sync(follower));
        let staying =
            staying.map(|f| ProposedMember { broker: f.broker, broker_epoch: f.broker_epoch });
        let proposal = InSyncProposal {
            leader_epoch: self.leader_epoch,
            partition_epoch: self.in_sync.partition_epoch(),
            in_sync_replicas: std::iter::once(own).chain(staying).collect(),
        };
        if self.bugs.is(ReinjectedBug::ShrinkWithoutController) {
            self.in_sync.assume(&proposal);
            return;
        }
        self.in_sync.propose(proposal.clone());
        out.push(Effect::ProposeInSyncReplicas(proposal));
    }

    /// Whether a follower holds all that is committed, and all that earlier leaderships left: the
    /// high watermark of a new leader may be lower than what was committed.
    fn may_join(&self, follower: &FollowerProgress, now: Moment, log: &ReplicaLog) -> bool {
        let counted = follower.counted(self.counts_flushed());
        follower.is_assigned
            && follower.is_heard
            && follower.is_validated()
            && counted >= log.high_watermark.get()
            && counted >= self.epoch_start
            && !follower.must_leave(now, self.settings.replica_lag_time_max)
    }

    /// When time alone makes a difference.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        let lag_time_max = self.settings.replica_lag_time_max;
        let members = self.followers.iter().filter(|f| self.in_sync.contains(f.broker));
        self.in_sync.next_deadline(members.filter_map(|f| f.lag_deadline(lag_time_max)).min())
    }

    pub(super) fn arm_deadline(&mut self, effects: &mut Effects) {
        self.deadline.arm(self.next_deadline(), effects);
    }
}
