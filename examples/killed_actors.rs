//! Actors are killed one after the other, under load, and the clients go on by themselves.
//!
//! Three idempotent producers number their records, each in all four partitions of a topic, and a
//! group of two members reads them. Meanwhile an operator kills what a node is made of, through its
//! supervision tree: a client's sessions, a segment writer, a replica, the group's coordinator, the
//! listener, the controller, the metadata publisher, the metadata quorum, log maintenance, the admin
//! server, and in the end the supervisor of all replicas and that of the metadata, which take all
//! below them along. A kill cancels a handler in the middle: nothing of the actor's own runs
//! afterwards.
//!
//! What one should see:
//!
//! - each is running again at once, with one restart more in the tree;
//! - for each how long it took until every producer had a record acknowledged that it sent after the
//!   kill, and the group had read it;
//! - the group goes on from its committed offsets, which never go back;
//! - in the end every acknowledged record is read back once, in the order of its producer.
//!
//! ```text
//! cargo run --example killed_actors
//! ```
#![allow(clippy::print_stdout)]

#[path = "stage/board.rs"]
#[allow(dead_code)]
mod board;
#[path = "stage/http.rs"]
mod http;
#[path = "stage/load.rs"]
#[allow(dead_code)]
mod load;
#[path = "killed_actors/proof_of_life.rs"]
mod proof_of_life;
#[path = "stage/telling.rs"]
mod telling;
#[path = "stage/tree_watch.rs"]
#[allow(dead_code)]
mod tree_watch;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use board::Board;
use client::{
    Client, ConsumerSettings, GroupConsumer, GroupId, GroupSettings, Offset, ProducerRecord,
    ProducerSettings, ResetTo, TopicName, TopicPartition,
};
use load::Load;
use proof_of_life::ProofOfLife;
use supervision::{OperatorCommand, TreeNode};
use telling::{Telling, in_ms, in_the_tree};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tree_watch::TreeWatch;

const PARTITIONS: i32 = 4;
const PRODUCERS: [&str; 3] = ["till-1", "till-2", "till-3"];
const MEMBERS: [&str; 2] = ["billing-1", "billing-2"];
const GROUP: &str = "billing";
/// Each producer sends a record to each partition this often.
const PACE: Duration = Duration::from_millis(20);
/// How long the load runs undisturbed before each kill.
const CALM: Duration = Duration::from_millis(400);

/// Who is killed, by its place in the tree, and what must be possible afterwards.
const KILLS: [(&str, ProofOfLife); 11] = [
    ("partitions/orders-0/segment_writer", ProofOfLife::Load),
    ("partitions/orders-1", ProofOfLife::Load),
    ("groups/billing", ProofOfLife::Commit),
    ("client_listeners/PLAINTEXT", ProofOfLife::Connection),
    ("cluster/controller", ProofOfLife::NewTopic),
    ("cluster/metadata_publisher", ProofOfLife::NewTopic),
    ("cluster/metadata_quorum", ProofOfLife::NewTopic),
    ("maintenance/log_maintenance", ProofOfLife::Load),
    ("admin", ProofOfLife::Health),
    ("partitions", ProofOfLife::Commit),
    ("cluster", ProofOfLife::NewTopic),
];

struct Demonstration {
    board: Board,
    watch: TreeWatch,
    telling: Telling,
    topic: TopicName,
    load: Load,
    /// Tells the members of the group to leave.
    leave: watch::Sender<bool>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut stage = Demonstration::begin().await?;
    stage.kill_sessions(PRODUCERS[0]).await?;
    for (path, proof) in KILLS {
        stage.kill(path, proof).await?;
    }
    stage.end().await
}

impl Demonstration {
    async fn begin() -> Result<Self> {
        let telling =
            Telling::begin("Actors of a node are killed under load, one after the other.");
        let board = Board::open().await?;
        let topic = board.topic("orders", PARTITIONS).await?;
        let mut load = Load::on(&topic);
        for name in PRODUCERS {
            let client = board.client(name).await?;
            load.produce(&client, name, 0..PARTITIONS, PACE, ProducerSettings::default())?;
        }
        let leave = watch::Sender::new(false);
        for name in MEMBERS {
            let member = member(&board.client(name).await?, &topic)?;
            load.read_in_group(member, leave.subscribe());
        }
        load.until_all_flow().await?;
        let watch = TreeWatch::of(board.node().tree());
        telling.step(&format!(
            "load: {} idempotent producers, each a record every {PACE:?} to each of {PARTITIONS} \
             partitions; group {GROUP} of {} members reads them",
            PRODUCERS.len(),
            MEMBERS.len(),
        ));
        Ok(Self { board, watch, telling, topic, load, leave })
    }

    /// A session is its connection: killed, it does not come back, and its client makes a new one.
    async fn kill_sessions(&mut self, client: &str) -> Result<()> {
        let sessions = self.watch.at("client_sessions")?.children;
        let its = |session: &&TreeNode| {
            session.status.get("client id").is_some_and(|name| name == client)
        };
        let path = |session: &TreeNode| format!("client_sessions/{}", session.id);
        let paths: Vec<_> = sessions.iter().filter(its).map(path).collect();
        ensure!(!paths.is_empty(), "{client} has no session in the tree");
        let killed = Instant::now();
        for path in &paths {
            self.board.node().tree().operate(path, OperatorCommand::Kill).await?;
        }
        self.telling.step(&format!("killed all {} sessions of {client}", paths.len()));
        self.load.until_all_flow().await?;
        let flows = in_ms(killed.elapsed());
        for path in &paths {
            ensure!(self.watch.at(path).is_err(), "{path} is still there");
        }
        self.telling.detail(&format!("requests flowed again after {flows}, in new sessions"));
        Ok(())
    }

    async fn kill(&mut self, path: &str, proof: ProofOfLife) -> Result<()> {
        // a segment writer is no supervisor's: it takes its replica with it, which restarts
        let restarted = path.trim_end_matches("/segment_writer");
        let before = self.watch.at(restarted)?.restarts;
        sleep(CALM).await;
        let committed = self.committed().await?;
        let killed = Instant::now();
        self.board.node().tree().operate(path, OperatorCommand::Kill).await?;
        self.telling.step(&format!("killed {path}"));
        let node = self.watch.restarted(restarted, before).await?;
        let up = in_ms(killed.elapsed());
        ensure!(node.restarts == before + 1, "{restarted} restarted {} times", node.restarts);
        if let Some(sign) = proof.wait_for(&self.board, GROUP, &committed).await? {
            self.telling.detail(&format!("{sign} after {}", in_ms(killed.elapsed())));
        }
        self.load.until_all_flow().await?;
        let flows = in_ms(killed.elapsed());
        self.telling.detail(&format!("up again after {up}, requests flowed again after {flows}"));
        self.telling.detail(&in_the_tree(&self.watch.at(restarted)?));
        for (partition, offset) in self.committed().await? {
            let earlier = committed.get(&partition).copied().unwrap_or(Offset::ZERO);
            ensure!(offset >= earlier, "{partition}: committed {earlier}, and now {offset}");
        }
        Ok(())
    }

    async fn committed(&self) -> Result<BTreeMap<TopicPartition, Offset>> {
        let admin = self.board.client("operator").await?.admin();
        let committed = admin.group_offsets(&GroupId::new(GROUP)).await?;
        Ok(committed.into_iter().map(|(partition, at)| (partition, at.offset)).collect())
    }

    async fn end(mut self) -> Result<()> {
        let acked = self.load.finish().await?;
        let again: u64 = self.load.lanes().iter().map(|lane| lane.read_again()).sum();
        self.telling.step(&format!(
            "load stopped: {acked} records acknowledged, all read by the group, {again} of them \
             more than once"
        ));
        self.leave.send_replace(true);
        self.load.readers_ended().await?;
        let client = self.board.client("the last reader").await?;
        let there = self.load.check_all_is_there(&client).await?;
        self.telling.step(&format!("read back: {there} records, each once, each in order"));
        self.resume(&client).await?;
        self.board.close().await?;
        self.telling.end("Each was missed for a moment, and by nobody for longer.");
        Ok(())
    }

    /// A new member of the group gets what comes after the committed offsets, and nothing else.
    async fn resume(&self, client: &Client) -> Result<()> {
        let committed = self.committed().await?;
        let producer = client.producer(ProducerSettings::default())?;
        for partition in 0..PARTITIONS {
            let record = ProducerRecord::to(&self.topic).value("late").partition(partition);
            producer.send(record).await?.await?;
        }
        let mut member = member(client, &self.topic)?;
        for _ in 0..PARTITIONS {
            let record = member.next().await?.context("the group consumer ended by itself")?;
            let at = committed.get(&record.partition).context("nothing was committed")?;
            ensure!(record.offset == *at, "{} goes on at {}", record.partition, record.offset);
            ensure!(record.value.as_deref() == Some(b"late"), "an old record came again");
        }
        member.close().await?;
        self.telling.step("a new member of the group went on exactly where it had committed");
        Ok(())
    }
}

fn member(client: &Client, topic: &TopicName) -> Result<GroupConsumer> {
    let group = GroupSettings {
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_millis(500),
        auto_commit: Some(Duration::from_millis(200)),
        ..GroupSettings::new(GROUP)
    };
    let from_start = ConsumerSettings { reset: ResetTo::Earliest, ..ConsumerSettings::default() };
    Ok(client.group_consumer([topic.clone()], group, from_start)?)
}
