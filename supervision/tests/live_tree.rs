//! Somebody looks at the tree from outside: if it showed what is not there, or could not be
//! commanded, an operator would act on a phantom.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use harness::{Diary, Order, PATIENCE, Worker, addressed, at_once, node};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use supervision::{
    Address, ChildSpec, DynamicSupervisor, DynamicSupervisorSpec, ExitReason, NodeKind, NodeState,
    OperatorCommand, OperatorError, OwnChild, OwnChildren, RestartIntensity, Status, Strategy,
    Supervisor, SupervisorSpec, Tree, TreeNode,
};

const NOON_MILLIS: u64 = 1_700_000_000_000;

fn tree_at_noon() -> Tree {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_millis(NOON_MILLIS);
    Tree::new(Arc::new(move || noon))
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_the_whole_tree_and_survives_json() {
    let (tree, diary) = (tree_at_noon(), Diary::new());
    let (first, _) = addressed("first", &diary);
    let sessions = DynamicSupervisor::new(DynamicSupervisorSpec::new(10));
    let team = SupervisorSpec::new(Strategy::OneForAll).child(first);
    let spec = SupervisorSpec::new(Strategy::RestForOne)
        .child(ChildSpec::supervisor("team", team))
        .child(ChildSpec::dynamic_supervisor("sessions", &sessions));
    assert_eq!(tree.snapshot(), None);
    let root = Supervisor::start(&tree, "node", spec).await.unwrap();
    let (session, _) = addressed("127.0.0.1/7", &diary);
    sessions.start_child(session, PATIENCE).await.unwrap();
    let snapshot = tree.snapshot().unwrap();
    assert_eq!(snapshot.id, "node");
    assert_eq!(snapshot.kind, NodeKind::Supervisor(Strategy::RestForOne));
    let kinds: Vec<(&str, NodeKind)> =
        snapshot.children.iter().map(|child| (child.id.as_str(), child.kind)).collect();
    let team = ("team", NodeKind::Supervisor(Strategy::OneForAll));
    assert_eq!(kinds, [team, ("sessions", NodeKind::DynamicSupervisor)]);
    let session = snapshot.find("sessions/127.0.0.1%2F7").unwrap();
    assert_eq!((session.state, session.kind), (NodeState::Running, NodeKind::Worker));
    assert_eq!(session.since_unix_millis, NOON_MILLIS);
    assert_eq!(snapshot.find("sessions").unwrap().mailbox_depth, Some(0));
    let json = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(serde_json::from_str::<TreeNode>(&json).unwrap(), snapshot);
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn backing_off_says_until_when_by_the_clock_that_was_given() {
    let (tree, diary) = (tree_at_noon(), Diary::new());
    diary.follow(&tree);
    let (child, address) = addressed("child", &diary);
    let mut backoff = at_once();
    (backoff.min, backoff.max) = (Duration::from_secs(5), Duration::from_secs(5));
    backoff.immediate_first = false;
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(child.backoff(backoff));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    address.send(Order::Fail("broken")).unwrap();
    diary.wait_for("child failed: broken; again in 5s", 1).await;
    let until_unix_millis = NOON_MILLIS + 5_000;
    assert_eq!(node(&tree, "child").state, NodeState::BackingOff { until_unix_millis });
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn several_trees_live_in_one_process() {
    let diary = Diary::new();
    let mut roots = Vec::new();
    for number in 0..3 {
        let tree = tree_at_noon();
        let (child, address) = addressed("same name", &diary);
        let spec = SupervisorSpec::new(Strategy::OneForOne).child(child);
        let root = Supervisor::start(&tree, format!("node {number}"), spec).await.unwrap();
        roots.push((tree, address, root));
    }
    roots[0].0.operate("same name", OperatorCommand::Stop).await.unwrap();
    diary.wait_for("same name: gone", 1).await;
    assert!(roots[1].1.is_available() && roots[2].1.is_available());
    assert_eq!(roots[2].0.snapshot().unwrap().id, "node 2");
}

#[tokio::test(start_paused = true)]
async fn commands_to_nobody_are_refused() {
    let (tree, diary) = (tree_at_noon(), Diary::new());
    let nowhere = tree.operate("child", OperatorCommand::Kill).await;
    assert_eq!(nowhere, Err(OperatorError::UnknownPath { path: "child".into() }));
    let (child, _) = addressed("child", &diary);
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(child);
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    for (path, expected) in [
        ("", OperatorError::Root),
        ("other", OperatorError::UnknownPath { path: "other".into() }),
        ("child/below", OperatorError::UnknownPath { path: "child/below".into() }),
    ] {
        assert_eq!(tree.operate(path, OperatorCommand::Kill).await, Err(expected));
    }
    assert_eq!(tree.operate("child", OperatorCommand::Release).await, Err(OperatorError::NotNow));
    root.shutdown(PATIENCE).await;
    let down = tree.operate("child", OperatorCommand::Restart).await;
    assert_eq!(down, Err(OperatorError::SupervisorDown { path: "child".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_harms_nobody() {
    let (tree, diary) = (tree_at_noon(), Diary::new());
    tree.subscribe(Arc::new(|_| panic!("a faulty observer")));
    diary.follow(&tree);
    let (child, address) = addressed("child", &diary);
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(child);
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    assert_eq!(diary.count("child started"), 1);
    assert!(address.is_available());
    assert_eq!(node(&tree, "").restarts, 0);
    root.shutdown(PATIENCE).await;
}

/// Keeps a worker without a supervisor between; ends when the worker fails.
struct Keeper;

struct KeeperArguments {
    diary: Diary,
    own_children: OwnChildren,
    status: Status,
}

struct KeeperState {
    _shown: OwnChild,
}

enum NoMessage {}

impl ractor::Message for NoMessage {}

impl Actor for Keeper {
    type Msg = NoMessage;
    type State = KeeperState;
    type Arguments = KeeperArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<NoMessage>,
        arguments: KeeperArguments,
    ) -> Result<KeeperState, ActorProcessingErr> {
        arguments.status.set("role", "keeper");
        arguments.status.set("kept", 1);
        let worker = ("kept", arguments.diary, 0);
        let started = Worker::spawn_linked(None, Worker, worker, myself.get_cell()).await?;
        let address: Address<Order> = Address::new();
        address.publish(&started.0);
        let shown = arguments.own_children.show_addressed("kept", &address, started);
        shown.status().set("says", "hello".to_owned());
        Ok(KeeperState { _shown: shown })
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<NoMessage>,
        event: SupervisionEvent,
        _state: &mut KeeperState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(_, error) => Err(error),
            SupervisionEvent::ActorTerminated(..) => {
                myself.stop(Some("its worker ended".into()));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

async fn keeper() -> (Tree, Diary, Supervisor) {
    let (tree, diary) = (tree_at_noon(), Diary::new());
    diary.follow(&tree);
    let kept = diary.clone();
    let keeper = ChildSpec::actor("keeper", move |context| {
        let (own_children, status) = (context.own_children(), context.status());
        (Keeper, KeeperArguments { diary: kept.clone(), own_children, status })
    });
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .intensity(RestartIntensity::new(10, PATIENCE))
        .child(keeper.backoff(at_once()));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    (tree, diary, root)
}

#[tokio::test(start_paused = true)]
async fn an_actor_shows_the_children_it_keeps_and_a_few_words_about_itself() {
    let (tree, _diary, root) = keeper().await;
    let keeper = node(&tree, "keeper");
    assert_eq!(keeper.status["role"], "keeper");
    assert_eq!(keeper.status["kept"], "1");
    let kept = node(&tree, "keeper/kept");
    assert_eq!((kept.kind, kept.state), (NodeKind::Worker, NodeState::Running));
    assert_eq!(kept.status["says"], "hello");
    let restart = tree.operate("keeper/kept", OperatorCommand::Restart).await;
    assert_eq!(restart, Err(OperatorError::Unsupervised));
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_kill_a_kept_child_and_its_keeper_decides() {
    let (tree, diary, root) = keeper().await;
    tree.operate("keeper/kept", OperatorCommand::Kill).await.unwrap();
    diary.wait_for("keeper restarted as 2", 1).await;
    let reason = ExitReason::Shutdown("its worker ended".into());
    assert_eq!(node(&tree, "keeper").last_exit, Some(reason));
    tree.operate("keeper/kept", OperatorCommand::Stop).await.unwrap();
    diary.wait_for("keeper restarted as 3", 1).await;
    let lines = harness::without(diary.lines(), &["keeper"]);
    let expected = ["kept: up", "kept: gone", "kept: up", "kept: ended", "kept: gone", "kept: up"];
    assert_eq!(lines, expected);
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_keeper_takes_its_child_along_and_its_successor_waits_for_both() {
    let (tree, diary, root) = keeper().await;
    tree.operate("keeper", OperatorCommand::Kill).await.unwrap();
    diary.wait_for("keeper restarted as 2", 1).await;
    let lines = harness::without(diary.lines(), &["keeper"]);
    assert_eq!(lines, ["kept: up", "kept: gone", "kept: up"]);
    assert_eq!(node(&tree, "keeper").children.len(), 1);
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_comes_back_after_the_end_of_all_below_it() {
    let (tree, diary) = (tree_at_noon(), Diary::new());
    diary.follow(&tree);
    let ((a, _), (b, _)) = (addressed("a", &diary), addressed("b", &diary));
    let inner = SupervisorSpec::new(Strategy::OneForOne).child(b);
    let outer = SupervisorSpec::new(Strategy::OneForOne)
        .child(a)
        .child(ChildSpec::supervisor("inner", inner));
    let spec =
        SupervisorSpec::new(Strategy::OneForOne).child(ChildSpec::supervisor("outer", outer));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    tree.operate("outer", OperatorCommand::Kill).await.unwrap();
    diary.wait_for("outer restarted as 2", 1).await;
    let lines = harness::without(diary.lines(), &["outer"]);
    assert_eq!(lines[..2], ["a: up", "b: up"]);
    assert_eq!(lines[4..], ["a: up", "b: up"]);
    assert!(lines[2..4].contains(&"a: gone".to_owned()), "{lines:?}");
    assert!(lines[2..4].contains(&"b: gone".to_owned()), "{lines:?}");
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_stopped_without_a_message_still_stops_its_children_in_order() {
    let (tree, diary) = (tree_at_noon(), Diary::new());
    let ((a, _), (b, _)) = (addressed("a", &diary), addressed("b", &diary));
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(a).child(b);
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    diary.take();
    root.actor().stop(None);
    root.ended().await;
    let ends: Vec<String> = harness::without(diary.lines(), &["gone"]);
    assert_eq!(ends, ["b: ended", "a: ended"]);
    assert_eq!(diary.lines().len(), 4);
}
