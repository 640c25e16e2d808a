//! Where the replicas of this node live: their supervisor, their directories, and what the logs of
//! the node share. It starts and deletes replicas on the publisher's word; no actor.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use commit_log::{LogDirectory, LogResources};
use protocol::BrokerId;
use supervision::{
    Address, Backoff, ChildSpec, DynamicSupervisor, DynamicSupervisorSpec, LeaseTable,
    RestartIntensity, RestartType, Shutdown, StartContext,
};
use tracing::{error, info};

use crate::broker::{Broker, Registration};
use crate::controller::ControllerMessage;
use crate::log_checkpoints::LogCheckpoints;
use crate::log_maintenance::write_checkpoints;
use crate::partition_directory::PartitionPlace;
use crate::partition_replica::{PartitionReplica, PartitionReplicaArguments};
use crate::ports::Ports;
use crate::ports::storage_executor::run_blocking;

/// How long a replica may take to end before its directory is deleted under it.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// How long a replica may take to flush and close in an orderly stop.
const CLOSE_DEADLINE: Duration = Duration::from_secs(30);
/// A replica that fails once more than this within a minute is put into quarantine.
const FAILURES: RestartIntensity = RestartIntensity::new(5, Duration::from_secs(60));
/// A replica restarts at once, then after 100 ms, doubling to no more than a client's patience.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// The rules of the replicas' supervisor: it begins with `initial`, after each failure of its own.
#[must_use]
pub fn supervisor_spec(
    children_max: usize,
    initial: impl Fn() -> Vec<ChildSpec> + Send + Sync + 'static,
) -> DynamicSupervisorSpec {
    DynamicSupervisorSpec::new(children_max).intensity(FAILURES).initial(initial)
}

/// What every replica of the node is born with.
#[derive(Clone)]
pub struct PartitionHouse {
    /// The node.
    pub broker: Weak<Broker>,
    /// The node's number.
    pub this_broker: BrokerId,
    /// The supervisor of the replicas.
    pub supervisor: DynamicSupervisor,
    /// The directory of the logs, locked.
    pub directory: Arc<LogDirectory>,
    /// What the logs share.
    pub resources: LogResources,
    /// What the directory's checkpoints say.
    pub checkpoints: Arc<LogCheckpoints>,
    /// Who may own which directory.
    pub leases: LeaseTable<PathBuf>,
    /// The world.
    pub ports: Ports,
    /// Who elects.
    pub controller: Address<ControllerMessage>,
    /// The node's registration.
    pub registration: Registration,
    /// How long a log is left with an idle writer.
    pub writer_idle_after: Duration,
}

impl PartitionHouse {
    /// Starts the replica of a place.
    pub fn start(&self, place: &Arc<PartitionPlace>) {
        if self.supervisor.request_start(self.child_spec(place)).is_err() {
            // the supervisor is being restarted: it begins with a child for every place
            info!(partition = %place.name, "the replica starts with its supervisor");
        }
    }

    /// How the replica of a place is started, each time.
    #[must_use]
    pub fn child_spec(&self, place: &Arc<PartitionPlace>) -> ChildSpec {
        let (house, place_of) = (self.clone(), Arc::clone(place));
        let make =
            move |context: &StartContext| (PartitionReplica, house.arguments(&place_of, context));
        ChildSpec::addressed_actor(place.name.to_string(), &place.replica, make)
            // one that was closed stays closed: its node stops
            .restart(RestartType::Transient)
            .backoff(BACKOFF)
            .shutdown(Shutdown::Graceful(CLOSE_DEADLINE))
    }

    fn arguments(
        &self,
        place: &Arc<PartitionPlace>,
        context: &StartContext,
    ) -> PartitionReplicaArguments {
        PartitionReplicaArguments {
            place: Arc::clone(place),
            broker: self.broker.clone(),
            this_broker: self.this_broker,
            incarnation: context.incarnation(),
            directory: self.directory.partition_path(&place.name),
            log_directory: Arc::clone(&self.directory),
            resources: self.resources.clone(),
            checkpoints: Arc::clone(&self.checkpoints),
            ports: self.ports.clone(),
            leases: self.leases.clone(),
            controller: self.controller.clone(),
            registration: self.registration.clone(),
            status: context.status(),
            own_children: context.own_children(),
            writer_idle_after: self.writer_idle_after,
        }
    }

    /// Stops the replica of a deleted partition and takes its directory away. The name is free when
    /// this returns; the files go afterwards.
    pub async fn delete(self: Arc<Self>, place: &PartitionPlace) {
        let name = place.name.to_string();
        let _ = self.supervisor.stop_child(name, STOP_DEADLINE).await;
        self.checkpoints.forget(&place.name);
        let path = self.directory.partition_path(&place.name);
        let lease = self.leases.acquire(path, STOP_DEADLINE).await;
        let (house, partition, topic_id) =
            (Arc::clone(&self), place.name.clone(), place.key.topic_id);
        let rename = move || {
            // first out of the checkpoints: a new log of this name must not be measured by them
            let deleted = house
                .checkpoints
                .write_changed(|all| write_checkpoints(&house.directory, all))
                .and_then(|()| house.directory.delete_partition(&partition, topic_id));
            drop(lease);
            deleted
        };
        match run_blocking(&*self.ports.executor, rename).await {
            Some(Ok(deleted)) => self.remove_later(deleted),
            Some(Err(error)) => error!(partition = %place.name, %error, "deletion failed"),
            None => error!(partition = %place.name, "the storage thread gave up the deletion"),
        }
    }

    /// Removes the files of a deleted partition in the background.
    pub fn remove_later(self: &Arc<Self>, deleted: PathBuf) {
        let house = Arc::clone(self);
        self.ports.executor.run(Box::new(move || {
            if let Err(error) = house.directory.remove_deleted(&deleted) {
                error!(path = %deleted.display(), %error, "deleted files stay until the next start");
            }
        }));
    }

    /// The children that the replicas' supervisor begins with: one for every place.
    #[must_use]
    pub fn all_children(&self, broker: &Broker) -> Vec<ChildSpec> {
        broker.partitions.places().iter().map(|place| self.child_spec(place)).collect()
    }
}
