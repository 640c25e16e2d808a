//! What is counted of the links to other nodes; nothing, where there are no real ones.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use protocol::BrokerId;

use super::heartbeat_seconds;

/// Which other node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LinkLabel {
    /// Its number.
    pub node: i32,
}

impl LinkLabel {
    /// The label of a node.
    #[must_use]
    pub const fn of(node: BrokerId) -> Self {
        Self { node: node.0 }
    }
}

/// How a link to another node ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LinkEndLabel {
    /// The other node's number.
    pub node: i32,
    /// `closed` by either end, `silent`, or `unanswered`: bytes came, but no heartbeat was answered.
    pub reason: &'static str,
}

/// What is counted of the links to other nodes. Clones are the same counters.
#[derive(Clone)]
pub struct LinkMetrics {
    /// 1 while the link is up, 0 when it was and is not.
    pub up: Family<LinkLabel, Gauge>,
    /// Bytes that came.
    pub bytes_in: Family<LinkLabel, Counter>,
    /// Bytes that went.
    pub bytes_out: Family<LinkLabel, Counter>,
    /// Bytes given to the link that have not gone yet.
    pub bytes_in_flight: Family<LinkLabel, Gauge>,
    /// Questions sent.
    pub messages: Family<LinkLabel, Counter>,
    /// Seconds until a heartbeat was answered.
    pub heartbeat_seconds: Family<LinkLabel, Histogram>,
    /// How often the link came up.
    pub connects: Family<LinkLabel, Counter>,
    /// How often it went, and why.
    pub ends: Family<LinkEndLabel, Counter>,
    /// Connections that were not let in.
    pub refused: Counter,
}

impl Default for LinkMetrics {
    fn default() -> Self {
        Self {
            up: Family::default(),
            bytes_in: Family::default(),
            bytes_out: Family::default(),
            bytes_in_flight: Family::default(),
            messages: Family::default(),
            heartbeat_seconds: Family::new_with_constructor(heartbeat_seconds as fn() -> Histogram),
            connects: Family::default(),
            ends: Family::default(),
            refused: Counter::default(),
        }
    }
}

impl LinkMetrics {
    /// Gives them their names.
    pub fn register(&self, r: &mut Registry) {
        r.register("up", "Whether there is a link to another node", self.up.clone());
        let help = "Bytes from another node";
        r.register_with_unit("received", help, Unit::Bytes, self.bytes_in.clone());
        let help = "Bytes to another node";
        r.register_with_unit("sent", help, Unit::Bytes, self.bytes_out.clone());
        let help = "Bytes on their way to another node";
        r.register("in_flight_bytes", help, self.bytes_in_flight.clone());
        r.register("messages", "Questions to another node", self.messages.clone());
        let help = "Time until another node answered a heartbeat";
        r.register_with_unit("heartbeat", help, Unit::Seconds, self.heartbeat_seconds.clone());
        r.register("connects", "Times that a link came up", self.connects.clone());
        r.register("ends", "Times that a link went, and why", self.ends.clone());
        let help = "Connections to the cluster listener that were not let in";
        r.register("refused", help, self.refused.clone());
    }
}
