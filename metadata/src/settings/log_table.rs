//! The settings of a broker that give its topics their defaults, in the order of names.

use crate::settings::check::Check;
use crate::settings::check::Check::{Any, AtLeast, Between, BetweenOr, EachOf, OneOf};
use crate::settings::definition::SettingDefinition;
use crate::settings::definition::SettingKind::{Boolean, Double, Int, List, Long, String};
use crate::settings::topic_setting::RECORD_BATCH_BYTES_MAX;
use crate::settings::topic_table::{CLEANUP_POLICIES, CODECS, TIMESTAMP_TYPES};

const FOREVER: &str = "9223372036854775807";
const ONE_OR_FOREVER: Check = BetweenOr(1, i64::MAX, -1);

/// Settings that give topics their defaults.
pub(crate) static LOG_SETTINGS: &[SettingDefinition] = &[
    SettingDefinition::new(
        "callboard.flush.before.ack",
        Boolean,
        "true",
        Any,
        "Default of the topic setting: committed means flushed on every in-sync replica.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "compression.gzip.level",
        Int,
        "-1",
        BetweenOr(1, 9, -1),
        "Default of the topic setting: how hard gzip works.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "compression.lz4.level",
        Int,
        "9",
        Between(1, 17),
        "Default of the topic setting: how hard lz4 works.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "compression.type",
        String,
        "producer",
        OneOf(CODECS),
        "Default of the topic setting: the codec that record batches are kept in.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "compression.zstd.level",
        Int,
        "3",
        Between(-131_072, 22),
        "Default of the topic setting: how hard zstd works.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.cleaner.delete.retention.ms",
        Long,
        "86400000",
        AtLeast(0),
        "Default of delete.retention.ms.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.cleaner.max.compaction.lag.ms",
        Long,
        FOREVER,
        AtLeast(1),
        "Default of max.compaction.lag.ms.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.cleaner.min.cleanable.ratio",
        Double,
        "0.5",
        Between(0, 1),
        "Default of min.cleanable.dirty.ratio.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.cleaner.min.compaction.lag.ms",
        Long,
        "0",
        AtLeast(0),
        "Default of min.compaction.lag.ms.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.cleanup.policy",
        List,
        "delete",
        EachOf(CLEANUP_POLICIES),
        "Default of cleanup.policy.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.flush.interval.messages",
        Long,
        FOREVER,
        AtLeast(1),
        "Default of flush.messages.",
    )
    .cluster_wide(),
    SettingDefinition::without_default(
        "log.flush.interval.ms",
        Long,
        AtLeast(0),
        "Default of flush.ms; unset, log.flush.scheduler.interval.ms counts.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.flush.scheduler.interval.ms",
        Long,
        FOREVER,
        AtLeast(0),
        "Default of flush.ms where log.flush.interval.ms is unset.",
    ),
    SettingDefinition::new(
        "log.index.interval.bytes",
        Int,
        "4096",
        AtLeast(0),
        "Default of index.interval.bytes.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.index.size.max.bytes",
        Int,
        "10485760",
        AtLeast(4),
        "Default of segment.index.bytes.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.local.retention.bytes",
        Long,
        "-2",
        AtLeast(-2),
        "Default of local.retention.bytes.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.local.retention.ms",
        Long,
        "-2",
        AtLeast(-2),
        "Default of local.retention.ms.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.message.timestamp.after.max.ms",
        Long,
        "3600000",
        AtLeast(0),
        "Default of message.timestamp.after.max.ms.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.message.timestamp.before.max.ms",
        Long,
        FOREVER,
        AtLeast(0),
        "Default of message.timestamp.before.max.ms.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.message.timestamp.type",
        String,
        "CreateTime",
        OneOf(TIMESTAMP_TYPES),
        "Default of message.timestamp.type.",
    )
    .cluster_wide(),
    SettingDefinition::new("log.preallocate", Boolean, "false", Any, "Default of preallocate.")
        .cluster_wide(),
    SettingDefinition::new("log.retention.bytes", Long, "-1", Any, "Default of retention.bytes.")
        .cluster_wide(),
    SettingDefinition::new(
        "log.retention.hours",
        Int,
        "168",
        ONE_OR_FOREVER,
        "Default of retention.ms, in hours, where neither minutes nor milliseconds are set.",
    ),
    SettingDefinition::without_default(
        "log.retention.minutes",
        Int,
        ONE_OR_FOREVER,
        "Default of retention.ms, in minutes, where no milliseconds are set.",
    ),
    SettingDefinition::without_default(
        "log.retention.ms",
        Long,
        ONE_OR_FOREVER,
        "Default of retention.ms.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.roll.hours",
        Int,
        "168",
        AtLeast(1),
        "Default of segment.ms, in hours, where no milliseconds are set.",
    ),
    SettingDefinition::new(
        "log.roll.jitter.hours",
        Int,
        "0",
        AtLeast(0),
        "Default of segment.jitter.ms, in hours, where no milliseconds are set.",
    ),
    SettingDefinition::without_default(
        "log.roll.jitter.ms",
        Long,
        AtLeast(0),
        "Default of segment.jitter.ms.",
    )
    .cluster_wide(),
    SettingDefinition::without_default("log.roll.ms", Long, AtLeast(1), "Default of segment.ms.")
        .cluster_wide(),
    SettingDefinition::new(
        "log.segment.bytes",
        Int,
        "1073741824",
        AtLeast(1_048_576),
        "Default of segment.bytes.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "log.segment.delete.delay.ms",
        Long,
        "60000",
        AtLeast(0),
        "Default of file.delete.delay.ms.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "message.max.bytes",
        Int,
        "1048588",
        Between(0, RECORD_BATCH_BYTES_MAX),
        "Default of max.message.bytes.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "min.insync.replicas",
        Int,
        "1",
        AtLeast(1),
        "Default of the topic setting: how many replicas acks=all needs in sync.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "unclean.leader.election.enable",
        Boolean,
        "false",
        Any,
        "Default of the topic setting: whether a replica that may miss records may lead.",
    )
    .cluster_wide(),
];
