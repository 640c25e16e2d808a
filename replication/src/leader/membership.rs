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
        for follower in &mut self.followers {
            let broker = follower.broker;
            if self.in_sync.contains(broker) && !change.in_sync_replicas.contains(&broker) {
                // If the controller took it out on its own (it is fenced), it must show itself. If
                // this leader asked for it, what was heard since then counts.
                follower.is_heard &= self.in_sync.has_proposed_to_drop(broker);
            }
        }
        self.in_sync.on_change(change.partition_epoch, &change.in_sync_replicas);
        self.set_assignment(now, log, &change.assigned_replicas);
        self.propose_change(now, log, effects);
        self.advance_high_watermark(log, effects);
        self.arm_deadline(effects);
    }

    pub(crate) fn on_in_sync_refused(
        &mut self,
        now: Moment,
        (partition_epoch, reason): (PartitionEpoch, InSyncRefusal),
        effects: &mut Effects,
    ) {
        match reason {
            InSyncRefusal::Unanswered | InSyncRefusal::Outdated => {
                self.in_sync.on_no_answer(now, partition_epoch);
            }
            InSyncRefusal::Ineligible => {
                let turned_down = self.in_sync.pending().cloned();
                let present = self.proposed(|follower| self.in_sync.contains(follower.broker));
                if let Some(withdrawal) = self.in_sync.withdraw(now, partition_epoch, present) {
                    effects.push(Effect::ProposeInSyncReplicas(withdrawal.clone()));
                    // A refusal says nothing of who was not proposed, nor of who has fetched under
                    // a newer registration since: on an idle partition neither would fetch again.
                    for follower in &mut self.followers {
                        let member = follower.as_member();
                        if turned_down.as_ref().is_some_and(|it| it.has_member(member)) {
                            follower.is_heard = follower.was_unfenced;
                        }
                    }
                }
            }
        }
        self.arm_deadline(effects);
    }

    pub(crate) fn on_follower_unfenced(
        &mut self,
        now: Moment,
        broker: BrokerId,
        log: &ReplicaLog,
        effects: &mut Effects,
    ) {
        for follower in self.followers.iter_mut().filter(|follower| follower.broker == broker) {
            follower.is_heard = true;
            follower.was_unfenced = true;
        }
        self.propose_change(now, log, effects);
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
        if let Some(proposal) = self.in_sync.on_time(now) {
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
        if self.in_sync.pending().is_some() {
            return;
        }
        let may_anyone_join = self.in_sync.may_propose_joining(now);
        let is_in_sync = |follower: &FollowerProgress| {
            if self.in_sync.contains(follower.broker) {
                !follower.must_leave(now, self.settings.replica_lag_time_max)
            } else {
                may_anyone_join && self.may_join(follower, now, log)
            }
        };
        let differs = |f: &FollowerProgress| is_in_sync(f) != self.in_sync.contains(f.broker);
        if !self.followers.iter().any(differs) {
            return;
        }
        let proposal = InSyncProposal {
            leader_epoch: self.leader_epoch,
            partition_epoch: self.in_sync.partition_epoch(),
            in_sync_replicas: self.proposed(is_in_sync),
        };
        if self.bugs.is(ReinjectedBug::ShrinkWithoutController) {
            self.in_sync.assume(&proposal);
            return;
        }
        for follower in &mut self.followers {
            let leaves = self.in_sync.contains(follower.broker) && !proposal.names(follower.broker);
            follower.is_heard &= !leaves;
            follower.was_unfenced = false;
        }
        self.in_sync.propose(proposal.clone());
        out.push(Effect::ProposeInSyncReplicas(proposal));
    }

    /// This broker and the followers that `are_in`, with the registrations they are known by.
    fn proposed(&self, are_in: impl Fn(&FollowerProgress) -> bool) -> Vec<ProposedMember> {
        let own = ProposedMember { broker: self.this_broker, broker_epoch: BrokerEpoch::UNKNOWN };
        let members = self.followers.iter().filter(|follower| are_in(follower));
        std::iter::once(own).chain(members.map(FollowerProgress::as_member)).collect()
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
