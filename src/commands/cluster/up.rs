//! `callboard cluster up`: a cluster on one machine, for a trial.
//!
//! ```text
//! up ── one task a node ── callboard serve (a process and process group of its own)
//!  ◀── lines of its log, that it is ready, that it has ended
//! ```
//!
//! Nodes have process groups of their own, or Ctrl-C would reach all of them at once instead of in
//! order.

mod child_node;
mod layout;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::output::{self, Output};
use crate::stop_signals::StopSignals;
use child_node::{NodeEvent, Order, RunningNode};
use layout::Layout;

/// How long the nodes may take to stop in order before they are killed.
const STOP_DEADLINE: Duration = Duration::from_secs(70);
/// How long the end of killed processes is waited for.
const KILL_DEADLINE: Duration = Duration::from_secs(5);
/// Lines of logs that wait to be shown; nodes that write more wait.
const LINES_MAX: usize = 1024;

/// Run a cluster of several nodes on this machine, for a trial.
///
/// Each node is a process of its own, with its data in the directory; the same command on the same
/// directory goes on where it stopped. Kill a node (kill -9) to see what happens: it is started
/// again a little later. One that is stopped in order (kill) stays down. Topics get three replicas,
/// of which two have to be in sync, where there are so many nodes. Ctrl-C stops all of them in order.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Ports, with the default base of 9092: clients connect to 9092, 9093, …, nodes to each other on
10092, 10093, …, metrics and trees are at 9644, 9645, …

Examples:
  callboard cluster up
  callboard cluster up --nodes 5 --directory /tmp/five --set log.retention.ms=3600000
  CALLBOARD_BOOTSTRAP=127.0.0.1:9092,127.0.0.1:9093 callboard cluster status")]
pub struct UpArguments {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// Where the nodes keep their data, each in a directory of its own
    #[arg(long, value_name = "DIR", default_value = "callboard-trial")]
    directory: PathBuf,
    /// The port at which clients connect to node 1; those of the others follow
    #[arg(long, value_name = "PORT", default_value_t = 9092,
          value_parser = clap::value_parser!(u16).range(1..=60_000))]
    base_port: u16,
    /// The port of node 1's metrics and tree; those of the others follow
    #[arg(long, value_name = "PORT", default_value_t = 9644,
          value_parser = clap::value_parser!(u16).range(1..=60_000))]
    admin_base_port: u16,
    /// A setting of all nodes; may be given often
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// How long a node that was killed stays down
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    restart_after: u64,
}

/// The trial while it runs.
struct Trial {
    layout: Layout,
    running: BTreeMap<u16, RunningNode>,
    ready: BTreeSet<u16>,
    /// Nodes that were killed, and when they come back.
    returning: BTreeMap<u16, Instant>,
    restart_after: Duration,
    is_announced: bool,
    events: mpsc::Sender<NodeEvent>,
}

pub async fn run(arguments: &UpArguments) -> Result<ExitCode> {
    let mut signals = StopSignals::listen().context("signals cannot be listened to")?;
    let (events, mut inbox) = mpsc::channel(LINES_MAX);
    let mut trial = Trial {
        layout: Layout::new(arguments)?,
        running: BTreeMap::new(),
        ready: BTreeSet::new(),
        returning: BTreeMap::new(),
        restart_after: Duration::from_secs(arguments.restart_after),
        is_announced: false,
        events,
    };
    trial.start_first()?;
    let done = loop {
        let next = trial.returning.values().min().copied();
        let wake = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            Some(event) = inbox.recv() => {
                if let Err(error) = trial.on_event(event) {
                    break Err(error);
                }
                if trial.is_over() {
                    break Ok(());
                }
            }
            () = sleep_until(wake), if next.is_some() => {
                if let Err(error) = trial.start_returning() {
                    break Err(error);
                }
            }
            _ = signals.next() => break Ok(()),
        }
    };
    output::note("stops the nodes in order; a second signal kills them");
    tokio::select! {
        stopped = timeout(STOP_DEADLINE, trial.stop(&mut inbox)) => {
            if stopped.is_err() {
                output::note("some nodes did not stop in time and are killed");
            }
        }
        _ = signals.next() => output::note("kills the nodes"),
    }
    // nobody is left behind: what does not end by itself is killed, and its end waited for
    let _ = timeout(KILL_DEADLINE, trial.kill(&mut inbox)).await;
    done.map(|()| ExitCode::SUCCESS)
}

impl Trial {
    /// Starts node 1 alone where it has to found the cluster first, and otherwise all of them:
    /// none is ready before most of them run.
    fn start_first(&mut self) -> Result<()> {
        let all = if self.layout.is_new() { 1 } else { self.layout.nodes };
        (1..=all).try_for_each(|node| self.start(node))
    }

    fn start(&mut self, node: u16) -> Result<()> {
        let running = RunningNode::start(node, self.layout.command(node)?, self.events.clone())?;
        self.running.insert(node, running);
        Ok(())
    }

    fn start_returning(&mut self) -> Result<()> {
        let now = Instant::now();
        let due = self.returning.extract_if(.., |_, at| *at <= now);
        let due: Vec<_> = due.map(|(node, _)| node).collect();
        due.into_iter().try_for_each(|node| self.start(node))
    }

    fn on_event(&mut self, event: NodeEvent) -> Result<()> {
        match event {
            NodeEvent::Line { node, text } => output::note(format_args!("node {node} | {text}")),
            NodeEvent::Ready { node } => {
                self.ready.insert(node);
                let started: Vec<_> = (1..=self.layout.nodes)
                    .filter(|node| !self.running.contains_key(node))
                    .filter(|node| !self.returning.contains_key(node))
                    .collect();
                if !self.is_announced {
                    started.into_iter().try_for_each(|node| self.start(node))?;
                }
                self.announce()?;
            }
            NodeEvent::Ended { node, status } => {
                self.running.remove(&node);
                self.ready.remove(&node);
                if status.success() && self.is_announced {
                    output::note(format_args!("node {node} was stopped, and stays down"));
                    return Ok(());
                }
                if status.code().is_some() {
                    bail!("node {node} ended by itself ({status}); its last lines say why");
                }
                let after = self.restart_after;
                output::note(format_args!("node {node} was killed; it returns in {after:?}"));
                self.returning.insert(node, Instant::now() + after);
            }
        }
        Ok(())
    }

    /// Whether everybody was stopped by others.
    fn is_over(&self) -> bool {
        self.is_announced && self.running.is_empty() && self.returning.is_empty()
    }

    /// Says once that everybody is ready.
    fn announce(&mut self) -> Result<()> {
        if self.is_announced || self.ready.len() < usize::from(self.layout.nodes) {
            return Ok(());
        }
        self.is_announced = true;
        let mut output = Output::new();
        output.line(format_args!(
            "callboard is ready: clients connect to {}; stop with Ctrl-C",
            self.layout.bootstrap()
        ))?;
        for (node, running) in &self.running {
            output.line(format_args!("  {}", self.layout.describe(*node, running.process)))?;
        }
        Ok(())
    }

    /// Stops the nodes, the last first: one after the other while the rest still decides, then the
    /// rest together.
    async fn stop(&mut self, inbox: &mut mpsc::Receiver<NodeEvent>) {
        let majority = usize::from(self.layout.nodes) / 2 + 1;
        while !self.running.is_empty() {
            let alone = self.running.len() > majority;
            let count = if alone { 1 } else { self.running.len() };
            let stopping: Vec<u16> = self.running.keys().rev().take(count).copied().collect();
            for node in &stopping {
                if let Some(running) = self.running.get(node) {
                    running.order(Order::Stop).await;
                }
            }
            self.until_ended(&stopping, inbox).await;
        }
    }

    async fn kill(&mut self, inbox: &mut mpsc::Receiver<NodeEvent>) {
        for running in self.running.values() {
            running.order(Order::Kill).await;
        }
        let left: Vec<u16> = self.running.keys().copied().collect();
        self.until_ended(&left, inbox).await;
    }

    async fn until_ended(&mut self, nodes: &[u16], inbox: &mut mpsc::Receiver<NodeEvent>) {
        while nodes.iter().any(|node| self.running.contains_key(node)) {
            match inbox.recv().await {
                Some(NodeEvent::Ended { node, .. }) => drop(self.running.remove(&node)),
                Some(NodeEvent::Line { node, text }) => {
                    output::note(format_args!("node {node} | {text}"));
                }
                Some(NodeEvent::Ready { .. }) => {}
                None => return,
            }
        }
    }
}
