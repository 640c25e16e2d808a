//! The place of one group on this node. It outlives restarts of its coordinator, and ends with the
//! group, or with the leadership of its partition.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coordination::ListedGroup;
use metadata::{ClusterImage, PartitionKey};
use protocol::{ErrorCode, GroupId, LeaderEpoch};
use ractor::{ActorCell, ActorStatus};
use supervision::Address;
use tokio::sync::watch;
use tokio::time::timeout;

use super::member_connections::MemberConnections;
use crate::group_coordinator::GroupCoordinatorMessage;
use crate::partition_directory::PartitionPlace;

/// How long a request waits for a coordinator that is being started.
const START_WAIT: Duration = Duration::from_secs(5);

/// Why a coordinator is stopped.
const LEADERSHIP_ENDED: &str = "the leadership of its partition ended";

/// One leadership of an offsets partition on this node. Groups are loaded under one, and end with
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leadership {
    key: PartitionKey,
    incarnation: u64,
    leader_epoch: LeaderEpoch,
}

impl Leadership {
    /// The present one; `None` while the partition is not led here.
    #[must_use]
    pub fn of(place: &PartitionPlace) -> Option<Self> {
        let view = place.view()?;
        let (incarnation, leader_epoch) = (view.incarnation, view.leader_epoch);
        Some(Self { key: place.key, incarnation, leader_epoch })
    }
}

/// Whether a coordinator is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Starting,
    Started,
    Failed,
}

/// Where a group is found.
#[derive(Debug)]
pub struct GroupPlace {
    /// Its name.
    pub group_id: GroupId,
    /// Its coordinator.
    pub coordinator: Address<GroupCoordinatorMessage>,
    /// Its partition of the offsets topic.
    pub partition: Arc<PartitionPlace>,
    /// Under which leadership of that.
    pub leadership: Leadership,
    /// By which connections its members speak.
    pub connections: MemberConnections,
    listed: Mutex<Option<ListedGroup>>,
    has_ended: AtomicBool,
    standing: watch::Sender<Standing>,
    supervisor: Mutex<Option<ActorCell>>,
}

impl GroupPlace {
    /// A place where nobody lives yet.
    #[must_use]
    pub fn new(group_id: GroupId, partition: Arc<PartitionPlace>, leadership: Leadership) -> Self {
        Self {
            group_id,
            coordinator: Address::new(),
            partition,
            leadership,
            connections: MemberConnections::default(),
            listed: Mutex::new(None),
            has_ended: AtomicBool::new(false),
            standing: watch::Sender::new(Standing::Starting),
            supervisor: Mutex::new(None),
        }
    }

    /// Whether the partition is still led as it was when the group was loaded.
    #[must_use]
    pub fn is_current(&self) -> bool {
        Leadership::of(&self.partition) == Some(self.leadership)
    }

    /// Whether the image has heard of the leadership. If so, it knows every topic that the group
    /// has committed for: nobody commits for a topic under a leadership that ended before it was
    /// created.
    #[must_use]
    pub fn is_known_to(&self, image: &ClusterImage) -> bool {
        let state = image.partition(self.partition.key);
        state.is_some_and(|state| state.leader_epoch >= self.leadership.leader_epoch)
    }

    /// The group as ListGroups shows it; `None` if it does not exist yet.
    #[must_use]
    pub fn listed(&self) -> Option<ListedGroup> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Publishes how ListGroups shows the group.
    pub fn list(&self, listed: Option<ListedGroup>) {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = listed;
    }

    /// Whether the group is no more. A new one of the same name gets a place of its own.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// The group is no more.
    pub fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    /// Stops the coordinator that is here now, and none that came after it elsewhere.
    pub fn stop(&self) {
        self.end();
        if let Some(actor) = self.coordinator.actor() {
            actor.stop(Some(LEADERSHIP_ENDED.to_owned()));
        }
    }

    /// Remembers who starts the coordinator again.
    pub fn set_supervisor(&self, supervisor: ActorCell) {
        *self.supervisor.lock().unwrap_or_else(PoisonError::into_inner) = Some(supervisor);
    }

    /// Whether the supervisor that would start the coordinator again has ended itself.
    #[must_use]
    pub fn has_lost_supervisor(&self) -> bool {
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        let has_ended = |supervisor: &ActorCell| supervisor.get_status() >= ActorStatus::Stopping;
        supervisor.as_ref().is_some_and(has_ended)
    }

    /// The first start of the coordinator has ended.
    pub fn set_started(&self, is_up: bool) {
        self.standing.send_replace(if is_up { Standing::Started } else { Standing::Failed });
    }

    /// Waits for the first start of the coordinator.
    ///
    /// # Errors
    /// `COORDINATOR_NOT_AVAILABLE` if it failed or takes too long.
    pub async fn started(&self) -> Result<(), ErrorCode> {
        let mut standing = self.standing.subscribe();
        let ended = standing.wait_for(|standing| *standing != Standing::Starting);
        match timeout(START_WAIT, ended).await {
            Ok(Ok(standing)) if *standing == Standing::Started => Ok(()),
            _ => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }
}
