//! The settings of one topic, as whoever acts on them wants them.

use std::time::Duration;

use protocol::TopicName;

use crate::image::ClusterImage;
use crate::settings::check::{boolean, list};
use crate::settings::resolution::Lookup;
use crate::settings::static_settings::{StaticSettings, parse_number};
use crate::settings::topic_setting::topic_setting;

/// What happens to old segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Whether they are deleted by age and size.
    pub deletes: bool,
    /// Whether they are compacted to the last record of each key.
    pub compacts: bool,
}

/// The codec that record batches are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionChoice {
    /// What the producer chose.
    Producer,
    /// None.
    Uncompressed,
    /// Zstandard.
    Zstd,
    /// LZ4.
    Lz4,
    /// Snappy.
    Snappy,
    /// Gzip.
    Gzip,
}

/// Whose clock gives a record its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the append.
    LogAppendTime,
}

/// The settings in force of one topic. Durations that nothing reaches are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// What happens to old segments.
    pub cleanup_policy: CleanupPolicy,
    /// The codec that record batches are kept in.
    pub compression: CompressionChoice,
    /// How long compaction keeps the marks of deleted keys.
    pub delete_retention: Duration,
    /// How long a deleted segment's files stay on disk.
    pub file_delete_delay: Duration,
    /// Whether committed means flushed on every in-sync replica.
    pub flush_before_ack: bool,
    /// How many records may be unflushed where nobody waits; `None` means any number.
    pub flush_records: Option<u64>,
    /// How long a record may be unflushed where nobody waits; `None` means for ever.
    pub flush_interval: Option<Duration>,
    /// How many bytes of records lie between two entries of the offset index.
    pub index_interval_bytes: u32,
    /// How large the offset index of a segment may grow, in bytes.
    pub segment_index_bytes: u32,
    /// The largest record batch that is taken, in bytes (inclusive).
    pub max_message_bytes: u32,
    /// How far a timestamp may lie ahead of the broker's clock (inclusive); `None`: any distance.
    pub timestamp_after_max: Option<Duration>,
    /// How far a timestamp may lie behind the broker's clock (inclusive); `None`: any distance.
    pub timestamp_before_max: Option<Duration>,
    /// Whose clock gives a record its timestamp.
    pub timestamp_type: TimestampType,
    /// How long a record is safe from compaction.
    pub min_compaction_lag: Duration,
    /// How long a record may wait for compaction; `None` means for ever.
    pub max_compaction_lag: Option<Duration>,
    /// How many replicas acks=all needs in sync; the replication factor bounds it further.
    pub min_insync_replicas: usize,
    /// Whether a new segment takes its whole size on disk at once.
    pub preallocates: bool,
    /// How long a segment is kept after its last record; `None` means for ever.
    pub retention: Option<Duration>,
    /// How many bytes a partition keeps; `None` means all.
    pub retention_bytes: Option<u64>,
    /// How large a segment grows, in bytes.
    pub segment_bytes: u32,
    /// How old a segment grows.
    pub segment_age: Duration,
    /// By how much segments may begin earlier.
    pub segment_jitter: Duration,
    /// Whether a replica that may miss committed records may lead where no other can.
    pub allows_unclean_election: bool,
}

impl TopicSettings {
    /// The settings in force of a topic on the broker that was started with `given`; those of a
    /// topic that nothing was set for, if there is none of that name.
    #[must_use]
    pub fn resolve(image: &ClusterImage, given: &StaticSettings, topic: &TopicName) -> Self {
        let values = Values { lookup: Lookup { image, given }, topic };
        Self {
            cleanup_policy: values.cleanup_policy(),
            compression: values.compression(),
            delete_retention: values.duration("delete.retention.ms"),
            file_delete_delay: values.duration("file.delete.delay.ms"),
            flush_before_ack: values.truth("callboard.flush.before.ack"),
            flush_records: values.bounded("flush.messages"),
            flush_interval: values.bounded("flush.ms").map(Duration::from_millis),
            index_interval_bytes: values.number("index.interval.bytes"),
            segment_index_bytes: values.number("segment.index.bytes"),
            max_message_bytes: values.number("max.message.bytes"),
            timestamp_after_max: values.bounded_duration("message.timestamp.after.max.ms"),
            timestamp_before_max: values.bounded_duration("message.timestamp.before.max.ms"),
            timestamp_type: values.timestamp_type(),
            min_compaction_lag: values.duration("min.compaction.lag.ms"),
            max_compaction_lag: values.bounded_duration("max.compaction.lag.ms"),
            min_insync_replicas: values.number("min.insync.replicas"),
            preallocates: values.truth("preallocate"),
            retention: values.bounded_duration("retention.ms"),
            retention_bytes: values.bounded("retention.bytes"),
            segment_bytes: values.number("segment.bytes"),
            segment_age: values.duration("segment.ms"),
            segment_jitter: values.duration("segment.jitter.ms"),
            allows_unclean_election: values.truth("unclean.leader.election.enable"),
        }
    }
}

/// The settings of a topic that elections depend on: looked up alone, because a failing broker's
/// partitions are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ElectionSettings {
    /// How many replicas acks=all needs in sync; the replication factor bounds it further.
    pub(crate) min_insync_replicas: usize,
    /// Whether a replica that may miss committed records may lead where no other can.
    pub(crate) allows_unclean: bool,
    /// Whether committed means flushed on every in-sync replica.
    pub(crate) flush_before_ack: bool,
}

impl ElectionSettings {
    pub(crate) fn resolve(image: &ClusterImage, given: &StaticSettings, topic: &TopicName) -> Self {
        let values = Values { lookup: Lookup { image, given }, topic };
        Self {
            min_insync_replicas: values.number("min.insync.replicas"),
            allows_unclean: values.truth("unclean.leader.election.enable"),
            flush_before_ack: values.truth("callboard.flush.before.ack"),
        }
    }
}

/// How many replicas acks=all needs of a topic: never more than it has.
#[must_use]
pub fn effective_min_insync_replicas(
    image: &ClusterImage,
    given: &StaticSettings,
    topic: &TopicName,
    replication_factor: usize,
) -> usize {
    ElectionSettings::resolve(image, given, topic).min_insync_replicas.min(replication_factor)
}

struct Values<'a> {
    lookup: Lookup<'a>,
    topic: &'a TopicName,
}

impl<'a> Values<'a> {
    fn text(&self, name: &str) -> std::borrow::Cow<'a, str> {
        let setting = topic_setting(name).expect("a name of the table, as a test shows");
        self.lookup.topic(Some(self.topic), setting).0
    }

    fn number<Number: TryFrom<i64> + Default>(&self, name: &str) -> Number {
        parse_number(&self.text(name))
    }

    fn truth(&self, name: &str) -> bool {
        boolean(&self.text(name)).unwrap_or(false)
    }

    /// A negative number and the largest one mean that there is no bound.
    fn bounded(&self, name: &str) -> Option<u64> {
        let number: i64 = self.number(name);
        u64::try_from(number).ok().filter(|_| number != i64::MAX)
    }

    fn bounded_duration(&self, name: &str) -> Option<Duration> {
        self.bounded(name).map(Duration::from_millis)
    }

    fn duration(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    fn cleanup_policy(&self) -> CleanupPolicy {
        let text = self.text("cleanup.policy");
        let has = |policy| list(&text).any(|item| item == policy);
        CleanupPolicy { deletes: has("delete"), compacts: has("compact") }
    }

    fn compression(&self) -> CompressionChoice {
        match &*self.text("compression.type") {
            "uncompressed" => CompressionChoice::Uncompressed,
            "zstd" => CompressionChoice::Zstd,
            "lz4" => CompressionChoice::Lz4,
            "snappy" => CompressionChoice::Snappy,
            "gzip" => CompressionChoice::Gzip,
            _ => CompressionChoice::Producer,
        }
    }

    fn timestamp_type(&self) -> TimestampType {
        match &*self.text("message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }
}
