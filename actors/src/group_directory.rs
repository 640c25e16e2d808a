//! Which consumer groups live on this node, and where: finds a group's coordinator, or starts it.
//!
//! ```text
//! group ──Java's hash──▶ partition of __consumer_offsets ──read view──▶ this node's leadership
//!                                                                            │ loaded under it
//!                                                                            ▼
//!                                                                 places of the groups
//! ```
//!
//! A node coordinates the groups whose partition it leads. It reads a partition at the first
//! request for one of its groups, beside all other work; until then such requests are told
//! `COORDINATOR_LOAD_IN_PROGRESS`. The groups end with the leadership that they were loaded under:
//! under the next one they are read again, after their coordinators have ended and what those had
//! under way is settled, so that nothing they wrote is missed.
//!
//! Requests look a group up under a lock that is never held across a wait. No actor is asked where
//! another one is.

pub mod group_log;
pub mod group_place;
mod loading;
pub mod member_connections;
pub mod offsets_expiry;
mod offsets_partition;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coordination::{
    ClassicGroup, GroupSettings, ListedGroup, Now, Timestamp, coordinator_partition,
};
use metadata::PartitionState;
use protocol::{ErrorCode, GroupId, PartitionIndex, TopicName};
use supervision::{DynamicSupervisor, LeaseTable};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use self::group_place::{GroupPlace, Leadership};
use self::loading::start_coordinator;
use self::member_connections::{ConnectionNumber, Speaker};
use self::offsets_partition::{OffsetsPartitions, Readiness};
use crate::broker::{Broker, OFFSETS_TOPIC};
use crate::group_coordinator::GroupCoordinatorMessage;
use crate::group_coordinator::group_request::{GroupRequest, Reply, answer_for_nobody};
use crate::partition_directory::PartitionPlace;

/// Groups that one node lets come into being; each is an actor. Groups that the log holds are
/// loaded beyond it.
const GROUPS_MAX: usize = 20_000;

/// See the head of this file.
pub struct GroupDirectory {
    supervisor: DynamicSupervisor,
    leases: LeaseTable<GroupId>,
    partitions: Mutex<OffsetsPartitions>,
    /// Rings when a load ends.
    changed: Notify,
    loads: AtomicU64,
    connections: AtomicU64,
}

impl GroupDirectory {
    /// A directory without groups, and the supervisor that will have their coordinators.
    #[must_use]
    pub fn new(supervisor: DynamicSupervisor) -> Self {
        Self {
            supervisor,
            leases: LeaseTable::new(),
            partitions: Mutex::default(),
            changed: Notify::new(),
            loads: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    pub(crate) const fn supervisor(&self) -> &DynamicSupervisor {
        &self.supervisor
    }

    /// The leases on groups' names.
    pub(crate) const fn leases(&self) -> &LeaseTable<GroupId> {
        &self.leases
    }

    /// The number of a connection that was just accepted.
    pub(crate) fn next_connection(&self) -> ConnectionNumber {
        ConnectionNumber(self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// How many groups live here.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().values().map(|partition| partition.groups.len()).sum()
    }

    /// Asks a group's coordinator, for a member if there is one, and waits for its answer, at most
    /// until `deadline` if there is one.
    ///
    /// # Errors
    /// `NOT_COORDINATOR` if the group's partition is not led here, or its coordinator ended before
    /// it answered; `COORDINATOR_LOAD_IN_PROGRESS` while the log is read;
    /// `COORDINATOR_NOT_AVAILABLE` if no coordinator can be had now.
    pub async fn ask<A>(
        &self,
        broker: &Arc<Broker>,
        group_id: &GroupId,
        speaker: Option<Speaker>,
        deadline: Option<Duration>,
        question: impl FnOnce(Reply<A>) -> GroupRequest,
    ) -> Result<A, ErrorCode> {
        let (reply, answer) = oneshot::channel();
        self.deliver(broker, group_id, speaker, question(reply)).await?;
        let answer = match deadline {
            Some(deadline) => {
                timeout(deadline, answer).await.map_err(|_| ErrorCode::CoordinatorNotAvailable)?
            }
            None => answer.await,
        };
        answer.map_err(|_| ErrorCode::NotCoordinator)?
    }

    async fn deliver(
        &self,
        broker: &Arc<Broker>,
        group_id: &GroupId,
        speaker: Option<Speaker>,
        request: GroupRequest,
    ) -> Result<(), ErrorCode> {
        let (index, partition) = partition_of(broker, group_id)?;
        let leadership = self.serving(broker, index, &partition).await?;
        let found = if request.may_create_group() {
            Some(self.find_or_start(broker, group_id, index, (partition, leadership))?)
        } else {
            self.find(group_id, index)
        };
        let Some(place) = found else {
            let now = Now {
                monotonic: Duration::ZERO,
                wall_clock: Timestamp::from_millis(broker.ports.clock.wall_ms()),
            };
            let nobody = self.new_group(broker, group_id);
            answer_for_nobody(nobody, request, now, &broker.image.load());
            return Ok(());
        };
        place.started().await?;
        if let Some(speaker) = &speaker {
            place.connections.add(speaker);
        }
        let message = GroupCoordinatorMessage::Request(request);
        place.coordinator.send(message).map_err(|_| {
            // it starts again and reads its log, unless there is nobody to start it
            if place.has_lost_supervisor() {
                self.read_again(index, leadership);
            }
            ErrorCode::CoordinatorLoadInProgress
        })
    }

    fn find(&self, group_id: &GroupId, index: PartitionIndex) -> Option<Arc<GroupPlace>> {
        let partitions = self.lock();
        let place = partitions.get(&index)?.groups.get(group_id)?;
        (!place.has_ended()).then(|| Arc::clone(place))
    }

    fn find_or_start(
        &self,
        broker: &Arc<Broker>,
        group_id: &GroupId,
        index: PartitionIndex,
        (partition, leadership): (Arc<PartitionPlace>, Leadership),
    ) -> Result<Arc<GroupPlace>, ErrorCode> {
        if let Some(place) = self.find(group_id, index) {
            return Ok(place);
        }
        if self.count() >= GROUPS_MAX {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let place = Arc::new(GroupPlace::new(group_id.clone(), partition, leadership));
        let mut partitions = self.lock();
        let offsets = partitions.entry(index).or_default();
        if offsets.leadership != Some(leadership) || offsets.readiness != Readiness::Serving {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        match offsets.groups.get(group_id) {
            Some(other) if !other.has_ended() => return Ok(Arc::clone(other)),
            _ => drop(offsets.groups.insert(group_id.clone(), Arc::clone(&place))),
        }
        drop(partitions);
        let (broker, new) = (Arc::clone(broker), Arc::clone(&place));
        tokio::spawn(async move {
            let machine = broker.groups.new_group(&broker, &new.group_id);
            if let Err(error) = start_coordinator(&broker, &new, machine).await {
                tracing::warn!(group = %new.group_id, %error, "the coordinator did not start");
                broker.groups.forget(&new);
            }
        });
        Ok(place)
    }

    /// Every group, after all partitions that are led here have been read.
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS` or `COORDINATOR_NOT_AVAILABLE` if one has not been.
    pub async fn list(&self, broker: &Arc<Broker>) -> Result<Vec<ListedGroup>, ErrorCode> {
        self.load_all(broker);
        for (index, partition) in to_be_led(broker)? {
            match self.serving(broker, index, &partition).await {
                // not led any more: whoever leads it lists its groups
                Ok(_) | Err(ErrorCode::NotCoordinator) => {}
                Err(code) => return Err(code),
            }
        }
        Ok(self.places().iter().filter_map(|place| place.listed()).collect())
    }

    /// Begins to read every partition that is led here and has not been read.
    pub fn load_all(&self, broker: &Arc<Broker>) {
        for (index, partition) in led_partitions(broker) {
            if let Some(leadership) = Leadership::of(&partition) {
                self.load_if_unread(broker, index, &partition, leadership);
            }
        }
    }

    /// Topics were deleted, and the published image says so: their offsets go.
    pub fn on_topics_deleted<'a>(
        &self,
        broker: &Broker,
        topics: impl Iterator<Item = &'a TopicName>,
    ) {
        let image = broker.image.load();
        // a name that was taken again at once is told apart by the topic's id
        let is_free = |topic: &&TopicName| image.topic(topic.as_str()).is_none();
        let topics: Arc<[TopicName]> = topics.filter(is_free).cloned().collect();
        for place in self.places() {
            // one that starts again, or is loaded later, looks for itself
            let _ = place.coordinator.send(GroupCoordinatorMessage::TopicsDeleted(topics.clone()));
        }
    }

    /// Has every group look for offsets that have expired, and stops what a leadership that ended
    /// has left behind.
    pub fn expire_offsets(&self, broker: &Arc<Broker>) {
        self.stop_former();
        for place in self.places() {
            let _ = place.coordinator.send(GroupCoordinatorMessage::ExpireOffsets);
        }
        self.load_all(broker);
    }

    fn stop_former(&self) {
        for place in self.places().iter().filter(|place| !place.is_current()) {
            place.stop();
        }
    }

    /// A connection that the member spoke by was closed by its client.
    pub(crate) fn on_speaker_left(&self, broker: &Broker, group_id: &GroupId, speaker: &Speaker) {
        let Some(place) = self.place_of(broker, group_id) else { return };
        place.connections.remove(speaker, || {
            let member_id = speaker.member_id.clone();
            // one that starts again gives every member its full session
            let _ = place.coordinator.send(GroupCoordinatorMessage::MemberDisconnected(member_id));
        });
    }

    /// A connection speaks for the member no longer, and the member is not cut off by that.
    pub(crate) fn forget_speaker(&self, broker: &Broker, group_id: &GroupId, speaker: &Speaker) {
        if let Some(place) = self.place_of(broker, group_id) {
            place.connections.remove(speaker, || {});
        }
    }

    fn place_of(&self, broker: &Broker, group_id: &GroupId) -> Option<Arc<GroupPlace>> {
        let (index, _) = partition_of(broker, group_id).ok()?;
        self.find(group_id, index)
    }

    /// The group is no more, or its coordinator did not start. A later request gets a new place.
    pub(crate) fn forget(&self, place: &Arc<GroupPlace>) {
        place.end();
        let mut partitions = self.lock();
        let offsets = partitions.get_mut(&place.partition.key.partition);
        let groups = offsets.map(|offsets| &mut offsets.groups);
        if let Some(groups) = groups
            && groups.get(&place.group_id).is_some_and(|other| Arc::ptr_eq(other, place))
        {
            groups.remove(&place.group_id);
        }
    }

    /// A group that does not exist yet, under the settings in force.
    pub(crate) fn new_group(&self, broker: &Broker, group_id: &GroupId) -> ClassicGroup {
        ClassicGroup::new(group_id.clone(), group_settings(broker))
    }

    fn places(&self) -> Vec<Arc<GroupPlace>> {
        self.lock().values().flat_map(|partition| partition.groups.values().cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, OffsetsPartitions> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The partition that holds a group, if this node holds a replica of it.
fn partition_of(
    broker: &Broker,
    group_id: &GroupId,
) -> Result<(PartitionIndex, Arc<PartitionPlace>), ErrorCode> {
    let image = broker.image.load();
    if broker.is_cut_off() {
        return Err(ErrorCode::NotCoordinator);
    }
    let topic = image.topic(OFFSETS_TOPIC).ok_or(ErrorCode::NotCoordinator)?;
    let index = coordinator_partition(group_id.as_str(), topic.partition_count())
        .ok_or(ErrorCode::NotCoordinator)?;
    let place = broker.place_of(topic, index).map_err(|_| ErrorCode::NotCoordinator)?;
    if broker.leaves_to_others(&place.decided()) {
        return Err(ErrorCode::NotCoordinator);
    }
    Ok((index, place))
}

/// The partitions that are this node's to lead. A list without the groups of one that does not lead
/// yet, as after a start, would pass for the whole.
fn to_be_led(broker: &Broker) -> Result<Vec<(PartitionIndex, Arc<PartitionPlace>)>, ErrorCode> {
    let image = broker.image.load();
    let Some(topic) = image.topic(OFFSETS_TOPIC) else { return Ok(Vec::new()) };
    let own = |state: &PartitionState| match state.leader {
        Some(leader) => leader == broker.id,
        None => state.isr.contains(&broker.id),
    };
    topic
        .indexed_partitions()
        .filter(|(_, state)| own(state))
        .map(|(index, _)| {
            let place = broker.place_of(topic, index).ok().filter(|place| place.view().is_some());
            Ok((index, place.ok_or(ErrorCode::CoordinatorLoadInProgress)?))
        })
        .collect()
}

fn led_partitions(broker: &Broker) -> Vec<(PartitionIndex, Arc<PartitionPlace>)> {
    let image = broker.image.load();
    let Some(topic) = image.topic(OFFSETS_TOPIC) else { return Vec::new() };
    let place = |index| Some((index, broker.place_of(topic, index).ok()?));
    topic
        .indexed_partitions()
        .filter_map(|(index, _)| place(index))
        .filter(|(_, place)| place.view().is_some())
        .collect()
}

/// The settings in force, as groups want them.
pub(crate) fn group_settings(broker: &Broker) -> Arc<GroupSettings> {
    let settings = broker.settings.load();
    let (groups, offsets) = (&settings.groups, &settings.offsets);
    Arc::new(GroupSettings {
        session_timeout_min: groups.session_timeout_min,
        session_timeout_max: groups.session_timeout_max,
        initial_rebalance_delay: groups.initial_rebalance_delay,
        group_size_max: groups.members_max,
        offset_metadata_length_max: offsets.note_bytes_max,
        offsets_retention: offsets.retention,
        ..GroupSettings::default()
    })
}
