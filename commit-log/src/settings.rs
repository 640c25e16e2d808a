//! The topic settings that a log needs, with Kafka's names (dots as underscores) and defaults.

/// Who gives a record its time (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer (`CreateTime`).
    #[default]
    CreateTime,
    /// The broker, at the append (`LogAppendTime`).
    LogAppendTime,
}

/// Settings of one log. `callboard` ignores `preallocate`: a log file is never longer than its
/// records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `segment.bytes`: a segment is rolled before it grows beyond this.
    pub segment_bytes: u64,
    /// `segment.ms`: a segment is rolled when its first batch is this much older than the next.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: at most this much is taken off `segment_ms`, by
    /// [`crate::OpenHints::jitter_seed`], so that logs made together do not roll together.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: a segment is rolled when one of its indexes has this many bytes.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: about this many bytes of log lie between two index entries.
    pub index_interval_bytes: u32,
    /// `retention.ms`: segments whose last record is older are deleted; `None` (−1) keeps them.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`: the oldest segments beyond this are deleted; `None` (−1) keeps them.
    pub retention_bytes: Option<u64>,
    /// Whether `cleanup.policy` holds `delete`: without it only what lies below the log start
    /// offset is deleted.
    pub retention_deletes: bool,
    /// `max.message.bytes`: a larger batch of a client is refused.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: a client's batch older than this is refused.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: a client's batch further in the future is refused.
    pub message_timestamp_after_max_ms: i64,
    /// `file.delete.delay.ms`: deleted files are renamed at once and removed this much later.
    pub file_delete_delay_ms: i64,
    /// `producer.id.expiration.ms`: a producer that wrote nothing for so long is forgotten.
    pub producer_id_expiration_ms: i64,
}

impl Default for LogSettings {
    fn default() -> Self {
        const HOUR_MS: i64 = 60 * 60 * 1000;
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * HOUR_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: Some(7 * 24 * HOUR_MS),
            retention_bytes: None,
            retention_deletes: true,
            max_message_bytes: (1 << 20) + 12,
            message_timestamp_type: TimestampType::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: HOUR_MS,
            file_delete_delay_ms: 60_000,
            producer_id_expiration_ms: 24 * HOUR_MS,
        }
    }
}
