//! Whole nodes in one process: disks and links in memory, on a paused clock that jumps while nothing
//! happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actors::broker::Broker;
use actors::controller::question::{AutoCreateTopics, CreateTopics, TopicCreation};
use actors::controller::{NotAgreed, Question, ask};
use actors::ports::Ports;
use actors::ports::clock::SystemClock;
use actors::ports::net::TcpNet;
use actors::ports::peers::memory_peers::MemoryNetwork;
use actors::ports::rng::SeededRng;
use actors::ports::storage_executor::{Job, StorageExecutor};
use actors::{Node, StaticSettings};
use commit_log::FaultyStorage;
use metadata::{ClusterImage, HostAndPort, PartitionKey, PartitionState, TopicToCreate};
use protocol::{BrokerId, PartitionIndex};
use ractor::thread_local::ThreadLocalActorSpawner;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Work is done at once, unless the disk hangs: then when it answers again.
struct Hangable {
    hangs: watch::Receiver<bool>,
}

impl StorageExecutor for Hangable {
    fn writer_thread(&self, _hash: u64) -> Option<ThreadLocalActorSpawner> {
        None
    }

    fn flush(&self, job: Job) {
        self.run(job);
    }

    fn run(&self, job: Job) {
        if !*self.hangs.borrow() {
            return job();
        }
        let mut hangs = self.hangs.clone();
        tokio::spawn(async move {
            let _ = hangs.wait_for(|hangs| !hangs).await;
            job();
        });
    }

    fn jobs_wait_for_the_disk(&self) -> bool {
        true
    }
}

/// A cluster whose first node founded it.
pub struct World {
    pub network: MemoryNetwork,
    settings: Vec<(&'static str, &'static str)>,
    disks: BTreeMap<i32, FaultyStorage>,
    hangs: BTreeMap<i32, watch::Sender<bool>>,
    nodes: BTreeMap<i32, Node>,
}

impl World {
    /// Starts nodes 1 to `count`; all are alive when this returns.
    pub async fn start(count: i32, settings: &[(&'static str, &'static str)]) -> Self {
        let mut world = Self {
            network: MemoryNetwork::seeded(1),
            settings: settings.to_vec(),
            disks: BTreeMap::new(),
            hangs: BTreeMap::new(),
            nodes: BTreeMap::new(),
        };
        for node in 1..=count {
            world.start_node(node).await;
        }
        let all: Vec<i32> = (1..=count).collect();
        world
            .until("all nodes are alive and vote", |world| {
                let view = world.broker(1).quorum.view();
                let image = world.image(1);
                all.iter()
                    .all(|node| image.is_live(BrokerId(*node)) && view.is_voter(BrokerId(*node)))
            })
            .await;
        world
    }

    /// Starts a node on its disk; an empty one joins.
    pub async fn start_node(&mut self, node: i32) {
        let fresh = || FaultyStorage::new(u64::from(node.unsigned_abs()));
        let disk = self.disks.entry(node).or_insert_with(fresh).clone();
        let hangs = self.hangs.entry(node).or_default().subscribe();
        let address = |node: i32| HostAndPort::new("memory", u16::try_from(node).unwrap());
        let (number, own) = (node.to_string(), address(node).to_string());
        let seed = address(1).to_string();
        let meeting = if node == 1 {
            ("callboard.cluster.new", "true")
        } else {
            ("callboard.cluster.join", seed.as_str())
        };
        let settings = [
            ("node.id", number.as_str()),
            ("log.dirs", "/data"),
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("callboard.admin.listener", "127.0.0.1:0"),
            ("callboard.cluster.listener", own.as_str()),
            ("offsets.topic.num.partitions", "1"),
            meeting,
        ];
        let settings = settings.iter().chain(&self.settings).copied();
        let ports = Ports {
            clock: Arc::new(SystemClock),
            rng: Arc::new(SeededRng::new(u64::from(node.unsigned_abs()))),
            storage: Arc::new(disk),
            executor: Arc::new(Hangable { hangs }),
            net: Arc::new(TcpNet::default()),
            peers: self.network.endpoint(BrokerId(node), address(node)),
        };
        let starting = Node::start_with(StaticSettings::parse(settings).unwrap(), ports);
        let started = timeout(PATIENCE, Box::pin(starting)).await.expect("the node comes up");
        self.nodes.insert(node, started.unwrap());
    }

    /// Ends a node as `kill -9` does.
    pub async fn kill(&mut self, node: i32) {
        let running = self.nodes.remove(&node).unwrap();
        self.disks[&node].kill();
        running.kill().await;
        self.disks[&node].kill();
    }

    /// From now on the flushes of a node's disk wait, and so does the quorum's file, or no more.
    pub fn hang_disk(&self, node: i32, hangs: bool) {
        self.hangs[&node].send_replace(hangs);
    }

    /// Stops a node in order.
    pub async fn stop_node(&mut self, node: i32) {
        self.nodes.remove(&node).unwrap().stop(PATIENCE).await;
    }

    /// A node's disk.
    pub fn disk(&self, node: i32) -> &FaultyStorage {
        &self.disks[&node]
    }

    /// The node, as its actors know it.
    pub fn broker(&self, node: i32) -> &Arc<Broker> {
        self.nodes[&node].broker()
    }

    /// What a node knows of the cluster.
    pub fn image(&self, node: i32) -> Arc<ClusterImage> {
        self.broker(node).image.load()
    }

    /// A node that does not decide for the cluster.
    pub fn passive(&self) -> i32 {
        let is_passive = |node: &&i32| self.broker(**node).quorum.view().active_term.is_none();
        *self.nodes.keys().find(is_passive).unwrap()
    }

    /// The node that decides for the cluster, once there is one.
    pub async fn active(&self) -> i32 {
        let is_active = |node: &&i32| self.broker(**node).quorum.view().active_term.is_some();
        self.until("somebody decides", |world| world.nodes.keys().any(|node| is_active(&node)))
            .await;
        *self.nodes.keys().find(is_active).unwrap()
    }

    /// Asks through a node's own controller.
    pub async fn ask<Q: Question>(&self, node: i32, question: Q) -> Result<Q::Answer, NotAgreed> {
        let answer = ask(&self.broker(node).controller, question);
        timeout(PATIENCE, answer).await.expect("an answer comes")
    }

    /// Creates a topic whose partitions are on these brokers, through a node.
    pub async fn create_topic(&self, through: i32, name: &str, replicas: &[&[i32]]) {
        let assignment = |(index, brokers): (i32, &&[i32])| {
            (PartitionIndex(index), brokers.iter().copied().map(BrokerId).collect())
        };
        let topic = TopicToCreate {
            assignments: (0..).zip(replicas).map(assignment).collect(),
            ..TopicToCreate::with_defaults(name)
        };
        let question = CreateTopics { topics: vec![topic], validate_only: false };
        let created = self.ask(through, question).await.unwrap();
        created.into_iter().for_each(|topic| drop(topic.unwrap()));
    }

    /// Creates a topic as if a client had asked for it.
    pub async fn auto_create(&self, through: i32, name: &str) -> TopicCreation {
        let question = AutoCreateTopics { names: vec![name.to_owned()] };
        self.ask(through, question).await.unwrap().remove(0).unwrap()
    }

    /// A partition as a node knows it.
    pub fn partition(&self, node: i32, topic: &str, index: i32) -> Arc<PartitionState> {
        let image = self.image(node);
        let (_, state) = image.partition_by_name(topic, PartitionIndex(index)).unwrap();
        Arc::clone(state)
    }

    /// What the controller told a replica's place on a node, whatever its image shows.
    pub fn decided(&self, node: i32, topic: &str, index: i32) -> Arc<PartitionState> {
        let (image, index) = (self.image(node), PartitionIndex(index));
        let (id, _) = image.partition_by_name(topic, index).unwrap();
        self.broker(node).partitions.find(PartitionKey::new(id, index)).unwrap().decided()
    }

    /// Waits until something holds, and gives how long that took.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) -> Duration {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < PATIENCE, "not in time: {what}");
            // the clock is paused: this lets everybody else do what is due, and takes no time
            sleep(Duration::from_millis(1)).await;
        }
        started.elapsed()
    }
}
