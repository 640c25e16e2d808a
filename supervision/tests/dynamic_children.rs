//! Children that come and go: if one that fails took others along, came back too often or could
//! not be released, one bad child would decide over thousands of good ones.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use harness::{Diary, Order, PATIENCE, Worker, addressed, at_once, node, worker};
use ractor::Actor;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use supervision::{
    Address, Backoff, ChildSpec, DynamicSupervisor, DynamicSupervisorSpec, ExitReason, NodeState,
    OperatorCommand, OperatorError, RestartIntensity, RestartType, Shutdown, StartChildError,
    StartError, StopChildError, Strategy, Supervisor, SupervisorSpec, Tree,
};

struct World {
    tree: Tree,
    diary: Diary,
    children: DynamicSupervisor,
    root: Supervisor,
}

async fn world(spec: DynamicSupervisorSpec) -> World {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    diary.follow(&tree);
    let children = DynamicSupervisor::new(spec);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .child(ChildSpec::dynamic_supervisor("children", &children));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    diary.take();
    World { tree, diary, children, root }
}

fn ten() -> DynamicSupervisorSpec {
    DynamicSupervisorSpec::new(10).intensity(RestartIntensity::new(2, Duration::from_secs(60)))
}

impl World {
    async fn start(&self, name: &'static str) -> Address<Order> {
        let (spec, address) = addressed(name, &self.diary);
        self.children.start_child(spec.backoff(at_once()), PATIENCE).await.unwrap();
        address
    }

    async fn fail_until_quarantined(&self, name: &'static str, address: &Address<Order>) {
        for times in 1..=3 {
            address.send(Order::Fail("poisoned")).unwrap();
            if times < 3 {
                self.diary
                    .wait_for(&format!("children/{name} restarted as {}", times + 1), 1)
                    .await;
            }
        }
        let line = format!("children/{name} quarantined: failed: poisoned");
        self.diary.wait_for(&line, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_too_often_is_quarantined_and_its_neighbours_never_notice() {
    let world = world(ten()).await;
    let (bad, good) = (world.start("bad").await, world.start("good").await);
    world.fail_until_quarantined("bad", &bad).await;
    let bad_node = node(&world.tree, "children/bad");
    assert_eq!(bad_node.state, NodeState::Quarantined);
    assert_eq!(bad_node.last_exit, Some(ExitReason::Failed("poisoned".into())));
    assert!(!bad.is_available());
    assert_eq!(good.ask(PATIENCE, Order::Ping).await, Ok(1));
    assert_eq!(node(&world.tree, "children/good").restarts, 0);
    assert_eq!(node(&world.tree, "children").restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn a_quarantined_child_is_refused_until_it_is_released_and_then_starts_afresh() {
    let world = world(ten()).await;
    let bad = world.start("bad").await;
    let path = "children/bad";
    let early = world.tree.operate(path, OperatorCommand::Release).await;
    assert_eq!(early, Err(OperatorError::NotNow));
    world.fail_until_quarantined("bad", &bad).await;
    let again = world.children.start_child(worker("bad", &world.diary, &bad), PATIENCE).await;
    assert!(matches!(again, Err(StartChildError::Quarantined { .. })), "{again:?}");
    world.tree.operate(path, OperatorCommand::Release).await.unwrap();
    world.diary.wait_for("children/bad restarted as 4", 1).await;
    assert_eq!(bad.ask(PATIENCE, Order::Ping).await, Ok(4));
    // Its earlier failures are forgotten: it takes as many again.
    world.diary.take();
    bad.send(Order::Fail("once more")).unwrap();
    world.diary.wait_for("children/bad restarted as 5", 1).await;
    assert!(world.diary.lines().iter().any(|line| line.ends_with("once more; again in 0ns")));
}

#[tokio::test(start_paused = true)]
async fn a_quarantined_child_can_be_stopped_for_good() {
    let world = world(ten()).await;
    let bad = world.start("bad").await;
    world.fail_until_quarantined("bad", &bad).await;
    world.children.stop_child("bad", PATIENCE).await.unwrap();
    assert!(node(&world.tree, "children").children.is_empty());
    world.start("bad").await;
}

#[tokio::test(start_paused = true)]
async fn failures_far_apart_never_lead_to_quarantine_and_do_not_lengthen_the_delay() {
    let world = world(ten()).await;
    let (spec, address) = addressed("child", &world.diary);
    let backoff = Backoff {
        jitter: 0.0,
        reset_after: Duration::from_secs(60),
        ..Backoff::new(Duration::from_secs(1), Duration::from_secs(8))
    };
    world.children.start_child(spec.backoff(backoff), PATIENCE).await.unwrap();
    for incarnation in 2..7 {
        address.send(Order::Fail("now and then")).unwrap();
        world.diary.wait_for(&format!("children/child restarted as {incarnation}"), 1).await;
        // Time passes on the paused clock only.
        tokio::time::advance(Duration::from_secs(61)).await;
    }
    let delayed = "children/child failed: now and then; again in 0ns";
    assert_eq!(world.diary.count(delayed), 5);
}

#[tokio::test(start_paused = true)]
async fn failures_close_together_wait_longer_and_the_tree_says_until_when() {
    let world = world(DynamicSupervisorSpec::new(1)).await;
    let (spec, address) = addressed("child", &world.diary);
    let backoff = Backoff { jitter: 0.0, ..Backoff::new(Duration::from_secs(5), PATIENCE) };
    world.children.start_child(spec.backoff(backoff), PATIENCE).await.unwrap();
    address.send(Order::Fail("again")).unwrap();
    world.diary.wait_for("children/child restarted as 2", 1).await;
    let before = tokio::time::Instant::now();
    address.send(Order::Fail("again")).unwrap();
    world.diary.wait_for("children/child failed: again; again in 5s", 1).await;
    assert!(matches!(node(&world.tree, "children/child").state, NodeState::BackingOff { .. }));
    assert!(address.send(Order::Write("lost")).is_err());
    world.diary.wait_for("children/child restarted as 3", 1).await;
    assert_eq!(before.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_and_a_name_is_taken_once() {
    let world = world(DynamicSupervisorSpec::new(2)).await;
    let (first, _second) = (world.start("first").await, world.start("second").await);
    let (spec, _) = addressed("third", &world.diary);
    let third = world.children.start_child(spec.clone(), PATIENCE).await;
    assert_eq!(third, Err(StartChildError::LimitReached { children_max: 2 }));
    let again = world.children.start_child(worker("first", &world.diary, &first), PATIENCE).await;
    assert_eq!(again, Err(StartChildError::AlreadyPresent { child: "first".into() }));
    world.children.stop_child("second", PATIENCE).await.unwrap();
    world.children.start_child(spec, PATIENCE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_leaves_the_tree_when_it_ends() {
    let world = world(ten()).await;
    let (spec, address) = addressed("session", &world.diary);
    let spec = spec.restart(RestartType::Temporary);
    world.children.start_child(spec, PATIENCE).await.unwrap();
    address.send(Order::Panic("bad frame")).unwrap();
    world.diary.wait_for("session: gone", 1).await;
    let stopped = |line: &String| line.starts_with("children/session stopped: panicked at");
    assert!(world.diary.lines().iter().any(stopped), "{:?}", world.diary.lines());
    assert!(node(&world.tree, "children").children.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_first_start_is_reported_and_retried_unless_the_child_is_temporary() {
    let world = world(ten()).await;
    let ready = Arc::new(AtomicBool::new(false));
    let spec = |name: &str| {
        let (ready, diary) = (ready.clone(), world.diary.clone());
        ChildSpec::new(name, move |context| {
            let (is_ready, diary) = (ready.swap(true, Ordering::Relaxed), diary.clone());
            async move {
                if !is_ready {
                    return Err(StartError::failed("not yet"));
                }
                let (arguments, parent) = (("child", diary, 0), context.supervisor());
                Ok(Worker::spawn_linked(None, Worker, arguments, parent).await?.into())
            }
        })
    };
    let reason = ExitReason::StartFailed("not yet".into());
    let failed = world.children.start_child(spec("child"), PATIENCE).await;
    let is_retried = true;
    let child = "child".into();
    assert_eq!(failed, Err(StartChildError::Failed { child, reason: reason.clone(), is_retried }));
    world.diary.wait_for("children/child started", 1).await;
    ready.store(false, Ordering::Relaxed);
    let temporary = spec("temporary").restart(RestartType::Temporary);
    let failed = world.children.start_child(temporary, PATIENCE).await;
    let (child, is_retried) = ("temporary".into(), false);
    assert_eq!(failed, Err(StartChildError::Failed { child, reason, is_retried }));
    assert_eq!(node(&world.tree, "children").children.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn starts_overlap_and_a_slow_one_can_be_stopped() {
    let world = world(ten()).await;
    let endless = ChildSpec::new("endless", |_| std::future::pending()).start_deadline(None);
    let start = world.children.start_child(endless, PATIENCE);
    let (started, quick) = tokio::join!(start, async {
        let address = world.start("quick").await;
        world.children.stop_child("endless", PATIENCE).await.unwrap();
        address
    });
    assert_eq!(started, Err(StartChildError::Stopped { child: "endless".into() }));
    assert!(quick.is_available());
    let unknown = world.children.stop_child("endless", PATIENCE).await;
    assert_eq!(unknown, Err(StopChildError::UnknownChild { child: "endless".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_child_finishes_what_waits_in_its_mailbox() {
    let world = world(ten()).await;
    let address = world.start("child").await;
    for _ in 0..3 {
        address.send(Order::Write("handled")).unwrap();
    }
    world.children.stop_child("child", PATIENCE).await.unwrap();
    let lines = harness::without(world.diary.lines(), &["/"]);
    assert_eq!(
        lines,
        ["child: up", "handled", "handled", "handled", "child: ended", "child: gone"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_end_in_time_is_killed() {
    let world = world(ten()).await;
    let (spec, address) = addressed("child", &world.diary);
    let spec = spec.shutdown(Shutdown::Graceful(Duration::from_secs(3)));
    world.children.start_child(spec, PATIENCE).await.unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (_never, until) = tokio::sync::oneshot::channel();
    address.send(Order::Wait(begun, until)).unwrap();
    has_begun.await.unwrap();
    let before = tokio::time::Instant::now();
    world.children.stop_child("child", PATIENCE).await.unwrap();
    assert_eq!(before.elapsed().as_secs(), 3);
    assert_eq!(world.diary.count("children/child stopped: killed"), 1);
    assert_eq!(world.diary.count("child: ended"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_shutdown_cuts_the_childrens_own() {
    let world = world(ten()).await;
    let (spec, address) = addressed("child", &world.diary);
    world
        .children
        .start_child(spec.shutdown(Shutdown::Graceful(PATIENCE)), PATIENCE)
        .await
        .unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (_never, until) = tokio::sync::oneshot::channel();
    address.send(Order::Wait(begun, until)).unwrap();
    has_begun.await.unwrap();
    let before = tokio::time::Instant::now();
    world.root.shutdown(Duration::from_secs(2)).await;
    assert_eq!(before.elapsed().as_secs(), 2);
    assert_eq!(
        world.diary.lines().last().unwrap(),
        "children stopped: shut down: supervisor shutdown"
    );
    assert_eq!(world.diary.count("child: gone"), 1);
}

#[tokio::test(start_paused = true)]
async fn children_of_the_first_hour_come_back_with_their_supervisor() {
    let diary = Diary::new();
    let (spec, address) = addressed("initial", &diary);
    let world = world(ten().initial(move || vec![spec.clone()])).await;
    diary.wait_for("initial: up", 1).await;
    world.start("later").await;
    world.tree.operate("children", OperatorCommand::Kill).await.unwrap();
    diary.wait_for("initial: up", 2).await;
    world.diary.wait_for("children/initial started", 1).await;
    assert!(address.is_available());
    let names: Vec<String> =
        node(&world.tree, "children").children.into_iter().map(|child| child.id).collect();
    assert_eq!(names, ["initial"]);
    // The handle leads to the new incarnation.
    world.start("later").await;
}

#[tokio::test(start_paused = true)]
async fn without_its_supervisor_the_handle_refuses() {
    let world = world(ten()).await;
    world.root.shutdown(PATIENCE).await;
    let (spec, _) = addressed("late", &world.diary);
    assert!(!world.children.is_available());
    let started = world.children.start_child(spec.clone(), PATIENCE).await;
    assert_eq!(started, Err(StartChildError::SupervisorDown));
    assert!(world.children.request_start(spec).is_err());
    let stopped = world.children.stop_child("late", PATIENCE).await;
    assert_eq!(stopped, Err(StopChildError::SupervisorDown));
}

#[tokio::test(start_paused = true)]
async fn a_child_wanted_while_the_initial_ones_are_named_is_not_lost() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let ((late, _), itself) = (addressed("late", &diary), Arc::new(OnceLock::new()));
    let handle: Arc<OnceLock<DynamicSupervisor>> = Arc::clone(&itself);
    // whoever notes a child just after the notes were read must be able to request it
    let initial = move || {
        let taken = handle.get().unwrap().request_start(late.clone());
        assert!(taken.is_ok(), "the request was refused, and the child is in no list");
        Vec::new()
    };
    let children = DynamicSupervisor::new(ten().initial(initial));
    itself.set(children.clone()).unwrap();
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .child(ChildSpec::dynamic_supervisor("children", &children));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    diary.wait_for("late: up", 1).await;
    root.shutdown(PATIENCE).await;
}
