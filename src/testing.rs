//! A whole cluster in one process, for tests of programs that use one (feature `testing`).
//!
//! Real nodes with real replication; what differs from processes is the world around them: their
//! disks are in memory, and messages between them take no sockets. Clients connect over loopback,
//! any Kafka client as well as ours. Nodes can be killed, robbed of power or of their disks, stopped
//! and started, and cut off from each other, and their disks can hang.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use callboard::testing::Cluster;
//!
//! let mut cluster = Cluster::start(3).await?;
//! let bootstrap = cluster.bootstrap();
//! // … produce to `bootstrap` …
//! cluster.kill(1).await;
//! // … produce on …
//! cluster.restart(1).await?;
//! cluster.stop().await;
//! # Ok(()) }
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actors::ports::Ports;
use actors::ports::peers::memory_peers::MemoryNetwork;
use actors::{HostAndPort, Node, NodeError, SettingErrors, StaticSettings};
use protocol::BrokerId;
use thiserror::Error;

pub use commit_log::{FaultyOperation, FaultyStorage};

/// How long an orderly stop of a node may take.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// Where a node's data is on its own disk.
const DATA: &str = "/data";

/// Why a cluster did not start, or a node of it. Trying again may help where it says so.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// A setting was refused.
    #[error(transparent)]
    Settings(#[from] SettingErrors),
    /// A node did not start.
    #[error("node {node}: {source}")]
    Node {
        /// Which.
        node: i32,
        /// Why.
        source: Box<NodeError>,
    },
    /// The system refused a thread.
    #[error("the storage threads could not be started: {0}")]
    Threads(#[from] std::io::Error),
    /// There is no such node, or it runs already.
    #[error("node {node} is not one that could be started")]
    NotStopped {
        /// Which.
        node: i32,
    },
}

impl ClusterError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Node { source, .. } => source.is_retryable(),
            Self::Threads(_) => true,
            Self::Settings(_) | Self::NotStopped { .. } => false,
        }
    }
}

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct ClusterPlan {
    nodes: i32,
    settings: Vec<(String, String)>,
    /// Settings of single nodes.
    of_nodes: Vec<(i32, String, String)>,
}

impl ClusterPlan {
    /// So many nodes, numbered from 1, with settings that suit tests: groups form at once, topics
    /// get as many replicas as there are nodes, up to three.
    #[must_use]
    pub fn new(nodes: i32) -> Self {
        let replicas = nodes.clamp(1, 3);
        let settings = [
            ("listeners", "PLAINTEXT://127.0.0.1:0".to_owned()),
            ("callboard.admin.listener", "127.0.0.1:0".to_owned()),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("offsets.topic.num.partitions", "4".to_owned()),
            ("default.replication.factor", replicas.to_string()),
            ("min.insync.replicas", (replicas / 2 + 1).to_string()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        Self { nodes, settings: settings.into(), of_nodes: Vec::new() }
    }

    /// One more setting of all nodes, under Kafka's name or ours.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more setting of one node, which overrules those of all.
    #[must_use]
    pub fn setting_of(mut self, node: i32, name: &str, value: &str) -> Self {
        self.of_nodes.push((node, name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the nodes; the first founds the cluster, the others join it. All are up when this
    /// returns, and as many vote in the metadata quorum as will: up to three.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn start(self) -> Result<Cluster, ClusterError> {
        let network = MemoryNetwork::seeded(0);
        let mut cluster = Cluster { plan: self, network, seats: BTreeMap::new() };
        for node in 1..=cluster.plan.nodes {
            let disk = FaultyStorage::new(u64::from(node.unsigned_abs()));
            cluster.seats.insert(node, Seat { disk, address: None, node: None });
        }
        cluster.restart(1).await?;
        // together: the founder lets them in one by one as they come
        cluster.restart_all().await?;
        cluster.until_complete().await;
        Ok(cluster)
    }
}

/// What stays of a node while it does not run.
struct Seat {
    disk: FaultyStorage,
    /// Where clients found it first, and find it again.
    address: Option<SocketAddr>,
    node: Option<Node>,
}

/// The cluster. Dropping it leaves its nodes to end with the runtime.
pub struct Cluster {
    plan: ClusterPlan,
    network: MemoryNetwork,
    seats: BTreeMap<i32, Seat>,
}

impl Cluster {
    /// Starts so many nodes, numbered from 1; all are up when this returns.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn start(nodes: i32) -> Result<Self, ClusterError> {
        ClusterPlan::new(nodes).start().await
    }

    /// A cluster whose only voter is its founder would not survive that node.
    async fn until_complete(&self) {
        let nodes = self.seats.len();
        let voters = if nodes < 3 { 1 } else { 3 };
        for seat in self.seats.values() {
            let Some(node) = &seat.node else { continue };
            let mut view = node.broker().quorum.subscribe();
            // the cell lives as long as the node
            let _ = view.wait_for(|view| view.voters.len() >= voters).await;
            node.broker().image.until(|image| image.live_brokers().count() == nodes).await;
        }
    }

    /// Where clients find the cluster, whichever node is up: `host:port`, separated by commas.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses = self.seats.values().filter_map(|seat| seat.address);
        addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(",")
    }

    /// A node, while it runs.
    #[must_use]
    pub fn node(&self, node: i32) -> Option<&Node> {
        self.seats.get(&node)?.node.as_ref()
    }

    /// The numbers of the nodes that run.
    pub fn running(&self) -> impl Iterator<Item = i32> {
        self.seats.iter().filter(|(_, seat)| seat.node.is_some()).map(|(node, _)| *node)
    }

    /// A node's disk, also while the node does not run: it can be made to fail, to be full, to be
    /// damaged.
    #[must_use]
    pub fn disk(&self, node: i32) -> Option<&FaultyStorage> {
        Some(&self.seats.get(&node)?.disk)
    }

    /// From now on a node's disk does not answer: whatever the node writes or flushes waits, until
    /// [`Cluster::heal_disk`] or the end of the node. It can still read.
    pub fn hang_disk(&self, node: i32) {
        if let Some(disk) = self.disk(node) {
            disk.hang();
        }
    }

    /// A node's disk answers again, and fails no more.
    pub fn heal_disk(&self, node: i32) {
        if let Some(disk) = self.disk(node) {
            disk.heal();
        }
    }

    /// Ends a node as `kill -9` does: nobody is told, nothing is flushed, and what it had written
    /// can still be read.
    pub async fn kill(&mut self, node: i32) {
        self.end(node, FaultyStorage::kill).await;
    }

    /// Ends a node as a power cut does: what it had not flushed may be lost.
    pub async fn cut_power(&mut self, node: i32) {
        self.end(node, FaultyStorage::power_cut).await;
    }

    async fn end(&mut self, node: i32, disk_ends: fn(&FaultyStorage)) {
        let Some(seat) = self.seats.get_mut(&node) else { return };
        let Some(running) = seat.node.take() else { return };
        // first the disk: what still runs for a moment must not write to the next start's files
        disk_ends(&seat.disk);
        running.kill().await;
        disk_ends(&seat.disk);
    }

    /// Stops one node in order: it hands its leaderships over first.
    pub async fn stop_node(&mut self, node: i32) {
        let running = self.seats.get_mut(&node).and_then(|seat| seat.node.take());
        if let Some(running) = running {
            running.stop(STOP_DEADLINE).await;
        }
    }

    /// Takes the disk of a node that does not run, and gives it an empty one.
    pub fn replace_disk(&mut self, node: i32) {
        if let Some(seat) = self.seats.get_mut(&node)
            && seat.node.is_none()
        {
            seat.disk = FaultyStorage::new(u64::from(node.unsigned_abs()));
        }
    }

    /// Starts a node again, on its old disk and at its old address.
    ///
    /// # Errors
    /// [`ClusterError::NotStopped`], or why it did not start.
    pub async fn restart(&mut self, node: i32) -> Result<(), ClusterError> {
        let started = self.starting(node)?.await?;
        self.take_seat(node, started);
        Ok(())
    }

    /// The start of a node, which does not hold the cluster.
    fn starting(
        &self,
        node: i32,
    ) -> Result<impl Future<Output = Result<Node, ClusterError>> + Send + 'static, ClusterError>
    {
        let stopped = self.seats.get(&node).filter(|seat| seat.node.is_none());
        let seat = stopped.ok_or(ClusterError::NotStopped { node })?;
        let settings = self.settings_of(node, seat)?;
        let ports = Ports {
            storage: Arc::new(seat.disk.clone()),
            peers: self.network.endpoint(BrokerId(node), cluster_address(node)),
            ..Ports::real(1, 2)?
        };
        Ok(async move {
            let started = Box::pin(Node::start_with(settings, ports)).await;
            started.map_err(|source| ClusterError::Node { node, source: Box::new(source) })
        })
    }

    fn take_seat(&mut self, node: i32, started: Node) {
        if let Some(seat) = self.seats.get_mut(&node) {
            seat.address = started.bootstrap();
            seat.node = Some(started);
        }
    }

    /// Starts all nodes that do not run, together: after a stop of all, none is up before a majority
    /// is there.
    ///
    /// # Errors
    /// Why the first of them did not start.
    pub async fn restart_all(&mut self) -> Result<(), ClusterError> {
        let stopped: Vec<_> =
            self.seats.iter().filter(|(_, seat)| seat.node.is_none()).map(|(id, _)| *id).collect();
        let mut starting = Vec::new();
        for node in stopped {
            starting.push((node, tokio::spawn(self.starting(node)?)));
        }
        for (node, started) in starting {
            let started = started.await.map_err(std::io::Error::other)?;
            self.take_seat(node, started?);
        }
        Ok(())
    }

    fn settings_of(&self, node: i32, seat: &Seat) -> Result<StaticSettings, SettingErrors> {
        let own = [
            ("node.id", node.to_string()),
            ("log.dirs", DATA.to_owned()),
            ("callboard.cluster.listener", cluster_address(node).to_string()),
        ];
        let meeting = match (node, seat.address) {
            (1, None) => ("callboard.cluster.new", "true".to_owned()),
            // also the founder joins, if it comes back with another disk
            _ => ("callboard.cluster.join", self.addresses_beside(node)),
        };
        let again = seat.address.map(|address| ("listeners", format!("PLAINTEXT://{address}")));
        let planned = self.plan.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let of_node = self.plan.of_nodes.iter().filter(|(whose, ..)| *whose == node);
        let of_node = of_node.map(|(_, name, value)| (name.as_str(), value.clone()));
        // of two values for one setting the later holds
        StaticSettings::parse(planned.chain(of_node).chain(own).chain([meeting]).chain(again))
    }

    fn addresses_beside(&self, node: i32) -> String {
        let others = self.seats.keys().filter(|other| **other != node);
        others.map(|other| cluster_address(*other).to_string()).collect::<Vec<_>>().join(",")
    }

    /// Cuts the links between two nodes, both ways, without a word to either.
    pub fn cut(&self, one: i32, other: i32) {
        self.network.cut_both(BrokerId(one), BrokerId(other));
    }

    /// Cuts a node off from all others. Its clients still reach it.
    pub fn cut_off(&self, node: i32) {
        self.network.isolate(BrokerId(node));
    }

    /// Mends every link.
    pub fn heal(&self) {
        self.network.heal_all();
    }

    /// Stops all nodes in order, one by one; last the one that leads the metadata quorum, which the
    /// others need in order to take their leave.
    pub async fn stop(mut self) {
        let mut running: Vec<_> = self.running().collect();
        running.sort_by_key(|node| self.leads_quorum(*node));
        for node in running {
            self.stop_node(node).await;
        }
    }

    fn leads_quorum(&self, node: i32) -> bool {
        let view = self.node(node).map(|running| running.broker().quorum.view());
        view.is_some_and(|view| view.leader == Some(BrokerId(node)))
    }
}

/// Nobody listens there: it is how nodes in memory are named.
fn cluster_address(node: i32) -> HostAndPort {
    HostAndPort::new("memory", u16::try_from(node).unwrap_or(u16::MAX))
}
