//! A child fails among siblings: if these were stopped or started in another order, or overlapped
//! with their predecessors, a child would run beside neighbours that are gone.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use harness::{Diary, Order, PATIENCE, addressed, node};
use supervision::{
    Address, AutoShutdown, ChildSpec, ExitReason, NodeState, OperatorCommand, RestartType,
    Strategy, Supervisor, SupervisorSpec, Tree,
};

struct Three {
    tree: Tree,
    diary: Diary,
    addresses: Vec<Address<Order>>,
    root: Supervisor,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

async fn three(strategy: Strategy, change: fn(ChildSpec) -> ChildSpec) -> Three {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let (specs, addresses): (Vec<_>, Vec<_>) =
        NAMES.iter().map(|name| addressed(name, &diary)).unzip();
    let spec = SupervisorSpec::new(strategy);
    let spec = specs.into_iter().map(change).fold(spec, SupervisorSpec::child);
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    assert_eq!(diary.take(), ["a: up", "b: up", "c: up"]);
    Three { tree, diary, addresses, root }
}

fn as_it_is(spec: ChildSpec) -> ChildSpec {
    spec
}

#[tokio::test(start_paused = true)]
async fn one_for_one_touches_only_the_failed_child() {
    let three = three(Strategy::OneForOne, as_it_is).await;
    three.addresses[1].send(Order::Fail("broken")).unwrap();
    three.diary.wait_for("b: up", 1).await;
    assert_eq!(three.diary.lines(), ["b: gone", "b: up"]);
}

#[tokio::test(start_paused = true)]
async fn one_for_all_stops_in_reverse_and_starts_in_order() {
    let three = three(Strategy::OneForAll, as_it_is).await;
    three.addresses[1].send(Order::Fail("broken")).unwrap();
    three.diary.wait_for("c: up", 1).await;
    let expected =
        ["b: gone", "c: ended", "c: gone", "a: ended", "a: gone", "a: up", "b: up", "c: up"];
    assert_eq!(three.diary.lines(), expected);
    assert_eq!(
        node(&three.tree, "a").last_exit,
        Some(ExitReason::Shutdown("restart with a sibling".into()))
    );
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_leaves_those_before_alone() {
    let three = three(Strategy::RestForOne, as_it_is).await;
    three.addresses[1].send(Order::Fail("broken")).unwrap();
    three.diary.wait_for("c: up", 1).await;
    assert_eq!(three.diary.lines(), ["b: gone", "c: ended", "c: gone", "b: up", "c: up"]);
}

#[tokio::test(start_paused = true)]
async fn temporary_siblings_do_not_come_back_with_the_others() {
    let temporary = |spec: ChildSpec| {
        if spec.id().as_str() == "c" { spec.restart(RestartType::Temporary) } else { spec }
    };
    let three = three(Strategy::OneForAll, temporary).await;
    three.addresses[0].send(Order::Fail("broken")).unwrap();
    three.diary.wait_for("b: up", 1).await;
    let expected = ["a: gone", "c: ended", "c: gone", "b: ended", "b: gone", "a: up", "b: up"];
    assert_eq!(three.diary.lines(), expected);
    assert_eq!(node(&three.tree, "c").state, NodeState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_second_failure_during_a_restart_is_not_lost() {
    let three = three(Strategy::RestForOne, as_it_is).await;
    // While c and b are on their way down because of b, a fails as well.
    three.addresses[1].send(Order::Fail("broken")).unwrap();
    three.addresses[0].send(Order::Fail("broken, too")).unwrap();
    three.diary.wait_for("c: up", 1).await;
    let lines = three.diary.lines();
    let last_ups: Vec<&String> = lines.iter().rev().take(3).collect();
    assert_eq!(last_ups, ["c: up", "b: up", "a: up"], "{lines:?}");
    for (name, address) in NAMES.iter().zip(&three.addresses) {
        assert!(address.is_available(), "{name}");
        assert_eq!(node(&three.tree, name).state, NodeState::Running);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_stops_in_reverse_order_one_at_a_time() {
    let three = three(Strategy::OneForOne, as_it_is).await;
    let reason = three.root.shutdown(PATIENCE).await;
    assert_eq!(reason, ExitReason::Shutdown("supervisor shutdown".into()));
    let expected = ["c: ended", "c: gone", "b: ended", "b: gone", "a: ended", "a: gone"];
    assert_eq!(three.diary.lines(), expected);
    let snapshot = three.tree.snapshot().unwrap();
    assert_eq!(snapshot.state, NodeState::Stopped);
    assert!(snapshot.children.iter().all(|child| child.state == NodeState::Stopped));
}

#[tokio::test(start_paused = true)]
async fn the_orderly_end_of_a_significant_child_ends_its_supervisor() {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    let ((helper, _), (job, address)) = (addressed("a", &diary), addressed("job", &diary));
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(helper)
        .child(job.restart(RestartType::Transient).significant());
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    address.send(Order::Fail("a fault is no end")).unwrap();
    diary.wait_for("job: up", 2).await;
    address.send(Order::End(None)).unwrap();
    let reason = root.ended().await;
    assert_eq!(reason, ExitReason::Shutdown("a significant child ended".into()));
    assert_eq!(diary.lines().last().unwrap(), "a: gone");
}

#[tokio::test(start_paused = true)]
async fn an_operators_restart_takes_along_those_that_share_the_fate() {
    let three = three(Strategy::RestForOne, as_it_is).await;
    three.tree.operate("b", OperatorCommand::Restart).await.unwrap();
    three.diary.wait_for("c: up", 1).await;
    let expected = ["c: ended", "c: gone", "b: ended", "b: gone", "b: up", "c: up"];
    assert_eq!(three.diary.lines(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_operators_stop_lasts_until_a_restart() {
    let three = three(Strategy::RestForOne, as_it_is).await;
    three.tree.operate("b", OperatorCommand::Stop).await.unwrap();
    three.diary.wait_for("b: gone", 1).await;
    // A failure before it restarts its sibling, but not what an operator stopped.
    three.addresses[0].send(Order::Fail("broken")).unwrap();
    three.diary.wait_for("c: up", 1).await;
    assert_eq!(node(&three.tree, "b").state, NodeState::Stopped);
    three.diary.take();
    three.tree.operate("b", OperatorCommand::Restart).await.unwrap();
    three.diary.wait_for("c: up", 1).await;
    assert_eq!(three.diary.lines(), ["c: ended", "c: gone", "b: up", "c: up"]);
}
