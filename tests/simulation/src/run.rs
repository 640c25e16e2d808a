//! One run: a world from its seed, through faults and healing, to the verdict.
//!
//! ```text
//! start ─▶ faults, all the while: produce, read, commit ─▶ heal ─▶ converged in 30 s? ─▶ last look
//!                                                                    ─▶ stop ─▶ replicas equal?
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::faults::Faults;
use crate::history::History;
use crate::host::{Host, Standing, Surroundings};
use crate::replicas::compare_replicas;
use crate::trace::Trace;
use crate::virtual_network::VirtualNetwork;
use crate::virtual_peers::PeerFabric;
use crate::weather::Weather;
use crate::workload::{Clients, Workload};

/// How long the nodes may take to serve at the beginning.
const START_MS: u64 = 30_000;
/// How long everything may take to work again after the last fault (goal G21).
const CONVERGENCE_MS: u64 = 30_000;
/// How long the clients' last requests may be under way.
const LAST_REQUESTS_MS: u64 = 12_000;
/// How long reading everything may take.
const LAST_LOOK_MS: u64 = 60_000;
/// How long an orderly stop may take.
const STOP_MS: u64 = 15_000;

/// What a run is made from. The same plan gives the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many nodes.
    pub nodes: usize,
    /// How long things go wrong, in simulated seconds.
    pub faulty_seconds: u64,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it was made from.
    pub plan: Plan,
    /// The hash of everything that happened.
    pub trace_hash: u64,
    /// How many events that were.
    pub events: u64,
    /// How long the world lasted.
    pub simulated: Duration,
    /// What was met, and how often.
    pub met: BTreeMap<String, u64>,
    /// What was wrong.
    pub violations: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(formatter, "violation {violation}")?;
        }
        for (what, times) in &self.met {
            writeln!(formatter, "met {what} {times}")?;
        }
        writeln!(formatter, "events {}\ntrace {:016x}", self.events, self.trace_hash)?;
        writeln!(formatter, "simulated_ms {}", self.simulated.as_millis())
    }
}

struct World {
    surroundings: Surroundings,
    hosts: Vec<Host>,
    faults: Faults,
    workload: Workload,
    clients: Clients,
}

impl World {
    fn new(plan: Plan, trace: Trace) -> Self {
        let weather = Weather::new(plan.seed, trace);
        let surroundings = Surroundings {
            seed: plan.seed,
            nodes: plan.nodes,
            network: VirtualNetwork::new(weather.clone()),
            fabric: PeerFabric::new(weather.clone()),
            weather: weather.clone(),
        };
        let history = History::new(weather);
        let network = surroundings.network.clone();
        let clients = Clients::new(history.clone(), network, plan.seed, plan.nodes, 3);
        let last = i32::try_from(plan.nodes).unwrap_or(1);
        Self {
            hosts: (1..=last).map(|node| Host::new(node, surroundings.clone())).collect(),
            faults: Faults::new(surroundings.clone(), history.sometimes),
            workload: Workload::new(clients.clone()),
            surroundings,
            clients,
        }
    }

    /// One millisecond.
    fn step(&mut self) {
        let now_ms = {
            let mut conditions = self.surroundings.weather.now();
            conditions.now_ms += 1;
            conditions.now_ms
        };
        self.surroundings.network.deliver_due();
        self.surroundings.fabric.deliver_due();
        self.hosts.iter_mut().for_each(Host::step);
        self.workload.step(now_ms);
    }

    /// Steps until something holds, at most for so long; whether it came to hold.
    fn step_until(&mut self, at_most_ms: u64, holds: impl Fn(&Self) -> bool) -> bool {
        for _ in 0..at_most_ms {
            if holds(self) {
                return true;
            }
            self.faults.step(&mut self.hosts);
            self.step();
        }
        holds(self)
    }

    fn all_serve(&self) -> bool {
        self.hosts.iter().all(|host| host.standing() == Standing::Serving)
    }

    fn wrong(&self, what: &str) {
        self.clients.history.violation(what);
    }

    fn begin(&mut self) {
        self.hosts.iter_mut().for_each(Host::start);
        for _ in 0..START_MS {
            if self.all_serve() {
                break;
            }
            self.step();
        }
        if !self.all_serve() {
            self.wrong(&format!("the nodes do not serve at the beginning: {}", self.standings()));
        }
        let replicas = i16::try_from(self.hosts.len().min(3)).unwrap_or(1);
        self.workload.begin(replicas, 2, 2, 2);
    }

    fn standings(&self) -> String {
        let standing = |host: &Host| format!("node {} {:?}", host.node, host.standing());
        self.hosts.iter().map(standing).collect::<Vec<_>>().join(", ")
    }

    fn heal(&mut self) {
        self.faults.heal(&mut self.hosts);
        let probe = self.workload.probe();
        if !self.step_until(CONVERGENCE_MS, |world| probe.is_done() && world.all_serve()) {
            let standings = self.standings();
            self.wrong(&format!(
                "not converged {CONVERGENCE_MS} ms after the last fault: {standings}"
            ));
        }
    }

    fn look(&mut self) {
        self.clients.end();
        self.step_until(LAST_REQUESTS_MS, |_| false);
        let look = self.workload.last_look();
        if !self.step_until(LAST_LOOK_MS, |_| look.is_done()) {
            self.wrong("not everything could be read after the last fault");
        }
        self.clients.history.judge();
    }

    fn stop(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.stop(Duration::from_secs(10)));
        for _ in 0..STOP_MS {
            if self.hosts.iter().all(|host| host.standing() == Standing::Stopped) {
                break;
            }
            self.step();
        }
        let left: Vec<&Host> =
            self.hosts.iter().filter(|host| host.standing() != Standing::Stopped).collect();
        if !left.is_empty() {
            self.wrong(&format!("not stopped in order: {}", self.standings()));
        }
        for difference in compare_replicas(&self.hosts, &self.clients.partitions()) {
            self.wrong(&difference);
        }
    }
}

/// Runs a plan to its end; gives what it came to, and what its clients saw.
#[must_use]
pub fn run(plan: Plan, trace: Trace) -> (Outcome, History) {
    let mut world = World::new(plan, trace.clone());
    world.begin();
    world.step_until(plan.faulty_seconds * 1000, |_| false);
    world.heal();
    world.look();
    world.stop();
    let history = world.clients.history.clone();
    let outcome = Outcome {
        plan,
        trace_hash: trace.hash(),
        events: trace.count(),
        simulated: Duration::from_millis(world.surroundings.weather.now_ms()),
        met: history.sometimes.all(),
        violations: history.violations(),
    };
    (outcome, history)
}
