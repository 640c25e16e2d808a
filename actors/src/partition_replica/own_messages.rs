//! What a replica tells itself: ends of work that it began elsewhere, and timers.

use std::sync::Arc;

use commit_log::{CommitLog, RecoveryReport};
use metadata::PartitionState;
use protocol::Offset;
use ractor::ActorProcessingErr;
use replication::{InSyncRefusal, PartitionEpoch};

use super::{OpenError, PartitionReplicaState};

/// See the head of this file.
pub enum OwnMessage {
    /// Recovery ended.
    Opened(Box<Result<(CommitLog, RecoveryReport), OpenError>>),
    /// The log that was recovered was not written to for a while.
    LogIdle,
    /// It came to rest.
    LogAtRest(Box<CommitLog>),
    /// Ask the controller again for an epoch.
    ElectionDue,
    /// The controller answered a proposal.
    InSyncAnswered {
        /// The partition epoch that it was made under.
        partition_epoch: PartitionEpoch,
        /// The state that holds now, or why it was not accepted.
        answer: Result<Arc<PartitionState>, InSyncRefusal>,
    },
    /// A follower may have been behind for too long.
    LagDue,
    /// A client may have stopped waiting.
    ExpiryDue,
    /// Ask again for batches that could not be appended.
    FetchAgain,
    /// The directory's checkpoints hold this recovery point.
    Checkpointed(Offset),
    /// The controller knows that the log is damaged; `None` if that is not certain.
    DamageKnown(Option<Arc<PartitionState>>),
    /// Ask again whether the damaged log may be given up.
    RepairDue,
}

impl PartitionReplicaState {
    pub(super) fn on_own(&mut self, message: OwnMessage) -> Result<(), ActorProcessingErr> {
        match message {
            OwnMessage::Opened(opened) => self.on_opened(*opened)?,
            OwnMessage::LogIdle => self.on_log_idle(),
            OwnMessage::LogAtRest(log) => self.on_log_back(log),
            OwnMessage::ElectionDue => self.on_election_due(),
            OwnMessage::InSyncAnswered { answer: Ok(state), .. } => self.on_decided(state),
            OwnMessage::InSyncAnswered { partition_epoch, answer: Err(reason) } => {
                self.on_in_sync_refused(partition_epoch, reason);
            }
            OwnMessage::LagDue => self.on_lag_due(),
            OwnMessage::ExpiryDue => self.on_expiry_due(),
            OwnMessage::FetchAgain => self.on_fetch_again(),
            OwnMessage::Checkpointed(offset) => self.on_checkpointed(offset),
            OwnMessage::DamageKnown(state) => self.on_damage_known(state)?,
            OwnMessage::RepairDue => self.report_damage(),
        }
        Ok(())
    }
}
