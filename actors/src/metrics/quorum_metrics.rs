//! Elections of the metadata quorum as this node takes part in them, and where it stands. The gauges
//! are read when somebody scrapes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metadata_quorum::QuorumView;

/// See the head of this file. Clones are the same counters.
#[derive(Clone, Debug, Default)]
pub struct QuorumMetrics {
    /// Elections that this node stood in.
    pub elections_started: Counter,
    /// Terms that it was elected to lead.
    pub elections_won: Counter,
    /// Times that it would have stood, had a majority been willing to vote for it.
    pub candidacies_vain: Counter,
    /// The latest term that it has heard of.
    pub term: Gauge,
    /// The number of the node that leads it; -1 while none is known.
    pub leader: Gauge,
    /// 1 while this node decides for the cluster.
    pub active: Gauge,
    /// Nodes that vote.
    pub voters: Gauge,
    /// The index of the last entry in this node's log.
    pub last_index: Gauge,
    /// The index of the last entry that it has applied.
    pub applied_index: Gauge,
    /// The last term counted as won: a restarted actor may find itself leading it still.
    won_last: Arc<AtomicU64>,
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl QuorumMetrics {
    /// Gives them their names.
    pub fn register(&self, r: &mut Registry) {
        let help = "Quorum elections that this node stood in";
        r.register("elections_started", help, self.elections_started.clone());
        let help = "Quorum terms that this node was elected to lead";
        r.register("elections_won", help, self.elections_won.clone());
        let help = "Times that no majority would have voted for this node";
        r.register("candidacies_vain", help, self.candidacies_vain.clone());
        r.register("term", "The latest quorum term known here", self.term.clone());
        r.register("leader", "The node that leads the quorum, or -1", self.leader.clone());
        let help = "Whether this node decides for the cluster";
        r.register("active", help, self.active.clone());
        r.register("voters", "Nodes that vote in the quorum", self.voters.clone());
        let help = "The last entry in this node's quorum log";
        r.register("last_index", help, self.last_index.clone());
        let help = "The last quorum entry applied here";
        r.register("applied_index", help, self.applied_index.clone());
    }

    /// This node leads a term.
    pub fn on_leads(&self, term: u64) {
        if self.won_last.fetch_max(term, Ordering::Relaxed) < term {
            self.elections_won.inc();
        }
    }

    /// Looks how it is now.
    pub fn read(&self, view: &QuorumView) {
        self.term.set(gauge(view.term));
        self.leader.set(view.leader.map_or(-1, |leader| i64::from(leader.0)));
        self.active.set(i64::from(view.active_term.is_some()));
        self.voters.set(gauge(view.voters.len() as u64));
        self.last_index.set(gauge(view.last.unwrap_or(0)));
        self.applied_index.set(gauge(view.applied.unwrap_or(0)));
    }
}
