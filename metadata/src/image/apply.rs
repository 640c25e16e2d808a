//! Applying records to an image. Deterministic: the same records from the same image give the
//! same image on every node, or the same error.

use std::sync::Arc;

use imbl::Vector;
use protocol::{BrokerEpoch, BrokerId, TopicId, TopicName};

use crate::broker::{BrokerRegistration, BrokerState, ClusterId};
use crate::image::apply_error::ApplyError;
use crate::image::invariants;
use crate::image::{ClusterImage, ImageDelta, TopicState};
use crate::partition::{PartitionKey, PartitionState};
use crate::record::{MetadataRecord, SettingResource};

impl ClusterImage {
    /// Applies the records of one entry to a copy: all of them, or none.
    ///
    /// # Errors
    /// The first record that does not fit.
    pub fn apply_entry(
        &self,
        entry: u64,
        records: &[MetadataRecord],
    ) -> Result<(Self, ImageDelta), ApplyError> {
        if entry <= self.version {
            return Err(ApplyError::EntryWentBack { entry, version: self.version });
        }
        let mut image = self.clone();
        let mut delta = ImageDelta::default();
        for record in records {
            delta.note(&image, record);
            image.apply(record)?;
        }
        image.version = entry;
        debug_assert_eq!(invariants::first_violation_near(&image, &delta), None);
        Ok((image, delta))
    }

    /// Sets the number of the last entry applied; for entries of the quorum that hold no records.
    pub fn advance_to(&mut self, entry: u64) {
        self.version = self.version.max(entry);
    }

    /// Applies one record. Invariants that span records hold once the whole entry is applied.
    ///
    /// # Errors
    /// The record does not fit; the image is unchanged.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::ClusterFounded { cluster_id } => self.found_cluster(*cluster_id),
            MetadataRecord::BrokerRegistered(registration) => self.register_broker(registration),
            MetadataRecord::BrokerFenced { broker, broker_epoch } => {
                self.change_broker(*broker, *broker_epoch, |state| state.registration.fenced = true)
            }
            MetadataRecord::BrokerUnfenced { broker, broker_epoch } => {
                self.change_broker(*broker, *broker_epoch, |state| {
                    state.registration.fenced = false;
                })
            }
            MetadataRecord::BrokerShuttingDown { broker, broker_epoch } => {
                self.change_broker(*broker, *broker_epoch, |state| state.is_shutting_down = true)
            }
            MetadataRecord::BrokerDiskHung { broker, broker_epoch } => {
                self.change_broker(*broker, *broker_epoch, |state| state.has_hung_disk = true)
            }
            MetadataRecord::BrokerDiskAnswered { broker, broker_epoch } => {
                self.change_broker(*broker, *broker_epoch, |state| state.has_hung_disk = false)
            }
            MetadataRecord::BrokerUnregistered { broker, broker_epoch } => {
                self.registered(*broker, *broker_epoch)?;
                self.brokers.remove(broker);
                Ok(())
            }
            MetadataRecord::TopicCreated { topic, topic_id } => self.create_topic(topic, *topic_id),
            MetadataRecord::TopicDeleted { topic_id } => self.delete_topic(*topic_id),
            MetadataRecord::PartitionCreated { key, state } => self.create_partition(*key, state),
            MetadataRecord::PartitionChanged { key, state } => self.change_partition(*key, state),
            MetadataRecord::SettingChanged { resource, key, value } => {
                self.change_setting(resource, key, value.as_ref())
            }
            MetadataRecord::ProducerIdsAllocated { next_producer_id, .. }
            | MetadataRecord::ProducerIdsReached { next_producer_id } => {
                self.advance_producer_ids(*next_producer_id)
            }
            MetadataRecord::BrokerEpochsReached { next_broker_epoch } => {
                self.next_broker_epoch = self.next_broker_epoch.max(*next_broker_epoch);
                Ok(())
            }
            MetadataRecord::FeatureLevelChanged { feature, level } => {
                match level {
                    0 => self.features.remove(feature),
                    _ => self.features.insert(feature.clone(), *level),
                };
                Ok(())
            }
        }
    }

    fn found_cluster(&mut self, cluster_id: ClusterId) -> Result<(), ApplyError> {
        if self.cluster_id.is_some() {
            return Err(ApplyError::AlreadyFounded);
        }
        self.cluster_id = Some(cluster_id);
        Ok(())
    }

    fn register_broker(&mut self, registration: &BrokerRegistration) -> Result<(), ApplyError> {
        let broker_epoch = registration.broker_epoch;
        let same_process = self.brokers.get(&registration.broker).is_some_and(|present| {
            present.epoch() == broker_epoch
                && present.registration.incarnation == registration.incarnation
        });
        if !same_process && broker_epoch < self.next_broker_epoch {
            return Err(ApplyError::BrokerEpochReused { broker_epoch });
        }
        invariants::check_registration(registration)?;
        self.next_broker_epoch = self.next_broker_epoch.max(broker_epoch.next());
        let registration = registration.clone();
        let state = BrokerState { registration, is_shutting_down: false, has_hung_disk: false };
        self.brokers.insert(state.id(), Arc::new(state));
        Ok(())
    }

    fn registered(
        &self,
        broker: BrokerId,
        recorded: BrokerEpoch,
    ) -> Result<&Arc<BrokerState>, ApplyError> {
        let present = self.brokers.get(&broker).ok_or(ApplyError::UnknownBroker { broker })?;
        let registered = present.epoch();
        if registered != recorded {
            return Err(ApplyError::OtherBrokerEpoch { broker, registered, recorded });
        }
        Ok(present)
    }

    fn change_broker(
        &mut self,
        broker: BrokerId,
        broker_epoch: BrokerEpoch,
        change: impl FnOnce(&mut BrokerState),
    ) -> Result<(), ApplyError> {
        let mut state = BrokerState::clone(self.registered(broker, broker_epoch)?);
        change(&mut state);
        self.brokers.insert(broker, Arc::new(state));
        Ok(())
    }

    fn create_topic(&mut self, topic: &TopicName, topic_id: TopicId) -> Result<(), ApplyError> {
        let exists = || ApplyError::TopicExists { topic: topic.clone() };
        if self.topic_ids.contains_key(topic) || self.topics.contains_key(&topic_id) {
            return Err(exists());
        }
        if self.colliding_topic(topic).is_some() {
            return Err(exists());
        }
        if topic.as_str().contains(['.', '_']) {
            self.collision_keys.insert(Arc::from(topic.collision_key()), topic.clone());
        }
        self.topic_ids.insert(topic.clone(), topic_id);
        let state = TopicState { name: topic.clone(), id: topic_id, partitions: Vector::new() };
        self.topics.insert(topic_id, Arc::new(state));
        Ok(())
    }

    fn delete_topic(&mut self, topic_id: TopicId) -> Result<(), ApplyError> {
        let topic = self.topics.remove(&topic_id).ok_or(ApplyError::UnknownTopic { topic_id })?;
        self.topic_ids.remove(&topic.name);
        self.collision_keys.remove(topic.name.collision_key().as_str());
        self.settings.remove(&SettingResource::Topic(topic.name.clone()));
        self.partition_count -= topic.partitions.len();
        for (partition, state) in topic.indexed_partitions() {
            self.unindex(PartitionKey::new(topic_id, partition), &state.assigned_replicas);
        }
        Ok(())
    }

    fn create_partition(
        &mut self,
        key: PartitionKey,
        state: &PartitionState,
    ) -> Result<(), ApplyError> {
        let topic_id = key.topic_id;
        let topic = self.topics.get_mut(&topic_id).ok_or(ApplyError::UnknownTopic { topic_id })?;
        if topic.partition_count() != key.partition.0 {
            return Err(ApplyError::PartitionOutOfOrder { key });
        }
        invariants::check_partition(key, state)?;
        Arc::make_mut(topic).partitions.push_back(Arc::new(state.clone()));
        self.partition_count += 1;
        self.index(key, &state.assigned_replicas);
        Ok(())
    }

    fn change_partition(
        &mut self,
        key: PartitionKey,
        state: &PartitionState,
    ) -> Result<(), ApplyError> {
        let present = self.partition(key).ok_or(ApplyError::UnknownPartition { key })?;
        check_succession(key, present, state)?;
        invariants::check_partition(key, state)?;
        if present.assigned_replicas != state.assigned_replicas {
            let before = present.assigned_replicas.clone();
            self.unindex(key, &before);
            self.index(key, &state.assigned_replicas);
        }
        let topic = self.topics.get_mut(&key.topic_id);
        let place = topic.map(|topic| &mut Arc::make_mut(topic).partitions);
        let index = usize::try_from(key.partition.0).unwrap_or(usize::MAX);
        if let Some(slot) = place.and_then(|partitions| partitions.get_mut(index)) {
            *slot = Arc::new(state.clone());
        }
        Ok(())
    }

    fn index(&mut self, key: PartitionKey, brokers: &[BrokerId]) {
        for broker in brokers {
            self.replicas.entry(*broker).or_default().insert(key);
        }
    }

    fn unindex(&mut self, key: PartitionKey, brokers: &[BrokerId]) {
        for broker in brokers {
            if let Some(keys) = self.replicas.get_mut(broker) {
                keys.remove(&key);
                if keys.is_empty() {
                    self.replicas.remove(broker);
                }
            }
        }
    }

    fn change_setting(
        &mut self,
        resource: &SettingResource,
        key: &Arc<str>,
        value: Option<&Arc<str>>,
    ) -> Result<(), ApplyError> {
        if let SettingResource::Topic(topic) = resource
            && !self.topic_ids.contains_key(topic)
        {
            return Err(ApplyError::SettingOfUnknownTopic { topic: topic.clone() });
        }
        let values = self.settings.entry(resource.clone()).or_default();
        match value {
            Some(value) => values.insert(key.clone(), value.clone()),
            None => values.remove(key),
        };
        if values.is_empty() {
            self.settings.remove(resource);
        }
        Ok(())
    }

    fn advance_producer_ids(&mut self, recorded: i64) -> Result<(), ApplyError> {
        let present = self.next_producer_id;
        if recorded < present {
            return Err(ApplyError::ProducerIdWentBack { present, recorded });
        }
        self.next_producer_id = recorded;
        Ok(())
    }
}

/// A partition's states follow one another: the partition epoch by one, the leader epoch never
/// back, and with it every change of leader.
fn check_succession(
    key: PartitionKey,
    present: &PartitionState,
    next: &PartitionState,
) -> Result<(), ApplyError> {
    if next.partition_epoch != present.partition_epoch.next() {
        return Err(ApplyError::PartitionEpochOutOfOrder {
            key,
            present: present.partition_epoch,
            recorded: next.partition_epoch,
        });
    }
    let same_leader = next.leader == present.leader;
    if next.leader_epoch < present.leader_epoch
        || (!same_leader && next.leader_epoch == present.leader_epoch)
    {
        return Err(ApplyError::LeaderEpochOutOfOrder {
            key,
            present: present.leader_epoch,
            recorded: next.leader_epoch,
        });
    }
    Ok(())
}
