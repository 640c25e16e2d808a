#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod broker;
pub mod image;
pub mod partition;
pub mod record;
pub mod settings;
pub mod wire;

pub use broker::{
    BrokerEndpoint, BrokerRegistration, BrokerState, ClusterId, DirectoryId, HostAndPort,
    Incarnation, SecurityProtocol,
};
pub use image::{ApplyError, ClusterImage, ImageDelta, ReplicaChange, TopicState};
pub use partition::{PartitionEpoch, PartitionKey, PartitionState};
pub use record::{MetadataRecord, SettingResource};
pub use settings::{BrokerSettings, SettingError, SettingErrors, StaticSettings, TopicSettings};
