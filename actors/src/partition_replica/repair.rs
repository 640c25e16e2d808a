//! A log that is damaged below its recovery point lost what this replica confirmed. With other
//! replicas to copy from it starts empty, once the controller knows that it holds nothing any more
//! and somebody else leads; alone it refuses, because the rest of the log may be all there is.

use std::sync::Arc;
use std::time::Duration;

use commit_log::LogError;
use metadata::{PartitionState, ReplicaReport};
use ractor::ActorProcessingErr;
use tokio::time::timeout;
use tracing::{error, info};

use super::{LogPlace, OpenError, OwnMessage, PartitionReplicaMessage, PartitionReplicaState};
use crate::controller::ask;
use crate::controller::question::ReportReplica;
use crate::ports::storage_executor::StorageExecutor;

/// How long the controller may take to answer.
const REPORT_DEADLINE: Duration = Duration::from_secs(5);
/// How long until it is asked again whether the log may be given up.
const REPAIR_RETRY: Duration = Duration::from_secs(1);

/// Whether this error says that records are gone, and not only out of reach.
const fn is_damage(error: &OpenError) -> bool {
    match error {
        OpenError::Log(error) => match error {
            LogError::Corrupt { .. } | LogError::Checkpoint { .. } => true,
            LogError::InterruptedSwap { .. }
            | LogError::Storage { .. }
            | LogError::FlushFailed { .. }
            | LogError::Poisoned { .. }
            | LogError::OffsetOutOfRange { .. } => false,
        },
        OpenError::OtherTopic { .. } => false,
    }
}

impl PartitionReplicaState {
    pub(super) fn on_open_failed(&mut self, error: OpenError) -> Result<(), ActorProcessingErr> {
        let has_peers = self.arguments.place.decided().assigned_replicas.len() > 1;
        if !has_peers || !is_damage(&error) {
            return Err(error.into());
        }
        let partition = &self.arguments.place.name;
        error!(%partition, %error, "the log is damaged; it is to be copied from another replica");
        self.log = LogPlace::Elsewhere;
        self.is_whole = false;
        self.report_damage();
        Ok(())
    }

    /// Has the controller take this replica out of everything that it may be needed for.
    pub(super) fn report_damage(&self) {
        let leader_epoch = self.arguments.place.decided().leader_epoch;
        let question = ReportReplica {
            broker: self.arguments.this_broker,
            broker_epoch: self.arguments.registration.epoch(),
            key: self.arguments.place.key,
            report: ReplicaReport::Restarted { leader_epoch, is_whole: false },
        };
        let (asked, myself) = (ask(&self.arguments.controller, question), self.myself.clone());
        tokio::spawn(async move {
            let state = match timeout(REPORT_DEADLINE, asked).await {
                Ok(Ok(Ok(state))) => Some(state),
                Ok(_) | Err(_) => None,
            };
            let message = OwnMessage::DamageKnown(state);
            let _ = myself.cast(PartitionReplicaMessage::Own(message).into());
        });
    }

    pub(super) fn on_damage_known(
        &mut self,
        state: Option<Arc<PartitionState>>,
    ) -> Result<(), ActorProcessingErr> {
        let this_broker = self.arguments.this_broker;
        let is_dispensable = |state: &Arc<PartitionState>| {
            let led_elsewhere = state.leader.is_some_and(|leader| leader != this_broker);
            led_elsewhere && !state.is_in_sync(this_broker)
        };
        let Some(state) = state.filter(is_dispensable) else {
            let due = || PartitionReplicaMessage::Own(OwnMessage::RepairDue).into();
            self.myself.send_after(REPAIR_RETRY, due);
            return Ok(());
        };
        info!(partition = %self.arguments.place.name, "gives the damaged log up and starts empty");
        self.decided = state;
        self.is_whole = true;
        self.give_log_up();
        Ok(())
    }

    /// Takes the directory away and opens an empty one.
    fn give_log_up(&self) {
        let arguments = &self.arguments;
        arguments.checkpoints.forget(&arguments.place.name);
        let (directory, key) = (Arc::clone(&arguments.log_directory), arguments.place.key);
        let (partition, lease) = (arguments.place.name.clone(), self.lease.clone());
        let opening = self.opening();
        let executor: Arc<dyn StorageExecutor> = arguments.ports.executor.clone();
        executor.run(Box::new(move || {
            let removed = directory
                .delete_partition(&partition, key.topic_id)
                .and_then(|deleted| directory.remove_deleted(&deleted));
            if let Err(error) = removed {
                error!(%partition, %error, "the damaged log could not be taken away");
            }
            drop(lease);
            opening();
        }));
    }
}
