//! A child ends in each possible way: if its restart type were not honoured, or its reason not
//! told apart, workers would stay down or come back from the dead.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use harness::{Diary, Order, PATIENCE, addressed, node};
use std::time::Duration;
use supervision::{
    Address, ExitReason, NodeState, OperatorCommand, RestartIntensity, RestartType, Strategy,
    Supervisor, SupervisorSpec, Tree,
};

async fn one_child(restart: RestartType) -> (Tree, Diary, Address<Order>, Supervisor) {
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    diary.follow(&tree);
    let (child, address) = addressed("child", &diary);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .intensity(RestartIntensity::new(10, Duration::from_secs(60)))
        .child(child.restart(restart));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    (tree, diary, address, root)
}

#[tokio::test(start_paused = true)]
async fn a_permanent_child_comes_back_whatever_happened() {
    let (tree, diary, address, _root) = one_child(RestartType::Permanent).await;
    let orders = [
        (Order::End(None), ExitReason::Normal),
        (Order::End(Some("enough")), ExitReason::Shutdown("enough".into())),
        (Order::Fail("disk full"), ExitReason::Failed("disk full".into())),
    ];
    for (incarnation, (order, reason)) in (2..).zip(orders) {
        address.send(order).unwrap();
        diary.wait_for(&format!("child restarted as {incarnation}"), 1).await;
        let node = node(&tree, "child");
        assert_eq!(node.last_exit, Some(reason));
        assert_eq!(node.restarts, incarnation - 1);
        assert_eq!(node.state, NodeState::Running);
    }
}

#[tokio::test(start_paused = true)]
async fn a_transient_child_stays_down_after_an_orderly_end() {
    for order in [Order::End(None), Order::End(Some("enough"))] {
        let (tree, diary, address, _root) = one_child(RestartType::Transient).await;
        address.send(order).unwrap();
        diary.wait_for("child: gone", 1).await;
        let lines = diary.lines();
        assert!(lines.iter().any(|line| line.starts_with("child stopped")), "{lines:?}");
        assert_eq!(node(&tree, "child").state, NodeState::Stopped);
        assert!(!address.is_available());
    }
}

#[tokio::test(start_paused = true)]
async fn a_transient_child_comes_back_after_a_fault() {
    let (tree, diary, address, _root) = one_child(RestartType::Transient).await;
    address.send(Order::Fail("disk full")).unwrap();
    diary.wait_for("child restarted as 2", 1).await;
    tree.operate("child", OperatorCommand::Kill).await.unwrap();
    diary.wait_for("child restarted as 3", 1).await;
    assert_eq!(node(&tree, "child").last_exit, Some(ExitReason::Killed));
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_never_comes_back() {
    let (tree, diary, address, _root) = one_child(RestartType::Temporary).await;
    address.send(Order::Fail("disk full")).unwrap();
    diary.wait_for("child stopped: failed: disk full", 1).await;
    assert_eq!(node(&tree, "child").state, NodeState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_told_from_an_error_and_names_its_place() {
    let (tree, diary, address, _root) = one_child(RestartType::Permanent).await;
    address.send(Order::Panic("poison pill")).unwrap();
    diary.wait_for("child restarted as 2", 1).await;
    let Some(ExitReason::Panicked { message, location }) = node(&tree, "child").last_exit else {
        panic!("not seen as a panic: {:?}", node(&tree, "child"));
    };
    assert_eq!(message, "poison pill");
    assert!(location.is_some_and(|place| place.contains("harness/mod.rs:")));
}

#[tokio::test(start_paused = true)]
async fn a_kill_cancels_the_handler_that_is_running() {
    let (tree, diary, address, _root) = one_child(RestartType::Permanent).await;
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (_never, until) = tokio::sync::oneshot::channel();
    address.send(Order::Wait(begun, until)).unwrap();
    has_begun.await.unwrap();
    tree.operate("child", OperatorCommand::Kill).await.unwrap();
    diary.wait_for("child restarted as 2", 1).await;
    // Its `post_stop` did not run, its state was dropped all the same, and before the new one.
    let ends: Vec<String> =
        diary.lines().into_iter().filter(|line| line.starts_with("child: ")).collect();
    assert_eq!(ends, ["child: up", "child: gone", "child: up"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ends_before_its_start_is_reported_is_not_taken_for_alive() {
    // It stops itself in `pre_start`: the event overtakes the report of the start.
    struct Ephemeral;
    impl ractor::Actor for Ephemeral {
        type Msg = Order;
        type State = ();
        type Arguments = ();
        async fn pre_start(
            &self,
            myself: ractor::ActorRef<Order>,
            _arguments: (),
        ) -> Result<(), ractor::ActorProcessingErr> {
            myself.stop(Some("born to die".into()));
            Ok(())
        }
        async fn handle_supervisor_evt(
            &self,
            _myself: ractor::ActorRef<Order>,
            _event: ractor::SupervisionEvent,
            _state: &mut (),
        ) -> Result<(), ractor::ActorProcessingErr> {
            Ok(())
        }
    }
    let (tree, diary) = (Tree::with_system_clock(), Diary::new());
    diary.follow(&tree);
    let slow = supervision::ChildSpec::new("child", |context| async move {
        let started =
            ractor::Actor::spawn_linked(None, Ephemeral, (), context.supervisor()).await?;
        // The report of the start comes only after the end.
        started.0.wait(None).await.map_err(supervision::StartError::failed)?;
        Ok(started.into())
    });
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(slow.restart(RestartType::Transient));
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    diary.wait_for("child stopped: shut down: born to die", 1).await;
    assert_eq!(node(&tree, "child").state, NodeState::Stopped);
    root.shutdown(PATIENCE).await;
}
