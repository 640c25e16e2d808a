//! Three nodes in one process, with disks and links in memory, and what their replicas are asked
//! without a client in between.

pub mod brittle_storage;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::controller::ask;
use actors::controller::question::{CreateTopics, Reassign};
use actors::partition_directory::PartitionPlace;
use actors::partition_replica::{AppendAnswer, AppendRequest, PartitionReplicaMessage};
use actors::peer_messages::{Envelope, MessageKind};
use actors::ports::Ports;
use actors::ports::net::PortFuture;
use actors::ports::peers::memory_peers::MemoryNetwork;
use actors::ports::peers::{
    AddressBook, Lane, Links, PeerAnswer, PeerError, PeerIdentity, PeerService, Peers,
};
use actors::segment_writer::HeldBytes;
use actors::{HostAndPort, Node, StaticSettings};
use brittle_storage::{Breakage, BrittleStorage};
use bytes::Bytes;
use commit_log::{FaultyStorage, Storage};
use metadata::{PartitionKey, PartitionState, Reassignment, TopicToCreate};
use protocol::compression::Compression;
use protocol::record::RecordContent;
use protocol::record_batch::{BatchHeader, ProducerStamp, RecordBatchBuilder};
use protocol::{BrokerId, PartitionIndex};
use replication::Acks;
use supervision::ChildSpec;
use tokio::sync::{oneshot, watch};

/// Longer than anything here takes; what waits for it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often each kind of message was sent.
pub type Counts = Arc<Mutex<HashMap<u16, u64>>>;

/// Kinds of message that do not arrive, by their sender.
pub type Withheld = Arc<Mutex<HashSet<(i32, u16)>>>;

/// Counts what goes through, and withholds what is to be lost.
struct CountingPeers {
    node: i32,
    peers: Arc<dyn Peers>,
    counts: Counts,
    withheld: Withheld,
}

impl Peers for CountingPeers {
    fn call(
        &self,
        node: BrokerId,
        lane: Lane,
        envelope: Bytes,
        deadline: Duration,
    ) -> PeerAnswer<'_> {
        let kind = Envelope::decode(envelope.clone()).unwrap().kind;
        *self.counts.lock().unwrap().entry(kind).or_default() += 1;
        if self.withheld.lock().unwrap().contains(&(self.node, kind)) {
            return Box::pin(async move {
                tokio::time::sleep(deadline.min(Duration::from_millis(100))).await;
                Err(PeerError::Timeout { node, deadline })
            });
        }
        self.peers.call(node, lane, envelope, deadline)
    }

    fn links(&self) -> watch::Receiver<Links> {
        self.peers.links()
    }

    fn introduce(&self, book: AddressBook) {
        self.peers.introduce(book);
    }

    fn discover<'a>(
        &'a self,
        seed: &'a HostAndPort,
        deadline: Duration,
    ) -> PortFuture<'a, Result<PeerIdentity, PeerError>> {
        self.peers.discover(seed, deadline)
    }

    fn local_address(&self) -> Option<HostAndPort> {
        self.peers.local_address()
    }

    fn children(&self, me: PeerIdentity, service: Arc<dyn PeerService>) -> Vec<ChildSpec> {
        self.peers.children(me, service)
    }
}

/// The nodes 1, 2 and 3.
pub struct Trio {
    pub network: MemoryNetwork,
    pub counts: Counts,
    withheld: Withheld,
    disks: HashMap<i32, FaultyStorage>,
    breakages: HashMap<i32, Arc<Mutex<Breakage>>>,
    nodes: HashMap<i32, Node>,
    settings: Vec<(&'static str, &'static str)>,
}

fn address(node: i32) -> HostAndPort {
    HostAndPort::new("memory", u16::try_from(node).unwrap())
}

impl Trio {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(settings: &[(&'static str, &'static str)]) -> Self {
        let mut trio = Self {
            network: MemoryNetwork::seeded(7),
            counts: Counts::default(),
            withheld: Withheld::default(),
            disks: HashMap::new(),
            breakages: HashMap::new(),
            nodes: HashMap::new(),
            settings: settings.to_vec(),
        };
        for node in 1..=3 {
            trio.disks.insert(node, FaultyStorage::new(u64::try_from(node).unwrap()));
            trio.restart(node).await;
        }
        // till then the end of node 1 would be the end of the cluster
        until("all three vote", || {
            (1..=3).all(|seer| {
                let view = trio.node(seer).broker().quorum.view();
                (1..=3).all(|node| view.is_voter(BrokerId(node)))
            })
        })
        .await;
        trio
    }

    pub async fn restart(&mut self, node: i32) {
        let id = node.to_string();
        let (at, seed) = (address(node).to_string(), address(1).to_string());
        let meeting = match node {
            1 => ("callboard.cluster.new", "true"),
            _ => ("callboard.cluster.join", seed.as_str()),
        };
        let settings = [
            ("node.id", id.as_str()),
            ("log.dirs", "/data"),
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("callboard.admin.listener", "127.0.0.1:0"),
            ("callboard.cluster.listener", at.as_str()),
            ("broker.rack", id.as_str()),
            ("min.insync.replicas", "2"),
            meeting,
        ];
        let settings = settings.into_iter().chain(self.settings.iter().copied());
        let peers = self.network.endpoint(BrokerId(node), address(node));
        let ports = Ports {
            storage: Arc::new(BrittleStorage {
                disk: self.disks[&node].clone(),
                breakage: Arc::clone(self.breakages.entry(node).or_default()),
            }),
            peers: Arc::new(CountingPeers {
                node,
                peers,
                counts: Arc::clone(&self.counts),
                withheld: Arc::clone(&self.withheld),
            }),
            ..Ports::real(1, 2).unwrap()
        };
        let settings = StaticSettings::parse(settings).unwrap();
        let started = tokio::time::timeout(PATIENCE, Box::pin(Node::start_with(settings, ports)));
        self.nodes.insert(node, started.await.unwrap().unwrap());
    }

    /// Has so many flushes of partition 0 of a topic fail on a node, from now on; `for_good`, the log
    /// cannot be opened any more after the first of them.
    pub fn break_flushes(&self, node: i32, topic: &str, flushes: usize, for_good: bool) {
        let directory = Some(PathBuf::from(format!("/data/{topic}-0")));
        let breakage = Breakage { directory, flushes, for_good, ..Breakage::default() };
        *self.breakages[&node].lock().unwrap() = breakage;
    }

    /// As `kill -9` does.
    pub async fn kill(&mut self, node: i32) {
        let running = self.nodes.remove(&node).unwrap();
        self.disks[&node].kill();
        running.kill().await;
        self.disks[&node].kill();
    }

    pub fn node(&self, node: i32) -> &Node {
        &self.nodes[&node]
    }

    fn anybody(&self) -> &Node {
        self.nodes.values().next().unwrap()
    }

    /// How often a kind of message was sent by anybody.
    pub fn count(&self, kind: MessageKind) -> u64 {
        self.counts.lock().unwrap().get(&kind.number()).copied().unwrap_or(0)
    }

    /// Messages of this kind from this node are lost from now on.
    pub fn withhold(&self, node: i32, kind: MessageKind) {
        self.withheld.lock().unwrap().insert((node, kind.number()));
    }

    /// Every message arrives again.
    pub fn withhold_nothing(&self) {
        self.withheld.lock().unwrap().clear();
    }

    /// Creates a topic with three replicas of each partition, led by node 1 where `leader` says so.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        let replicas: Vec<_> = (1..=3).map(BrokerId).collect();
        let assignments =
            (0..partitions).map(|index| (PartitionIndex(index), replicas.clone())).collect();
        let topic = TopicToCreate { assignments, ..TopicToCreate::with_defaults(name) };
        let question = CreateTopics { topics: vec![topic], validate_only: false };
        let controller = &self.node(1).broker().controller;
        let created = tokio::time::timeout(PATIENCE, ask(controller, question.clone()));
        created.await.unwrap().unwrap().remove(0).unwrap();
        until("every node knows the topic", || {
            self.nodes.keys().all(|node| self.state(*node, name, partitions - 1).is_some())
        })
        .await;
    }

    /// Gives partition 0 of a topic other replicas.
    pub async fn reassign(&self, topic: &str, replicas: &[i32]) {
        let replicas = Some(replicas.iter().copied().map(BrokerId).collect());
        let (topic, partition) = (topic.to_owned(), PartitionIndex(0));
        let reassignments = vec![Reassignment { topic, partition, replicas }];
        let question = Reassign { reassignments, may_change_factor: true };
        let answer = ask(&self.anybody().broker().controller, question).await;
        answer.unwrap().remove(0).unwrap();
    }

    /// What this node knows of a partition.
    pub fn state(&self, node: i32, topic: &str, partition: i32) -> Option<Arc<PartitionState>> {
        let image = self.node(node).broker().image.load();
        image.topic(topic)?.partition(PartitionIndex(partition)).cloned()
    }

    pub fn place(&self, node: i32, topic: &str, partition: i32) -> Option<Arc<PartitionPlace>> {
        let broker = self.node(node).broker();
        let id = broker.image.load().topic(topic)?.id;
        broker.partitions.find(PartitionKey::new(id, PartitionIndex(partition)))
    }

    /// Waits until one of the running nodes leads, and gives it.
    pub async fn leader(&self, topic: &str, partition: i32) -> i32 {
        let mut found = None;
        until("somebody leads", || {
            let leads = |node: &&i32| {
                self.place(**node, topic, partition).is_some_and(|place| place.view().is_some())
            };
            found = self.nodes.keys().find(leads).copied();
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Begins an append with `acks=all`.
    pub fn begin_append(
        &self,
        node: i32,
        topic: &str,
        partition: i32,
        value: &[u8],
    ) -> oneshot::Receiver<AppendAnswer> {
        let place = self.place(node, topic, partition).unwrap();
        let batch = batch(value);
        let header = BatchHeader::parse(&batch).unwrap();
        let (reply, answer) = oneshot::channel();
        let held = HeldBytes::default();
        let request = AppendRequest { batch, header, acks: Acks::All, held, deadline: None, reply };
        let _ = place.replica.send(PartitionReplicaMessage::Append(request));
        answer
    }

    /// Appends wherever the leader is, until that is acknowledged; gives the offset.
    pub async fn append(&self, topic: &str, partition: i32, value: &[u8]) -> i64 {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let leader = self.leader(topic, partition).await;
            let answer = self.begin_append(leader, topic, partition, value);
            let refused = match tokio::time::timeout_at(deadline, answer).await {
                Ok(Ok(Ok(place))) => return place.base_offset.value(),
                Ok(refused) => format!("{refused:?}"),
                Err(_) => panic!("no ack in time: {:?}", self.state(leader, topic, partition)),
            };
            assert!(tokio::time::Instant::now() < deadline, "{refused}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The bytes of a partition's first segment on a node's disk.
    pub fn log_bytes(&self, node: i32, topic: &str, partition: i32) -> Vec<u8> {
        let path = format!("/data/{topic}-{partition}/00000000000000000000.log");
        self.disks[&node].read(Path::new(&path), 64 << 20).unwrap_or_default()
    }

    /// What a node's directory has noted of its logs.
    pub fn recovery_points(&self, node: i32) -> String {
        let path = Path::new("/data/recovery-point-offset-checkpoint");
        let text = self.disks[&node].read(path, 1 << 20).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Takes the records of a partition away from a node that does not run.
    pub fn lose_log(&self, node: i32, topic: &str, partition: i32) {
        let path = format!("/data/{topic}-{partition}/00000000000000000000.log");
        self.disks[&node].remove(Path::new(&path)).unwrap();
    }

    /// Waits until all nodes that run have the same log, and that is not empty.
    pub async fn agree(&self, topic: &str, partition: i32) {
        let all: Vec<_> = self.nodes.keys().copied().collect();
        self.agree_of(&all, topic, partition).await;
    }

    /// Waits until these nodes have the same log, and that is not empty.
    pub async fn agree_of(&self, nodes: &[i32], topic: &str, partition: i32) {
        until("the logs are the same", || {
            let mut logs = nodes.iter().map(|node| self.log_bytes(*node, topic, partition));
            let first = logs.next().unwrap();
            !first.is_empty() && logs.all(|log| log == first)
        })
        .await;
    }

    /// Waits until the in-sync replicas are these, as far as one of the nodes knows: one that is
    /// cut off hears of nothing.
    pub async fn in_sync(&self, topic: &str, partition: i32, members: &[i32]) {
        until(&format!("{members:?} are in sync"), || {
            self.nodes.keys().any(|node| self.knows_in_sync(*node, topic, partition, members))
        })
        .await;
    }

    fn knows_in_sync(&self, node: i32, topic: &str, partition: i32, members: &[i32]) -> bool {
        self.state(node, topic, partition).is_some_and(|state| {
            let mut isr: Vec<_> = state.isr.iter().map(|broker| broker.0).collect();
            isr.sort_unstable();
            isr == members
        })
    }

    pub async fn stop(self) {
        for (_, node) in self.nodes {
            node.kill().await;
        }
    }
}

/// Waits for a condition.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn batch(value: &[u8]) -> Bytes {
    let mut builder = RecordBatchBuilder::new(Compression::None);
    let content = RecordContent { key: None, value: Some(value), headers: &[] };
    builder.append(1_700_000_000_000, &content).unwrap();
    builder.build(ProducerStamp::NONE).unwrap().into()
}
