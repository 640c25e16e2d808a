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
/// through the caller's [`Effects`]; it has no clock, no task, no file.
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
    /// A replica that has not been told anything: awaiting an election, its log unknown.
    #[must_use]
    pub fn new() -> Self {
        let log = ReplicaLog::default();
        Self { log, known_epoch: LeaderEpoch::UNKNOWN, state: State::AwaitingElection }
    }
}

impl Replica {
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
