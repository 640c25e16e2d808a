//! The metadata records: everything that the cluster can agree on.
//!
//! The log of the quorum holds entries, an entry is a list of these records, and the records of
//! one entry take effect together. The enum is **append-only**: a variant is never removed,
//! reordered or changed in its fields, because the log of an older program must stay readable;
//! a new meaning gets a new variant at the end.

use std::sync::Arc;

use protocol::{BrokerEpoch, BrokerId, TopicId, TopicName};
use serde::{Deserialize, Serialize};

use crate::broker::{BrokerRegistration, ClusterId};
use crate::partition::{PartitionKey, PartitionState};

/// Whose settings a setting belongs to. Append-only, as a part of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SettingResource {
    /// One topic.
    Topic(TopicName),
    /// One broker.
    Broker(BrokerId),
    /// Every broker that has none of its own (on the wire: a broker with an empty name).
    ClusterDefault,
}

/// One thing that the cluster has agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetadataRecord {
    /// The cluster exists from here on. The first record of every log.
    ClusterFounded {
        /// Its identity.
        cluster_id: ClusterId,
    },
    /// A process of a broker has registered; replaces its earlier registration.
    BrokerRegistered(BrokerRegistration),
    /// A broker's heartbeats are missing: it leads nothing, and is in no ISR.
    BrokerFenced {
        /// Which broker.
        broker: BrokerId,
        /// Its present registration.
        broker_epoch: BrokerEpoch,
    },
    /// A broker has caught up with the metadata: it may lead and join ISRs.
    BrokerUnfenced {
        /// Which broker.
        broker: BrokerId,
        /// Its present registration.
        broker_epoch: BrokerEpoch,
    },
    /// A broker is about to stop in order: it may lead nothing new.
    BrokerShuttingDown {
        /// Which broker.
        broker: BrokerId,
        /// Its present registration.
        broker_epoch: BrokerEpoch,
    },
    /// A broker left for good; it may register again as a new one.
    BrokerUnregistered {
        /// Which broker.
        broker: BrokerId,
        /// The registration that ends.
        broker_epoch: BrokerEpoch,
    },
    /// A topic exists; its partitions follow in the same entry.
    TopicCreated {
        /// Its name.
        topic: TopicName,
        /// The identity of this incarnation.
        topic_id: TopicId,
    },
    /// A topic, its partitions and its settings are gone.
    TopicDeleted {
        /// The identity of the incarnation that ends.
        topic_id: TopicId,
    },
    /// The next partition of a topic exists; its index is the number of those before it.
    PartitionCreated {
        /// Which partition.
        key: PartitionKey,
        /// Its first state.
        state: PartitionState,
    },
    /// A partition has a new state.
    PartitionChanged {
        /// Which partition.
        key: PartitionKey,
        /// The whole new state; its partition epoch is the next one.
        state: PartitionState,
    },
    /// A setting was set or taken back.
    SettingChanged {
        /// Whose.
        resource: SettingResource,
        /// Its name.
        key: Arc<str>,
        /// Its value; `None` takes it back.
        value: Option<Arc<str>>,
    },
    /// A block of producer ids was given to a broker. Whoever asks next gets those from
    /// `next_producer_id` on.
    ProducerIdsAllocated {
        /// Who got the block.
        broker: BrokerId,
        /// Its registration.
        broker_epoch: BrokerEpoch,
        /// The first id after the block.
        next_producer_id: i64,
    },
    /// Producer ids up to here have been given out, no matter to whom; written to snapshots.
    ProducerIdsReached {
        /// The first id that is not given out.
        next_producer_id: i64,
    },
    /// Broker epochs up to here have been given out; written to snapshots, so that an
    /// unregistered broker's epoch is never used again.
    BrokerEpochsReached {
        /// The next one to give out.
        next_broker_epoch: BrokerEpoch,
    },
    /// A feature of the cluster is at this level from here on.
    FeatureLevelChanged {
        /// Its name, as ApiVersions reports it.
        feature: Arc<str>,
        /// The level; 0 turns it off.
        level: i16,
    },
    /// A broker's disk does not answer: it may lead nothing new and join no ISR.
    BrokerDiskHung {
        /// Which broker.
        broker: BrokerId,
        /// Its present registration.
        broker_epoch: BrokerEpoch,
    },
    /// A broker's disk answers again: it may lead and join ISRs.
    BrokerDiskAnswered {
        /// Which broker.
        broker: BrokerId,
        /// Its present registration.
        broker_epoch: BrokerEpoch,
    },
}
