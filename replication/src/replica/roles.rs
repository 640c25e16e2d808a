//! Taking and losing roles.

use protocol::LeaderEpoch;

use super::{Replica, State};
use crate::effect::{Effect, Effects};
use crate::epoch_history::EpochHistory;
use crate::follower::Follower;
use crate::leader::Leader;
use crate::moment::Moment;
use crate::refusal::Refusal;
use crate::reinjected_bug::ReinjectedBug;
use crate::term::{FollowerTerm, LeaderTerm, LogOffsets, PartitionChange};

impl Replica {
    /// The controller elected this replica. `offsets` is where the log stands: the shell has
    /// drained or stopped the writer first. The message may come twice; the second one only brings
    /// news of the in-sync replicas.
    ///
    /// # Errors
    /// `LeaderEpochSpent` if this epoch was led or followed before or stands in the log: whoever
    /// stops leading never resumes that epoch. `FencedLeaderEpoch` if a newer one is known.
    /// `InvalidTerm` if this broker is not in sync or not assigned. The reason of the end if the
    /// replica is offline. Nothing has changed then.
    pub fn on_become_leader(
        &mut self,
        now: Moment,
        term: &LeaderTerm,
        offsets: &LogOffsets,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let (leader_epoch, partition_epoch) = (term.leader_epoch, term.partition_epoch);
        if self.leader().is_some_and(|leader| leader.leader_epoch == leader_epoch) {
            let in_sync_replicas = term.in_sync_replicas.clone();
            let assigned_replicas = term.assigned_replicas.clone();
            let change = PartitionChange {
                leader_epoch,
                partition_epoch,
                in_sync_replicas,
                assigned_replicas,
            };
            self.on_partition_changed(now, &change, effects);
            return Ok(());
        }
        self.may_become_leader(term, offsets)?;
        self.leave_role(Refusal::NotLeader, effects);
        self.known_epoch = term.leader_epoch;
        self.log.reopen(offsets);
        let leader = Leader::begin(now, term, &mut self.log, effects);
        self.state = State::Leader(Box::new(leader));
        self.debug_assert_invariants();
        Ok(())
    }

    fn may_become_leader(&self, term: &LeaderTerm, offsets: &LogOffsets) -> Result<(), Refusal> {
        self.check_not_offline()?;
        let given = term.leader_epoch;
        self.check_not_older(given)?;
        let broker = term.this_broker;
        if !term.in_sync_replicas.contains(&broker) || !term.assigned_replicas.contains(&broker) {
            return Err(Refusal::InvalidTerm { broker });
        }
        let in_log = EpochHistory::from_starts(&offsets.epochs).last_epoch();
        let highest = in_log.map_or(self.known_epoch, |last| last.max(self.known_epoch));
        if given <= highest {
            return Err(Refusal::LeaderEpochSpent { given, highest });
        }
        Ok(())
    }

    /// The controller elected another replica. `offsets` is where the log stands: the shell has
    /// drained or stopped the writer first. A repeated message does nothing.
    ///
    /// # Errors
    /// `FencedLeaderEpoch` if a newer epoch is known or in the log, `LeaderEpochSpent` if this replica led it,
    /// `InvalidTerm` if the leader is this broker. The reason of the end if the replica is offline.
    /// Nothing has changed then.
    pub fn on_become_follower(
        &mut self,
        term: &FollowerTerm,
        offsets: &LogOffsets,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        self.check_not_offline()?;
        let given = term.leader_epoch;
        self.check_not_older(given)?;
        if term.leader == term.this_broker {
            return Err(Refusal::InvalidTerm { broker: term.leader });
        }
        let in_log = EpochHistory::from_starts(&offsets.epochs).last_epoch();
        if let Some(current) = in_log.filter(|last| *last > given) {
            return Err(Refusal::FencedLeaderEpoch { given, current });
        }
        match &self.state {
            State::Follower(follower) if follower.leader_epoch == given => return Ok(()),
            State::Follower(follower) if follower.leader == term.leader => {
                self.log.bugs.forget_epoch(ReinjectedBug::TrustUnchangedLeader);
            }
            State::Leader(leader) if leader.leader_epoch == given => {
                return Err(Refusal::LeaderEpochSpent { given, highest: given });
            }
            _ => {}
        }
        self.leave_role(Refusal::NotLeader, effects);
        self.known_epoch = given;
        self.log.reopen(offsets);
        self.state = State::Follower(Follower::begin(term, &self.log, effects));
        self.debug_assert_invariants();
        Ok(())
    }

    /// The partition has no leader under this epoch: nobody eligible is alive.
    ///
    /// # Errors
    /// `FencedLeaderEpoch` if a newer epoch is known. The reason of the end if the replica is
    /// offline.
    pub fn on_no_leader(
        &mut self,
        leader_epoch: LeaderEpoch,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        self.check_not_offline()?;
        self.check_not_older(leader_epoch)?;
        self.leave_role(Refusal::NotLeader, effects);
        self.known_epoch = leader_epoch;
        self.debug_assert_invariants();
        Ok(())
    }

    /// The replica is to end: every pending ticket is refused once, with a retryable reason.
    pub fn on_stop(&mut self, effects: &mut Effects) {
        self.go_offline(Refusal::NotLeader, effects);
    }

    /// A write or a flush failed: the log is poisoned and this replica ends. Every pending ticket
    /// is refused once; a follower's leader is told.
    pub fn on_flush_failed(&mut self, effects: &mut Effects) {
        if let State::Follower(follower) = &self.state {
            let (leader, leader_epoch) = (follower.leader, follower.leader_epoch);
            effects.push(Effect::ReportFailure { leader, leader_epoch });
        }
        self.go_offline(Refusal::StorageFailed, effects);
    }

    fn go_offline(&mut self, reason: Refusal, effects: &mut Effects) {
        if !matches!(self.state, State::Offline(_)) {
            self.leave_role(reason, effects);
            self.state = State::Offline(reason);
        }
        self.debug_assert_invariants();
    }

    /// Ends the present role, whichever it is.
    pub(super) fn leave_role(&mut self, reason: Refusal, effects: &mut Effects) {
        match std::mem::replace(&mut self.state, State::AwaitingElection) {
            State::Leader(leader) => leader.end(reason, effects),
            State::Follower(follower) => follower.end(effects),
            State::AwaitingElection | State::Offline(_) => {}
        }
    }

    fn check_not_offline(&self) -> Result<(), Refusal> {
        match &self.state {
            State::Offline(reason) => Err(*reason),
            State::AwaitingElection | State::Leader(_) | State::Follower(_) => Ok(()),
        }
    }

    fn check_not_older(&self, given: LeaderEpoch) -> Result<(), Refusal> {
        let current = self.known_epoch;
        if given < current {
            return Err(Refusal::FencedLeaderEpoch { given, current });
        }
        Ok(())
    }
}
