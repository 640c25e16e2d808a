//! The consumer of given partitions: fetches ahead, hands out records one by one.
//!
//! ```text
//! leader ─▶ fetch task ─▶ sections of each partition ─▶ current batch ─▶ next
//!             ▲ one a leader      ▲ bounded bytes          decompressed one at a time
//! ```
//!
//! Fetches run in tasks of their own, so that the next records come while the last ones are worked
//! on; everything else happens inside `next`, which can be dropped at any time without a loss.

mod assigned_partition;
mod consumed_record;
mod fetch_loop;
mod leader_search;
mod place_lookup;
pub(crate) mod section;
pub(crate) mod settings;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::record_batch::RecordReader;
use protocol::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use consumed_record::{ConsumedRecord, TimestampKind};
pub use settings::{ConsumerSettings, Isolation, ResetTo, StartAt};

use crate::broker_connections::BrokerConnections;
use crate::client::Client;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::offset_lookup::{OffsetQuery, find_offsets};
use assigned_partition::AssignedPartition;
use fetch_loop::ConsumerEvent;

/// How long a topic may take to become known everywhere after it was made.
const TOPIC_WAIT: Duration = Duration::from_secs(5);

/// The batch whose records are being handed out.
struct CurrentBatch {
    partition: TopicPartition,
    leader_epoch: LeaderEpoch,
    timestamp_kind: TimestampKind,
    reader: RecordReader,
    /// The next offset to be handed out; records before it are passed over.
    position: Offset,
    /// The offset after the batch.
    end: Offset,
    stop_at: Option<Offset>,
}

/// Reads given partitions. See [`GroupConsumer`](crate::GroupConsumer) for partitions that a group
/// divides among its members.
pub struct Consumer {
    cluster: Arc<Cluster>,
    settings: Arc<ConsumerSettings>,
    connections: Arc<BrokerConnections>,
    partitions: HashMap<TopicPartition, AssignedPartition>,
    /// Partitions with batches, the next one first: each gives one batch in turn.
    turns: VecDeque<TopicPartition>,
    current: Option<CurrentBatch>,
    /// Fetches and queries; all end when the consumer is dropped.
    tasks: JoinSet<ConsumerEvent>,
    fetching: HashSet<BrokerId>,
    refreshing: bool,
    refreshed_at: Option<Instant>,
    /// What `next` has to say before it goes on.
    errors: VecDeque<Error>,
    next_incarnation: u64,
}

impl Client {
    /// A consumer of these partitions; more can be added later.
    ///
    /// # Errors
    /// Where the settings contradict themselves. Partitions that do not exist show when
    /// [`Consumer::next`] is called.
    pub fn consumer(
        &self,
        assignment: impl IntoIterator<Item = (TopicPartition, StartAt)>,
        settings: ConsumerSettings,
    ) -> Result<Consumer> {
        let mut consumer = Consumer::new(&self.cluster, settings)?;
        consumer.assign(assignment);
        Ok(consumer)
    }

    /// A consumer of all partitions that a topic has at present.
    ///
    /// # Errors
    /// Where the settings contradict themselves, or the topic does not exist.
    pub async fn topic_consumer(
        &self,
        topic: &protocol::TopicName,
        start: StartAt,
        settings: ConsumerSettings,
    ) -> Result<Consumer> {
        let described =
            self.cluster.topic(topic, false, self.cluster.attempts_for(TOPIC_WAIT)).await?;
        let partitions = described.partitions.iter().map(|partition| partition.index);
        let named = partitions.map(|index| (TopicPartition::new(topic.clone(), index), start));
        self.consumer(named, settings)
    }
}

impl Consumer {
    pub(crate) fn new(cluster: &Arc<Cluster>, settings: ConsumerSettings) -> Result<Self> {
        settings.check()?;
        Ok(Self {
            connections: Arc::new(cluster.own_connections()),
            cluster: Arc::clone(cluster),
            settings: Arc::new(settings),
            partitions: HashMap::new(),
            turns: VecDeque::new(),
            current: None,
            tasks: JoinSet::new(),
            fetching: HashSet::new(),
            refreshing: false,
            refreshed_at: None,
            errors: VecDeque::new(),
            next_incarnation: 0,
        })
    }

    /// The next record of any assigned partition; waits while there is none. Records of one
    /// partition come in the order of their offsets. `None` once every partition has reached the
    /// offset that it stops at, or if none is assigned.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// What the consumer cannot get over by itself: no permission, no offset to start from
    /// ([`Error::NoOffset`]), damaged records ([`Error::Records`]). The other partitions go on
    /// when `next` is called again; the one concerned tries again, unless it is moved by a
    /// [`seek`](Self::seek).
    pub async fn next(&mut self) -> Result<Option<ConsumedRecord>> {
        if self.partitions.is_empty() {
            return Ok(None);
        }
        self.next_or_wait().await
    }

    /// As [`Self::next`], but waits where no partition is assigned.
    pub(crate) async fn next_or_wait(&mut self) -> Result<Option<ConsumedRecord>> {
        loop {
            if let Some(record) = self.buffered_record() {
                return record.map(Some);
            }
            if self.is_finished() {
                return Ok(None);
            }
            if !self.work() {
                self.wait().await;
            }
        }
    }

    /// A record, or an error, that need not be waited for.
    pub(crate) fn buffered_record(&mut self) -> Option<Result<ConsumedRecord>> {
        match self.errors.pop_front() {
            Some(error) => Some(Err(error)),
            None => self.take_record(),
        }
    }

    /// A record that has been fetched already, if there is one.
    fn take_record(&mut self) -> Option<Result<ConsumedRecord>> {
        loop {
            let Some(current) = &mut self.current else {
                if let Err(error) = self.start_batch()? {
                    return Some(Err(error));
                }
                continue;
            };
            match current.reader.next() {
                Some(Ok(record)) if record.offset < current.position => {}
                Some(Ok(record)) if current.stop_at.is_some_and(|stop| record.offset >= stop) => {
                    self.finish_batch();
                }
                Some(Ok(record)) => {
                    current.position = record.offset.next();
                    let partition = current.partition.clone();
                    let (epoch, kind) = (current.leader_epoch, current.timestamp_kind);
                    return Some(Ok(ConsumedRecord::new(partition, epoch, kind, record)));
                }
                Some(Err(source)) => {
                    let (partition, offset) = (current.partition.clone(), current.position);
                    self.current = None;
                    return Some(Err(self.damaged(&partition, offset, source)));
                }
                None => self.finish_batch(),
            }
        }
    }

    /// Replaces the assignment.
    pub fn assign(&mut self, assignment: impl IntoIterator<Item = (TopicPartition, StartAt)>) {
        self.current = None;
        self.turns.clear();
        self.partitions.clear();
        self.errors.clear();
        for (partition, start) in assignment {
            self.add(partition, start);
        }
    }

    /// Adds a partition, or moves it if it is assigned already.
    pub fn add(&mut self, partition: TopicPartition, start: StartAt) {
        if self.seek(&partition, start).is_ok() {
            return;
        }
        let (incarnation, backoff) = (self.incarnation(), self.cluster.settings.backoff());
        let assigned = AssignedPartition::new(partition.clone(), start, incarnation, backoff);
        self.partitions.insert(partition, assigned);
    }

    /// Takes a partition out of the assignment.
    pub fn remove(&mut self, partition: &TopicPartition) {
        self.drop_current(partition);
        self.turns.retain(|other| other != partition);
        self.partitions.remove(partition);
    }

    /// Goes on at another place of a partition.
    ///
    /// # Errors
    /// [`Error::NotAssigned`].
    pub fn seek(&mut self, partition: &TopicPartition, start: StartAt) -> Result<()> {
        let incarnation = self.incarnation();
        self.assigned(partition)?.seek(start, incarnation);
        self.drop_current(partition);
        self.turns.retain(|other| other != partition);
        Ok(())
    }

    /// Hands out no more records of a partition until it is resumed.
    ///
    /// # Errors
    /// [`Error::NotAssigned`].
    pub fn pause(&mut self, partition: &TopicPartition) -> Result<()> {
        if let Some(position) = self.current_position(partition) {
            // the rest of its batch is fetched again
            self.seek(partition, StartAt::Offset(position))?;
        }
        self.assigned(partition)?.paused = true;
        Ok(())
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// [`Error::NotAssigned`].
    pub fn resume(&mut self, partition: &TopicPartition) -> Result<()> {
        let assigned = self.assigned(partition)?;
        assigned.paused = false;
        if assigned.has_batches() && !self.turns.contains(partition) {
            self.turns.push_back(partition.clone());
        }
        Ok(())
    }

    /// Hands out no records of a partition from this offset on.
    ///
    /// # Errors
    /// [`Error::NotAssigned`].
    pub fn stop_at(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.assigned(partition)?.stop_at = Some(offset);
        if let Some(current) = self.current.as_mut().filter(|c| c.partition == *partition) {
            current.stop_at = Some(offset);
        }
        Ok(())
    }

    /// Stops every assigned partition at the end that it has now, so that [`Self::next`] gives
    /// `None` when all that is there has been read.
    ///
    /// # Errors
    /// Where the end of a partition cannot be had.
    pub async fn stop_at_end(&mut self) -> Result<()> {
        let queries = self.partitions.keys().map(|name| (name.clone(), OffsetQuery::Latest));
        let queries = queries.collect();
        for (partition, found) in
            find_offsets(&self.cluster, self.settings.isolation, queries).await
        {
            let end = found?.offset.unwrap_or(Offset::ZERO);
            self.stop_at(&partition, end)?;
        }
        Ok(())
    }

    /// The assigned partitions, in order.
    #[must_use]
    pub fn assignment(&self) -> Vec<TopicPartition> {
        let mut assignment: Vec<_> = self.partitions.keys().cloned().collect();
        assignment.sort();
        assignment
    }

    /// The offset after the last record that was handed out of a partition. `None` while it is
    /// not known yet, or if the partition is not assigned.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        let current = self.current_position(partition);
        current.or_else(|| self.partitions.get(partition)?.position)
    }

    /// Records between the position and the end of a partition, as of its last fetch.
    #[must_use]
    pub fn lag_records(&self, partition: &TopicPartition) -> Option<i64> {
        let end = self.partitions.get(partition)?.high_watermark?;
        Some(end.distance_from(self.position(partition)?).max(0))
    }

    fn current_position(&self, partition: &TopicPartition) -> Option<Offset> {
        let current = self.current.as_ref().filter(|current| current.partition == *partition);
        current.map(|current| current.position)
    }

    fn assigned(&mut self, partition: &TopicPartition) -> Result<&mut AssignedPartition> {
        let found = self.partitions.get_mut(partition);
        found.ok_or_else(|| Error::NotAssigned { partition: partition.clone() })
    }

    fn drop_current(&mut self, partition: &TopicPartition) {
        if self.current.as_ref().is_some_and(|current| current.partition == *partition) {
            self.current = None;
        }
    }

    const fn incarnation(&mut self) -> u64 {
        self.next_incarnation += 1;
        self.next_incarnation
    }

    fn is_finished(&self) -> bool {
        !self.partitions.is_empty() && self.partitions.values().all(AssignedPartition::is_finished)
    }
}
