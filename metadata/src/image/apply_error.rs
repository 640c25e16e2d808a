//! Why a record does not fit an image.

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch, TopicId, TopicName};
use thiserror::Error;

use crate::image::invariants::Violation;
use crate::partition::{PartitionEpoch, PartitionKey};

/// Why a record does not fit the image. The log that holds it is damaged or was written by a
/// program with other rules; trying again never helps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The cluster is founded once.
    #[error("the cluster is founded already")]
    AlreadyFounded,
    /// The entry is not the one after the last.
    #[error("entry {entry} does not follow entry {version}")]
    EntryWentBack {
        /// The number of the entry.
        entry: u64,
        /// The number of the last entry applied.
        version: u64,
    },
    /// A record names a broker that is not registered.
    #[error("broker {broker} is not registered")]
    UnknownBroker {
        /// Which.
        broker: BrokerId,
    },
    /// A record is about another registration of the broker than the present one.
    #[error("broker {broker} is registered with epoch {registered}, the record says {recorded}")]
    OtherBrokerEpoch {
        /// Which.
        broker: BrokerId,
        /// The epoch of its present registration.
        registered: BrokerEpoch,
        /// The epoch in the record.
        recorded: BrokerEpoch,
    },
    /// A new registration must have a new epoch.
    #[error("broker epoch {broker_epoch} was given out before")]
    BrokerEpochReused {
        /// The epoch.
        broker_epoch: BrokerEpoch,
    },
    /// A topic of that name or id, or of a colliding name, exists.
    #[error("topic {topic} exists already")]
    TopicExists {
        /// The name.
        topic: TopicName,
    },
    /// There is no topic of that id.
    #[error("there is no topic with id {topic_id}")]
    UnknownTopic {
        /// The id.
        topic_id: TopicId,
    },
    /// A topic that settings are set for does not exist.
    #[error("settings were set for topic {topic}, which does not exist")]
    SettingOfUnknownTopic {
        /// The name.
        topic: TopicName,
    },
    /// There is no such partition.
    #[error("there is no partition {key}")]
    UnknownPartition {
        /// Which.
        key: PartitionKey,
    },
    /// A topic's partitions are created in order.
    #[error("partition {key} is not the next one of its topic")]
    PartitionOutOfOrder {
        /// Which.
        key: PartitionKey,
    },
    /// A partition's states are numbered without gaps.
    #[error("partition {key} is at epoch {present}, the record has {recorded}")]
    PartitionEpochOutOfOrder {
        /// Which.
        key: PartitionKey,
        /// Its present epoch.
        present: PartitionEpoch,
        /// The epoch in the record.
        recorded: PartitionEpoch,
    },
    /// A leader epoch never goes back, and a new leader has a new one.
    #[error("partition {key} is at leader epoch {present}, the record has {recorded}")]
    LeaderEpochOutOfOrder {
        /// Which.
        key: PartitionKey,
        /// Its present leader epoch.
        present: LeaderEpoch,
        /// The leader epoch in the record.
        recorded: LeaderEpoch,
    },
    /// The next producer id never goes back.
    #[error("producer ids up to {present} are given out, the record has {recorded}")]
    ProducerIdWentBack {
        /// The first id that is not given out.
        present: i64,
        /// The one in the record.
        recorded: i64,
    },
    /// The record's state breaks an invariant by itself.
    #[error(transparent)]
    Invalid(#[from] Violation),
}

impl ApplyError {
    /// Whether trying again may help: the same records never fit the same image.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::AlreadyFounded
            | Self::EntryWentBack { .. }
            | Self::UnknownBroker { .. }
            | Self::OtherBrokerEpoch { .. }
            | Self::BrokerEpochReused { .. }
            | Self::TopicExists { .. }
            | Self::UnknownTopic { .. }
            | Self::SettingOfUnknownTopic { .. }
            | Self::UnknownPartition { .. }
            | Self::PartitionOutOfOrder { .. }
            | Self::PartitionEpochOutOfOrder { .. }
            | Self::LeaderEpochOutOfOrder { .. }
            | Self::ProducerIdWentBack { .. }
            | Self::Invalid(_) => false,
        }
    }
}
