//! Reading a partition of the offsets topic and bringing its groups up.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coordination::{ClassicGroup, GroupLoader};
use futures_util::FutureExt;
use protocol::{GroupId, PartitionIndex};
use supervision::{
    ChildSpec, LeaseTimeout, RestartType, Shutdown, StartChildError, StopChildError,
};
use thiserror::Error;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::group_log::{GroupLogError, read_groups};
use super::group_place::{GroupPlace, Leadership};
use super::group_settings;
use crate::broker::Broker;
use crate::group_coordinator::{GroupCoordinator, GroupCoordinatorArguments};
use crate::partition_directory::PartitionPlace;

/// How long a coordinator may take to come up, or to end.
const CHILD_DEADLINE: Duration = Duration::from_secs(10);

/// Why a partition's groups did not come up.
#[derive(Debug, Error)]
enum LoadError {
    #[error("a coordinator of the leadership before did not end")]
    Former(#[from] StopChildError),
    #[error("an append of the leadership before is not settled")]
    Lease(#[from] LeaseTimeout),
    #[error(transparent)]
    Log(#[from] GroupLogError),
    #[error("a coordinator did not start")]
    Start(#[from] StartChildError),
    #[error("loading panicked")]
    Panicked,
}

/// One reading of one partition under one leadership.
pub struct PartitionLoad {
    /// Which partition.
    pub index: PartitionIndex,
    /// Its place.
    pub partition: Arc<PartitionPlace>,
    /// Under which leadership.
    pub leadership: Leadership,
    /// Tells this load from others.
    pub number: u64,
    /// The groups of the leadership before.
    pub former: Vec<Arc<GroupPlace>>,
}

impl PartitionLoad {
    /// Reads, brings up, and tells the directory.
    pub async fn run(self, broker: Arc<Broker>) {
        let started = Instant::now();
        let mut places = HashMap::new();
        let loading = AssertUnwindSafe(self.load(&broker, &mut places)).catch_unwind();
        let loaded = loading.await.unwrap_or(Err(LoadError::Panicked));
        let (partition, groups) = (&self.partition.name, places.len());
        match loaded {
            Ok(()) => debug!(%partition, groups, elapsed = ?started.elapsed(), "groups loaded"),
            Err(ref error) => warn!(%partition, %error, cause = ?error, "groups not loaded"),
        }
        if !broker.groups.finish_load(&self, &places, loaded.is_ok()) {
            places.values().for_each(|place| place.stop());
        }
    }

    async fn load(
        &self,
        broker: &Arc<Broker>,
        places: &mut HashMap<GroupId, Arc<GroupPlace>>,
    ) -> Result<(), LoadError> {
        self.end_former(broker).await?;
        let loader = GroupLoader::new(group_settings(broker));
        let loader = read_groups(broker, &self.partition, self.leadership, loader).await?;
        for (group_id, machine) in loader.finish() {
            let partition = Arc::clone(&self.partition);
            let place = Arc::new(GroupPlace::new(group_id.clone(), partition, self.leadership));
            places.insert(group_id, Arc::clone(&place));
            start_coordinator(broker, &place, machine).await?;
        }
        Ok(())
    }

    /// Ends the coordinators of the leadership before and waits for what they had under way, so
    /// that the log holds all that they wrote when it is read.
    async fn end_former(&self, broker: &Broker) -> Result<(), LoadError> {
        let deadline = broker.settings.load().offsets.commit_timeout + CHILD_DEADLINE;
        for place in &self.former {
            place.end();
            stop_coordinator(broker, &place.group_id).await?;
            drop(broker.groups.leases().acquire(place.group_id.clone(), deadline).await?);
        }
        Ok(())
    }
}

async fn stop_coordinator(broker: &Broker, group_id: &GroupId) -> Result<(), StopChildError> {
    let supervisor = broker.groups.supervisor();
    match supervisor.stop_child(group_id.as_str(), CHILD_DEADLINE).await {
        // ended by itself, or with its supervisor
        Err(StopChildError::UnknownChild { .. } | StopChildError::SupervisorDown) => Ok(()),
        stopped => stopped,
    }
}

/// Starts a group's coordinator with the group as it was found, and says at its place what became
/// of the start.
///
/// # Errors
/// The supervisor's.
pub async fn start_coordinator(
    broker: &Arc<Broker>,
    place: &Arc<GroupPlace>,
    machine: ClassicGroup,
) -> Result<(), StartChildError> {
    let spec = coordinator_spec(broker, place, machine);
    let supervisor = broker.groups.supervisor();
    let mut started = supervisor.start_child(spec.clone(), CHILD_DEADLINE).await;
    if matches!(started, Err(StartChildError::AlreadyPresent { .. })) {
        // the last one of that name has not quite ended
        if stop_coordinator(broker, &place.group_id).await.is_ok() {
            started = supervisor.start_child(spec, CHILD_DEADLINE).await;
        }
    }
    place.set_started(started.is_ok());
    started.map(drop)
}

fn coordinator_spec(
    broker: &Arc<Broker>,
    place: &Arc<GroupPlace>,
    machine: ClassicGroup,
) -> ChildSpec {
    let (broker, place) = (Arc::clone(broker), Arc::clone(place));
    let (id, address) = (place.group_id.as_str().to_owned(), place.coordinator.clone());
    let found = Arc::new(Mutex::new(Some(machine)));
    let make = move |context: &supervision::StartContext| {
        place.set_supervisor(context.supervisor());
        let arguments = GroupCoordinatorArguments {
            broker: Arc::clone(&broker),
            place: Arc::clone(&place),
            found: Arc::clone(&found),
            status: context.status(),
        };
        (GroupCoordinator, arguments)
    };
    ChildSpec::addressed_actor(id, &address, make)
        .restart(RestartType::Transient)
        .shutdown(Shutdown::Graceful(CHILD_DEADLINE))
}
