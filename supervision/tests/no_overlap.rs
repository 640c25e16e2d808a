//! An incarnation takes its time to go: if its successor began before its state was dropped, two
//! writers would have one file open.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use harness::{Diary, PATIENCE, at_once, node};
use ractor::thread_local::ThreadLocalActorSpawner;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use supervision::{
    Address, ChildSpec, Lease, LeaseTable, NodeState, OperatorCommand, RestartIntensity, Strategy,
    Supervisor, SupervisorSpec, Tree,
};

/// Keeps a file whose closing blocks until the test says so.
#[derive(Default)]
struct Keeper;

enum Order {
    Panic,
    Fail,
    End,
    /// A blocking job that outlives the actor, and holds its lease.
    Outlive(mpsc::Receiver<()>),
}

impl ractor::Message for Order {}

#[derive(Clone)]
struct Arguments {
    diary: Diary,
    /// One permission for each closing.
    may_close: Arc<Mutex<mpsc::Receiver<()>>>,
    leases: LeaseTable<&'static str>,
}

struct File {
    arguments: Arguments,
    /// Last: free only when the file is closed.
    lease: Lease<&'static str>,
}

impl Drop for File {
    fn drop(&mut self) {
        self.arguments.diary.write("closing");
        let allowed = self.arguments.may_close.lock().unwrap().recv_timeout(PATIENCE);
        self.arguments.diary.write(if allowed.is_ok() { "closed" } else { "never allowed" });
    }
}

impl Actor for Keeper {
    type Msg = Order;
    type State = File;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Order>,
        arguments: Arguments,
    ) -> Result<File, ActorProcessingErr> {
        let lease = arguments.leases.acquire("file", PATIENCE).await?;
        arguments.diary.write("open");
        Ok(File { arguments, lease })
    }

    async fn handle(
        &self,
        myself: ActorRef<Order>,
        order: Order,
        state: &mut File,
    ) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Panic => panic!("poison pill"),
            Order::Fail => return Err("broken".into()),
            Order::End => myself.stop(None),
            Order::Outlive(until) => {
                let (lease, diary) = (state.lease.clone(), state.arguments.diary.clone());
                tokio::task::spawn_blocking(move || {
                    until.recv_timeout(PATIENCE).unwrap();
                    diary.write("flushed");
                    drop(lease);
                });
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Order>,
        _event: SupervisionEvent,
        _state: &mut File,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

struct World {
    tree: Tree,
    diary: Diary,
    notices: Diary,
    address: Address<Order>,
    close: mpsc::Sender<()>,
    root: Supervisor,
}

async fn world(spawner: Option<ThreadLocalActorSpawner>) -> World {
    let (tree, diary, address) = (Tree::with_system_clock(), Diary::new(), Address::new());
    let notices = Diary::new();
    notices.follow(&tree);
    let (close, may_close) = mpsc::channel();
    let may_close = Arc::new(Mutex::new(may_close));
    let arguments = Arguments { diary: diary.clone(), may_close, leases: LeaseTable::new() };
    let child = match &spawner {
        Some(spawner) => {
            ChildSpec::addressed_thread_local::<Keeper, _, _>("keeper", &address, spawner, {
                move |_| arguments.clone()
            })
        }
        None => {
            ChildSpec::addressed_actor("keeper", &address, move |_| (Keeper, arguments.clone()))
        }
    };
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .intensity(RestartIntensity::new(10, Duration::from_secs(60)))
        .child(child.backoff(at_once()));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    World { tree, diary, notices, address, close, root }
}

impl World {
    /// Ends the keeper in some way and checks that its successor waits for the whole end.
    async fn check(&self, times: usize, end: impl AsyncFnOnce(&Self)) {
        end(self).await;
        self.diary.wait_for("closing", times).await;
        self.diary.write("the test has seen the closing");
        self.close.send(()).unwrap();
        let restarted = format!("keeper restarted as {}", times + 1);
        self.notices.wait_for(&restarted, 1).await;
        let expected = ["open", "closing", "the test has seen the closing", "closed", "open"];
        assert_eq!(self.diary.lines()[4 * (times - 1)..], expected);
    }

    async fn check_all_ends(self) {
        self.check(1, async |world| world.address.send(Order::Panic).unwrap()).await;
        self.check(2, async |world| world.address.send(Order::Fail).unwrap()).await;
        self.check(3, async |world| world.address.send(Order::End).unwrap()).await;
        self.check(4, async |world| {
            world.tree.operate("keeper", OperatorCommand::Kill).await.unwrap();
        })
        .await;
        self.check(5, async |world| {
            world.tree.operate("keeper", OperatorCommand::Restart).await.unwrap();
        })
        .await;
        let reasons = self.notices.lines();
        assert!(reasons.iter().any(|line| line.starts_with("keeper panicked at")), "{reasons:?}");
        assert!(reasons.contains(&"keeper failed: broken; again in 0ns".to_owned()));
        self.close.send(()).unwrap();
        self.root.shutdown(PATIENCE).await;
        assert_eq!(self.diary.lines().last().unwrap(), "closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_next_incarnation_waits_until_the_state_of_the_last_is_dropped() {
    world(None).await.check_all_ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn it_waits_on_a_thread_of_its_own_as_well() {
    world(Some(ThreadLocalActorSpawner::new())).await.check_all_ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_supervisor_goes_on_while_a_childs_state_is_being_dropped() {
    let world = world(None).await;
    world.address.send(Order::End).unwrap();
    world.diary.wait_for("closing", 1).await;
    assert!(!world.address.is_available());
    assert_eq!(node(&world.tree, "keeper").state, NodeState::Stopping);
    // It answers, so it is not the one that waits for the drop.
    let answer = world.tree.operate("keeper", OperatorCommand::Kill).await;
    assert_eq!(answer, Err(supervision::OperatorError::NotNow));
    world.close.send(()).unwrap();
    world.close.send(()).unwrap();
    world.root.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_job_that_outlives_its_actor_holds_the_next_incarnation_up() {
    let world = world(None).await;
    let (finish, until) = mpsc::channel();
    world.address.send(Order::Outlive(until)).unwrap();
    world.address.send(Order::Fail).unwrap();
    world.close.send(()).unwrap();
    world.diary.wait_for("closed", 1).await;
    finish.send(()).unwrap();
    world.diary.wait_for("open", 2).await;
    assert_eq!(world.diary.lines(), ["open", "closing", "closed", "flushed", "open"]);
    world.close.send(()).unwrap();
    world.root.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn one_that_blocks_its_thread_is_left_behind_but_its_successor_waits_for_it() {
    let (diary, address, tree) = (Diary::new(), Address::new(), Tree::with_system_clock());
    let (spawner, written) = (ThreadLocalActorSpawner::new(), diary.clone());
    let child = ChildSpec::addressed_thread_local::<Blocker, _, _>(
        "blocker",
        &address,
        &spawner,
        move |_| written.clone(),
    );
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(child.start_deadline(None));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    let (release, until) = mpsc::channel();
    address.send(Block(until)).unwrap();
    diary.wait_for("blocked", 1).await;
    // On a paused clock: five seconds to end in order, ten to be gone after the kill.
    tokio::time::pause();
    tree.operate("blocker", OperatorCommand::Restart).await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    tokio::time::resume();
    assert_eq!(node(&tree, "blocker").state, NodeState::Starting);
    assert!(!address.is_available());
    assert_eq!(diary.lines(), ["up", "blocked"]);
    release.send(()).unwrap();
    diary.wait_for("up", 2).await;
    assert_eq!(diary.lines(), ["up", "blocked", "released", "up"]);
    root.shutdown(PATIENCE).await;
}

/// Blocks its thread, as a system call on a broken disk does.
#[derive(Default)]
struct Blocker;

struct Block(mpsc::Receiver<()>);

impl ractor::Message for Block {}

impl Actor for Blocker {
    type Msg = Block;
    type State = Diary;
    type Arguments = Diary;

    async fn pre_start(
        &self,
        _myself: ActorRef<Block>,
        diary: Diary,
    ) -> Result<Diary, ActorProcessingErr> {
        diary.write("up");
        Ok(diary)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Block>,
        Block(until): Block,
        diary: &mut Diary,
    ) -> Result<(), ActorProcessingErr> {
        diary.write("blocked");
        until.recv_timeout(PATIENCE)?;
        diary.write("released");
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Block>,
        _event: SupervisionEvent,
        _diary: &mut Diary,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
