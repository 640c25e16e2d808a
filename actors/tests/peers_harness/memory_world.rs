//! Nodes in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actors::ports::peers::memory_peers::{MemoryNetwork, MemoryPeers};
use actors::ports::peers::{Lane, PeerIdentity, Peers};
use metadata::{ClusterId, HostAndPort, Incarnation};
use protocol::BrokerId;
use supervision::{OperatorCommand, Strategy, Supervisor, SupervisorSpec, Tree};
use tokio::time::Instant;
use uuid::Uuid;

use super::question::{Obedient, question};
use super::{Outcome, PATIENCE, World};

struct MemoryNode {
    peers: Arc<MemoryPeers>,
    address: HostAndPort,
    tree: Tree,
    supervisor: Supervisor,
}

/// See the head of this file.
pub struct MemoryWorld {
    network: MemoryNetwork,
    nodes: BTreeMap<i32, MemoryNode>,
    starts: u16,
    /// What hangs is not ended by a new start.
    hanging: Vec<MemoryNode>,
}

impl MemoryWorld {
    pub fn new() -> Self {
        let network = MemoryNetwork::seeded(7);
        Self { network, nodes: BTreeMap::new(), starts: 0, hanging: Vec::new() }
    }
}

impl World for MemoryWorld {
    async fn start(&mut self, node: i32) -> Incarnation {
        self.starts += 1;
        let incarnation = Incarnation(Uuid::from_u128(self.starts.into()));
        let address = HostAndPort::new("memory", self.starts);
        let peers = self.network.endpoint(BrokerId(node), address.clone());
        let cluster_id = ClusterId(Uuid::from_u128(1));
        let me = PeerIdentity { cluster_id, node: BrokerId(node), incarnation };
        let mut spec = SupervisorSpec::new(Strategy::RestForOne);
        for child in peers.children(me, Arc::new(Obedient)) {
            spec = spec.child(child);
        }
        let tree = Tree::new(Arc::new(SystemTime::now));
        let supervisor = Supervisor::start(&tree, "cluster", spec).await.unwrap();
        let before = self.nodes.insert(node, MemoryNode { peers, address, tree, supervisor });
        self.hanging.extend(before);
        incarnation
    }

    async fn introduce(&self, node: i32, others: &[i32]) {
        let address = |other: &i32| (BrokerId(*other), self.nodes[other].address.clone());
        self.nodes[&node].peers.introduce(others.iter().map(address).collect());
    }

    async fn ask(&self, from: i32, to: (i32, Lane), words: &str, deadline: Duration) -> Outcome {
        let since = Instant::now();
        let asked = self.nodes[&from].peers.call(BrokerId(to.0), to.1, question(words), deadline);
        let answer = asked.await.map(|answer| answer.len()).map_err(|error| format!("{error:?}"));
        Outcome { answer, took: since.elapsed() }
    }

    async fn linked(&self, from: i32, to: i32, start: Option<Incarnation>) -> Duration {
        let since = Instant::now();
        let mut links = self.nodes[&from].peers.links();
        let wanted = links.wait_for(|links| links.get(&BrokerId(to)).copied() == start);
        tokio::time::timeout(PATIENCE, wanted).await.unwrap().unwrap();
        since.elapsed()
    }

    async fn kill(&mut self, node: i32) {
        self.nodes.remove(&node).unwrap().supervisor.shutdown(Duration::ZERO).await;
    }

    async fn freeze(&self, node: i32) {
        self.network.freeze(BrokerId(node));
    }

    async fn thaw(&self, node: i32) {
        self.network.thaw(BrokerId(node));
    }

    async fn kill_actor(&self, node: i32, actor: &str) {
        if actor == "cluster_link" {
            let tree = &self.nodes[&node].tree;
            tree.operate("cluster_link", OperatorCommand::Kill).await.unwrap();
        }
    }
}
