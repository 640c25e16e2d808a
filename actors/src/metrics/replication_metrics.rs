//! How well this node's partitions are replicated, read when somebody scrapes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::broker::Broker;

/// Which follower.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FollowerLabel {
    /// The follower's node number.
    pub follower: i32,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct ReplicationMetrics {
    /// Partitions that this node leads.
    pub led: Gauge,
    /// In-sync replicas of those, in all.
    pub in_sync: Gauge,
    /// Those of which some assigned replica is not in sync.
    pub under_replicated: Gauge,
    /// Those of which fewer are in sync than `min.insync.replicas` asks for.
    pub under_min_in_sync: Gauge,
    /// Records that each follower lacks.
    pub lag: Family<FollowerLabel, Gauge>,
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl ReplicationMetrics {
    /// Gives them their names.
    pub fn register(&self, r: &mut Registry) {
        r.register("led", "Partitions led here", self.led.clone());
        let help = "In-sync replicas of the partitions led here";
        r.register("in_sync_replicas", help, self.in_sync.clone());
        let help = "Partitions led here of which some replica is not in sync";
        r.register("under_replicated", help, self.under_replicated.clone());
        let help = "Partitions led here with fewer replicas in sync than min.insync.replicas";
        r.register("under_min_in_sync", help, self.under_min_in_sync.clone());
        let help = "Records that a follower lacks of the partitions led here";
        r.register("follower_lag_records", help, self.lag.clone());
    }

    /// Looks how it is now.
    pub fn read(&self, broker: &Broker) {
        let (mut led, mut in_sync, mut under_replicated, mut under_min) = (0, 0, 0, 0);
        for place in broker.partitions.places() {
            let state = place.decided();
            if state.leader != Some(broker.id) {
                continue;
            }
            led += 1;
            in_sync += state.isr.len();
            under_replicated += usize::from(state.isr.len() < state.assigned_replicas.len());
            let needed = place.settings().replication.min_in_sync_replicas;
            let needed = needed.min(state.assigned_replicas.len());
            under_min += usize::from(state.isr.len() < needed);
        }
        self.led.set(gauge(led));
        self.in_sync.set(gauge(in_sync));
        self.under_replicated.set(gauge(under_replicated));
        self.under_min_in_sync.set(gauge(under_min));
        for (follower, records) in broker.replication.lags() {
            self.lag.get_or_create(&FollowerLabel { follower: follower.0 }).set(records);
        }
    }
}
