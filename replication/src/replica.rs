//! One replica of one partition: what it is told, and what it is.

mod appends;
mod following;
mod leading;
mod questions;
mod roles;

use protocol::LeaderEpoch;

use crate::follower::Follower;
use crate::leader::Leader;
use crate::refusal::Refusal;
use crate::replica_log::ReplicaLog;

/// What a replica is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nobody has told it who leads; so it begins.
    AwaitingElection,
    /// It leads.
    Leader,
    /// Another broker leads.
    Follower,
    /// It was stopped or its log failed. It stays so: what comes after a restart is a new replica.
    Offline,
}

#[derive(Clone, Debug)]
enum State {
    AwaitingElection,
    Leader(Box<Leader>),
    Follower(Follower),
    /// With what it answers from now on.
    Offline(Refusal),
}

/// The state machine of one replica. Inputs come in through `on_…`, what it wants done goes out
/// through the caller's [`Effects`](crate::Effects); it has no clock, no task, no file.
#[derive(Clone, Debug)]
pub struct Replica {
    log: ReplicaLog,
    /// The highest leader epoch told of; leadership under it or a lower one is never begun.
    known_epoch: LeaderEpoch,
    state: State,
}

impl Default for Replica {
    fn default() -> Self {
        Self::new()
    }
}

impl Replica {
    /// The first replica of a partition in this process: it has not been told anything, awaits an
    /// election and does not know its log.
    #[must_use]
    pub fn new() -> Self {
        Self::restarted(LeaderEpoch::UNKNOWN)
    }

    /// A replica that takes the place of one that ended while the process ran on. `spent` is the
    /// highest leader epoch which that one was told of: a late copy of the message that made it a
    /// leader must not make this one a leader, whose log may have lost its end. (After a restart
    /// of the process the broker epoch in the message tells.)
    #[must_use]
    pub fn restarted(spent: LeaderEpoch) -> Self {
        let log = ReplicaLog::default();
        Self { log, known_epoch: spent, state: State::AwaitingElection }
    }

    /// A replica that makes a historical mistake, for tests that must find it.
    #[cfg(feature = "reinjected-bugs")]
    #[must_use]
    pub fn with_bug(spent: LeaderEpoch, bug: crate::reinjected_bug::ReinjectedBug) -> Self {
        let mut replica = Self::restarted(spent);
        replica.log.bugs = crate::reinjected_bug::BugSwitch::on(bug);
        replica
    }

    fn leader(&self) -> Option<&Leader> {
        match &self.state {
            State::Leader(leader) => Some(leader),
            State::AwaitingElection | State::Follower(_) | State::Offline(_) => None,
        }
    }

    fn debug_assert_invariants(&self) {
        let log = &self.log;
        let high_watermark = log.high_watermark.get();
        debug_assert!(
            log.log_start <= high_watermark && high_watermark <= log.log_end,
            "R1: log start ≤ high watermark ≤ log end"
        );
        debug_assert!(log.flushed <= log.log_end, "R1: flushed ≤ log end");
        debug_assert!(log.epochs.is_ordered(), "R4: epochs and their starts increase");
        match &self.state {
            State::Leader(leader) => leader.debug_assert_invariants(log),
            State::Follower(follower) => follower.debug_assert_invariants(log),
            State::AwaitingElection | State::Offline(_) => {}
        }
    }
}
