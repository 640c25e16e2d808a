//! A machine with a node on it: its disk and clock stay, its process comes and goes.
//!
//! The process is a runtime of its own, single-threaded and with a paused clock; a step runs it for
//! one millisecond. Killing it drops the runtime with everything in it, after the disk has stopped
//! listening: whatever a destructor still tries to write is lost, as it is with a real kill.

mod process;

use std::sync::Arc;
use std::time::Duration;

use actors::ports::Ports;
use commit_log::{FaultyStorage, Storage};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use self::process::Standing;
use self::process::{Order, StandingCell, live};
use crate::chance::Chance;
use crate::node_ports::{DiskPace, PacedExecutor, VirtualClock, VirtualRng};
use crate::node_settings::node_settings;
use crate::virtual_network::{VirtualNet, VirtualNetwork};
use crate::virtual_peers::{PeerFabric, VirtualPeers};
use crate::weather::Weather;

/// What a kill leaves of what was written and not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// Everything: only the process died, and the system writes for it.
    Process,
    /// Nothing that one may rely on: the power went.
    Power,
}

/// The world that all machines share.
#[derive(Clone)]
pub struct Surroundings {
    /// The seed of everything.
    pub seed: u64,
    /// How many nodes there are when all are up.
    pub nodes: usize,
    /// Delays and cuts.
    pub weather: Weather,
    /// The clients' connections.
    pub network: VirtualNetwork,
    /// The messages between nodes.
    pub fabric: PeerFabric,
}

struct Process {
    runtime: Runtime,
    /// The runtime's clock at its beginning, and the world's.
    began: (Instant, u64),
    orders: mpsc::UnboundedSender<Order>,
    standing: StandingCell,
    is_paused: bool,
}

/// See the head of this file.
pub struct Host {
    /// The node's number.
    pub node: i32,
    /// Its disk.
    pub disk: FaultyStorage,
    /// How fast the disk is.
    pub pace: Arc<DiskPace>,
    /// Its clock.
    pub clock: Arc<VirtualClock>,
    chance: Chance,
    surroundings: Surroundings,
    process: Option<Process>,
    starts: u64,
}

impl Host {
    /// A machine that is not started.
    #[must_use]
    pub fn new(node: i32, surroundings: Surroundings) -> Self {
        let part = |what: &str| Chance::new(surroundings.seed, &format!("{what} of node {node}"));
        let disk = FaultyStorage::new(part("disk").draw());
        Self {
            node,
            disk,
            pace: Arc::new(DiskPace::new(part("pace"))),
            clock: Arc::new(VirtualClock::new(surroundings.weather.clone())),
            chance: part("process"),
            surroundings,
            process: None,
            starts: 0,
        }
    }

    /// Starts the node's process.
    ///
    /// # Panics
    /// If the system refuses a runtime: nothing can be simulated then.
    pub fn start(&mut self) {
        let weather = self.surroundings.weather.clone();
        weather.note("start", self.starts, &self.node.to_be_bytes());
        self.surroundings.network.unsilence(self.node);
        let runtime = new_runtime();
        let (orders, received) = mpsc::unbounded_channel();
        let standing = StandingCell::default();
        let settings = node_settings(self.surroundings.seed, self.node, self.surroundings.nodes);
        let ports = self.ports();
        runtime.spawn(live(settings, ports, received, standing.clone()));
        let began = (runtime.block_on(async { Instant::now() }), weather.now_ms());
        self.starts += 1;
        self.process = Some(Process { runtime, began, orders, standing, is_paused: false });
    }

    fn ports(&mut self) -> Ports {
        let Surroundings { network, fabric, nodes, .. } = &self.surroundings;
        let peers = VirtualPeers::new(self.node, fabric.clone());
        Ports {
            clock: self.clock.clone(),
            rng: Arc::new(VirtualRng::new(Chance::new(self.chance.draw(), "rng"))),
            storage: Arc::new(self.disk.clone()) as Arc<dyn Storage>,
            executor: Arc::new(PacedExecutor::new(Arc::clone(&self.pace))),
            net: Arc::new(VirtualNet::new(network.clone())),
            peers: if *nodes > 1 { Arc::new(peers) } else { Arc::new(actors::ports::peers::Alone) },
        }
    }

    /// Runs the process until the world's present time.
    pub fn step(&mut self) {
        let now_ms = self.surroundings.weather.now_ms();
        let wall_ms = crate::node_ports::EPOCH_MS + i64::try_from(now_ms).unwrap_or_default();
        self.disk.set_now_ms(wall_ms);
        let Some(process) = self.process.as_mut().filter(|process| !process.is_paused) else {
            return;
        };
        let until = process.began.0 + Duration::from_millis(now_ms - process.began.1);
        process.runtime.block_on(async { tokio::time::sleep_until(until).await });
        if self.disk.is_off() {
            self.kill(Kill::Power);
        }
    }

    /// How the process stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.process.as_ref().map_or(Standing::Down, |process| process.standing.get())
    }

    /// Whether there is a process, however it stands.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Whether the process is stopped for the time being.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.is_paused)
    }

    /// Ends the process without its knowing.
    pub fn kill(&mut self, kill: Kill) {
        let Some(process) = self.process.take() else { return };
        let Surroundings { weather, network, fabric, .. } = &self.surroundings;
        weather.note("kill", u64::from(kill == Kill::Power), &self.node.to_be_bytes());
        match kill {
            Kill::Process => self.disk.kill(),
            Kill::Power => {
                self.disk.power_cut();
                network.silence(self.node);
            }
        }
        fabric.remove(self.node, kill == Kill::Power);
        drop(process);
    }

    /// Asks the process to stop in order.
    pub fn stop(&mut self, deadline: Duration) {
        if let Some(process) = &self.process {
            let _ = process.orders.send(Order::Stop(deadline));
        }
    }

    /// Stops the process for a while, as a signal does: it runs no instruction.
    pub fn pause(&mut self) {
        if let Some(process) = &mut self.process {
            process.is_paused = true;
            self.surroundings.fabric.set_paused(self.node, true);
        }
    }

    /// The process goes on: all its timers that came due meanwhile are due at once.
    pub fn resume(&mut self) {
        let now_ms = self.surroundings.weather.now_ms();
        let Some(process) = self.process.as_mut().filter(|process| process.is_paused) else {
            return;
        };
        process.is_paused = false;
        self.surroundings.fabric.set_paused(self.node, false);
        let until = process.began.0 + Duration::from_millis(now_ms - process.began.1);
        process.runtime.block_on(async {
            tokio::time::advance(until.saturating_duration_since(Instant::now())).await;
        });
    }

    /// A new disk without anything on it.
    pub fn replace_disk(&mut self) {
        self.disk = FaultyStorage::new(self.chance.draw());
    }
}

/// A runtime with one thread, ours, and a clock that stands still while anybody works.
pub(crate) fn new_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets and threads asks the system for nothing")
}
