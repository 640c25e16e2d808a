//! What the node counts, under Prometheus names. One registry per node, so that several nodes in one
//! process do not mix. Gauges that can be read from elsewhere are read when somebody scrapes.

mod controller_metrics;
mod disk_metrics;
mod link_metrics;
mod quorum_metrics;
mod replication_metrics;

use std::sync::Mutex;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use protocol::api_key::ApiKey;

pub use self::controller_metrics::{ControllerMetrics, NodeLabel};
pub use self::disk_metrics::{DirectoryLabel, DiskMetrics};
pub use self::link_metrics::{LinkEndLabel, LinkLabel, LinkMetrics};
pub use self::quorum_metrics::QuorumMetrics;
pub use self::replication_metrics::{FollowerLabel, ReplicationMetrics};

/// Which API.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ApiLabel {
    /// Its name.
    pub api: &'static str,
}

/// Which actor, by the folder of the tree that it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PlaceLabel {
    /// The path without the last name.
    pub supervisor: String,
}

/// The node's metrics.
pub struct Metrics {
    /// Requests answered, by API.
    pub requests: Family<ApiLabel, Counter>,
    /// Seconds from a request's last byte to its response, by API.
    pub request_seconds: Family<ApiLabel, Histogram>,
    /// Bytes of responses.
    pub bytes_out: Counter,
    /// Bytes of requests.
    pub bytes_in: Counter,
    /// Connections accepted.
    pub connections_accepted: Counter,
    /// Connections closed at once because there were too many.
    pub connections_refused: Counter,
    /// Connections that ended because what came was no request.
    pub connections_faulty: Counter,
    /// Record batches handed to their partitions.
    pub batches_appended: Counter,
    /// Bytes of record batches handed to their partitions.
    pub bytes_appended: Counter,
    /// Record batches refused before that.
    pub appends_refused: Counter,
    /// Bytes that were read to check logs when they were opened.
    pub recovery_scanned_bytes: Counter,
    /// Times that a consumer was sent to a follower in its rack.
    pub consumers_sent_to_followers: Counter,
    /// Bytes of record batches that consumers read from followers here.
    pub bytes_read_from_followers: Counter,
    /// Actors that failed, by supervisor.
    pub actor_failures: Family<PlaceLabel, Counter>,
    /// Actors that were put into quarantine, by supervisor.
    pub actor_quarantines: Family<PlaceLabel, Counter>,
    /// Connections now.
    pub connections: Gauge,
    /// Partitions held now.
    pub partitions: Gauge,
    /// Bytes of large requests held now.
    pub request_memory: Gauge,
    /// Directories of topics that the cluster does not know, set aside in this node's data directory.
    pub stray_directories: Gauge,
    /// How well partitions are replicated.
    pub replication: ReplicationMetrics,
    /// Elections of the metadata quorum.
    pub quorum: QuorumMetrics,
    /// What this node decided for the cluster, and how it says that it is alive.
    pub controller: ControllerMetrics,
    /// Whether the disks answer.
    pub disk: DiskMetrics,
    registry: Mutex<Registry>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 4.0, 9))
}

/// From 0.1 ms to 3.3 s, each twice the one before: fine enough for a 99th percentile beside the
/// 600 ms after which a node counts as silent.
fn heartbeat_seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds as fn() -> Histogram),
            bytes_out: Counter::default(),
            bytes_in: Counter::default(),
            connections_accepted: Counter::default(),
            connections_refused: Counter::default(),
            connections_faulty: Counter::default(),
            batches_appended: Counter::default(),
            bytes_appended: Counter::default(),
            appends_refused: Counter::default(),
            recovery_scanned_bytes: Counter::default(),
            consumers_sent_to_followers: Counter::default(),
            bytes_read_from_followers: Counter::default(),
            actor_failures: Family::default(),
            actor_quarantines: Family::default(),
            connections: Gauge::default(),
            partitions: Gauge::default(),
            request_memory: Gauge::default(),
            stray_directories: Gauge::default(),
            replication: ReplicationMetrics::default(),
            quorum: QuorumMetrics::default(),
            controller: ControllerMetrics::default(),
            disk: DiskMetrics::default(),
            registry: Mutex::new(Registry::with_prefix("callboard")),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let r = &mut *registry;
        r.register("requests", "Requests answered", self.requests.clone());
        let help = "Time from a request's last byte to its response";
        r.register_with_unit("request_duration", help, Unit::Seconds, self.request_seconds.clone());
        r.register_with_unit("responses", "Responses", Unit::Bytes, self.bytes_out.clone());
        r.register_with_unit("received", "Requests", Unit::Bytes, self.bytes_in.clone());
        let accepted = self.connections_accepted.clone();
        r.register("connections_accepted", "Connections accepted", accepted);
        let help = "Connections closed at once because there were too many";
        r.register("connections_refused", help, self.connections_refused.clone());
        let help = "Connections ended because what came was no request";
        r.register("connections_faulty", help, self.connections_faulty.clone());
        r.register(
            "batches_appended",
            "Record batches handed to their partitions",
            self.batches_appended.clone(),
        );
        let help = "Record batches handed to their partitions";
        r.register_with_unit("appended", help, Unit::Bytes, self.bytes_appended.clone());
        r.register(
            "appends_refused",
            "Record batches refused at the door",
            self.appends_refused.clone(),
        );
        let help = "Read to check logs when they were opened";
        let scanned = self.recovery_scanned_bytes.clone();
        r.register_with_unit("recovery_scanned", help, Unit::Bytes, scanned);
        let help = "Times that a consumer was sent to a follower in its rack";
        r.register("consumers_sent_to_followers", help, self.consumers_sent_to_followers.clone());
        let help = "Record batches read by consumers from followers here";
        let from_followers = self.bytes_read_from_followers.clone();
        r.register_with_unit("read_from_followers", help, Unit::Bytes, from_followers);
        r.register("actor_failures", "Actors that failed", self.actor_failures.clone());
        let help = "Actors put into quarantine";
        r.register("actor_quarantines", help, self.actor_quarantines.clone());
        r.register("connections", "Connections now", self.connections.clone());
        r.register("partitions", "Partitions held now", self.partitions.clone());
        let help = "Bytes of large requests held now";
        r.register("request_memory_bytes", help, self.request_memory.clone());
        let help = "Directories of unknown topics that were set aside";
        r.register("stray_directories", help, self.stray_directories.clone());
        self.replication.register(r.sub_registry_with_prefix("replication"));
        self.quorum.register(r.sub_registry_with_prefix("quorum"));
        self.controller.register(r.sub_registry_with_prefix("controller"));
        self.disk.register(r.sub_registry_with_prefix("disk"));
    }

    /// A node's metrics, those of its links to other nodes among them.
    #[must_use]
    pub fn with_links(links: &LinkMetrics) -> Self {
        let metrics = Self::default();
        let mut registry = metrics.registry.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        links.register(registry.sub_registry_with_prefix("link"));
        drop(registry);
        metrics
    }

    /// Counts an answered request.
    pub fn answered(&self, api: ApiKey, took: Duration) {
        let label = ApiLabel { api: api.name() };
        self.requests.get_or_create(&label).inc();
        self.request_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// All metrics in the text format of OpenMetrics.
    ///
    /// # Errors
    /// When a label cannot be written.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let registry = self.registry.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}
