//! One partition's failure stays one partition's.
//!
//! A node with a topic of 16 partitions, each under load of its own: a producer that numbers its
//! records, and a reader that knows which number comes next. Then orders-3 is poisoned, first by a
//! panic in its segment writer, then by a disk that fails each time that somebody writes.
//!
//! What one should see:
//!
//! - after the panic its replica restarts at once and leads under the next leader epoch; its producer
//!   and its reader go on by themselves;
//! - with the disk failing its replica is restarted after longer and longer pauses, and then put into
//!   quarantine, where the tree shows it with its restarts and its last error;
//! - the 15 neighbours notice nothing: their clients never try a request twice, so one refused or
//!   late request would be counted, and none is;
//! - released from quarantine it serves again, and every record that was ever acknowledged is there
//!   once, in order.
//!
//! ```text
//! cargo run --example poisoned_partition
//! ```
#![allow(clippy::print_stdout)]

#[path = "stage/board.rs"]
#[allow(dead_code)]
mod board;
#[path = "stage/load.rs"]
#[allow(dead_code)]
mod load;
#[path = "stage/poison.rs"]
#[allow(dead_code)]
mod poison;
#[path = "stage/telling.rs"]
mod telling;
#[path = "stage/tree_watch.rs"]
mod tree_watch;

use std::sync::Arc;
use std::time::Duration;

use actors::segment_writer::Poison;
use anyhow::{Context, Result, ensure};
use board::Board;
use client::{ProducerSettings, TopicName};
use load::Load;
use load::lane::{Lane, Latencies};
use poison::Victim;
use supervision::{NodeState, OperatorCommand};
use telling::{Telling, in_ms, in_the_tree};
use tokio::time::{Instant, sleep};
use tree_watch::TreeWatch;

const PARTITIONS: i32 = 16;
const POISONED: i32 = 3;
/// Each partition gets a record this often.
const PACE: Duration = Duration::from_millis(20);
/// How long the neighbours are watched in each phase.
const PHASE: Duration = Duration::from_secs(4);

/// The demonstration as it stands.
struct Demonstration {
    board: Board,
    watch: TreeWatch,
    telling: Telling,
    load: Load,
    victim: Victim,
    own: Arc<Lane>,
    neighbours: Vec<Arc<Lane>>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut stage = Demonstration::begin().await?;
    stage.watch_neighbours("before").await?;
    stage.panic_in_the_writer().await?;
    stage.watch_neighbours("around the panic").await?;
    stage.fail_until_quarantine().await?;
    stage.watch_neighbours("with orders-3 in quarantine").await?;
    stage.release().await?;
    stage.watch_neighbours("after").await?;
    stage.end().await
}

impl Demonstration {
    async fn begin() -> Result<Self> {
        let telling = Telling::begin("One of 16 partitions is poisoned under load.");
        let board = Board::open().await?;
        let orders = board.topic("orders", PARTITIONS).await?;
        let load = begin_load(&board, &orders).await?;
        let (own, neighbours) = load.split_at(POISONED);
        let own = own.into_iter().next().context("the poisoned partition has no producer")?;
        let victim = Victim::find(board.node(), &orders, POISONED)?;
        let watch = TreeWatch::of(board.node().tree());
        telling.step(&format!(
            "load: to each of {PARTITIONS} partitions a record every {PACE:?}, flushed before it is \
             acknowledged, then read"
        ));
        Ok(Self { board, watch, telling, load, victim, own, neighbours })
    }

    /// The neighbours under load for a while: they must not notice anything.
    async fn watch_neighbours(&mut self, when: &str) -> Result<()> {
        sleep(PHASE).await;
        self.tell_neighbours(when)
    }

    fn tell_neighbours(&mut self, when: &str) -> Result<()> {
        let mut all = Latencies::default();
        for lane in &self.neighbours {
            let errors = lane.errors();
            ensure!(errors.is_empty(), "neighbour {} failed: {errors:?}", lane.partition());
            let of_lane = lane.take_latencies();
            let silent = of_lane.acked.is_empty() || of_lane.read.is_empty();
            ensure!(!silent, "neighbour {} was served nothing {when}", lane.partition());
            all.add(of_lane);
        }
        let figures = |times: Vec<Duration>| {
            let of = |percent| Latencies::percentile(times.clone(), percent).map(in_ms);
            [50, 99, 100].map(|percent| of(percent).unwrap_or_default())
        };
        let requests = all.acked.len();
        let ([p50, p99, most], [_, read, _]) = (figures(all.acked), figures(all.read));
        self.telling.step(&format!(
            "neighbours {when}: {requests} records, 0 errors, 0 timeouts; acknowledged p50 {p50}, \
             p99 {p99}, max {most}; read p99 {read}"
        ));
        Ok(())
    }

    async fn panic_in_the_writer(&mut self) -> Result<()> {
        self.own.until_it_flows().await?;
        let (epoch, path) = (self.own.last_epoch(), self.victim.path());
        let poisoned = Instant::now();
        self.victim.poison(Poison::Panic)?;
        self.telling.step("poison: a panic in the segment writer of orders-3");
        let node = self.watch.restarted(path, 0).await?;
        self.telling.detail(&format!("its replica was up again after {}", since(poisoned)));
        self.telling.detail(&in_the_tree(&node));
        self.own.until_it_flows().await?;
        let flows = since(poisoned);
        let now = self.own.last_epoch();
        self.telling.detail(&format!(
            "its clients went on by themselves after {flows}, under leader epoch {} instead of {}",
            now.context("nothing was read")?,
            epoch.context("nothing was read")?,
        ));
        ensure!(now > epoch, "it leads under the old epoch, {now:?}");
        ensure!(node.last_exit.is_some(), "the tree does not show why it ended");
        Ok(())
    }

    async fn fail_until_quarantine(&mut self) -> Result<()> {
        self.telling.step("poison: now its disk fails as often as it comes back");
        let known = self.watch.failures().len();
        let node = self.victim.poison_until_quarantine(&self.watch).await?;
        for failure in self.watch.failures().into_iter().skip(known) {
            ensure!(failure.path == self.victim.path(), "{} failed, too", failure.path);
            let then = match failure.delay {
                Some(pause) if pause.is_zero() => "restarts at once".to_owned(),
                Some(pause) => format!("restarts after {}", in_ms(pause)),
                None => "goes into quarantine".to_owned(),
            };
            self.telling.detail(&format!("it {}: {then}", failure.reason));
        }
        self.telling.detail(&in_the_tree(&node));
        ensure!(node.last_exit.is_some(), "the tree does not show the last error");
        let partitions = self.watch.at("partitions")?;
        let others = partitions.children.iter().filter(|child| child.id != node.id);
        for other in others {
            ensure!(other.state == NodeState::Running, "{} does not run", other.id);
            ensure!(other.restarts == 0, "{} was restarted {} times", other.id, other.restarts);
        }
        self.telling.detail("the other replicas: running, restarts 0");
        Ok(())
    }

    async fn release(&mut self) -> Result<()> {
        let (sent, acked) = (self.own.sent(), self.own.acked());
        ensure!(sent > acked, "a partition in quarantine has acknowledged everything");
        self.telling.step(&format!(
            "release orders-3; {} records wait in its producer for an acknowledgement",
            sent - acked
        ));
        let released = Instant::now();
        self.board.node().tree().operate(self.victim.path(), OperatorCommand::Release).await?;
        self.own.until_acked(sent).await?;
        self.own.until_it_flows().await?;
        let epoch = self.own.last_epoch().context("nothing was read")?;
        let flows = since(released);
        self.telling.detail(&format!("its clients went on after {flows}, leader epoch {epoch}"));
        self.telling.detail(&in_the_tree(&self.watch.at(self.victim.path())?));
        Ok(())
    }

    async fn end(mut self) -> Result<()> {
        let acked = self.load.finish().await?;
        let client = self.board.client("the last reader").await?;
        let there = self.load.check_all_is_there(&client).await?;
        self.telling.step(&format!(
            "read back: {there} records, {acked} were acknowledged; each once, each in order"
        ));
        self.board.close().await?;
        self.telling.end("One partition failed six times, and fifteen never noticed.");
        Ok(())
    }
}

/// Clients of orders-3 are as patient as clients are by default; those of its neighbours never try
/// again.
async fn begin_load(board: &Board, orders: &TopicName) -> Result<Load> {
    let once = ProducerSettings {
        request_timeout: Duration::from_secs(3),
        delivery_timeout: Duration::from_secs(4),
        ..ProducerSettings::default()
    };
    let mut load = Load::on(orders);
    let impatient = board.impatient_client("neighbours").await?;
    let patient = board.client("orders-3").await?;
    for partition in 0..PARTITIONS {
        let (client, settings) = match partition {
            POISONED => (&patient, ProducerSettings::default()),
            _ => (&impatient, once.clone()),
        };
        load.produce(client, "p", partition..partition + 1, PACE, settings)?;
    }
    load.read(&patient, POISONED..POISONED + 1)?;
    load.read(&impatient, 0..POISONED)?;
    load.read(&impatient, POISONED + 1..PARTITIONS)?;
    for lane in load.lanes() {
        lane.until_it_flows().await?;
        lane.take_latencies();
    }
    Ok(load)
}

fn since(instant: Instant) -> String {
    in_ms(instant.elapsed())
}
