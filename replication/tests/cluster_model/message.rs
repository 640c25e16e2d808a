//! What travels between brokers and controller. Each may be lost, repeated, overtaken.

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch};
use replication::{
    FetchAnswer, FlushProgress, FollowerFetch, FollowerTerm, InSyncProposal, InSyncRefusal,
    LeaderTerm, PartitionChange, PartitionEpoch,
};

use crate::disk::Record;

#[derive(Clone, Debug)]
pub enum Message {
    /// To one registration of a broker.
    Letter {
        to: BrokerId,
        broker_epoch: BrokerEpoch,
        letter: Letter,
    },
    /// To whoever runs on that broker now.
    Report {
        to: BrokerId,
        report: Report,
    },
    Plea {
        from: BrokerId,
        broker_epoch: BrokerEpoch,
        plea: Plea,
    },
}

/// From the controller, or from a leader to its follower.
#[derive(Clone, Debug)]
pub enum Letter {
    BecomeLeader(LeaderTerm),
    BecomeFollower(FollowerTerm),
    NoLeader(LeaderEpoch),
    Changed(PartitionChange),
    Refused(PartitionEpoch, InSyncRefusal),
    Unfenced(BrokerId),
    FetchAnswer(FetchAnswer, Vec<Record>),
}

/// From a follower to its leader.
#[derive(Clone, Copy, Debug)]
pub enum Report {
    Fetch(FollowerFetch),
    Flushed(FlushProgress),
    Failed(BrokerId, BrokerEpoch),
}

/// From a leader to the controller.
#[derive(Clone, Debug)]
pub enum Plea {
    Propose(InSyncProposal),
    CannotLead(LeaderEpoch),
}
