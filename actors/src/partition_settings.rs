//! A topic's settings in the shape that its partitions use them: translated once per change, not
//! once per request.

use std::time::Duration;

use commit_log::{LogSettings, TimestampType};
use metadata::settings::{self, BrokerSettings, TopicSettings};
use replication::ReplicationSettings;

/// What the partitions of one topic obey.
#[derive(Clone, Debug)]
pub struct PartitionSettings {
    /// Those of the log.
    pub log: LogSettings,
    /// Those of replication.
    pub replication: ReplicationSettings,
    /// `flush.messages`.
    pub flush_records: u64,
    /// `flush.ms`.
    pub flush_interval: Option<Duration>,
    /// Whether records need keys, because the topic is compacted.
    pub requires_keys: bool,
    /// Whether old segments are deleted.
    pub deletes: bool,
    /// Whether followers serve consumers (KIP-392).
    pub followers_serve: bool,
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl PartitionSettings {
    /// Translates a topic's settings.
    #[must_use]
    pub fn new(topic: &TopicSettings, broker: &BrokerSettings) -> Self {
        Self {
            log: log_settings(topic, broker),
            replication: ReplicationSettings {
                min_in_sync_replicas: topic.min_insync_replicas,
                flush_before_ack: topic.flush_before_ack,
                replica_lag_time_max: broker.replication.lag_max,
            },
            flush_records: topic.flush_records.unwrap_or(u64::MAX),
            flush_interval: topic.flush_interval,
            requires_keys: topic.cleanup_policy.compacts,
            deletes: topic.cleanup_policy.deletes,
            followers_serve: broker.replication.followers_serve,
        }
    }
}

fn log_settings(topic: &TopicSettings, broker: &BrokerSettings) -> LogSettings {
    LogSettings {
        segment_bytes: u64::from(topic.segment_bytes),
        segment_ms: milliseconds(topic.segment_age),
        segment_jitter_ms: milliseconds(topic.segment_jitter),
        segment_index_bytes: topic.segment_index_bytes,
        index_interval_bytes: topic.index_interval_bytes,
        retention_ms: topic.retention.map(milliseconds),
        retention_bytes: topic.retention_bytes,
        retention_deletes: topic.cleanup_policy.deletes,
        max_message_bytes: topic.max_message_bytes,
        message_timestamp_type: match topic.timestamp_type {
            settings::TimestampType::CreateTime => TimestampType::CreateTime,
            settings::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
        },
        message_timestamp_before_max_ms: topic.timestamp_before_max.map_or(i64::MAX, milliseconds),
        message_timestamp_after_max_ms: topic.timestamp_after_max.map_or(i64::MAX, milliseconds),
        file_delete_delay_ms: milliseconds(topic.file_delete_delay),
        producer_id_expiration_ms: milliseconds(broker.producer_id_expiration),
    }
}
