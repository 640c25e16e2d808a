//! The settings of a broker beside the defaults of its topics, in the order of names: those of
//! Kafka 4.3 that this broker honours, and those of our own, which begin with `callboard.`.

use crate::settings::broker_settings::REPLICA_SELECTORS;
use crate::settings::check::Check::{
    Address, Addresses, Any, AtLeast, Between, Listeners, One, OneOf, SecurityMap,
};
use crate::settings::definition::SettingDefinition;
use crate::settings::definition::SettingKind::{Boolean, Int, List, Long, Short, String};
use crate::settings::log_table::LOG_SETTINGS;

/// The setting of brokers with that name.
#[must_use]
pub fn broker_setting(name: &str) -> Option<&'static SettingDefinition> {
    broker_settings().find(|setting| setting.name == name)
}

/// Every setting of brokers: first those of the broker itself, then its topics' defaults.
pub fn broker_settings() -> impl Iterator<Item = &'static SettingDefinition> {
    NODE_SETTINGS.iter().chain(LOG_SETTINGS)
}

static NODE_SETTINGS: &[SettingDefinition] = &[
    SettingDefinition::without_default(
        "advertised.listeners",
        List,
        Listeners,
        "What clients are told of each listener, where it differs from listeners.",
    ),
    SettingDefinition::new(
        "auto.create.topics.enable",
        Boolean,
        "true",
        Any,
        "Whether a client that asks for a topic that does not exist gets it created.",
    ),
    SettingDefinition::new(
        "auto.leader.rebalance.enable",
        Boolean,
        "true",
        Any,
        "Whether preferred leaders that are in sync again are made leaders by themselves.",
    ),
    // Kafka: 2000 and 9000; here a silent broker is to be noticed within a second
    SettingDefinition::new(
        "broker.heartbeat.interval.ms",
        Int,
        "150",
        AtLeast(1),
        "How often a broker tells the controller that it is alive.",
    ),
    SettingDefinition::without_default(
        "broker.rack",
        String,
        One,
        "Where the broker stands; replicas of a partition are spread over racks.",
    ),
    SettingDefinition::new(
        "broker.session.timeout.ms",
        Int,
        "600",
        AtLeast(1),
        "How long a broker may be silent before it loses its leaderships.",
    ),
    SettingDefinition::new(
        "callboard.admin.listener",
        String,
        "127.0.0.1:9644",
        Address,
        "Where metrics, health and the supervision tree are served over HTTP.",
    ),
    SettingDefinition::without_default(
        "callboard.cluster.advertised.listener",
        String,
        Address,
        "What other nodes are told of the cluster listener, where it differs.",
    ),
    SettingDefinition::new(
        "callboard.cluster.join",
        List,
        "",
        Addresses,
        "Cluster listeners of nodes that an empty directory joins; not looked at by any other.",
    ),
    SettingDefinition::without_default(
        "callboard.cluster.listener",
        String,
        Address,
        "Where other nodes of the cluster reach this one.",
    ),
    SettingDefinition::new(
        "callboard.cluster.new",
        Boolean,
        "false",
        Any,
        "Whether an empty directory founds a cluster that others may join; not looked at by any other.",
    ),
    SettingDefinition::new(
        "callboard.cluster.plaintext.allowed",
        Boolean,
        "false",
        Any,
        "Whether nodes on different hosts may talk without TLS; on loopback they always may.",
    ),
    SettingDefinition::without_default(
        "callboard.cluster.tls.directory",
        String,
        One,
        "The directory of ca.pem, node-<id>.pem and node-<id>.key, for TLS between nodes.",
    ),
    SettingDefinition::new(
        "callboard.connection.requests.max",
        Int,
        "64",
        AtLeast(1),
        "How many requests of one connection may be under way before it is read no further.",
    ),
    // Kafka has nothing like it: there a group waits for the session timeout
    SettingDefinition::new(
        "callboard.group.disconnect.grace.ms",
        Int,
        "1000",
        AtLeast(0),
        "How long a group member without an instance id may stay away after its client closed the connection; 0 means as long as its session lasts.",
    ),
    // Kafka's waits for as long as the disk does
    SettingDefinition::new(
        "callboard.disk.hang.timeout.ms",
        Int,
        "1000",
        AtLeast(0),
        "How long a write or a flush may take before the disk counts as hung and the node leaves its leaderships to others; 0 means for ever.",
    ),
    SettingDefinition::new(
        "callboard.quorum.voters",
        Int,
        "3",
        OneOf(&["1", "3", "5"]),
        "How many nodes the metadata quorum grows to as nodes join.",
    ),
    SettingDefinition::new(
        "callboard.request.read.timeout.ms",
        Int,
        "30000",
        AtLeast(1),
        "How long the rest of a request may take to arrive after its first byte.",
    ),
    SettingDefinition::new(
        "callboard.response.write.timeout.ms",
        Int,
        "30000",
        AtLeast(1),
        "How long a client may take no byte of a response before its connection is closed.",
    ),
    SettingDefinition::new(
        "connections.max.idle.ms",
        Long,
        "600000",
        Any,
        "How long a connection may be silent before it is closed; negative means for ever.",
    ),
    SettingDefinition::new(
        "controlled.shutdown.enable",
        Boolean,
        "true",
        Any,
        "Whether a broker that stops in order hands its leaderships over first.",
    ),
    SettingDefinition::new(
        "default.replication.factor",
        Int,
        "1",
        Between(1, 32_767),
        "How many replicas a topic gets that does not say.",
    ),
    SettingDefinition::new(
        "delete.topic.enable",
        Boolean,
        "true",
        Any,
        "Whether topics can be deleted.",
    ),
    SettingDefinition::new(
        "fetch.max.bytes",
        Int,
        "57671680",
        AtLeast(1024),
        "The most bytes of records in one fetch response; a larger first batch comes whole.",
    ),
    SettingDefinition::new(
        "group.initial.rebalance.delay.ms",
        Int,
        "3000",
        AtLeast(0),
        "How long the first rebalance of an empty group waits for more members.",
    ),
    SettingDefinition::new(
        "group.max.session.timeout.ms",
        Int,
        "1800000",
        AtLeast(1),
        "The longest session timeout that a group member may ask for.",
    ),
    SettingDefinition::new(
        "group.max.size",
        Int,
        "2147483647",
        AtLeast(1),
        "The most members of one group.",
    ),
    SettingDefinition::new(
        "group.min.session.timeout.ms",
        Int,
        "6000",
        AtLeast(1),
        "The shortest session timeout that a group member may ask for.",
    ),
    // Kafka: 300; a node that is back takes its share of the load sooner
    SettingDefinition::new(
        "leader.imbalance.check.interval.seconds",
        Long,
        "10",
        AtLeast(1),
        "How long preferred leaders that are in sync again wait until they lead.",
    ),
    SettingDefinition::new(
        "listener.security.protocol.map",
        String,
        "PLAINTEXT:PLAINTEXT",
        SecurityMap,
        "How the bytes of each listener are protected, by the listener's name.",
    ),
    // Kafka: every address; here loopback, because nothing is authenticated by default
    SettingDefinition::new(
        "listeners",
        List,
        "PLAINTEXT://127.0.0.1:9092",
        Listeners,
        "Where clients are accepted.",
    ),
    SettingDefinition::new(
        "log.dirs",
        List,
        "callboard-data",
        One,
        "The directory that holds all of the broker's data.",
    ),
    SettingDefinition::new(
        "log.retention.check.interval.ms",
        Long,
        "300000",
        AtLeast(1),
        "How often the logs are looked through for segments that may go.",
    ),
    SettingDefinition::new(
        "max.connections",
        Int,
        "2147483647",
        AtLeast(0),
        "The most connections at one time.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "max.connections.per.ip",
        Int,
        "2147483647",
        AtLeast(0),
        "The most connections from one address at one time.",
    )
    .cluster_wide(),
    SettingDefinition::new(
        "max.incremental.fetch.session.cache.slots",
        Int,
        "1000",
        AtLeast(0),
        "The most fetch sessions at one time.",
    ),
    SettingDefinition::new(
        "max.request.partition.size.limit",
        Int,
        "2000",
        AtLeast(1),
        "The most partitions in one response that describes topics.",
    ),
    // Kafka demands one; a node that was started alone needs no number
    SettingDefinition::new(
        "node.id",
        Int,
        "1",
        AtLeast(0),
        "The number of this broker, unique in its cluster.",
    ),
    SettingDefinition::new(
        "num.partitions",
        Int,
        "1",
        AtLeast(1),
        "How many partitions a topic gets that does not say.",
    ),
    SettingDefinition::new(
        "offset.metadata.max.bytes",
        Int,
        "4096",
        AtLeast(0),
        "The longest note that a member may commit beside an offset.",
    ),
    SettingDefinition::new(
        "offsets.commit.timeout.ms",
        Int,
        "5000",
        AtLeast(1),
        "How long a commit of offsets may take to be replicated.",
    ),
    SettingDefinition::new(
        "offsets.retention.check.interval.ms",
        Long,
        "600000",
        AtLeast(1),
        "How often committed offsets are looked through for those that may go.",
    ),
    SettingDefinition::new(
        "offsets.retention.minutes",
        Int,
        "10080",
        AtLeast(1),
        "How long the committed offsets of an empty group are kept.",
    ),
    SettingDefinition::new(
        "offsets.topic.num.partitions",
        Int,
        "50",
        AtLeast(1),
        "How many partitions the offsets topic gets when it is created.",
    ),
    SettingDefinition::new(
        "offsets.topic.replication.factor",
        Short,
        "3",
        AtLeast(1),
        "How many replicas the offsets topic gets, as far as there are brokers.",
    ),
    SettingDefinition::new(
        "offsets.topic.segment.bytes",
        Int,
        "104857600",
        AtLeast(1),
        "How large a segment of the offsets topic grows.",
    ),
    SettingDefinition::new(
        "producer.id.expiration.ms",
        Int,
        "86400000",
        AtLeast(1),
        "How long a silent producer's sequence numbers are remembered.",
    )
    .cluster_wide(),
    // Kafka: -1, no bound; here there is always one
    SettingDefinition::new(
        "queued.max.request.bytes",
        Long,
        "268435456",
        Between(1_048_576, 1 << 40),
        "The most bytes that requests under way may hold, over all connections.",
    ),
    // Kafka: 30000
    SettingDefinition::new(
        "replica.lag.time.max.ms",
        Long,
        "2000",
        AtLeast(1),
        "How long a follower may lag before it leaves the ISR.",
    ),
    SettingDefinition::without_default(
        "replica.selector.class",
        String,
        OneOf(REPLICA_SELECTORS),
        "Where consumers read: from the leader, or with the rack-aware selector from a replica in their own rack.",
    ),
    SettingDefinition::new(
        "request.timeout.ms",
        Int,
        "30000",
        AtLeast(1),
        "How long this broker waits for another one's answer.",
    ),
    SettingDefinition::new(
        "socket.listen.backlog.size",
        Int,
        "50",
        AtLeast(1),
        "How many connections may wait to be accepted.",
    ),
    SettingDefinition::new(
        "socket.request.max.bytes",
        Int,
        "104857600",
        AtLeast(1),
        "The largest request that is read.",
    ),
];
