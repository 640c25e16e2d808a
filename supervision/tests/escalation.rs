//! A child fails again and again: if its supervisor did not give up in order, a fault that a
//! restart cannot mend would either spread unseen or be retried for ever.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use harness::{Diary, Order, PATIENCE, addressed, at_once, node};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use supervision::{
    Backoff, ChildSpec, ExitReason, NodeState, RestartIntensity, StartError, Strategy, Supervisor,
    SupervisorSpec, Tree,
};

fn intensity(restarts: u32) -> RestartIntensity {
    RestartIntensity::new(restarts, Duration::from_secs(60))
}

#[tokio::test(start_paused = true)]
async fn beyond_its_intensity_a_supervisor_stops_the_others_in_order_and_ends_with_an_error() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let ((a, _), (b, failing), (c, _)) =
        (addressed("a", &diary), addressed("b", &diary), addressed("c", &diary));
    let spec = SupervisorSpec::new(Strategy::OneForOne).intensity(intensity(1));
    let spec = spec.child(a).child(b.backoff(at_once())).child(c);
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    failing.send(Order::Fail("first")).unwrap();
    diary.wait_for("b: up", 2).await;
    diary.take();
    failing.send(Order::Fail("second")).unwrap();
    let reason = root.ended().await;
    let text = "gave up after too many failures, the last of child b: failed: second";
    assert_eq!(reason, ExitReason::Failed(text.into()));
    assert_eq!(diary.lines(), ["b: gone", "c: ended", "c: gone", "a: ended", "a: gone"]);
    assert_eq!(node(&tree, "").last_exit, Some(ExitReason::Failed(text.into())));
}

#[tokio::test(start_paused = true)]
async fn its_parent_starts_it_again_with_all_its_children() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    diary.follow(&tree);
    let (child, failing) = addressed("child", &diary);
    let (neighbour, _) = addressed("neighbour", &diary);
    let team = SupervisorSpec::new(Strategy::OneForOne).intensity(intensity(0));
    let team = team.child(neighbour).child(child);
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(ChildSpec::supervisor("team", team));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    diary.take();
    failing.send(Order::Panic("poison pill")).unwrap();
    diary.wait_for("team restarted as 2", 1).await;
    let lines = diary.lines();
    assert!(lines[1].starts_with("team/child escalated: panicked at"), "{lines:?}");
    let steps = harness::without(lines, &["escalated", "again in", "stopped"]);
    let expected = [
        "child: gone",
        "neighbour: ended",
        "neighbour: gone",
        "neighbour: up",
        "team/neighbour started",
        "child: up",
        "team/child started",
        "team restarted as 2",
    ];
    assert_eq!(steps, expected);
    assert!(failing.is_available());
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_counts_as_up_only_when_its_children_are() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let ((first, _), (second, _)) = (addressed("first", &diary), addressed("second", &diary));
    let team = SupervisorSpec::new(Strategy::OneForOne).child(first);
    let spec = SupervisorSpec::new(Strategy::RestForOne)
        .child(ChildSpec::supervisor("team", team))
        .child(second);
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    assert_eq!(diary.lines(), ["first: up", "second: up"]);
    assert_eq!(node(&tree, "team/first").state, NodeState::Running);
    root.shutdown(PATIENCE).await;
    let ends = ["second: ended", "second: gone", "first: ended", "first: gone"];
    assert_eq!(diary.lines()[2..], ends);
}

/// Fails its first `failures` starts.
fn stubborn(failures: u32, diary: &Diary) -> (ChildSpec, Arc<AtomicU32>) {
    let (attempts, diary) = (Arc::new(AtomicU32::new(0)), diary.clone());
    let counted = attempts.clone();
    let spec = ChildSpec::new("stubborn", move |context| {
        let attempt = counted.fetch_add(1, Ordering::Relaxed);
        let diary = diary.clone();
        async move {
            if attempt < failures {
                return Err(StartError::failed("not yet"));
            }
            let arguments = ("stubborn", diary, context.incarnation());
            let parent = context.supervisor();
            Ok(ractor::Actor::spawn_linked(None, harness::Worker, arguments, parent).await?.into())
        }
    });
    (spec, attempts)
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_tried_again_with_backoff_and_holds_up_those_after_it() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    diary.follow(&tree);
    let (child, attempts) = stubborn(3, &diary);
    let (later, _) = addressed("later", &diary);
    let backoff = Backoff { jitter: 0.0, ..Backoff::new(Duration::from_secs(1), PATIENCE) };
    let spec = SupervisorSpec::new(Strategy::OneForOne).intensity(intensity(3));
    let spec = spec.child(child.backoff(backoff)).child(later);
    let before = tokio::time::Instant::now();
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    // At once, after one second, after two.
    assert_eq!(before.elapsed().as_secs(), 3);
    assert_eq!(attempts.load(Ordering::Relaxed), 4);
    let lines = diary.lines();
    assert_eq!(lines[0], "stubborn start failed: not yet; again in 0ns");
    assert_eq!(lines[1], "stubborn start failed: not yet; again in 1s");
    assert_eq!(lines[2], "stubborn start failed: not yet; again in 2s");
    assert_eq!(lines[3..], ["stubborn: up", "stubborn started", "later: up", "later started"]);
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_root_whose_child_never_comes_up_says_so_and_leaves_nothing() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let (first, _) = addressed("first", &diary);
    let (child, _) = stubborn(u32::MAX, &diary);
    let spec = SupervisorSpec::new(Strategy::OneForOne).intensity(intensity(2));
    let spec = spec.child(first).child(child);
    let error = Supervisor::start(&tree, "root", spec).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the last of child stubborn: start failed: not yet"), "{text}");
    assert_eq!(diary.lines(), ["first: up", "first: ended", "first: gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_nested_supervisor_that_never_comes_up_is_retried_by_its_parent() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let (first, _) = addressed("first", &diary);
    let (child, attempts) = stubborn(2, &diary);
    let team = SupervisorSpec::new(Strategy::OneForOne).intensity(intensity(1));
    let team = team.child(first).child(child.backoff(at_once()));
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(ChildSpec::supervisor("team", team));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    let Some(ExitReason::StartFailed(text)) = node(&tree, "team").last_exit else {
        panic!("{:?}", node(&tree, "team"));
    };
    assert!(text.contains("child stubborn"), "{text}");
    let expected = ["first: up", "first: ended", "first: gone", "first: up", "stubborn: up"];
    assert_eq!(diary.lines(), expected);
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_panics_or_hangs_is_a_failed_start() {
    for (hangs, expected) in [(false, "panicked at"), (true, "not up within 5s")] {
        let tree = Tree::with_system_clock();
        let child = ChildSpec::new("child", move |_| async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            panic!("no such thing");
        });
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .intensity(intensity(0))
            .child(child.start_deadline(Some(Duration::from_secs(5))));
        let error = Supervisor::start(&tree, "root", spec).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_children_of_one_name_are_refused() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let ((one, _), (other, _)) = (addressed("twin", &diary), addressed("twin", &diary));
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(one).child(other);
    let error = Supervisor::start(&tree, "root", spec).await.unwrap_err();
    assert_eq!(error.to_string(), "two children are named twin");
    assert!(diary.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_during_the_start_cancels_it_and_stops_what_is_up() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    diary.follow(&tree);
    let (first, _) = addressed("first", &diary);
    let (inner, _) = addressed("inner", &diary);
    let endless = ChildSpec::new("endless", |_| std::future::pending());
    let team =
        SupervisorSpec::new(Strategy::OneForOne).child(inner).child(endless.start_deadline(None));
    let dynamic = supervision::DynamicSupervisor::new(supervision::DynamicSupervisorSpec::new(1));
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .child(ChildSpec::dynamic_supervisor("teams", &dynamic));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    let outer = SupervisorSpec::new(Strategy::OneForOne)
        .child(first)
        .child(ChildSpec::supervisor("team", team));
    assert!(dynamic.request_start(ChildSpec::supervisor("outer", outer)).is_ok());
    diary.wait_for("teams/outer/team/inner started", 1).await;
    diary.take();
    root.shutdown(PATIENCE).await;
    let lines = harness::without(diary.take(), &["stopped"]);
    assert_eq!(lines, ["inner: ended", "inner: gone", "first: ended", "first: gone"]);
}
