#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod broker;
pub mod broker_fencing;
pub mod broker_liveness;
pub mod broker_registration;
pub mod controller;
pub mod image;
pub mod in_sync_changes;
pub mod internal_topics;
mod leader_election;
pub mod long_decisions;
pub mod partition;
mod partition_transition;
mod placement;
pub mod producer_ids;
pub mod reassignment;
pub mod record;
pub mod refusal;
pub mod replica_reports;
pub mod setting_changes;
pub mod settings;
pub mod topic_creation;
pub mod topic_deletion;
pub mod wire;

pub use broker::{
    BrokerEndpoint, BrokerRegistration, BrokerState, ClusterId, DirectoryId, HostAndPort,
    Incarnation, SecurityProtocol,
};
pub use broker_fencing::{Heartbeat, HeartbeatAnswer};
pub use broker_liveness::BrokerLiveness;
pub use broker_registration::{LastUse, RegisterBroker};
pub use controller::Controller;
pub use image::{ApplyError, ClusterImage, FoundReplica, ImageDelta, ReplicaChange, TopicState};
pub use in_sync_changes::InSyncChange;
pub use internal_topics::{AutoCreation, InternalTopic, auto_creation, offsets_partition};
pub use long_decisions::cut_into_entries;
pub use partition::{PartitionEpoch, PartitionKey, PartitionState};
pub use producer_ids::PRODUCER_ID_BLOCK_SIZE;
pub use reassignment::{OngoingReassignment, Reassignment};
pub use record::{MetadataRecord, SettingResource};
pub use refusal::{AssignmentFault, Refusal};
pub use replica_reports::{ElectionKind, ReplicaReport};
pub use setting_changes::{GivenSetting, SettingEdit, SettingOperation, parse_setting_resource};
pub use settings::{
    BrokerSettings, ClusterSettings, SettingError, SettingErrors, StaticSettings, TopicSettings,
    broker_settings, topic_settings,
};
pub use topic_creation::{CreatedTopic, PartitionsToAdd, TopicToCreate};
pub use topic_deletion::{DeletedTopic, TopicReference};
