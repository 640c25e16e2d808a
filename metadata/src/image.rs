//! The cluster image: all that the cluster has agreed on, as of one entry of the metadata log.
//!
//! An image is never changed under its readers. Its maps share structure, so a copy costs O(1)
//! and applying a record O(log n): the publisher copies the last image, applies an entry to the
//! copy and publishes it, while readers go on with the image that they hold.

pub mod apply;
pub mod apply_error;
pub mod delta;
pub mod found_replica;
pub mod invariants;
pub mod snapshot;

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use protocol::{BrokerEpoch, BrokerId, PartitionIndex, TopicId, TopicName, TopicPartition};

use crate::broker::{BrokerState, ClusterId};
use crate::partition::{PartitionKey, PartitionState};
use crate::record::SettingResource;

pub use apply_error::ApplyError;
pub use delta::{ImageDelta, ReplicaChange};
pub use found_replica::FoundReplica;

/// The settings of one resource, by name.
pub type SettingValues = OrdMap<Arc<str>, Arc<str>>;

/// One incarnation of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    /// Its name.
    pub name: TopicName,
    /// The identity of this incarnation.
    pub id: TopicId,
    /// Its partitions; the place is the partition's index.
    pub partitions: Vector<Arc<PartitionState>>,
}

impl TopicState {
    /// A partition's state; `None` if the topic has no such partition.
    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&Arc<PartitionState>> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }

    /// How many partitions the topic has.
    #[must_use]
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// The partitions with their indexes, in order.
    pub fn indexed_partitions(
        &self,
    ) -> impl Iterator<Item = (PartitionIndex, &Arc<PartitionState>)> {
        (0..).map(PartitionIndex).zip(self.partitions.iter())
    }
}

/// All that the cluster has agreed on, as of one entry of the metadata log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterImage {
    version: u64,
    cluster_id: Option<ClusterId>,
    brokers: OrdMap<BrokerId, Arc<BrokerState>>,
    topics: OrdMap<TopicId, Arc<TopicState>>,
    topic_ids: OrdMap<TopicName, TopicId>,
    /// Names that hold a `.` or a `_`, by their collision key.
    collision_keys: OrdMap<Arc<str>, TopicName>,
    /// Which partitions are assigned to a broker; no entry for a broker that has none.
    replicas: OrdMap<BrokerId, OrdSet<PartitionKey>>,
    settings: OrdMap<SettingResource, SettingValues>,
    features: OrdMap<Arc<str>, i16>,
    next_producer_id: i64,
    next_broker_epoch: BrokerEpoch,
    partition_count: usize,
}

impl ClusterImage {
    /// The image before the first record.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The number of the last entry applied; 0 before the first.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The identity of the cluster; `None` before it is founded.
    #[must_use]
    pub const fn cluster_id(&self) -> Option<ClusterId> {
        self.cluster_id
    }

    /// A registered broker.
    #[must_use]
    pub fn broker(&self, broker: BrokerId) -> Option<&Arc<BrokerState>> {
        self.brokers.get(&broker)
    }

    /// Every registered broker, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<BrokerState>> {
        self.brokers.values()
    }

    /// The brokers that may lead and join ISRs, by id.
    pub fn active_brokers(&self) -> impl Iterator<Item = &Arc<BrokerState>> {
        self.brokers.values().filter(|broker| broker.is_active())
    }

    /// The brokers whose heartbeats arrive, also those that are about to stop, by id. These are
    /// the ones that clients may be told of.
    pub fn live_brokers(&self) -> impl Iterator<Item = &Arc<BrokerState>> {
        self.brokers.values().filter(|broker| !broker.is_fenced())
    }

    /// Whether the broker may lead and join ISRs.
    #[must_use]
    pub fn is_active(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(|broker| broker.is_active())
    }

    /// Whether the broker's heartbeats arrive.
    #[must_use]
    pub fn is_live(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(|broker| !broker.is_fenced())
    }

    /// The topic with that name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicState>> {
        self.topics.get(self.topic_ids.get(name)?)
    }

    /// The topic with that id.
    #[must_use]
    pub fn topic_by_id(&self, topic_id: TopicId) -> Option<&Arc<TopicState>> {
        self.topics.get(&topic_id)
    }

    /// Every topic, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicState>> {
        self.topic_ids.values().filter_map(|id| self.topics.get(id))
    }

    /// The topics from `name` on (inclusive), by name; a page of a long listing starts here.
    pub fn topics_from(&self, name: &str) -> impl Iterator<Item = &Arc<TopicState>> {
        let bounds = (Bound::Included(name), Bound::Unbounded);
        self.topic_ids.range::<_, str>(bounds).filter_map(|(_, id)| self.topics.get(id))
    }

    /// How many topics there are.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// How many partitions there are.
    #[must_use]
    pub const fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// A partition by its topic's id.
    #[must_use]
    pub fn partition(&self, key: PartitionKey) -> Option<&Arc<PartitionState>> {
        self.topics.get(&key.topic_id)?.partition(key.partition)
    }

    /// A partition by its topic's name, with the topic's id.
    #[must_use]
    pub fn partition_by_name(
        &self,
        name: &str,
        partition: PartitionIndex,
    ) -> Option<(TopicId, &Arc<PartitionState>)> {
        let topic = self.topic(name)?;
        Some((topic.id, topic.partition(partition)?))
    }

    /// The name of a partition; `None` if there is no such topic.
    #[must_use]
    pub fn name_of(&self, key: PartitionKey) -> Option<TopicPartition> {
        let topic = self.topics.get(&key.topic_id)?;
        Some(TopicPartition::new(topic.name.clone(), key.partition))
    }

    /// The partitions that a broker should hold, in order.
    pub fn replicas_of(&self, broker: BrokerId) -> impl Iterator<Item = PartitionKey> {
        self.replicas.get(&broker).into_iter().flat_map(|keys| keys.iter().copied())
    }

    /// How many partitions a broker should hold.
    #[must_use]
    pub fn replica_count(&self, broker: BrokerId) -> usize {
        self.replicas.get(&broker).map_or(0, OrdSet::len)
    }

    /// The topic whose name agrees with `name` once `.` reads as `_`; the topic itself too.
    #[must_use]
    pub fn colliding_topic(&self, name: &TopicName) -> Option<&TopicName> {
        self.collision_keys.get(name.collision_key().as_str())
    }

    /// A setting of one resource, as it was set; no default enters.
    #[must_use]
    pub fn setting(&self, resource: &SettingResource, key: &str) -> Option<&str> {
        self.settings.get(resource)?.get(key).map(|value| &**value)
    }

    /// Every setting of one resource that was set, by name.
    #[must_use]
    pub fn settings_of(&self, resource: &SettingResource) -> Option<&SettingValues> {
        self.settings.get(resource)
    }

    /// The level of a feature; 0 if it was never turned on.
    #[must_use]
    pub fn feature_level(&self, feature: &str) -> i16 {
        self.features.get(feature).copied().unwrap_or(0)
    }

    /// Every feature that is on, by name.
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(feature, level)| (&**feature, *level))
    }

    /// The first producer id that no block has given out yet.
    #[must_use]
    pub const fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// The next broker epoch to give out.
    #[must_use]
    pub const fn next_broker_epoch(&self) -> BrokerEpoch {
        self.next_broker_epoch
    }
}
