//! Every setting of a topic, in the order of names: Kafka 4.3's, and those of our own.

use crate::settings::check::Check::{
    Any, AtLeast, Between, BetweenOr, EachOf, OneOf, OnlyFalse, ThrottledReplicas,
};
use crate::settings::definition::SettingDefinition;
use crate::settings::definition::SettingKind::{Boolean, Double, Int, List, Long, String};
use crate::settings::topic_setting::{
    RECORD_BATCH_BYTES_MAX, TopicSetting, in_hours, in_minutes, setting, synonym,
};

pub(crate) const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
pub(crate) const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];
pub(crate) const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
const FOREVER: &str = "9223372036854775807";

/// Every setting of a topic, by name.
pub static TOPIC_SETTINGS: &[TopicSetting] = &[
    setting(
        SettingDefinition::new(
            "callboard.flush.before.ack",
            Boolean,
            "true",
            Any,
            "Whether a record counts as committed only once every in-sync replica has flushed it.",
        ),
        &[synonym("callboard.flush.before.ack")],
    ),
    setting(
        SettingDefinition::new(
            "cleanup.policy",
            List,
            "delete",
            EachOf(CLEANUP_POLICIES),
            "Whether old segments are deleted, or compacted to the last record of each key, or both.",
        ),
        &[synonym("log.cleanup.policy")],
    ),
    setting(
        SettingDefinition::new(
            "compression.gzip.level",
            Int,
            "-1",
            BetweenOr(1, 9, -1),
            "How hard gzip works where the broker compresses.",
        ),
        &[synonym("compression.gzip.level")],
    ),
    setting(
        SettingDefinition::new(
            "compression.lz4.level",
            Int,
            "9",
            Between(1, 17),
            "How hard lz4 works where the broker compresses.",
        ),
        &[synonym("compression.lz4.level")],
    ),
    setting(
        SettingDefinition::new(
            "compression.type",
            String,
            "producer",
            OneOf(CODECS),
            "The codec that record batches are kept in; producer keeps what the producer chose.",
        ),
        &[synonym("compression.type")],
    ),
    setting(
        SettingDefinition::new(
            "compression.zstd.level",
            Int,
            "3",
            Between(-131_072, 22),
            "How hard zstd works where the broker compresses.",
        ),
        &[synonym("compression.zstd.level")],
    ),
    setting(
        SettingDefinition::new(
            "delete.retention.ms",
            Long,
            "86400000",
            AtLeast(0),
            "How long compaction keeps the marks of deleted keys.",
        ),
        &[synonym("log.cleaner.delete.retention.ms")],
    ),
    setting(
        SettingDefinition::new(
            "file.delete.delay.ms",
            Long,
            "60000",
            AtLeast(0),
            "How long a deleted segment's files stay on disk.",
        ),
        &[synonym("log.segment.delete.delay.ms")],
    ),
    setting(
        SettingDefinition::new(
            "flush.messages",
            Long,
            FOREVER,
            AtLeast(1),
            "How many records may be unflushed where nobody waits for a flush.",
        ),
        &[synonym("log.flush.interval.messages")],
    ),
    setting(
        SettingDefinition::new(
            "flush.ms",
            Long,
            FOREVER,
            AtLeast(0),
            "How long a record may be unflushed where nobody waits for a flush.",
        ),
        &[synonym("log.flush.interval.ms"), synonym("log.flush.scheduler.interval.ms")],
    ),
    setting(
        SettingDefinition::new(
            "follower.replication.throttled.replicas",
            List,
            "",
            ThrottledReplicas,
            "The replicas whose fetching is slowed down while they catch up.",
        ),
        &[],
    ),
    setting(
        SettingDefinition::new(
            "index.interval.bytes",
            Int,
            "4096",
            AtLeast(0),
            "How many bytes of records lie between two entries of the offset index.",
        ),
        &[synonym("log.index.interval.bytes")],
    ),
    setting(
        SettingDefinition::new(
            "leader.replication.throttled.replicas",
            List,
            "",
            ThrottledReplicas,
            "The replicas that their leaders serve slowly while they catch up.",
        ),
        &[],
    ),
    setting(
        SettingDefinition::new(
            "local.retention.bytes",
            Long,
            "-2",
            AtLeast(-2),
            "How many bytes stay on local disk beside tiered storage; -2 means retention.bytes.",
        ),
        &[synonym("log.local.retention.bytes")],
    ),
    setting(
        SettingDefinition::new(
            "local.retention.ms",
            Long,
            "-2",
            AtLeast(-2),
            "How long records stay on local disk beside tiered storage; -2 means retention.ms.",
        ),
        &[synonym("log.local.retention.ms")],
    ),
    setting(
        SettingDefinition::new(
            "max.compaction.lag.ms",
            Long,
            FOREVER,
            AtLeast(1),
            "How long a record may wait for compaction at most.",
        ),
        &[synonym("log.cleaner.max.compaction.lag.ms")],
    ),
    setting(
        SettingDefinition::new(
            "max.message.bytes",
            Int,
            "1048588",
            Between(0, RECORD_BATCH_BYTES_MAX),
            "The largest record batch that is taken, as it came over the wire.",
        ),
        &[synonym("message.max.bytes")],
    ),
    setting(
        SettingDefinition::new(
            "message.timestamp.after.max.ms",
            Long,
            "3600000",
            AtLeast(0),
            "How far a record's timestamp may lie ahead of the broker's clock.",
        ),
        &[synonym("log.message.timestamp.after.max.ms")],
    ),
    setting(
        SettingDefinition::new(
            "message.timestamp.before.max.ms",
            Long,
            FOREVER,
            AtLeast(0),
            "How far a record's timestamp may lie behind the broker's clock.",
        ),
        &[synonym("log.message.timestamp.before.max.ms")],
    ),
    setting(
        SettingDefinition::new(
            "message.timestamp.type",
            String,
            "CreateTime",
            OneOf(TIMESTAMP_TYPES),
            "Whether a record keeps its producer's timestamp or gets the time of its append.",
        ),
        &[synonym("log.message.timestamp.type")],
    ),
    setting(
        SettingDefinition::new(
            "min.cleanable.dirty.ratio",
            Double,
            "0.5",
            Between(0, 1),
            "Which share of a log must be new since the last compaction before the next starts.",
        ),
        &[synonym("log.cleaner.min.cleanable.ratio")],
    ),
    setting(
        SettingDefinition::new(
            "min.compaction.lag.ms",
            Long,
            "0",
            AtLeast(0),
            "How long a record is safe from compaction at least.",
        ),
        &[synonym("log.cleaner.min.compaction.lag.ms")],
    ),
    setting(
        SettingDefinition::new(
            "min.insync.replicas",
            Int,
            "1",
            AtLeast(1),
            "How many replicas must be in sync before acks=all is answered; never more than exist.",
        ),
        &[synonym("min.insync.replicas")],
    ),
    setting(
        SettingDefinition::new(
            "preallocate",
            Boolean,
            "false",
            Any,
            "Whether a new segment takes its whole size on disk at once.",
        ),
        &[synonym("log.preallocate")],
    ),
    setting(
        SettingDefinition::new(
            "remote.log.copy.disable",
            Boolean,
            "false",
            OnlyFalse,
            "Whether nothing more is copied to tiered storage.",
        ),
        &[],
    ),
    setting(
        SettingDefinition::new(
            "remote.log.delete.on.disable",
            Boolean,
            "false",
            OnlyFalse,
            "Whether turning tiered storage off deletes what it holds.",
        ),
        &[],
    ),
    setting(
        SettingDefinition::new(
            "remote.storage.enable",
            Boolean,
            "false",
            OnlyFalse,
            "Whether old segments move to tiered storage.",
        ),
        &[],
    ),
    setting(
        SettingDefinition::new(
            "retention.bytes",
            Long,
            "-1",
            Any,
            "How many bytes a partition keeps before its oldest segments go; -1 means all.",
        ),
        &[synonym("log.retention.bytes")],
    ),
    setting(
        SettingDefinition::new(
            "retention.ms",
            Long,
            "604800000",
            AtLeast(-1),
            "How long a segment is kept after its last record; -1 means for ever.",
        ),
        &[
            synonym("log.retention.ms"),
            in_minutes("log.retention.minutes"),
            in_hours("log.retention.hours"),
        ],
    ),
    setting(
        SettingDefinition::new(
            "segment.bytes",
            Int,
            "1073741824",
            AtLeast(1_048_576),
            "How large a segment grows before the next one begins.",
        ),
        &[synonym("log.segment.bytes")],
    ),
    setting(
        SettingDefinition::new(
            "segment.index.bytes",
            Int,
            "10485760",
            AtLeast(4),
            "How large a segment's offset index may grow before the next segment begins.",
        ),
        &[synonym("log.index.size.max.bytes")],
    ),
    setting(
        SettingDefinition::new(
            "segment.jitter.ms",
            Long,
            "0",
            AtLeast(0),
            "By how much segments begin earlier at random, so that not all roll at once.",
        ),
        &[synonym("log.roll.jitter.ms"), in_hours("log.roll.jitter.hours")],
    ),
    setting(
        SettingDefinition::new(
            "segment.ms",
            Long,
            "604800000",
            AtLeast(1),
            "How old a segment grows before the next one begins, even if it is small.",
        ),
        &[synonym("log.roll.ms"), in_hours("log.roll.hours")],
    ),
    setting(
        SettingDefinition::new(
            "unclean.leader.election.enable",
            Boolean,
            "false",
            Any,
            "Whether a replica that may miss committed records may lead where no other can.",
        ),
        &[synonym("unclean.leader.election.enable")],
    ),
];
