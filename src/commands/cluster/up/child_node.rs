//! One node of a trial: its process, and the task that reads its lines and waits for its end. The
//! process is killed when the task ends before it.

use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How the line begins that says that a node is ready.
const READY: &str = "callboard is ready";

/// What a node does.
pub enum NodeEvent {
    /// It has written a line of its log.
    Line { node: u16, text: String },
    /// Clients can connect.
    Ready { node: u16 },
    /// Its process has ended.
    Ended { node: u16, status: ExitStatus },
}

/// What a node is told.
pub enum Order {
    /// To stop in order.
    Stop,
    /// To end at once.
    Kill,
}

/// A node that runs. Dropping it kills the process.
pub struct RunningNode {
    /// The process's number, for whoever wants to kill it.
    pub process: u32,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RunningNode {
    pub fn start(node: u16, mut command: Command, events: mpsc::Sender<NodeEvent>) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child =
            command.spawn().with_context(|| format!("node {node} cannot be started"))?;
        let process = child.id().context("the process has no number")?;
        let (orders, inbox) = mpsc::channel(1);
        let readers = [
            child.stdout.take().map(|pipe| tokio::spawn(read(node, pipe, events.clone()))),
            child.stderr.take().map(|pipe| tokio::spawn(read(node, pipe, events.clone()))),
        ];
        let task = tokio::spawn(async move {
            let status = wait(child, inbox).await;
            for reader in readers.into_iter().flatten() {
                // its last lines come before its end
                let _ = reader.await;
            }
            if let Some(status) = status {
                let _ = events.send(NodeEvent::Ended { node, status }).await;
            }
        });
        Ok(Self { process, orders, task })
    }

    pub async fn order(&self, order: Order) {
        // a process that has ended takes no orders, and its end is on the way
        let _ = self.orders.send(order).await;
    }
}

async fn wait(mut child: Child, mut orders: mpsc::Receiver<Order>) -> Option<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status.ok(),
            Some(order) = orders.recv() => carry_out(&mut child, order),
        }
    }
}

/// What fails has ended already, which the next wait tells.
fn carry_out(child: &mut Child, order: Order) {
    let number = child.id().and_then(|id| i32::try_from(id).ok());
    match (order, number.and_then(Pid::from_raw)) {
        (Order::Stop, Some(process)) => drop(kill_process(process, Signal::TERM)),
        (Order::Kill, _) => drop(child.start_kill()),
        (Order::Stop, None) => {}
    }
}

async fn read(node: u16, pipe: impl AsyncRead + Unpin, events: mpsc::Sender<NodeEvent>) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        let event = match text.starts_with(READY) {
            true => NodeEvent::Ready { node },
            false => NodeEvent::Line { node, text },
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}
