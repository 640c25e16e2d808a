//! What this node decided for the cluster while it was the controller, and how long its own
//! heartbeats to the controller took.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use protocol::BrokerId;

use super::heartbeat_seconds;

/// Which node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct NodeLabel {
    /// Its number.
    pub node: i32,
}

impl NodeLabel {
    /// The label of a node.
    #[must_use]
    pub const fn of(node: BrokerId) -> Self {
        Self { node: node.0 }
    }
}

/// See the head of this file.
#[derive(Debug)]
pub struct ControllerMetrics {
    /// Nodes that this one, deciding, fenced because they were silent or gone.
    pub fencings: Family<NodeLabel, Counter>,
    /// Partitions that got another leader, or none, by what it decided.
    pub leader_changes: Counter,
    /// Seconds until the controller answered this node's heartbeat, wherever the controller is.
    pub heartbeat_seconds: Histogram,
    /// Heartbeats that it did not answer, or refused.
    pub heartbeats_failed: Counter,
}

impl Default for ControllerMetrics {
    fn default() -> Self {
        Self {
            fencings: Family::default(),
            leader_changes: Counter::default(),
            heartbeat_seconds: heartbeat_seconds(),
            heartbeats_failed: Counter::default(),
        }
    }
}

impl ControllerMetrics {
    /// Gives them their names.
    pub fn register(&self, r: &mut Registry) {
        let help = "Nodes fenced by this one while it decided: silent, or gone";
        r.register("fencings", help, self.fencings.clone());
        let help = "New leader epochs of partitions by what this node decided";
        r.register("leader_changes", help, self.leader_changes.clone());
        let help = "Time until the controller answered this node's heartbeat";
        r.register_with_unit("heartbeat", help, Unit::Seconds, self.heartbeat_seconds.clone());
        let help = "Heartbeats of this node that the controller did not answer, or refused";
        r.register("heartbeats_failed", help, self.heartbeats_failed.clone());
    }
}
