//! Two members share a topic; one dies without saying goodbye, and the other takes over.
//!
//! The second member is a process of its own, this program started again, so that it can die as
//! processes do: it is killed in the middle, leaves no group and commits nothing.
//!
//! What one should see:
//!
//! - both members read two of the four partitions each, and commit what they have read;
//! - the broker saw the dead member's socket close, gives it a second to come back, and does not wait
//!   for its session timeout of 45 seconds; then the other one has all four partitions and goes on, in
//!   those it took over, from the dead member's last commit;
//! - in the end everything is read, and nothing was left out.
//!
//! ```text
//! cargo run --example consumer_group
//! ```
#![allow(clippy::print_stdout)]

#[path = "stage/board.rs"]
#[allow(dead_code)]
mod board;
#[path = "stage/telling.rs"]
#[allow(dead_code)]
mod telling;

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use board::Board;
use client::{
    Admin, Client, ClientSettings, ConsumerSettings, GroupConsumer, GroupDescription, GroupId,
    GroupSettings, Offset, OffsetQuery, PartitionIndex, Producer, ProducerRecord, ProducerSettings,
    ResetTo, TopicName, TopicPartition,
};
use telling::{Telling, in_ms};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, timeout};

const TOPIC: &str = "orders";
const GROUP: &str = "billing";
const PARTITIONS: i32 = 4;
/// Without a heartbeat for so long a member counts as dead: the default of most clients.
const SESSION_TIMEOUT: Duration = Duration::from_secs(45);
/// How long a member whose client has closed its socket may take to come back: the broker's default.
const GRACE: Duration = Duration::from_secs(1);
/// A record this often, to each partition in turn.
const PACE: Duration = Duration::from_millis(5);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the group is looked at.
const GLANCE: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("member"), Some(bootstrap)) => be_the_other_member(&bootstrap).await,
        _ => demonstrate().await,
    }
}

/// The second process: reads and commits until it is killed.
async fn be_the_other_member(bootstrap: &str) -> Result<()> {
    let settings =
        ClientSettings { client_id: "other".to_owned(), ..ClientSettings::new(bootstrap) };
    let mut member = member(&Client::with_settings(settings).await?)?;
    while member.next().await?.is_some() {}
    Ok(())
}

fn member(client: &Client) -> Result<GroupConsumer> {
    let group = GroupSettings {
        session_timeout: SESSION_TIMEOUT,
        heartbeat_interval: Duration::from_millis(200),
        auto_commit: Some(Duration::from_millis(300)),
        ..GroupSettings::new(GROUP)
    };
    let from_start = ConsumerSettings { reset: ResetTo::Earliest, ..ConsumerSettings::default() };
    Ok(client.group_consumer([TopicName::new(TOPIC)?], group, from_start)?)
}

async fn demonstrate() -> Result<()> {
    let telling = Telling::begin("One of two members of a group dies without saying goodbye.");
    let board = Board::open().await?;
    let topic = board.topic(TOPIC, PARTITIONS).await?;
    let client = board.client("demonstration").await?;
    let admin = client.admin();
    let producer = client.producer(ProducerSettings::default())?;
    let producing = tokio::spawn(produce_for_ever(producer, topic));
    let survivor = Survivor::start(member(&board.client("survivor").await?)?);

    let mut other = OtherMember::start(board.bootstrap())?;
    let (group, lost) = until_both_share(&admin).await?;
    telling.step(&format!("both read: {}", describe(&group)));
    until_committed_again(&admin, &lost).await?;

    other.kill()?;
    let killed = Instant::now();
    // what it sent last may still be on its way; the survivor cannot take over as early as this
    sleep(GRACE / 2).await;
    let committed = committed(&admin).await?;
    let before = survivor.records_read();
    let last = lost.iter().map(|it| Ok(format!("{it} at {}", offset_in(&committed, it)?)));
    let last = last.collect::<Result<Vec<_>>>()?.join(", ");
    telling.step(&format!("the other member's process was killed; it had committed {last}"));

    let resumed = survivor.until_read_of_each(&lost, before).await?;
    let took = killed.elapsed();
    telling.step(&format!("{} after the kill the survivor reads them, too", in_ms(took)));
    for (partition, offset) in &resumed {
        let expected = offset_in(&committed, partition)?;
        ensure!(*offset == expected, "{partition} goes on at {offset} instead of {expected}");
        telling.detail(&format!("{partition} goes on at {offset}"));
    }
    ensure!(
        (GRACE.mul_f64(0.8)..SESSION_TIMEOUT / 3).contains(&took),
        "with a grace of {GRACE:?} it took {took:?}"
    );

    ensure!(!producing.is_finished(), "the producer failed");
    producing.abort();
    let ends = survivor.until_all_is_read(&admin).await?;
    telling.step(&format!("everything is read, without a gap: {}", ends.join(", ")));
    board.close().await?;
    telling.end("What one member did not finish, the other one did.");
    Ok(())
}

/// The member that lives, reading in a task of its own.
struct Survivor {
    read: watch::Receiver<Vec<(TopicPartition, Offset)>>,
}

impl Survivor {
    fn start(mut member: GroupConsumer) -> Self {
        let (record_read, read) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok(Some(record)) = member.next().await {
                record_read.send_modify(|read| read.push((record.partition, record.offset)));
            }
        });
        Self { read }
    }

    fn records_read(&self) -> usize {
        self.read.borrow().len()
    }

    /// The first offsets that are read in these partitions after so many records.
    async fn until_read_of_each(
        &self,
        partitions: &[TopicPartition],
        after: usize,
    ) -> Result<BTreeMap<TopicPartition, Offset>> {
        let mut first = BTreeMap::new();
        let mut read = self.read.clone();
        let found = read.wait_for(|read| {
            for (partition, offset) in read.iter().skip(after) {
                if partitions.contains(partition) {
                    first.entry(partition.clone()).or_insert(*offset);
                }
            }
            first.len() == partitions.len()
        });
        let found = timeout(PATIENCE, found).await.map(|found| found.is_ok());
        ensure!(matches!(found, Ok(true)), "the survivor does not take over, it read {first:?}");
        Ok(first)
    }

    /// Waits until the last record of each partition is read; gives how far that is.
    async fn until_all_is_read(&self, admin: &Admin) -> Result<Vec<String>> {
        let mut ends = Vec::new();
        for index in 0..PARTITIONS {
            let partition = TopicPartition::new(TopicName::new(TOPIC)?, PartitionIndex(index));
            let end = admin.list_offset(&partition, OffsetQuery::Latest).await?.offset;
            let last = end.context("a partition without an end")?.plus(-1);
            let mut read = self.read.clone();
            let is_there = |read: &Vec<_>| read.contains(&(partition.clone(), last));
            let found = timeout(PATIENCE, read.wait_for(is_there)).await.map(|it| it.is_ok());
            ensure!(matches!(found, Ok(true)), "{partition} was not read up to {last}");
            ends.push(format!("{partition} up to {last}"));
        }
        self.check_no_gaps()?;
        Ok(ends)
    }

    /// In each partition the survivor reads one offset after the other, but where it took over.
    fn check_no_gaps(&self) -> Result<()> {
        let mut turns: BTreeMap<TopicPartition, u32> = BTreeMap::new();
        let mut last: BTreeMap<TopicPartition, Offset> = BTreeMap::new();
        for (partition, offset) in self.read.borrow().iter() {
            let follows = last.insert(partition.clone(), *offset).map(|last| last.next());
            if follows != Some(*offset) {
                *turns.entry(partition.clone()).or_default() += 1;
            }
        }
        // alone in the group at first, it may have begun with all of them
        let too_often = turns.iter().find(|(_, turns)| **turns > 2);
        ensure!(too_often.is_none(), "records were left out: {too_often:?}");
        Ok(())
    }
}

/// Waits until two members have half of the partitions each; gives those of the other process.
async fn until_both_share(admin: &Admin) -> Result<(GroupDescription, Vec<TopicPartition>)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let group = admin.describe_group(&GroupId::new(GROUP)).await;
        if let Ok(group) = &group
            && let [one, two] = &*group.members
            && one.assignment.len() == two.assignment.len()
            && !one.assignment.is_empty()
        {
            let other = if one.client_id == "survivor" { two } else { one };
            return Ok((group.clone(), other.assignment.clone()));
        }
        ensure!(Instant::now() < deadline, "two members do not share the topic: {group:?}");
        sleep(GLANCE).await;
    }
}

/// Waits until all these partitions have been committed further than they are now.
async fn until_committed_again(admin: &Admin, partitions: &[TopicPartition]) -> Result<()> {
    let (before, deadline) = (committed(admin).await?, Instant::now() + PATIENCE);
    loop {
        let now = committed(admin).await?;
        if partitions.iter().all(|partition| now.get(partition) > before.get(partition)) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the other member does not commit: {now:?}");
        sleep(GLANCE).await;
    }
}

/// The second process; it does not outlive this one's interest in it.
struct OtherMember(Child);

impl OtherMember {
    fn start(bootstrap: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["member", bootstrap]).stdin(Stdio::null());
        Ok(Self(command.spawn().context("the second process could not be started")?))
    }

    fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for OtherMember {
    fn drop(&mut self) {
        // it may be dead already, as it should be
        let _ = self.kill();
    }
}

async fn produce_for_ever(producer: Producer, topic: TopicName) -> Result<()> {
    let mut ticks = interval(PACE);
    for number in 0_u64.. {
        ticks.tick().await;
        let partition = i32::try_from(number % u64::from(PARTITIONS.unsigned_abs()))?;
        let record = ProducerRecord::to(&topic).value(number.to_string()).partition(partition);
        let _ = producer.send(record).await?;
    }
    Ok(())
}

async fn committed(admin: &Admin) -> Result<BTreeMap<TopicPartition, Offset>> {
    let committed = admin.group_offsets(&GroupId::new(GROUP)).await?;
    Ok(committed.into_iter().map(|(partition, at)| (partition, at.offset)).collect())
}

fn offset_in(
    offsets: &BTreeMap<TopicPartition, Offset>,
    partition: &TopicPartition,
) -> Result<Offset> {
    offsets.get(partition).copied().with_context(|| format!("nothing is known of {partition}"))
}

fn describe(group: &GroupDescription) -> String {
    let of_member = |member: &client::MemberDescription| {
        let names: Vec<_> = member.assignment.iter().map(ToString::to_string).collect();
        format!("{} {}", member.client_id, names.join(" and "))
    };
    group.members.iter().map(of_member).collect::<Vec<_>>().join(", ")
}
