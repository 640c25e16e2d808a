//! What a leader hears from its followers and from the controller.

use protocol::{BrokerEpoch, BrokerId};

use super::{Replica, State};
use crate::effect::Effects;
use crate::fetch::{FetchVerdict, FlushProgress, FollowerFetch};
use crate::moment::Moment;
use crate::refusal::{InSyncRefusal, Refusal};
use crate::term::{PartitionChange, PartitionEpoch};

impl Replica {
    /// A follower asks for records. Its offsets count as of now, if its log agrees with this one.
    ///
    /// # Errors
    /// `NotLeader`, `FencedLeaderEpoch`, `UnknownLeaderEpoch`, `UnknownReplica`,
    /// `StaleBrokerEpoch`.
    pub fn on_follower_fetch(
        &mut self,
        now: Moment,
        fetch: &FollowerFetch,
        effects: &mut Effects,
    ) -> Result<FetchVerdict, Refusal> {
        let outcome = match &mut self.state {
            State::Leader(leader) => leader.on_follower_fetch(now, fetch, &mut self.log, effects),
            State::AwaitingElection | State::Follower(_) | State::Offline(_) => {
                Err(Refusal::NotLeader)
            }
        };
        self.debug_assert_invariants();
        outcome
    }

    /// A follower flushed. `Ok` means heard: the follower need not repeat it.
    ///
    /// # Errors
    /// As `on_follower_fetch`, and `NotValidated` if no fetch of this leadership came before.
    pub fn on_flush_progress(
        &mut self,
        now: Moment,
        report: &FlushProgress,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let outcome = match &mut self.state {
            State::Leader(leader) => leader.on_flush_progress(now, report, &mut self.log, effects),
            State::AwaitingElection | State::Follower(_) | State::Offline(_) => {
                Err(Refusal::NotLeader)
            }
        };
        self.debug_assert_invariants();
        outcome
    }

    /// A follower says that its log failed: it is proposed out of the in-sync replicas at once.
    ///
    /// # Errors
    /// `NotLeader`, `UnknownReplica`, `StaleBrokerEpoch`.
    pub fn on_follower_failed(
        &mut self,
        now: Moment,
        follower: BrokerId,
        broker_epoch: BrokerEpoch,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let who = (follower, broker_epoch);
        let outcome = match &mut self.state {
            State::Leader(leader) => leader.on_follower_failed(now, who, &self.log, effects),
            State::AwaitingElection | State::Follower(_) | State::Offline(_) => {
                Err(Refusal::NotLeader)
            }
        };
        self.debug_assert_invariants();
        outcome
    }

    /// The partition has a newer state under the same leadership: an answer to a proposal of this
    /// leader, or a decision of the controller (a broker was fenced, replicas are reassigned).
    /// News of another leadership is ignored here.
    pub fn on_partition_changed(
        &mut self,
        now: Moment,
        change: &PartitionChange,
        effects: &mut Effects,
    ) {
        if let State::Leader(leader) = &mut self.state
            && leader.leader_epoch == change.leader_epoch
            && leader.in_sync.partition_epoch() < change.partition_epoch
        {
            if change.in_sync_replicas.contains(&leader.this_broker) {
                leader.on_partition_changed(now, change, &mut self.log, effects);
            } else {
                self.leave_role(Refusal::NotLeader, effects);
            }
        }
        self.debug_assert_invariants();
    }

    /// A broker's registration is in force again: a follower that has caught up may join, though it
    /// has nothing new to say, as long as nothing is appended.
    pub fn on_follower_unfenced(&mut self, now: Moment, broker: BrokerId, effects: &mut Effects) {
        if let State::Leader(leader) = &mut self.state {
            leader.on_follower_unfenced(now, broker, &self.log, effects);
        }
        self.debug_assert_invariants();
    }

    /// The controller did not accept the proposal made under `partition_epoch`. What happens next
    /// is the machine's matter; the shell does not repeat proposals by itself.
    pub fn on_in_sync_refused(
        &mut self,
        now: Moment,
        partition_epoch: PartitionEpoch,
        reason: InSyncRefusal,
        effects: &mut Effects,
    ) {
        if let State::Leader(leader) = &mut self.state {
            let refusal = (partition_epoch, reason);
            leader.on_in_sync_refused(now, refusal, effects);
        }
        self.debug_assert_invariants();
    }

    /// The armed deadline has come. Calling it early does no harm.
    pub fn on_time(&mut self, now: Moment, effects: &mut Effects) {
        if let State::Leader(leader) = &mut self.state {
            leader.on_time(now, &self.log, effects);
        }
        self.debug_assert_invariants();
    }
}
