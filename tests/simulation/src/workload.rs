//! What the clients do all the while: produce, read along, and consume as a group. They are the
//! product's own client, over the simulated network, in a runtime of their own.

mod committing;
mod producing;
mod reading;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::{Client, ClientSettings, NewTopic};
use protocol::{PartitionIndex, TopicName, TopicPartition};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::history::History;
use crate::host::new_runtime;
use crate::node_settings::rack;
use crate::virtual_network::{VirtualDialer, VirtualNetwork, client_address};

/// The topic that everything happens in.
pub const TOPIC: &str = "ledger";
/// The group that reads it.
pub const GROUP: &str = "auditors";

/// The processes of a history: so many of each kind at most.
const PRODUCERS: u32 = 100;
const READERS: u32 = 200;
const MEMBERS: u32 = 300;
const COMMITTERS: u32 = 400;
const AUDITORS: u32 = 500;
const PROBES: u32 = 600;
const LAST_LOOKS: u32 = 700;
const LAST_AUDITS: u32 = 800;

/// What the clients share.
#[derive(Clone)]
pub struct Clients {
    /// What they were told.
    pub history: History,
    network: VirtualNetwork,
    seed: u64,
    nodes: usize,
    partitions: i32,
    is_over: Arc<AtomicBool>,
}

impl Clients {
    /// Clients of so many nodes, on a topic of so many partitions.
    #[must_use]
    pub fn new(
        history: History,
        network: VirtualNetwork,
        seed: u64,
        nodes: usize,
        partitions: i32,
    ) -> Self {
        Self { history, network, seed, nodes, partitions, is_over: Arc::default() }
    }

    /// The partitions of the topic.
    #[must_use]
    pub fn partitions(&self) -> Vec<TopicPartition> {
        let topic = topic_name();
        let named = |index| TopicPartition::new(topic.clone(), PartitionIndex(index));
        (0..self.partitions).map(named).collect()
    }

    /// Whether the clients are to come to an end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Lets the clients come to an end.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn chance(&self, part: &str) -> Chance {
        Chance::new(self.seed, part)
    }

    /// Where a consumer stands: mostly in one of the racks that nodes are in.
    fn rack(&self, chance: &mut Chance) -> Option<String> {
        let near = chance.between(1, self.nodes as u64 + 1);
        chance.per_mille(700).then(|| rack(i32::try_from(near).unwrap_or(1)))
    }

    fn settings(&self) -> ClientSettings {
        let nodes = i32::try_from(self.nodes).unwrap_or(1);
        let bootstrap: Vec<String> = (1..=nodes).map(client_address).collect();
        ClientSettings {
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(3),
            operation_timeout: Duration::from_secs(10),
            dialer: Arc::new(VirtualDialer::new(self.network.clone())),
            ..ClientSettings::new(&bootstrap.join(","))
        }
    }

    /// A client, as soon as a node answers; nothing if the end comes first.
    async fn connect(&self) -> Option<Client> {
        while !self.is_over() {
            match Client::with_settings(self.settings()).await {
                Ok(client) => return Some(client),
                Err(error) => tracing::debug!(%error, "no node answers"),
            }
            sleep(Duration::from_millis(100)).await;
        }
        None
    }
}

fn topic_name() -> TopicName {
    TopicName::new(TOPIC).expect("a name of letters")
}

/// The clients' side of the world.
pub struct Workload {
    runtime: Runtime,
    began: Instant,
    clients: Clients,
}

impl Workload {
    /// Clients that do nothing yet.
    #[must_use]
    pub fn new(clients: Clients) -> Self {
        let runtime = new_runtime();
        let began = runtime.block_on(async { Instant::now() });
        Self { runtime, began, clients }
    }

    /// Makes the topic, with so many replicas, and sets the clients going.
    pub fn begin(&self, replicas: i16, producers: u32, readers: u32, members: u32) {
        let clients = self.clients.clone();
        self.runtime.spawn(async move {
            make_topic(&clients, replicas).await;
            for number in 0..producers {
                tokio::spawn(producing::produce(clients.clone(), number));
            }
            for number in 0..readers {
                tokio::spawn(reading::read_along(clients.clone(), number));
            }
            for number in 0..members {
                tokio::spawn(committing::take_part(clients.clone(), number));
            }
            tokio::spawn(committing::audit(clients.clone()));
        });
    }

    /// Runs the clients until the world's present time.
    pub fn step(&self, now_ms: u64) {
        let until = self.began + Duration::from_millis(now_ms);
        self.runtime.block_on(async { tokio::time::sleep_until(until).await });
    }

    /// A last look at everything, to be asked for until it is there.
    #[must_use]
    pub fn last_look(&self) -> LastLook {
        let done = Arc::new(AtomicBool::new(false));
        let (clients, is_done) = (self.clients.clone(), Arc::clone(&done));
        self.runtime.spawn(async move {
            let mut attempt = 0;
            while !reading::read_everything(&clients, attempt).await {
                attempt += 1;
                sleep(Duration::from_millis(200)).await;
            }
            while !committing::last_look_at_commits(&clients, attempt).await {
                attempt += 1;
                sleep(Duration::from_millis(200)).await;
            }
            is_done.store(true, Ordering::Relaxed);
        });
        LastLook { done }
    }

    /// A probe of every partition: one record each, acknowledged.
    #[must_use]
    pub fn probe(&self) -> LastLook {
        let done = Arc::new(AtomicBool::new(false));
        let (clients, is_done) = (self.clients.clone(), Arc::clone(&done));
        self.runtime.spawn(async move {
            let mut attempt = 0;
            while !producing::probe(&clients, attempt).await {
                attempt += 1;
                sleep(Duration::from_millis(100)).await;
            }
            is_done.store(true, Ordering::Relaxed);
        });
        LastLook { done }
    }
}

/// Something that the clients are at.
pub struct LastLook {
    done: Arc<AtomicBool>,
}

impl LastLook {
    /// Whether it is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }
}

async fn make_topic(clients: &Clients, replicas: i16) {
    while let Some(client) = clients.connect().await {
        let topic = NewTopic::new(&topic_name())
            .partitions(clients.partitions)
            .replication_factor(replicas)
            .config("min.insync.replicas", if replicas > 2 { "2" } else { "1" });
        match client.admin().create_topic(topic).await {
            Ok(_) => return,
            Err(error) if error.to_string().contains("EXISTS") => return,
            Err(error) => tracing::debug!(%error, "the topic was not made"),
        }
        sleep(Duration::from_millis(200)).await;
    }
}
