//! Settings of topics and of brokers: two tables that say what each is called, what it may hold
//! and what holds where nobody says anything, and the rules that find the value in force.
//!
//! The tables are the one source for the configuration file, for `--set`, for the validation of
//! CreateTopics and the two AlterConfigs, and for DescribeConfigs. Names, kinds, defaults and
//! bounds are those of Kafka 4.3, unless the row says why not.

pub mod broker_settings;
pub mod broker_table;
pub mod check;
pub mod definition;
pub mod error;
pub mod listeners;
pub mod log_table;
pub mod nearest;
pub mod resolution;
pub mod static_settings;
pub mod topic_setting;
pub mod topic_settings;
pub mod topic_table;

pub use broker_settings::{
    BrokerSettings, ClusterSettings, ConnectionSettings, FetchSettings, GroupSettings,
    LivenessSettings, OffsetsSettings, ReplicationSettings, TopicDefaults,
};
pub use broker_table::{broker_setting, broker_settings};
pub use definition::{Alteration, SettingDefinition, SettingKind};
pub use error::{InvalidReason, SettingError, SettingErrors};
pub use listeners::{Listener, parse_address};
pub use resolution::{
    DescribedSetting, SettingSource, SettingSynonym, describe_broker, describe_cluster_default,
    describe_topic,
};
pub use static_settings::StaticSettings;
pub use topic_setting::{BrokerSynonym, RECORD_BATCH_BYTES_MAX, TopicSetting, topic_setting};
pub use topic_settings::{CleanupPolicy, CompressionChoice, TimestampType, TopicSettings};
pub use topic_table::TOPIC_SETTINGS;
