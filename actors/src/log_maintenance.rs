//! One per log directory: retention and checkpoints.
//!
//! Supervised by `maintenance`, one_for_one: nobody depends on it. Sent to by its own timers. Sends
//! to replicas, and only to those whose logs have something to do: which, it reads from their views,
//! so an idle partition is never woken. Writes the checkpoint files a second after the first change
//! since they were written; where nothing is flushed there is no timer for that.
//!
//! A restart loses nothing: the reports are kept outside of it. Its mailbox holds its two ticks and
//! one word of a change. It deletes nothing itself.

use std::sync::Arc;
use std::time::Duration;

use commit_log::checkpoint::OffsetCheckpoint;
use commit_log::{LogDirectory, LogError};
use protocol::{Offset, TopicPartition};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tracing::warn;

use crate::broker::Broker;
use crate::log_checkpoints::{ChangedCheckpoints, LogCheckpoint, LogCheckpoints};
use crate::partition_directory::PartitionPlace;
use crate::partition_replica::PartitionReplicaMessage;
use crate::ports::storage_executor::run_blocking;

/// How long changes are collected before the checkpoint files are written.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// What maintenance is told.
#[derive(Debug)]
pub enum MaintenanceMessage {
    /// From itself: look for logs with segments that may go.
    RetentionDue,
    /// From the checkpoints: one of them has changed since they were written.
    CheckpointsChanged,
    /// From itself: write the checkpoints that changed.
    CheckpointDue,
}

impl ractor::Message for MaintenanceMessage {}

/// Everything maintenance is born with.
#[derive(Clone)]
pub struct MaintenanceArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// The directory that is looked after.
    pub directory: Arc<LogDirectory>,
    /// What its logs report.
    pub checkpoints: Arc<LogCheckpoints>,
}

/// See the head of this file.
pub struct LogMaintenance;

impl Actor for LogMaintenance {
    type Msg = MaintenanceMessage;
    type State = MaintenanceArguments;
    type Arguments = MaintenanceArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        arguments.arm_retention(&myself);
        // what changed while nobody was here
        myself.cast(MaintenanceMessage::CheckpointsChanged)?;
        Ok(arguments)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            MaintenanceMessage::RetentionDue => state.on_retention_due(&myself),
            MaintenanceMessage::CheckpointsChanged => {
                myself.send_after(CHECKPOINT_INTERVAL, || MaintenanceMessage::CheckpointDue);
            }
            MaintenanceMessage::CheckpointDue => state.on_checkpoint_due().await,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }
}

impl MaintenanceArguments {
    fn arm_retention(&self, myself: &ActorRef<MaintenanceMessage>) {
        let interval = self.broker.settings.load().retention_check_interval;
        myself.send_after(interval, || MaintenanceMessage::RetentionDue);
    }

    fn on_retention_due(&self, myself: &ActorRef<MaintenanceMessage>) {
        let (now_ms, places) = (self.broker.ports.clock.wall_ms(), self.broker.partitions.places());
        // the question may read from the disk, and there may be many to ask
        self.broker.ports.executor.run(Box::new(move || {
            for place in places.iter().filter(|place| has_garbage(place, now_ms)) {
                let _ = place.replica.send(PartitionReplicaMessage::ApplyRetention);
            }
        }));
        self.arm_retention(myself);
    }

    async fn on_checkpoint_due(&self) {
        let (directory, checkpoints) = (self.directory.clone(), self.checkpoints.clone());
        let write = move || checkpoints.write_changed(|all| write_checkpoints(&directory, all));
        if let Some(Err(error)) = run_blocking(&*self.broker.ports.executor, write).await {
            warn!(%error, "the checkpoints were not written; a restart scans further back");
        }
    }
}

/// Whether the log has segments that may go, so that its writer is worth waking.
fn has_garbage(place: &PartitionPlace, now_ms: i64) -> bool {
    let settings = place.settings();
    let Some(view) = place.view() else { return false };
    match view.reader.deletable_segments(&settings.log, now_ms, view.high_watermark) {
        Ok(segments) => segments > 0,
        Err(error) => {
            warn!(partition = %place.name, %error, "retention could not look at the log");
            false
        }
    }
}

/// Writes the checkpoint files, that of the log starts only if one has moved.
///
/// # Errors
/// The disk's.
pub fn write_checkpoints(
    directory: &LogDirectory,
    changed: &ChangedCheckpoints,
) -> Result<(), LogError> {
    let pick = |of: fn(&LogCheckpoint) -> Option<Offset>| {
        let some = |(log, known): (&TopicPartition, _)| Some((log.clone(), of(known)?));
        changed.logs.iter().filter_map(some).collect::<OffsetCheckpoint>()
    };
    directory.write_recovery_points(&pick(|known| known.recovery_point))?;
    if changed.log_starts_changed {
        directory.write_log_start_offsets(&pick(|known| known.log_start_offset))?;
    }
    Ok(())
}
