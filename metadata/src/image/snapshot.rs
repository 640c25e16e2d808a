//! An image as the records that rebuild it.

use std::sync::Arc;

use crate::broker::BrokerState;
use crate::image::{ClusterImage, TopicState};
use crate::partition::{PartitionKey, PartitionState};
use crate::record::MetadataRecord;

impl ClusterImage {
    /// The records that turn an empty image into this one (but for its version), in an order in
    /// which they apply. They are made one by one, so a large image costs no second copy.
    pub fn snapshot_records(&self) -> impl Iterator<Item = MetadataRecord> {
        let founded =
            self.cluster_id.map(|cluster_id| MetadataRecord::ClusterFounded { cluster_id });
        // an epoch lower than one seen before would be refused as given out twice
        let mut brokers: Vec<_> = self.brokers().collect();
        brokers.sort_by_key(|broker| broker.epoch());
        founded
            .into_iter()
            .chain(brokers.into_iter().flat_map(broker_records))
            .chain(self.topics().flat_map(topic_records))
            .chain(self.setting_records())
            .chain(self.feature_records())
            .chain(self.counter_records())
    }

    fn setting_records(&self) -> impl Iterator<Item = MetadataRecord> {
        self.settings.iter().flat_map(|(resource, values)| {
            values.iter().map(|(key, value)| MetadataRecord::SettingChanged {
                resource: resource.clone(),
                key: key.clone(),
                value: Some(value.clone()),
            })
        })
    }

    fn feature_records(&self) -> impl Iterator<Item = MetadataRecord> {
        self.features.iter().map(|(feature, level)| MetadataRecord::FeatureLevelChanged {
            feature: feature.clone(),
            level: *level,
        })
    }

    fn counter_records(&self) -> impl Iterator<Item = MetadataRecord> {
        [
            MetadataRecord::ProducerIdsReached { next_producer_id: self.next_producer_id },
            MetadataRecord::BrokerEpochsReached { next_broker_epoch: self.next_broker_epoch },
        ]
        .into_iter()
    }
}

fn broker_records(broker: &Arc<BrokerState>) -> impl Iterator<Item = MetadataRecord> {
    let stopping = broker.is_shutting_down.then(|| MetadataRecord::BrokerShuttingDown {
        broker: broker.id(),
        broker_epoch: broker.epoch(),
    });
    let hung = broker.has_hung_disk.then(|| MetadataRecord::BrokerDiskHung {
        broker: broker.id(),
        broker_epoch: broker.epoch(),
    });
    let registered = MetadataRecord::BrokerRegistered(broker.registration.clone());
    [registered].into_iter().chain(stopping).chain(hung)
}

fn topic_records(topic: &Arc<TopicState>) -> impl Iterator<Item = MetadataRecord> {
    let created = MetadataRecord::TopicCreated { topic: topic.name.clone(), topic_id: topic.id };
    let partitions =
        topic.indexed_partitions().map(|(partition, state)| MetadataRecord::PartitionCreated {
            key: PartitionKey::new(topic.id, partition),
            state: PartitionState::clone(state),
        });
    [created].into_iter().chain(partitions)
}
