//! Why a replica says no.

use protocol::{BrokerEpoch, BrokerId, ErrorCode, LeaderEpoch, Offset};
use thiserror::Error;

/// Why an input or a ticket was refused. [`Refusal::error_code`] is what a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// This replica does not lead, or stopped leading before the answer was due.
    #[error("this replica is not the leader")]
    NotLeader,
    /// Too few replicas are in sync for `acks=all`; nothing was appended.
    #[error("{in_sync} replicas are in sync, {needed} are needed")]
    NotEnoughReplicas {
        /// Replicas in sync, the leader included.
        in_sync: usize,
        /// min(`min.insync.replicas`, replication factor).
        needed: usize,
    },
    /// Too few replicas are in sync for `acks=all` by the time of the answer; the records are in
    /// the leader's log.
    #[error("{in_sync} replicas are in sync after the append, {needed} are needed")]
    NotEnoughReplicasAfterAppend {
        /// Replicas in sync, the leader included.
        in_sync: usize,
        /// min(`min.insync.replicas`, replication factor).
        needed: usize,
    },
    /// The ticket's deadline passed before its records were committed; they may still be.
    #[error("the deadline passed before the records were committed")]
    RequestTimedOut,
    /// A write or flush failed: this replica has stopped.
    #[error("the log of this replica failed")]
    StorageFailed,
    /// The sender knows an older leader epoch.
    #[error("leader epoch {given} is fenced by {current}")]
    FencedLeaderEpoch {
        /// What the sender knows.
        given: LeaderEpoch,
        /// What this replica knows.
        current: LeaderEpoch,
    },
    /// The sender knows a newer leader epoch; this replica has yet to hear of it.
    #[error("leader epoch {given} is ahead of {current}")]
    UnknownLeaderEpoch {
        /// What the sender knows.
        given: LeaderEpoch,
        /// What this replica knows.
        current: LeaderEpoch,
    },
    /// The follower was registered again since it sent this (KIP-903).
    #[error("broker epoch {given} of broker {broker} is fenced by {current}")]
    StaleBrokerEpoch {
        /// The follower.
        broker: BrokerId,
        /// What it sent.
        given: BrokerEpoch,
        /// The newest one heard of.
        current: BrokerEpoch,
    },
    /// The sender holds no replica of this partition, as far as the leader knows.
    #[error("broker {broker} holds no replica of this partition")]
    UnknownReplica {
        /// The sender.
        broker: BrokerId,
    },
    /// A follower reported a flush before its first fetch of this leadership: its log may end in
    /// records that it is about to cut. To be repeated after that fetch.
    #[error("broker {broker} has not fetched in this leadership")]
    NotValidated {
        /// The sender.
        broker: BrokerId,
    },
    /// A leadership under an epoch that this replica led before, or that its log already holds:
    /// whoever stops leading never resumes that epoch.
    #[error("leader epoch {given} may not be led again, {highest} was led or stands in the log")]
    LeaderEpochSpent {
        /// The epoch of the refused leadership.
        given: LeaderEpoch,
        /// The highest epoch that is spent.
        highest: LeaderEpoch,
    },
    /// The terms of a leadership do not hold together: its leader is not in sync or not assigned.
    #[error("broker {broker} is not an in-sync, assigned replica of the term")]
    InvalidTerm {
        /// The broker that should be both.
        broker: BrokerId,
    },
    /// DeleteRecords may not go above the high watermark.
    #[error("offset {offset} is not between 0 and the high watermark {high_watermark}")]
    OffsetOutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The highest offset that may be asked for.
        high_watermark: Offset,
    },
    /// The latest offset is not known yet: the high watermark is below the start of this
    /// leader's epoch (KIP-207).
    #[error("the high watermark has not reached the start of this leader's epoch")]
    OffsetNotAvailable,
}

impl Refusal {
    /// What the wire says. For `OffsetNotAvailable`, ListOffsets below v5 says
    /// `LEADER_NOT_AVAILABLE` instead.
    #[must_use]
    pub const fn error_code(self) -> ErrorCode {
        match self {
            Self::NotLeader
            | Self::UnknownReplica { .. }
            | Self::NotValidated { .. }
            | Self::InvalidTerm { .. } => ErrorCode::NotLeaderOrFollower,
            Self::NotEnoughReplicas { .. } => ErrorCode::NotEnoughReplicas,
            Self::NotEnoughReplicasAfterAppend { .. } => ErrorCode::NotEnoughReplicasAfterAppend,
            Self::RequestTimedOut => ErrorCode::RequestTimedOut,
            Self::StorageFailed => ErrorCode::KafkaStorageError,
            Self::FencedLeaderEpoch { .. } | Self::LeaderEpochSpent { .. } => {
                ErrorCode::FencedLeaderEpoch
            }
            Self::UnknownLeaderEpoch { .. } => ErrorCode::UnknownLeaderEpoch,
            Self::StaleBrokerEpoch { .. } => ErrorCode::StaleBrokerEpoch,
            Self::OffsetNotAvailable => ErrorCode::OffsetNotAvailable,
            Self::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        }
    }

    /// Whether the same request may succeed later, here or at the leader that metadata names by
    /// then.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::NotLeader
            | Self::NotEnoughReplicas { .. }
            | Self::NotEnoughReplicasAfterAppend { .. }
            | Self::RequestTimedOut
            | Self::StorageFailed
            | Self::FencedLeaderEpoch { .. }
            | Self::UnknownLeaderEpoch { .. }
            | Self::UnknownReplica { .. }
            | Self::NotValidated { .. }
            | Self::OffsetNotAvailable => true,
            Self::OffsetOutOfRange { .. }
            | Self::StaleBrokerEpoch { .. }
            | Self::LeaderEpochSpent { .. }
            | Self::InvalidTerm { .. } => false,
        }
    }
}

/// What the controller said to a proposed change of the in-sync replicas, other than yes.
///
/// It compares leader epoch and partition epoch first, and raises the partition epoch with every
/// proposal it accepts, also with one that names the in-sync replicas as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InSyncRefusal {
    /// A member may not join (fenced, shutting down, an old broker epoch). This copy of the
    /// proposal was not applied.
    #[error("a proposed member may not join the in-sync replicas")]
    Ineligible,
    /// The partition epoch or leader epoch of the proposal is not the current one. Whether an
    /// earlier copy of it was applied is unknown; a newer state of the partition is on its way.
    #[error("the proposal was made under an old partition epoch or leader epoch")]
    Outdated,
    /// No answer came in time: it may or may not have been applied.
    #[error("the controller did not answer")]
    Unanswered,
}

impl InSyncRefusal {
    /// Whether the same proposal, sent again, may be accepted.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Ineligible | Self::Unanswered => true,
            Self::Outdated => false,
        }
    }
}

#[cfg(test)]
mod tests {
    //! Producers act on the code alone: a reason that says "try again" with a code that says
    //! "give up" loses records.

    use super::Refusal;
    use protocol::{BrokerEpoch, BrokerId, ErrorCode, LeaderEpoch, Offset};

    #[test]
    fn a_reason_that_may_pass_carries_a_code_that_clients_retry() {
        let (in_sync, needed) = (1, 2);
        let (given, current) = (LeaderEpoch::new(1), LeaderEpoch::new(2));
        let broker = BrokerId(1);
        let table = [
            (Refusal::NotLeader, ErrorCode::NotLeaderOrFollower),
            (Refusal::NotEnoughReplicas { in_sync, needed }, ErrorCode::NotEnoughReplicas),
            (
                Refusal::NotEnoughReplicasAfterAppend { in_sync, needed },
                ErrorCode::NotEnoughReplicasAfterAppend,
            ),
            (Refusal::RequestTimedOut, ErrorCode::RequestTimedOut),
            (Refusal::StorageFailed, ErrorCode::KafkaStorageError),
            (Refusal::FencedLeaderEpoch { given, current }, ErrorCode::FencedLeaderEpoch),
            (Refusal::UnknownLeaderEpoch { given, current }, ErrorCode::UnknownLeaderEpoch),
            (Refusal::UnknownReplica { broker }, ErrorCode::NotLeaderOrFollower),
            (Refusal::NotValidated { broker }, ErrorCode::NotLeaderOrFollower),
            (Refusal::OffsetNotAvailable, ErrorCode::OffsetNotAvailable),
        ];
        for (refusal, code) in table {
            assert_eq!(refusal.error_code(), code);
            assert!(refusal.is_retryable() && code.is_retryable(), "{refusal:?}");
        }
    }

    #[test]
    fn a_fenced_sender_gives_up() {
        let (given, current) = (BrokerEpoch::new(1), BrokerEpoch::new(2));
        let stale = Refusal::StaleBrokerEpoch { broker: BrokerId(1), given, current };
        assert!(!stale.is_retryable());
        assert_eq!(stale.error_code(), ErrorCode::StaleBrokerEpoch);
        let (given, highest) = (LeaderEpoch::new(1), LeaderEpoch::new(1));
        assert!(!Refusal::LeaderEpochSpent { given, highest }.is_retryable());
        assert!(!Refusal::InvalidTerm { broker: BrokerId(1) }.is_retryable());
        let (offset, high_watermark) = (Offset::new(2), Offset::new(1));
        assert!(!Refusal::OffsetOutOfRange { offset, high_watermark }.is_retryable());
    }
}
