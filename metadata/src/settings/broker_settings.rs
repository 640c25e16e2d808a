//! The settings of a broker, as whoever acts on them wants them.

use std::time::Duration;

use protocol::BrokerId;

use crate::broker::HostAndPort;
use crate::image::ClusterImage;
use crate::settings::check::{boolean, list};
use crate::settings::listeners::{Listener, parse_address};
use crate::settings::resolution::Lookup;
use crate::settings::static_settings::{StaticSettings, parse_number};

/// What `replica.selector.class` may be: Kafka's own selector beside the leader, by either name.
/// (Kafka takes any class on its class path.)
pub(super) const REPLICA_SELECTORS: &[&str] =
    &["org.apache.kafka.common.replica.RackAwareReplicaSelector", "RackAwareReplicaSelector"];

/// The settings in force of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerSettings {
    /// The number of the broker.
    pub node_id: BrokerId,
    /// Where it stands.
    pub rack: Option<String>,
    /// The directory that holds all of its data.
    pub data_directory: String,
    /// Where it accepts clients; at least one.
    pub listeners: Vec<Listener>,
    /// Where it serves metrics, health and the tree; an empty host means every address.
    pub admin_listener: HostAndPort,
    /// How it meets other nodes.
    pub cluster: ClusterSettings,
    /// What a new topic gets that does not say.
    pub topics: TopicDefaults,
    /// Bounds on connections and requests.
    pub connections: ConnectionSettings,
    /// Bounds on fetching.
    pub fetch: FetchSettings,
    /// Bounds on consumer groups.
    pub groups: GroupSettings,
    /// The offsets topic and what is kept in it.
    pub offsets: OffsetsSettings,
    /// How nodes watch each other.
    pub liveness: LivenessSettings,
    /// How leaderships are spread.
    pub leaders: LeaderSettings,
    /// How replicas follow.
    pub replication: ReplicationSettings,
    /// How long a write or a flush may take before the disk counts as hung; `None` for ever.
    pub disk_hang_timeout: Option<Duration>,
    /// How often logs are looked through for segments that may go.
    pub retention_check_interval: Duration,
    /// How long a silent producer's sequence numbers are remembered.
    pub producer_id_expiration: Duration,
}

/// How a node meets the others of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Where it listens for them; `None` for a node that stands alone. An empty host means every
    /// address.
    pub listener: Option<HostAndPort>,
    /// What they are told instead.
    pub advertised: Option<HostAndPort>,
    /// Whether an empty directory founds a cluster that others may join.
    pub is_new: bool,
    /// Whom an empty directory asks to be let in.
    pub join: Vec<HostAndPort>,
    /// Where the certificates are; `None` for plaintext.
    pub tls_directory: Option<String>,
    /// Whether plaintext may leave the machine.
    pub plaintext_allowed: bool,
    /// How many voters the quorum grows to: 1, 3 or 5.
    pub voters: usize,
}

/// What a new topic gets that does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicDefaults {
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas of each.
    pub replication_factor: i16,
    /// Whether asking for a topic creates it.
    pub auto_creation: bool,
    /// Whether topics can be deleted.
    pub deletion: bool,
    /// The most partitions in one response that describes topics.
    pub described_partitions_max: usize,
}

/// Bounds on connections and requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// The most connections at one time.
    pub connections_max: usize,
    /// The most connections from one address at one time.
    pub connections_per_ip_max: usize,
    /// How long a connection may be silent; `None` means for ever.
    pub idle_max: Option<Duration>,
    /// How many connections may wait to be accepted.
    pub backlog: u32,
    /// The largest request that is read, in bytes (inclusive).
    pub request_bytes_max: usize,
    /// The most bytes that requests under way may hold, over all connections.
    pub request_memory_bytes: usize,
    /// How many requests of one connection may be under way.
    pub requests_per_connection_max: usize,
    /// How long the rest of a request may take to arrive.
    pub request_read_timeout: Duration,
    /// How long a client may take no byte of a response.
    pub response_write_timeout: Duration,
}

/// Bounds on fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchSettings {
    /// The most bytes of records in one response; a larger first batch comes whole.
    pub response_bytes_max: usize,
    /// The most fetch sessions at one time.
    pub sessions_max: usize,
}

/// Bounds on consumer groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// How long the first rebalance of an empty group waits for more members.
    pub initial_rebalance_delay: Duration,
    /// The shortest session timeout (inclusive).
    pub session_timeout_min: Duration,
    /// The longest session timeout (inclusive).
    pub session_timeout_max: Duration,
    /// The most members of one group.
    pub members_max: usize,
    /// How long a member without an instance id may stay away after its client closed the
    /// connection; `None` means as long as its session lasts.
    pub disconnect_grace: Option<Duration>,
}

/// The offsets topic and what is kept in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetsSettings {
    /// How many partitions the topic gets when it is created.
    pub partitions: i32,
    /// How many replicas it gets, as far as there are brokers.
    pub replication_factor: i16,
    /// How large its segments grow, in bytes.
    pub segment_bytes: u32,
    /// The longest note beside an offset, in bytes (inclusive).
    pub note_bytes_max: usize,
    /// How long a commit may take to be replicated.
    pub commit_timeout: Duration,
    /// How long the offsets of an empty group are kept.
    pub retention: Duration,
    /// How often they are looked through for those that may go.
    pub retention_check_interval: Duration,
}

/// How nodes watch each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessSettings {
    /// How often a broker says that it is alive.
    pub heartbeat_interval: Duration,
    /// How long it may be silent.
    pub session_timeout: Duration,
    /// Whether a broker that stops in order hands its leaderships over first.
    pub controlled_shutdown: bool,
    /// How long one node waits for another's answer.
    pub request_timeout: Duration,
}

/// How leaderships are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderSettings {
    /// Whether preferred leaders that are in sync again are made leaders by themselves.
    pub rebalance: bool,
    /// How long they wait.
    pub imbalance_check_interval: Duration,
}

/// How replicas follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicationSettings {
    /// How long a follower may lag before it leaves the ISR.
    pub lag_max: Duration,
    /// Whether followers serve consumers, and leaders send consumers to the follower in their rack
    /// (`replica.selector.class`, KIP-392).
    pub followers_serve: bool,
}

impl BrokerSettings {
    /// The settings in force of the broker that was started with `given`.
    #[must_use]
    pub fn resolve(image: &ClusterImage, given: &StaticSettings) -> Self {
        let values = Values { lookup: Lookup { image, given } };
        Self {
            node_id: given.node_id(),
            rack: values.text("broker.rack").map(str::to_owned),
            data_directory: values.text("log.dirs").unwrap_or_default().to_owned(),
            listeners: given.listeners().to_vec(),
            admin_listener: values
                .address("callboard.admin.listener")
                .expect("the table has a default and checks what is given"),
            cluster: values.cluster(),
            topics: values.topics(),
            connections: values.connections(),
            fetch: FetchSettings {
                response_bytes_max: values.number("fetch.max.bytes"),
                sessions_max: values.number("max.incremental.fetch.session.cache.slots"),
            },
            groups: values.groups(),
            offsets: values.offsets(),
            liveness: LivenessSettings {
                heartbeat_interval: values.duration("broker.heartbeat.interval.ms"),
                session_timeout: values.duration("broker.session.timeout.ms"),
                controlled_shutdown: values.truth("controlled.shutdown.enable"),
                request_timeout: values.duration("request.timeout.ms"),
            },
            leaders: LeaderSettings {
                rebalance: values.truth("auto.leader.rebalance.enable"),
                imbalance_check_interval: Duration::from_secs(
                    values.number("leader.imbalance.check.interval.seconds"),
                ),
            },
            replication: ReplicationSettings {
                lag_max: values.duration("replica.lag.time.max.ms"),
                // there is one selector beside the default, and the table refuses any other name
                followers_serve: values.text("replica.selector.class").is_some(),
            },
            disk_hang_timeout: values.disk_hang_timeout(),
            retention_check_interval: values.duration("log.retention.check.interval.ms"),
            producer_id_expiration: values.duration("producer.id.expiration.ms"),
        }
    }
}

struct Values<'a> {
    lookup: Lookup<'a>,
}

impl<'a> Values<'a> {
    fn text(&self, name: &'static str) -> Option<&'a str> {
        self.lookup.broker(name)
    }

    fn address(&self, name: &'static str) -> Option<HostAndPort> {
        self.text(name).and_then(|value| parse_address(value).ok())
    }

    fn cluster(&self) -> ClusterSettings {
        let join = self.text("callboard.cluster.join").unwrap_or_default();
        ClusterSettings {
            listener: self.address("callboard.cluster.listener"),
            advertised: self.address("callboard.cluster.advertised.listener"),
            is_new: self.truth("callboard.cluster.new"),
            join: list(join).filter_map(|address| parse_address(address).ok()).collect(),
            tls_directory: self.text("callboard.cluster.tls.directory").map(str::to_owned),
            plaintext_allowed: self.truth("callboard.cluster.plaintext.allowed"),
            voters: self.number("callboard.quorum.voters"),
        }
    }

    fn number<Number: TryFrom<i64> + Default>(&self, name: &'static str) -> Number {
        self.text(name).map(parse_number).unwrap_or_default()
    }

    fn truth(&self, name: &'static str) -> bool {
        self.text(name).and_then(boolean).unwrap_or(false)
    }

    fn duration(&self, name: &'static str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    fn topics(&self) -> TopicDefaults {
        TopicDefaults {
            partitions: self.number("num.partitions"),
            replication_factor: self.number("default.replication.factor"),
            auto_creation: self.truth("auto.create.topics.enable"),
            deletion: self.truth("delete.topic.enable"),
            described_partitions_max: self.number("max.request.partition.size.limit"),
        }
    }

    fn connections(&self) -> ConnectionSettings {
        let idle_max: i64 = self.number("connections.max.idle.ms");
        ConnectionSettings {
            connections_max: self.number("max.connections"),
            connections_per_ip_max: self.number("max.connections.per.ip"),
            idle_max: u64::try_from(idle_max).ok().map(Duration::from_millis),
            backlog: self.number("socket.listen.backlog.size"),
            request_bytes_max: self.number("socket.request.max.bytes"),
            request_memory_bytes: self.number("queued.max.request.bytes"),
            requests_per_connection_max: self.number("callboard.connection.requests.max"),
            request_read_timeout: self.duration("callboard.request.read.timeout.ms"),
            response_write_timeout: self.duration("callboard.response.write.timeout.ms"),
        }
    }

    fn disk_hang_timeout(&self) -> Option<Duration> {
        Some(self.duration("callboard.disk.hang.timeout.ms")).filter(|timeout| !timeout.is_zero())
    }

    fn groups(&self) -> GroupSettings {
        let disconnect_grace = self.duration("callboard.group.disconnect.grace.ms");
        GroupSettings {
            initial_rebalance_delay: self.duration("group.initial.rebalance.delay.ms"),
            session_timeout_min: self.duration("group.min.session.timeout.ms"),
            session_timeout_max: self.duration("group.max.session.timeout.ms"),
            members_max: self.number("group.max.size"),
            disconnect_grace: Some(disconnect_grace).filter(|grace| !grace.is_zero()),
        }
    }

    fn offsets(&self) -> OffsetsSettings {
        let retention_minutes: u64 = self.number("offsets.retention.minutes");
        OffsetsSettings {
            partitions: self.number("offsets.topic.num.partitions"),
            replication_factor: self.number("offsets.topic.replication.factor"),
            segment_bytes: self.number("offsets.topic.segment.bytes"),
            note_bytes_max: self.number("offset.metadata.max.bytes"),
            commit_timeout: self.duration("offsets.commit.timeout.ms"),
            retention: Duration::from_secs(retention_minutes.saturating_mul(60)),
            retention_check_interval: self.duration("offsets.retention.check.interval.ms"),
        }
    }
}
