//! Quorums without brokers around them: members on disks in memory, linked in memory, on a paused
//! clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actors::file_work::FileWork;
use actors::metadata_quorum::{
    AppliedImage, AskQuorum, MetadataQuorum, ProposalError, QuorumAnswer, QuorumArguments,
    QuorumCell, QuorumMessage, QuorumView,
};
use actors::metrics::QuorumMetrics;
use actors::peer_messages::{AnswerStatus, Envelope, MessageKind, PeerCaller, encode_answer};
use actors::ports::Ports;
use actors::ports::clock::SystemClock;
use actors::ports::net::{PortFuture, TcpNet};
use actors::ports::peers::memory_peers::MemoryNetwork;
use actors::ports::peers::{Alone, Lane, PeerIdentity, PeerService, Peers};
use actors::ports::rng::{Rng, SeededRng};
use actors::ports::storage_executor::Inline;
use arc_swap::ArcSwap;
use bytes::Bytes;
use commit_log::{FaultyStorage, Storage};
use metadata::wire::encode_records;
use metadata::{
    BrokerEndpoint, BrokerRegistration, ClusterId, ClusterImage, DirectoryId, HostAndPort,
    Incarnation, MetadataRecord, SecurityProtocol, SettingResource,
};
use protocol::BrokerId;
use supervision::{
    Address, ChildSpec, LeaseTable, OperatorCommand, Strategy, Supervisor, SupervisorSpec, Tree,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// Longer than anything here takes, on a clock that jumps while nothing happens.
pub const PATIENCE: Duration = Duration::from_secs(60);
const CLUSTER: ClusterId = ClusterId(Uuid::from_u128(77));

/// The world of one test.
pub struct World {
    pub network: MemoryNetwork,
    rng: Arc<SeededRng>,
    disks: BTreeMap<i32, Disk>,
    members: BTreeMap<i32, Member>,
}

/// What outlives a process.
#[derive(Clone)]
struct Disk {
    storage: FaultyStorage,
    directory: DirectoryId,
}

/// One process.
pub struct Member {
    node: BrokerId,
    pub cell: QuorumCell,
    applied: AppliedImage,
    quorum: Address<QuorumMessage>,
    tree: Tree,
    root: Supervisor,
}

/// How a process is started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nobody reaches it.
    Alone,
    /// It founds, or goes on.
    Linked,
    /// It asks this node.
    Join(i32),
}

struct Voices {
    cell: QuorumCell,
}

impl PeerService for Voices {
    fn answer(&self, _lane: Lane, envelope: Bytes) -> PortFuture<'static, Bytes> {
        let cell = self.cell.clone();
        Box::pin(async move {
            let envelope = Envelope::decode(envelope).unwrap();
            let kind = MessageKind::from_number(envelope.kind).unwrap();
            match cell.answer(kind, envelope.from, envelope.body).await {
                Ok(body) => encode_answer(AnswerStatus::Answered, &body),
                Err(status) => encode_answer(status, b""),
            }
        })
    }
}

fn address_of(node: i32) -> HostAndPort {
    HostAndPort::new("node", u16::try_from(7000 + node).unwrap())
}

impl World {
    pub fn new(seed: u64) -> Self {
        let (disks, members) = (BTreeMap::new(), BTreeMap::new());
        let rng = Arc::new(SeededRng::new(seed));
        Self { network: MemoryNetwork::seeded(seed), rng, disks, members }
    }

    /// Gives a node an empty disk.
    pub fn wipe(&mut self, node: i32) {
        let storage = FaultyStorage::new(self.rng.next());
        let directory = DirectoryId(self.rng.uuid());
        self.disks.insert(node, Disk { storage, directory });
    }

    /// Starts nodes that wait for each other.
    pub async fn start_together(&mut self, nodes: &[i32]) {
        let starting: Vec<_> = nodes.iter().map(|node| self.begin(*node, Start::Linked)).collect();
        for member in futures_util::future::join_all(starting).await {
            self.members.insert(member.node.0, member);
        }
        for node in nodes {
            self.register(*node).await;
        }
    }

    /// Starts a node's process; it is up when the future is done.
    fn begin(&mut self, node: i32, start: Start) -> impl Future<Output = Member> + use<> {
        if !self.disks.contains_key(&node) {
            self.wipe(node);
        }
        let disk = self.disks[&node].clone();
        let peers: Arc<dyn Peers> = match start {
            Start::Alone => Arc::new(Alone),
            Start::Linked | Start::Join(_) => {
                self.network.endpoint(BrokerId(node), address_of(node))
            }
        };
        let me = PeerIdentity {
            cluster_id: CLUSTER,
            node: BrokerId(node),
            incarnation: Incarnation(self.rng.uuid()),
        };
        let (cell, applied) = (QuorumCell::default(), empty_image());
        let quorum = Address::new();
        let arguments = QuorumArguments {
            node: BrokerId(node),
            directory_id: disk.directory,
            founds: !matches!(start, Start::Join(_)),
            seeds: if let Start::Join(seed) = start { vec![address_of(seed)] } else { Vec::new() },
            voters_wanted: 3,
            caller: PeerCaller { me, peers: Arc::clone(&peers) },
            directory: PathBuf::from("/quorum"),
            leases: LeaseTable::new(),
            ports: self.ports(&disk, Arc::clone(&peers)),
            applied: Arc::clone(&applied),
            cell: cell.clone(),
            metrics: QuorumMetrics::default(),
            file_work: FileWork::new(None),
            publisher: Address::new(),
        };
        let mut spec = SupervisorSpec::new(Strategy::RestForOne);
        for child in peers.children(me, Arc::new(Voices { cell: cell.clone() })) {
            spec = spec.child(child);
        }
        let make = move |_: &_| (MetadataQuorum, arguments.clone());
        let child = ChildSpec::addressed_actor("metadata_quorum", &quorum, make);
        let tree = Tree::with_system_clock();
        let spec = spec.child(child.start_deadline(None));
        async move {
            let starting = Supervisor::start(&tree, "cluster", spec);
            let root = timeout(PATIENCE, starting).await.expect("the quorum comes up").unwrap();
            Member { node: BrokerId(node), cell, applied, quorum, tree, root }
        }
    }

    fn ports(&self, disk: &Disk, peers: Arc<dyn Peers>) -> Ports {
        Ports {
            clock: Arc::new(SystemClock),
            rng: Arc::new(SeededRng::new(self.rng.next())),
            storage: Arc::new(disk.storage.clone()) as Arc<dyn Storage>,
            executor: Arc::new(Inline),
            net: Arc::new(TcpNet::default()),
            peers,
        }
    }

    /// Starts a node and registers it, as its broker would.
    pub async fn start(&mut self, node: i32, start: Start) {
        let member = self.begin(node, start).await;
        self.members.insert(node, member);
        self.register(node).await;
    }

    /// Three nodes of one cluster, all of them voters.
    pub async fn three(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.start(1, Start::Linked).await;
        world.start(2, Start::Join(1)).await;
        world.start(3, Start::Join(2)).await;
        world.voters(&[1, 2, 3]).await;
        world
    }

    /// Ends a process as a crash does.
    pub async fn kill(&mut self, node: i32) {
        let member = self.members.remove(&node).unwrap();
        self.disks[&node].storage.power_cut();
        member.root.shutdown(Duration::from_secs(1)).await;
        self.disks[&node].storage.kill();
    }

    /// Ends a process in order.
    pub async fn stop(&mut self, node: i32) {
        let member = self.members.remove(&node).unwrap();
        member.root.shutdown(Duration::from_secs(5)).await;
        self.disks[&node].storage.kill();
    }

    pub fn member(&self, node: i32) -> &Member {
        &self.members[&node]
    }

    /// The node that may decide, as soon as there is one among these.
    pub async fn leader_among(&self, nodes: &[i32]) -> i32 {
        let waits = nodes.iter().map(|node| {
            let mut views = self.member(*node).cell.subscribe();
            Box::pin(async move {
                views.wait_for(|view| view.active_term.is_some()).await.unwrap();
                *node
            })
        });
        let first = futures_util::future::select_all(waits);
        timeout(PATIENCE, first).await.expect("somebody leads").0
    }

    pub async fn leader(&self) -> i32 {
        let nodes: Vec<i32> = self.members.keys().copied().collect();
        self.leader_among(&nodes).await
    }

    /// Waits until everybody that is up knows these voters and no others.
    pub async fn voters(&self, nodes: &[i32]) {
        let wanted: Vec<BrokerId> = nodes.iter().copied().map(BrokerId).collect();
        for member in self.members.values() {
            let votes = |view: &QuorumView| -> Vec<_> {
                view.voters.iter().map(|voter| voter.broker).collect()
            };
            member.sees(|view| votes(view) == wanted && !view.is_changing).await;
        }
    }

    /// Has records agreed on, by whoever leads.
    pub async fn agree(&self, records: &[MetadataRecord]) -> u64 {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let leader = self.member(self.leader().await);
            if let Ok(index) = leader.propose(records).await {
                return index;
            }
        }
        panic!("nothing is agreed on")
    }

    async fn register(&self, node: i32) {
        let leader = self.member(self.leader().await);
        let image = leader.applied.load_full();
        let mut records = Vec::new();
        if image.cluster_id().is_none() {
            records.push(MetadataRecord::ClusterFounded { cluster_id: CLUSTER });
        }
        records.push(MetadataRecord::BrokerRegistered(BrokerRegistration {
            broker: BrokerId(node),
            incarnation: Incarnation(self.rng.uuid()),
            broker_epoch: image.next_broker_epoch(),
            directory: self.disks[&node].directory,
            endpoints: vec![BrokerEndpoint {
                listener: "PLAINTEXT".into(),
                address: HostAndPort::new("node", 9092),
                security: SecurityProtocol::Plaintext,
            }],
            cluster_address: Some(address_of(node)),
            rack: None,
            fenced: false,
        }));
        self.agree(&records).await;
    }

    /// Has a setting agreed on that [`Member::knows`] finds.
    pub async fn decide(&self, value: &str) -> u64 {
        self.agree(&[setting(value)]).await
    }

    /// Waits until all that are up show the setting.
    pub async fn all_know(&self, value: &str) {
        for member in self.members.values() {
            member.knows(value).await;
        }
    }
}

/// A record that leaves a trace in the image.
pub fn setting(value: &str) -> MetadataRecord {
    MetadataRecord::SettingChanged {
        resource: SettingResource::ClusterDefault,
        key: "background.threads".into(),
        value: Some(value.into()),
    }
}

fn empty_image() -> AppliedImage {
    Arc::new(ArcSwap::from_pointee(ClusterImage::empty()))
}

impl Member {
    pub fn view(&self) -> Arc<QuorumView> {
        self.cell.view()
    }

    /// Waits until the view is so.
    pub async fn sees(&self, is_so: impl FnMut(&Arc<QuorumView>) -> bool) {
        let mut views = self.cell.subscribe();
        let seen = timeout(PATIENCE, views.wait_for(is_so)).await.is_ok();
        assert!(seen, "node {} sees {:?}", self.node, self.cell.view());
    }

    /// Kills the actor, and leaves its process alone.
    pub async fn kill_quorum(&self) {
        self.tree.operate("metadata_quorum", OperatorCommand::Kill).await.unwrap();
    }

    /// Has records agreed on in the term that this node leads now.
    pub async fn propose(&self, records: &[MetadataRecord]) -> Result<u64, ProposalError> {
        let term = self.view().active_term.unwrap_or_default();
        self.propose_in(term, records).await
    }

    pub async fn propose_in(
        &self,
        term: u64,
        records: &[MetadataRecord],
    ) -> Result<u64, ProposalError> {
        let records = Bytes::from(encode_records(records).unwrap());
        let (reply, answer) = oneshot::channel();
        let _ = self.quorum.send(QuorumMessage::Propose { term, records, reply });
        let gone = ProposalError::Refused { reason: "no answer".to_owned() };
        timeout(Duration::from_secs(2), answer)
            .await
            .map_or(Err(gone.clone()), |answer| answer.unwrap_or(Err(gone)))
    }

    /// Waits until this node's image shows the setting.
    pub async fn knows(&self, value: &str) {
        let shown = || {
            let image = self.applied.load();
            let found = image.settings_of(&SettingResource::ClusterDefault);
            found.is_some_and(|found| found.values().any(|found| &**found == value))
        };
        self.sees(|_| shown()).await;
    }

    pub async fn ask(&self, question: AskQuorum) -> QuorumAnswer {
        self.cell.ask(question).await
    }
}
