//! What the tests of this crate share: a diary that everybody writes into, and a worker that
//! does what it is told. Nothing here sleeps; all waiting is for a line in the diary.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use supervision::{Address, Backoff, ChildSpec, Notice, NoticeEvent, Tree, TreeNode};
use tokio::sync::{oneshot, watch};

/// No wait in a passing test is this long, on a paused clock it costs nothing.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Lines in the order they were written; clones are the same diary.
#[derive(Clone)]
pub struct Diary {
    lines: Arc<Mutex<Vec<String>>>,
    length: Arc<watch::Sender<usize>>,
}

impl Diary {
    pub fn new() -> Self {
        Self { lines: Arc::default(), length: Arc::new(watch::Sender::new(0)) }
    }

    pub fn write(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
        self.length.send_modify(|length| *length += 1);
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }

    pub fn count(&self, line: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|present| *present == line).count()
    }

    /// Waits until `line` has been written `times` times.
    pub async fn wait_for(&self, line: &str, times: usize) {
        let mut length = self.length.subscribe();
        let seen = length.wait_for(|_| self.count(line) >= times);
        if tokio::time::timeout(PATIENCE, seen).await.is_err() {
            panic!("never written {times} times: {line:?}; the diary: {:#?}", self.lines());
        }
    }

    /// Writes every notice of `tree` as `path event`.
    pub fn follow(&self, tree: &Tree) {
        let diary = self.clone();
        tree.subscribe(Arc::new(move |notice| diary.write(notice_line(notice))));
    }
}

pub fn notice_line(notice: &Notice) -> String {
    let path = &notice.path;
    match &notice.event {
        NoticeEvent::Started => format!("{path} started"),
        NoticeEvent::Restarted { incarnation } => format!("{path} restarted as {incarnation}"),
        NoticeEvent::Failed { reason, delay } => format!("{path} {reason}; again in {delay:?}"),
        NoticeEvent::Quarantined { reason } => format!("{path} quarantined: {reason}"),
        NoticeEvent::Escalated { reason } => format!("{path} escalated: {reason}"),
        NoticeEvent::Stopped { reason } => format!("{path} stopped: {reason}"),
    }
}

/// What a worker can be told.
pub enum Order {
    /// Panic in the handler.
    Panic(&'static str),
    /// Return an error from the handler.
    Fail(&'static str),
    /// End, naming a reason or none.
    End(Option<&'static str>),
    /// Write a line.
    Write(&'static str),
    /// Answer.
    Ping(RpcReplyPort<u64>),
    /// Say that the handler has begun, then wait until told or cancelled.
    Wait(oneshot::Sender<()>, oneshot::Receiver<()>),
}

impl ractor::Message for Order {}

/// Writes `name: up`, `name: ended` (its `post_stop`) and `name: gone` (its state is dropped).
#[derive(Default)]
pub struct Worker;

pub struct WorkerState {
    incarnation: u64,
    trace: Trace,
}

pub struct Trace {
    pub name: &'static str,
    pub diary: Diary,
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.diary.write(format!("{}: gone", self.name));
    }
}

impl Actor for Worker {
    type Msg = Order;
    type State = WorkerState;
    type Arguments = (&'static str, Diary, u64);

    async fn pre_start(
        &self,
        _myself: ActorRef<Order>,
        (name, diary, incarnation): Self::Arguments,
    ) -> Result<WorkerState, ActorProcessingErr> {
        diary.write(format!("{name}: up"));
        Ok(WorkerState { incarnation, trace: Trace { name, diary } })
    }

    async fn handle(
        &self,
        myself: ActorRef<Order>,
        order: Order,
        state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Panic(text) => panic!("{text}"),
            Order::Fail(text) => return Err(text.into()),
            Order::End(reason) => myself.stop(reason.map(str::to_owned)),
            Order::Write(line) => state.trace.diary.write(line),
            Order::Ping(reply) => reply.send(state.incarnation)?,
            Order::Wait(begun, until) => {
                let _ = begun.send(());
                let _ = until.await;
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Order>,
        state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        state.trace.diary.write(format!("{}: ended", state.trace.name));
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Order>,
        _event: SupervisionEvent,
        _state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// A worker found at `address`.
pub fn worker(name: &'static str, diary: &Diary, address: &Address<Order>) -> ChildSpec {
    let diary = diary.clone();
    ChildSpec::addressed_actor(name, address, move |context| {
        (Worker, (name, diary.clone(), context.incarnation()))
    })
}

/// A worker and its address.
pub fn addressed(name: &'static str, diary: &Diary) -> (ChildSpec, Address<Order>) {
    let address = Address::new();
    (worker(name, diary, &address), address)
}

/// No delays at all.
pub fn at_once() -> Backoff {
    Backoff { jitter: 0.0, ..Backoff::new(Duration::ZERO, Duration::ZERO) }
}

/// A node of the tree as it is now.
pub fn node(tree: &Tree, path: &str) -> TreeNode {
    let root = tree.snapshot().expect("a root was started");
    root.find(path).unwrap_or_else(|| panic!("nothing at {path:?} in {root:#?}")).clone()
}

/// The lines without those that start with one of `prefixes`.
pub fn without(lines: Vec<String>, marks: &[&str]) -> Vec<String> {
    lines.into_iter().filter(|line| !marks.iter().any(|mark| line.contains(mark))).collect()
}
