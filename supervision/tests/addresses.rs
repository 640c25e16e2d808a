//! Senders hold an address across the lives of an actor: if it led to the dead, or swallowed what
//! cannot be delivered, requests would hang instead of being refused.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use harness::{Diary, Order, PATIENCE, addressed, node};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use std::time::Duration;
use supervision::{
    Address, AskError, ChildSpec, Counted, OperatorCommand, Probe, RestartType, Shutdown, Strategy,
    Supervisor, SupervisorSpec, Tree,
};
use tokio::sync::oneshot;

async fn supervised(spec: ChildSpec) -> (Tree, Supervisor) {
    let tree = Tree::with_system_clock();
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(spec);
    let root = Supervisor::start(&tree, "root", spec).await.unwrap();
    (tree, root)
}

#[tokio::test(start_paused = true)]
async fn an_address_leads_to_the_next_incarnation() {
    let diary = Diary::new();
    let (child, address) = addressed("child", &diary);
    let early = address.clone();
    assert!(!early.is_available());
    assert!(early.send(Order::Write("too early")).is_err());
    let (tree, root) = supervised(child).await;
    assert_eq!(early.ask(PATIENCE, Order::Ping).await, Ok(1));
    let first = early.actor().unwrap();
    tree.operate("child", OperatorCommand::Kill).await.unwrap();
    diary.wait_for("child: up", 2).await;
    assert_eq!(early.ask(PATIENCE, Order::Ping).await, Ok(2));
    assert_ne!(early.actor().unwrap(), first);
    root.shutdown(PATIENCE).await;
    assert!(!early.is_available());
    assert_eq!(early.ask(PATIENCE, Order::Ping).await, Err(AskError::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_comes_back() {
    let diary = Diary::new();
    let (child, address) = addressed("child", &diary);
    let (_tree, root) = supervised(child.restart(RestartType::Temporary)).await;
    address.send(Order::End(None)).unwrap();
    diary.wait_for("child: gone", 1).await;
    let undeliverable = address.send(Order::Write("returned")).unwrap_err();
    assert!(matches!(undeliverable.0, Order::Write("returned")));
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_ends_with_an_answer_a_refusal_or_at_its_deadline() {
    let diary = Diary::new();
    let (child, address) = addressed("child", &diary);
    let spec = child.restart(RestartType::Temporary).shutdown(Shutdown::Kill);
    let (tree, root) = supervised(spec).await;
    let (begun, has_begun) = oneshot::channel();
    let (_never, until) = oneshot::channel();
    address.send(Order::Wait(begun, until)).unwrap();
    has_begun.await.unwrap();
    let short = Duration::from_secs(1);
    assert_eq!(address.ask(short, Order::Ping).await, Err(AskError::DeadlineExceeded(short)));
    let (answer, killed) = tokio::join!(
        address.ask(PATIENCE, Order::Ping),
        tree.operate("child", OperatorCommand::Kill),
    );
    assert_eq!((answer, killed), (Err(AskError::Dropped), Ok(())));
    root.shutdown(PATIENCE).await;
}

/// Its mailbox is counted; it reads on only when it is told to.
struct Slow;

enum SlowMessage {
    Wait(oneshot::Sender<()>, oneshot::Receiver<()>),
    Work,
    Seen(RpcReplyPort<u64>),
}

impl Actor for Slow {
    type Msg = Counted<SlowMessage>;
    type State = u64;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        _arguments: (),
    ) -> Result<u64, ActorProcessingErr> {
        // What it sends itself is not counted.
        myself.cast(SlowMessage::Work.into())?;
        Ok(0)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        seen: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message.open() {
            SlowMessage::Wait(begun, until) => {
                let _ = begun.send(());
                let _ = until.await;
            }
            SlowMessage::Work => *seen += 1,
            SlowMessage::Seen(reply) => reply.send(*seen)?,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _seen: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

async fn hold(address: &Address<SlowMessage>) -> oneshot::Sender<()> {
    let (begun, has_begun) = oneshot::channel();
    let (release, until) = oneshot::channel();
    address.send(SlowMessage::Wait(begun, until)).unwrap();
    has_begun.await.unwrap();
    release
}

#[tokio::test(start_paused = true)]
async fn the_depth_of_a_counted_mailbox_is_what_waits_in_it() {
    let address = Address::new();
    let (tree, root) =
        supervised(ChildSpec::addressed_actor("slow", &address, |_| (Slow, ()))).await;
    let release = hold(&address).await;
    for depth in 0..3 {
        assert_eq!(address.depth(), Some(depth));
        assert_eq!(node(&tree, "slow").mailbox_depth, Some(depth as u64));
        address.send(SlowMessage::Work).unwrap();
    }
    release.send(()).unwrap();
    assert_eq!(address.ask(PATIENCE, SlowMessage::Seen).await, Ok(4));
    assert_eq!(address.depth(), Some(0));
    root.shutdown(PATIENCE).await;
    assert_eq!(address.depth(), None);
}

#[tokio::test(start_paused = true)]
async fn messages_that_die_with_their_reader_no_longer_count() {
    let address = Address::new();
    let (tree, root) =
        supervised(ChildSpec::addressed_actor("slow", &address, |_| (Slow, ()))).await;
    let _release = hold(&address).await;
    for _ in 0..3 {
        address.send(SlowMessage::Work).unwrap();
    }
    let diary = Diary::new();
    diary.follow(&tree);
    tree.operate("slow", OperatorCommand::Kill).await.unwrap();
    diary.wait_for("slow restarted as 2", 1).await;
    assert_eq!(address.ask(PATIENCE, SlowMessage::Seen).await, Ok(1));
    assert_eq!(address.depth(), Some(0));
    root.shutdown(PATIENCE).await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_records_what_an_address_delivers() {
    let probe = Probe::<Order, String>::noting(|order| match order {
        Order::Write(line) => line.to_owned(),
        Order::Ping(reply) => format!("ping {}", reply.send(7).is_ok()),
        _ => "other".to_owned(),
    });
    let probe = probe.await.unwrap();
    let address = probe.address();
    address.send(Order::Write("one")).unwrap();
    assert_eq!(address.ask(PATIENCE, Order::Ping).await, Ok(7));
    probe.wait_for(|notes| notes.len() == 2, PATIENCE).await.unwrap();
    assert_eq!(probe.take(), ["one", "ping true"]);
    let timeout = probe.wait_for(|notes| !notes.is_empty(), PATIENCE).await.unwrap_err();
    assert_eq!((timeout.waited, timeout.noted), (PATIENCE, 0));
}
