//! Everything at once, on several threads: children of both kinds of supervisor panic, fail, end,
//! are killed, stopped, restarted and released in random order. If any race were lost, two
//! incarnations of one child would be alive together, or something would be left at the end.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use supervision::{
    Address, Backoff, ChildSpec, Counted, DynamicSupervisor, DynamicSupervisorSpec, Jitter,
    NodeState, OperatorCommand, RestartIntensity, RestartType, Strategy, Supervisor,
    SupervisorSpec, Tree,
};

const CHILDREN: usize = 12;
const STEPS: usize = 600;
const PATIENCE: Duration = Duration::from_secs(120);

/// How many states of one child there are, and were at most.
#[derive(Clone, Default)]
struct Alive {
    now: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
}

struct One(Alive);

impl One {
    fn new(alive: Alive) -> Self {
        // Not asserted here: a panic would pass for a failed start.
        let others = alive.now.fetch_add(1, Ordering::SeqCst);
        alive.most.fetch_max(others + 1, Ordering::SeqCst);
        Self(alive)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Worker;

#[derive(Clone, Copy)]
enum Order {
    Panic,
    Fail,
    End,
    Work,
}

impl Actor for Worker {
    type Msg = Counted<Order>;
    type State = One;
    type Arguments = (Alive, bool);

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        (alive, fails): Self::Arguments,
    ) -> Result<One, ActorProcessingErr> {
        let one = One::new(alive);
        tokio::task::yield_now().await;
        if fails { Err("not today".into()) } else { Ok(one) }
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        order: Self::Msg,
        _state: &mut One,
    ) -> Result<(), ActorProcessingErr> {
        match order.open() {
            Order::Panic => std::panic::panic_any("poison pill"),
            Order::Fail => return Err("broken".into()),
            Order::End => myself.stop(None),
            Order::Work => tokio::task::yield_now().await,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut One,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

struct World {
    tree: Tree,
    dynamic: DynamicSupervisor,
    fixed: Vec<Resident>,
    guests: Vec<Resident>,
}

struct Resident {
    spec: ChildSpec,
    address: Address<Order>,
    alive: Alive,
}

fn resident(name: String, jitter: &mut Jitter) -> Resident {
    let (address, alive) = (Address::new(), Alive::default());
    let one = alive.clone();
    let fails_every = pick(jitter, 5) as u64 + 3;
    let types = [RestartType::Permanent, RestartType::Transient, RestartType::Temporary];
    let spec = ChildSpec::addressed_actor(name, &address, move |context| {
        (Worker, (one.clone(), context.incarnation().is_multiple_of(fails_every)))
    })
    .backoff(Backoff::new(Duration::from_micros(50), Duration::from_micros(200)))
    .restart(types[pick(jitter, types.len())]);
    Resident { spec, address, alive }
}

fn pick(jitter: &mut Jitter, count: usize) -> usize {
    (jitter.next_fraction() * count as f64) as usize
}

impl World {
    async fn start(seed: u64, strategy: Strategy) -> (Self, Supervisor) {
        let (tree, mut jitter) = (Tree::with_system_clock(), Jitter::new(seed));
        let mut residents = |kind: &str| -> Vec<Resident> {
            (0..CHILDREN).map(|number| resident(format!("{kind}-{number}"), &mut jitter)).collect()
        };
        let (fixed, guests) = (residents("fixed"), residents("guest"));
        let rare = RestartIntensity::new(6, Duration::from_millis(20));
        let often = RestartIntensity::new(1_000_000, PATIENCE);
        let dynamic = DynamicSupervisor::new(DynamicSupervisorSpec::new(CHILDREN).intensity(rare));
        let team = SupervisorSpec::new(strategy).intensity(rare);
        let team = fixed.iter().fold(team, |team, resident| team.child(resident.spec.clone()));
        let quick = Backoff::new(Duration::ZERO, Duration::ZERO);
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .intensity(often)
            .child(ChildSpec::supervisor("team", team).backoff(quick))
            .child(ChildSpec::dynamic_supervisor("guests", &dynamic).backoff(quick));
        let root = Supervisor::start(&tree, "root", spec).await.unwrap();
        (Self { tree, dynamic, fixed, guests }, root)
    }

    async fn step(&self, jitter: &mut Jitter) {
        let is_guest = pick(jitter, 2) == 0;
        let (parent, residents) =
            if is_guest { ("guests", &self.guests) } else { ("team", &self.fixed) };
        let resident = &residents[pick(jitter, CHILDREN)];
        let id = resident.spec.id();
        let path = format!("{parent}/{id}");
        // Whether a step is refused depends on the order of events; that it is answered does not.
        match pick(jitter, 16) {
            0 => drop(resident.address.send(Order::Panic)),
            1 | 2 => drop(resident.address.send(Order::Fail)),
            3 => drop(resident.address.send(Order::End)),
            4 => drop(self.tree.operate(&path, OperatorCommand::Kill).await),
            5 => drop(self.tree.operate(&path, OperatorCommand::Stop).await),
            6 | 7 => drop(self.tree.operate(&path, OperatorCommand::Restart).await),
            8 => drop(self.tree.operate(&path, OperatorCommand::Release).await),
            9 if pick(jitter, 8) == 0 => {
                drop(self.tree.operate(parent, OperatorCommand::Kill).await);
            }
            10 if is_guest => drop(self.dynamic.stop_child(id, PATIENCE).await),
            11 | 12 if is_guest => drop(self.dynamic.request_start(resident.spec.clone())),
            13 => drop(self.tree.snapshot()),
            _ => drop(resident.address.send(Order::Work)),
        }
        if pick(jitter, 3) == 0 {
            tokio::task::yield_now().await;
        }
    }

    fn check_nothing_is_left(&self, seed: u64) {
        for resident in self.fixed.iter().chain(&self.guests) {
            let Alive { now, most } = &resident.alive;
            assert_eq!(now.load(Ordering::SeqCst), 0, "left: seed {seed}: {resident:?}");
            assert!(most.load(Ordering::SeqCst) <= 1, "overlap: seed {seed}: {resident:?}");
            assert!(!resident.address.is_available());
        }
        let root = self.tree.snapshot().unwrap();
        let mut nodes = vec![&root];
        while let Some(node) = nodes.pop() {
            let is_down = matches!(node.state, NodeState::Stopped);
            assert!(is_down, "seed {seed}: {} is {:?}", node.id, node.state);
            nodes.extend(&node.children);
        }
    }
}

impl std::fmt::Debug for Resident {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.spec.id())
    }
}

async fn run(seed: u64) {
    let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
    let strategy = strategies[seed as usize % strategies.len()];
    let (world, root) = World::start(seed, strategy).await;
    let mut jitter = Jitter::new(seed);
    for _ in 0..STEPS {
        world.step(&mut jitter).await;
    }
    let ended = tokio::time::timeout(PATIENCE, root.shutdown(PATIENCE)).await;
    assert!(ended.is_ok(), "seed {seed}: {:#?}", world.tree.snapshot());
    world.check_nothing_is_left(seed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_two_incarnations_are_ever_alive_together_and_nothing_is_left() {
    let first: u64 = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let count: u64 = std::env::var("SEEDS").map_or(6, |count| count.parse().unwrap());
    for seed in first..first + count {
        run(seed).await;
    }
}

#[tokio::test]
async fn nor_are_they_on_one_thread() {
    for seed in 100..103 {
        run(seed).await;
    }
}
