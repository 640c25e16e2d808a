//! The records of one producer in one partition: how many were sent, acknowledged and read, and how
//! long that took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use client::{ConsumedRecord, Delivery, LeaderEpoch, Producer, ProducerRecord, TopicPartition};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// How long the clients may take to get over a fault by themselves.
const PATIENCE: Duration = Duration::from_secs(30);

/// Records under way at most.
const UNDER_WAY_MAX: usize = 1_000;

/// What a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Each record once, in order.
    Once,
    /// Records again after a fault, but none left out.
    AtLeastOnce,
}

/// One producer's records in one partition.
pub struct Lane {
    producer: String,
    partition: TopicPartition,
    sent: AtomicU64,
    acked: watch::Sender<u64>,
    read: watch::Sender<u64>,
    read_again: AtomicU64,
    last_epoch: Mutex<Option<LeaderEpoch>>,
    latencies: Mutex<Latencies>,
    errors: watch::Sender<Vec<String>>,
}

/// What records took: until their acknowledgement, and until they were read.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    pub acked: Vec<Duration>,
    pub read: Vec<Duration>,
}

impl Latencies {
    pub fn add(&mut self, other: Self) {
        self.acked.extend(other.acked);
        self.read.extend(other.read);
    }

    /// The time that so many of a hundred stay below; `None` if there are no records.
    pub fn percentile(mut times: Vec<Duration>, percent: usize) -> Option<Duration> {
        times.sort_unstable();
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank.saturating_sub(1)).copied()
    }
}

impl Lane {
    pub(super) fn new(producer: &str, partition: TopicPartition) -> Self {
        Self {
            producer: producer.to_owned(),
            partition,
            sent: AtomicU64::new(0),
            acked: watch::Sender::new(0),
            read: watch::Sender::new(0),
            read_again: AtomicU64::new(0),
            last_epoch: Mutex::default(),
            latencies: Mutex::default(),
            errors: watch::Sender::new(Vec::new()),
        }
    }

    pub fn producer(&self) -> &str {
        &self.producer
    }

    pub const fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    pub fn acked(&self) -> u64 {
        *self.acked.borrow()
    }

    /// Records that a member of a group was given a second time.
    pub fn read_again(&self) -> u64 {
        self.read_again.load(Ordering::SeqCst)
    }

    /// The leadership under which the newest record was read that has been.
    pub fn last_epoch(&self) -> Option<LeaderEpoch> {
        *lock(&self.last_epoch)
    }

    /// What the clients did not get over.
    pub fn errors(&self) -> Vec<String> {
        self.errors.borrow().clone()
    }

    /// Notes what the clients did not get over; whoever waits for this lane hears of it.
    pub(super) fn fail(&self, error: &str) {
        self.errors.send_modify(|errors| errors.push(error.to_owned()));
    }

    /// The latencies since the last call.
    pub fn take_latencies(&self) -> Latencies {
        std::mem::take(&mut *lock(&self.latencies))
    }

    /// Waits until so many records are acknowledged.
    pub async fn until_acked(&self, count: u64) -> Result<()> {
        self.wait(self.acked.subscribe(), count, "acknowledged").await
    }

    /// Waits until so many records are read.
    pub async fn until_read(&self, count: u64) -> Result<()> {
        self.wait(self.read.subscribe(), count, "read").await
    }

    /// Waits until a record that is sent from now on has been acknowledged and read.
    pub async fn until_it_flows(&self) -> Result<()> {
        let next = self.sent() + 1;
        self.until_acked(next).await?;
        self.until_read(next).await
    }

    async fn wait(&self, mut counter: watch::Receiver<u64>, count: u64, what: &str) -> Result<()> {
        let mut errors = self.errors.subscribe();
        let reached = timeout(PATIENCE, async {
            tokio::select! {
                reached = counter.wait_for(|now| *now >= count) => reached.is_ok(),
                _ = errors.wait_for(|errors| !errors.is_empty()) => false,
            }
        });
        if matches!(reached.await, Ok(true)) {
            return Ok(());
        }
        Err(anyhow!(
            "{}'s record {count} of {} is not {what}; sent {}, acknowledged {}, read {}, errors {:?}",
            self.producer,
            self.partition,
            self.sent(),
            self.acked(),
            *self.read.borrow(),
            self.errors(),
        ))
    }

    pub(super) fn check_all_acked(&self) -> Result<()> {
        let (sent, acked, errors) = (self.sent(), self.acked(), self.errors());
        let who = format!("{} in {}", self.producer, self.partition);
        ensure!(errors.is_empty(), "{who}: {} failures: {errors:?}", errors.len());
        ensure!(sent == acked, "{who}: {sent} records were sent and {acked} acknowledged");
        Ok(())
    }

    /// Sends records until it is told to stop, then waits for the last acknowledgement.
    pub(super) async fn run(
        &self,
        producer: &Producer,
        pace: Duration,
        stop: watch::Receiver<bool>,
    ) {
        let (under_way, deliveries) = mpsc::channel(UNDER_WAY_MAX);
        tokio::join!(self.send_all(producer, pace, stop, under_way), self.settle(deliveries));
    }

    async fn send_all(
        &self,
        producer: &Producer,
        pace: Duration,
        mut stop: watch::Receiver<bool>,
        under_way: mpsc::Sender<(Instant, Delivery)>,
    ) {
        // the lanes take turns, so that they do not all send at the same instant
        let turn = pace.mul_f64(f64::from(self.partition.partition.0) / 16.0);
        let mut ticks = interval_at(Instant::now() + turn, pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = told(&mut stop) => return,
                _ = ticks.tick() => {}
            }
            let value = format!("{}/{}", self.producer, self.sent());
            let record = ProducerRecord::to(&self.partition.topic).value(value);
            let record = record.partition(self.partition.partition.0);
            let sent_at = Instant::now();
            match producer.send(record).await {
                Ok(delivery) => {
                    self.sent.fetch_add(1, Ordering::SeqCst);
                    // the other half ends after this one
                    let _ = under_way.send((sent_at, delivery)).await;
                }
                Err(error) => self.fail(&error.to_string()),
            }
        }
    }

    async fn settle(&self, mut deliveries: mpsc::Receiver<(Instant, Delivery)>) {
        while let Some((sent_at, delivery)) = deliveries.recv().await {
            match delivery.await {
                Ok(_) => {
                    lock(&self.latencies).acked.push(sent_at.elapsed());
                    self.acked.send_modify(|acked| *acked += 1);
                }
                Err(error) => self.fail(&error.to_string()),
            }
        }
    }

    /// A reader was given a record of this lane.
    pub(super) fn on_read(&self, record: &ConsumedRecord, reading: Reading) -> Result<()> {
        let (_, number) = parse(record)?;
        let next = *self.read.borrow();
        if number < next && reading == Reading::AtLeastOnce {
            self.read_again.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        let who = format!("{} in {}", self.producer, self.partition);
        ensure!(number == next, "{who}: number {number} was read where {next} comes next");
        lock(&self.latencies).read.push(age(record));
        *lock(&self.last_epoch) = Some(record.leader_epoch);
        self.read.send_modify(|read| *read += 1);
        Ok(())
    }
}

/// Waits until it is said, or nobody can say it any more.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn age(record: &ConsumedRecord) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(u64::try_from(record.timestamp).unwrap_or_default()))
}

/// Who sent a record, and which of theirs it is.
pub(super) fn parse(record: &ConsumedRecord) -> Result<(&str, u64)> {
    let value = record.value.as_deref().context("a record without a value")?;
    let (producer, number) =
        std::str::from_utf8(value)?.split_once('/').context("a record without a number")?;
    Ok((producer, number.parse()?))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
