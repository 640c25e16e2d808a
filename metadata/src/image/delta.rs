//! What an entry changed, so that the publisher tells only whoever must act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use protocol::{BrokerId, PartitionIndex, TopicId, TopicName, TopicPartition};

use crate::image::{ClusterImage, TopicState};
use crate::partition::{PartitionKey, PartitionState};
use crate::record::{MetadataRecord, SettingResource};

/// What differs between two images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageDelta {
    /// Brokers that registered, left, were fenced or unfenced, or whose disk hung or answered.
    pub brokers: BTreeSet<BrokerId>,
    /// Topics that came into being.
    pub topics_created: BTreeMap<TopicId, TopicName>,
    /// Topics that are gone.
    pub topics_deleted: BTreeMap<TopicId, TopicName>,
    /// Partitions that were created or changed, and those of deleted topics.
    pub partitions: BTreeSet<PartitionKey>,
    /// Resources of which a setting changed.
    pub settings: BTreeSet<SettingResource>,
    /// Whether a feature changed its level.
    pub features: bool,
}

/// What one broker must do about one of its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaChange {
    /// Lead, under the state's leader epoch.
    Lead {
        /// The partition by name.
        partition: TopicPartition,
        /// The incarnation of its topic.
        topic_id: TopicId,
        /// Its state.
        state: Arc<PartitionState>,
    },
    /// Follow the state's leader, or wait for one.
    Follow {
        /// The partition by name.
        partition: TopicPartition,
        /// The incarnation of its topic.
        topic_id: TopicId,
        /// Its state.
        state: Arc<PartitionState>,
    },
    /// Stop, and delete the log: the topic is gone, or the replica is assigned no longer.
    Remove {
        /// The partition by name.
        partition: TopicPartition,
        /// The incarnation of its topic.
        topic_id: TopicId,
    },
}

impl ImageDelta {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in what a record is about to change in `image`.
    pub(crate) fn note(&mut self, image: &ClusterImage, record: &MetadataRecord) {
        match record {
            MetadataRecord::BrokerRegistered(registration) => {
                self.brokers.insert(registration.broker);
            }
            MetadataRecord::BrokerFenced { broker, .. }
            | MetadataRecord::BrokerUnfenced { broker, .. }
            | MetadataRecord::BrokerShuttingDown { broker, .. }
            | MetadataRecord::BrokerDiskHung { broker, .. }
            | MetadataRecord::BrokerDiskAnswered { broker, .. }
            | MetadataRecord::BrokerUnregistered { broker, .. } => {
                self.brokers.insert(*broker);
            }
            MetadataRecord::TopicCreated { topic, topic_id } => {
                self.topics_created.insert(*topic_id, topic.clone());
            }
            MetadataRecord::TopicDeleted { topic_id } => self.note_deletion(image, *topic_id),
            MetadataRecord::PartitionCreated { key, .. }
            | MetadataRecord::PartitionChanged { key, .. } => {
                self.partitions.insert(*key);
            }
            MetadataRecord::SettingChanged { resource, .. } => {
                self.settings.insert(resource.clone());
            }
            MetadataRecord::FeatureLevelChanged { .. } => self.features = true,
            MetadataRecord::ClusterFounded { .. }
            | MetadataRecord::ProducerIdsAllocated { .. }
            | MetadataRecord::ProducerIdsReached { .. }
            | MetadataRecord::BrokerEpochsReached { .. } => {}
        }
    }

    fn note_deletion(&mut self, image: &ClusterImage, topic_id: TopicId) {
        let Some(topic) = image.topic_by_id(topic_id) else { return };
        let keys = topic.indexed_partitions().map(|(index, _)| PartitionKey::new(topic_id, index));
        self.partitions.extend(keys);
        let resource = SettingResource::Topic(topic.name.clone());
        if image.settings_of(&resource).is_some() {
            self.settings.insert(resource);
        }
        // made and deleted within one entry: nobody has seen it
        if self.topics_created.remove(&topic_id).is_none() {
            self.topics_deleted.insert(topic_id, topic.name.clone());
        } else {
            self.partitions.retain(|key| key.topic_id != topic_id);
        }
    }

    /// What differs between two images, however they came about; for the step over a gap by
    /// snapshot. Costs a walk through the parts that the images do not share.
    #[must_use]
    pub fn between(older: &ClusterImage, newer: &ClusterImage) -> Self {
        let mut delta = Self { features: older.features != newer.features, ..Self::default() };
        delta.brokers.extend(older.brokers.diff(&newer.brokers).map(|item| *changed_key(&item)));
        let settings = older.settings.diff(&newer.settings);
        delta.settings.extend(settings.map(|item| changed_key(&item).clone()));
        for item in older.topics.diff(&newer.topics) {
            match item {
                DiffItem::Add(_, after) => delta.note_topic(None, Some(after)),
                DiffItem::Remove(_, before) => delta.note_topic(Some(before), None),
                DiffItem::Update { old: (_, before), new: (_, after) } => {
                    delta.note_topic(Some(before), Some(after));
                }
            }
        }
        delta
    }

    fn note_topic(&mut self, before: Option<&Arc<TopicState>>, after: Option<&Arc<TopicState>>) {
        let Some(topic) = before.or(after) else { return };
        match (before, after) {
            (None, Some(_)) => drop(self.topics_created.insert(topic.id, topic.name.clone())),
            (Some(_), None) => drop(self.topics_deleted.insert(topic.id, topic.name.clone())),
            (None, None) | (Some(_), Some(_)) => {}
        }
        let count = |topic: Option<&Arc<TopicState>>| topic.map_or(0, |t| t.partition_count());
        for index in (0..count(before).max(count(after))).map(PartitionIndex) {
            let old = before.and_then(|topic| topic.partition(index));
            let new = after.and_then(|topic| topic.partition(index));
            if old != new {
                self.partitions.insert(PartitionKey::new(topic.id, index));
            }
        }
    }

    /// Followers that are no longer in sync with what `leader` leads, and that are not fenced: a fence
    /// that took them out has been lifted between the two images, so neither shows it.
    #[must_use]
    pub fn taken_out_and_active(
        &self,
        leader: BrokerId,
        older: &ClusterImage,
        newer: &ClusterImage,
    ) -> Vec<(PartitionKey, BrokerId)> {
        let mut found = Vec::new();
        for key in &self.partitions {
            let (Some(before), Some(after)) = (older.partition(*key), newer.partition(*key)) else {
                continue;
            };
            if after.leader != Some(leader) {
                continue;
            }
            let is_out = |broker: &&BrokerId| {
                after.is_assigned(**broker)
                    && !after.is_in_sync(**broker)
                    && newer.is_active(**broker)
            };
            found.extend(before.isr.iter().filter(is_out).map(|broker| (*key, *broker)));
        }
        found
    }

    /// What `broker` must do about its replicas, in the order of topic ids and partitions; those
    /// to remove come first, because a topic may have been made again under the same name.
    #[must_use]
    pub fn replica_changes(
        &self,
        broker: BrokerId,
        older: &ClusterImage,
        newer: &ClusterImage,
    ) -> Vec<ReplicaChange> {
        let mut removed = Vec::new();
        let mut kept = Vec::new();
        for key in &self.partitions {
            let topic_id = key.topic_id;
            let before = older.partition(*key).filter(|state| state.is_assigned(broker));
            let after = newer.partition(*key).filter(|state| state.is_assigned(broker));
            match (before, after) {
                (_, Some(state)) => {
                    let Some(partition) = newer.name_of(*key) else { continue };
                    let state = state.clone();
                    kept.push(if state.leader == Some(broker) {
                        ReplicaChange::Lead { partition, topic_id, state }
                    } else {
                        ReplicaChange::Follow { partition, topic_id, state }
                    });
                }
                (Some(_), None) => {
                    let Some(partition) = older.name_of(*key) else { continue };
                    removed.push(ReplicaChange::Remove { partition, topic_id });
                }
                (None, None) => {}
            }
        }
        removed.append(&mut kept);
        removed
    }
}

fn changed_key<'map, K, V>(item: &DiffItem<'map, 'map, K, V>) -> &'map K {
    match item {
        DiffItem::Add(key, _) | DiffItem::Remove(key, _) => key,
        DiffItem::Update { old: (key, _), .. } => key,
    }
}

#[cfg(test)]
mod tests;
