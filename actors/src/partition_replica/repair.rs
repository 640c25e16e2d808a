//! A log that is damaged below its recovery point lost what this replica confirmed. With other
//! replicas to copy from it starts empty, once the controller knows that it holds nothing any more
//! and somebody else leads; alone it refuses, because the rest of the log may be all there is.
//!
//! A log of another topic of the same name, which the cluster does not know any more, is set aside.

use std::sync::Arc;
use std::time::Duration;

use commit_log::{LogDirectory, LogError};
use metadata::{FoundReplica, PartitionState, ReplicaReport};
use protocol::TopicId;
use ractor::ActorProcessingErr;
use tokio::time::timeout;
use tracing::{error, info};

use super::{LogPlace, OpenError, OwnMessage, PartitionReplicaMessage, PartitionReplicaState};
use crate::controller::ask;
use crate::controller::question::ReportReplica;
use crate::found_directories::set_aside;
use crate::log_maintenance::write_checkpoints;
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
        if let OpenError::OtherTopic { found, .. } = error
            && self.is_stray(found)
        {
            self.set_stray_aside(found);
            return Ok(());
        }
        let has_peers = self.arguments.place.decided().assigned_replicas.len() > 1;
        if !has_peers || !is_damage(&error) {
            return Err(error.into());
        }
        let partition = &self.arguments.place.name;
        error!(%partition, %error, "the log is damaged; it is to be copied from another replica");
        self.log = LogPlace::Elsewhere;
        self.arguments.place.lost_confirmed();
        self.report_damage();
        Ok(())
    }

    /// Whether the cluster knows no topic `found` of this name: deleted and made again while this
    /// node was down.
    fn is_stray(&self, found: TopicId) -> bool {
        let Some(broker) = self.arguments.broker.upgrade() else { return false };
        let (image, name) = (broker.image.load(), &self.arguments.place.name);
        let judged = image.judge_found(broker.id, broker.incarnation, name, Some(found));
        judged == FoundReplica::Stray
    }

    fn set_stray_aside(&mut self, found: TopicId) {
        let (broker, partition) =
            (self.arguments.broker.clone(), self.arguments.place.name.clone());
        self.begin_empty(move |directory| match broker.upgrade() {
            Some(broker) => set_aside(&broker, directory, &partition, found),
            None => Ok(()),
        });
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
        self.arguments.place.losses_are_known(self.arguments.place.losses());
        self.give_log_up();
        Ok(())
    }

    fn give_log_up(&mut self) {
        let (partition, topic_id) =
            (self.arguments.place.name.clone(), self.arguments.place.key.topic_id);
        self.begin_empty(move |directory| {
            let deleted = directory.delete_partition(&partition, topic_id)?;
            directory.remove_deleted(&deleted)
        });
    }

    /// Opens an empty log, once `take_away` has freed the directory's name. What the checkpoints
    /// say of it goes first: a new log must not be measured by them.
    fn begin_empty(
        &mut self,
        take_away: impl FnOnce(&LogDirectory) -> Result<(), LogError> + Send + 'static,
    ) {
        self.arguments.checkpoints.forget(&self.arguments.place.name);
        let opening = self.opening();
        let arguments = &self.arguments;
        let (directory, checkpoints) =
            (Arc::clone(&arguments.log_directory), Arc::clone(&arguments.checkpoints));
        let (myself, lease) = (self.myself.clone(), self.lease.clone());
        let executor: Arc<dyn StorageExecutor> = arguments.ports.executor.clone();
        executor.run(Box::new(move || {
            let taken = checkpoints
                .write_changed(|all| write_checkpoints(&directory, all))
                .and_then(|()| take_away(&directory));
            match taken {
                Ok(()) => opening(),
                Err(error) => {
                    let opened = OwnMessage::Opened(Box::new(Err(error.into())));
                    let _ = myself.cast(PartitionReplicaMessage::Own(opened).into());
                }
            }
            drop(lease);
        }));
    }
}
