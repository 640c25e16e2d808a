//! The orderly stop: others lead first, then no new connections, requests finish, logs are flushed
//! and closed, then the directory says so.

use std::time::Duration;

use supervision::ExitReason;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

use super::Node;
use crate::broker_lifecycle::LifecycleMessage;
use crate::log_maintenance::write_checkpoints;
use crate::partition_replica::PartitionReplicaMessage;
use crate::ports::storage_executor::run_blocking;

/// How long others may take to lead what this node led.
const HAND_OVER_DEADLINE: Duration = Duration::from_secs(5);
/// How long flushing and closing all logs may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(60);

impl Node {
    /// Stops in order within `deadline`; what is not done by then is killed.
    pub async fn stop(self, deadline: Duration) -> ExitReason {
        let started = Instant::now();
        self.hand_over(HAND_OVER_DEADLINE.min(deadline / 2)).await;
        self.stop_clients().await;
        let all_closed = self.close_logs(started + deadline.min(CLOSE_DEADLINE)).await;
        self.leave_notes(all_closed).await;
        let rest = deadline.saturating_sub(started.elapsed()).max(Duration::from_secs(1));
        let reason = self.root.shutdown(rest).await;
        info!(all_closed, elapsed = ?started.elapsed(), "stopped");
        reason
    }

    /// Others lead what this node led before its clients are sent away: they find the new leaders
    /// at once, and hardly notice.
    async fn hand_over(&self, deadline: Duration) {
        if !self.broker.settings.load().liveness.controlled_shutdown {
            return;
        }
        let (reply, may_stop) = oneshot::channel();
        let _ = self.broker.lifecycle.send(LifecycleMessage::Stop { reply });
        let handed_over = async {
            tokio::select! {
                may_stop = may_stop => may_stop.is_ok(),
                // a cluster that stops as a whole has no controller to say so
                () = self.is_the_last() => true,
            }
        };
        if !matches!(timeout(deadline, handed_over).await, Ok(true)) {
            warn!("stops without having handed over what it leads");
        }
    }

    /// Waits until there is nobody left who could lead instead.
    async fn is_the_last(&self) {
        let id = self.broker.id;
        self.broker.image.until(|image| image.active_brokers().all(|other| other.id() == id)).await;
    }

    async fn stop_clients(&self) {
        for supervisor in ["client_listeners", "client_sessions"] {
            let stop = supervision::OperatorCommand::Stop;
            if let Err(error) = self.broker.tree.operate(supervisor, stop).await {
                warn!(supervisor, %error, "could not be stopped");
            }
        }
    }

    async fn close_logs(&self, deadline: Instant) -> bool {
        let mut closing = Vec::new();
        for place in self.broker.partitions.places() {
            let (reply, closed) = oneshot::channel();
            let _ = place.replica.send(PartitionReplicaMessage::Close { reply });
            closing.push((place, closed));
        }
        let mut all_closed = true;
        for (place, closed) in closing {
            if !matches!(timeout_at(deadline, closed).await, Ok(Ok(()))) {
                warn!(partition = %place.name, "the log was not closed in order");
                all_closed = false;
            }
            // the next start must not be believed to have everything
            all_closed &= place.is_whole();
        }
        all_closed
    }

    async fn leave_notes(&self, all_closed: bool) {
        let (directory, checkpoints) = (self.directory.clone(), self.checkpoints.clone());
        let epoch = self.broker.registration.epoch();
        let write = move || {
            checkpoints.write_changed(|all| write_checkpoints(&directory, all))?;
            if all_closed { directory.mark_clean_shutdown(epoch) } else { Ok(()) }
        };
        if let Some(Err(error)) = run_blocking(&*self.broker.ports.executor, write).await {
            warn!(%error, "the orderly stop was not noted; the next start recovers");
        }
    }
}
