//! Load that counts: producers that number their records, and readers that know which number comes
//! next. What is lost, doubled or out of order is noticed at once, and again at the end, when all
//! partitions are read from their beginning.
//!
//! ```text
//! producer a ── a/0, a/1, a/2 … ──▶ orders-0 ──▶ reader: each number once, in order
//!            └─ a/0, a/1, a/2 … ──▶ orders-1 ──▶
//! producer b ── b/0, b/1, b/2 … ──▶ orders-0 …
//! ```

#[path = "lane.rs"]
pub mod lane;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use client::{
    Client, ConsumedRecord, ConsumerSettings, GroupConsumer, PartitionIndex, ProducerSettings,
    StartAt, TopicName, TopicPartition,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

use lane::{Lane, Reading};

/// Producers and readers of one topic.
pub struct Load {
    topic: TopicName,
    lanes: Vec<Arc<Lane>>,
    stop: watch::Sender<bool>,
    producers: JoinSet<()>,
    readers: JoinSet<Result<()>>,
}

impl Load {
    pub fn on(topic: &TopicName) -> Self {
        Self {
            topic: topic.clone(),
            lanes: Vec::new(),
            stop: watch::Sender::new(false),
            producers: JoinSet::new(),
            readers: JoinSet::new(),
        }
    }

    /// One producer and one reader of the partitions up to this one, with clients that wait a fault
    /// out. All partitions flow when this returns.
    pub async fn patient(
        client: &Client,
        topic: &TopicName,
        partitions: i32,
        pace: Duration,
    ) -> Result<Self> {
        let mut load = Self::on(topic);
        let settings = ProducerSettings {
            request_timeout: Duration::from_secs(1),
            delivery_timeout: Duration::from_secs(30),
            ..ProducerSettings::default()
        };
        load.produce(client, "p", 0..partitions, pace, settings)?;
        load.read(client, 0..partitions)?;
        load.until_all_flow().await?;
        load.lanes.iter().for_each(|lane| drop(lane.take_latencies()));
        Ok(load)
    }

    /// Starts a producer that sends a record to each of the partitions once every `pace`.
    pub fn produce(
        &mut self,
        client: &Client,
        name: &str,
        partitions: Range<i32>,
        pace: Duration,
        settings: ProducerSettings,
    ) -> Result<()> {
        let producer = client.producer(settings)?;
        for partition in partitions {
            let partition = TopicPartition::new(self.topic.clone(), PartitionIndex(partition));
            let lane = Arc::new(Lane::new(name, partition));
            self.lanes.push(Arc::clone(&lane));
            let (producer, stop) = (producer.clone(), self.stop.subscribe());
            self.producers.spawn(async move { lane.run(&producer, pace, stop).await });
        }
        Ok(())
    }

    /// Starts a reader of these partitions; each record must be the next of its lane.
    pub fn read(&mut self, client: &Client, partitions: Range<i32>) -> Result<()> {
        let named = partitions.map(|index| {
            (TopicPartition::new(self.topic.clone(), PartitionIndex(index)), StartAt::Earliest)
        });
        let mut consumer = client.consumer(named, ConsumerSettings::default())?;
        let lanes = self.lanes.clone();
        self.read_with(async move {
            while let Some(record) = consumer.next().await? {
                lane_of(&lanes, &record)?.on_read(&record, Reading::Once)?;
            }
            Ok(())
        });
        Ok(())
    }

    /// Whatever the reader does not get over, everybody hears of who waits for a record.
    fn read_with(&mut self, reader: impl Future<Output = Result<()>> + Send + 'static) {
        let lanes = self.lanes.clone();
        self.readers.spawn(async move {
            let ended = reader.await;
            if let Err(error) = &ended {
                lanes.iter().for_each(|lane| lane.fail(&error.to_string()));
            }
            ended
        });
    }

    /// Starts a reader that is a member of a group: records may come again after a fault, but none
    /// may be left out. Ends in order, with a last commit, when `done` says so.
    pub fn read_in_group(&mut self, mut member: GroupConsumer, mut done: watch::Receiver<bool>) {
        let lanes = self.lanes.clone();
        self.read_with(async move {
            loop {
                tokio::select! {
                    record = member.next() => {
                        let record = record?.context("the group consumer ended by itself")?;
                        lane_of(&lanes, &record)?.on_read(&record, Reading::AtLeastOnce)?;
                    }
                    () = lane::told(&mut done) => return Ok(member.close().await?),
                }
            }
        });
    }

    pub fn lanes(&self) -> &[Arc<Lane>] {
        &self.lanes
    }

    /// The lanes of one partition, and those of all others.
    pub fn split_at(&self, partition: i32) -> (Vec<Arc<Lane>>, Vec<Arc<Lane>>) {
        let lanes = self.lanes.iter().cloned();
        lanes.partition(|lane| lane.partition().partition.0 == partition)
    }

    /// Waits until, in every lane, a record that is sent from now on is acknowledged and read.
    pub async fn until_all_flow(&self) -> Result<()> {
        let next: Vec<_> = self.lanes.iter().map(|lane| lane.sent() + 1).collect();
        for (lane, next) in self.lanes.iter().zip(next) {
            lane.until_acked(next).await?;
            lane.until_read(next).await?;
        }
        Ok(())
    }

    /// Stops the producers and waits until each record is acknowledged and read.
    pub async fn finish(&mut self) -> Result<u64> {
        self.stop.send_replace(true);
        while let Some(ended) = self.producers.join_next().await {
            ended?;
        }
        for lane in &self.lanes {
            lane.check_all_acked()?;
            lane.until_read(lane.acked()).await?;
        }
        Ok(self.lanes.iter().map(|lane| lane.acked()).sum())
    }

    /// Waits for the readers that end by themselves.
    pub async fn readers_ended(&mut self) -> Result<()> {
        while let Some(ended) = self.readers.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Reads every partition from its beginning to its end: every acknowledged record is there
    /// once, in the order of its producer, and nothing else is there.
    pub async fn check_all_is_there(&self, client: &Client) -> Result<u64> {
        let settings = ConsumerSettings::default();
        let mut consumer = client.topic_consumer(&self.topic, StartAt::Earliest, settings).await?;
        consumer.stop_at_end().await?;
        let mut numbers: BTreeMap<(String, i32), u64> = BTreeMap::new();
        while let Some(record) = consumer.next().await? {
            let (producer, number) = lane::parse(&record)?;
            let partition = record.partition.partition.0;
            let next = numbers.entry((producer.to_owned(), partition)).or_default();
            ensure!(number == *next, "{producer}/{next} should follow, {producer}/{number} does");
            *next += 1;
        }
        for lane in &self.lanes {
            let key = (lane.producer().to_owned(), lane.partition().partition.0);
            let (there, acked) = (numbers.get(&key).copied().unwrap_or_default(), lane.acked());
            ensure!(
                there == acked,
                "{key:?}: {acked} records were acknowledged, {there} are there"
            );
        }
        Ok(numbers.values().sum())
    }
}

fn lane_of<'a>(lanes: &'a [Arc<Lane>], record: &ConsumedRecord) -> Result<&'a Lane> {
    let (producer, _) = lane::parse(record)?;
    let is_its =
        |lane: &&Arc<Lane>| lane.producer() == producer && *lane.partition() == record.partition;
    let found = lanes.iter().find(is_its);
    found.map(AsRef::as_ref).with_context(|| format!("nobody sent {producer}'s record"))
}
