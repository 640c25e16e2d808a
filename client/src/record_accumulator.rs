//! Records that wait to be sent, gathered into one open batch a partition. Pure: time and room
//! come in as arguments.
//!
//! ```text
//! append ──▶ open batch ──full, lingered, flushed──▶ closed batches ──take──▶ sender
//! ```
//!
//! Who appends has taken the record's bytes from the producer's buffer; the batch holds them until
//! it ends.

use std::collections::{BTreeMap, HashMap, VecDeque};

use protocol::compression::Compression;
use protocol::record::RecordContent;
use protocol::record_batch::{BuildError, RecordBatchBuilder};
use protocol::{PartitionIndex, TopicName, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Duration, Instant};

use crate::cluster_metadata::Topic;
use crate::error::Result;
use crate::partitioner::StickyPartition;
use crate::producer::delivery::{BatchOutcome, BatchPlace, Delivery};

/// A batch of one partition, from its first record to its outcome.
#[derive(Debug)]
pub(crate) struct ProducerBatch {
    /// Rises with every batch of the producer: the order in which batches were opened.
    pub(crate) number: u64,
    pub(crate) opened_at: Instant,
    pub(crate) builder: RecordBatchBuilder,
    outcome: watch::Sender<BatchOutcome>,
    /// The bytes of its records in the producer's buffer.
    room: OwnedSemaphorePermit,
}

impl ProducerBatch {
    /// Tells everybody who waits for one of its records.
    pub(crate) fn finish(self, result: Result<BatchPlace>) {
        self.outcome.send_replace(Some(result));
    }
}

/// When batches leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchingRules {
    pub(crate) batch_bytes_max: usize,
    pub(crate) linger: Duration,
    pub(crate) compression: Compression,
}

#[derive(Debug, Default)]
struct PartitionQueue {
    closed: VecDeque<ProducerBatch>,
    open: Option<ProducerBatch>,
}

impl PartitionQueue {
    fn close_open(&mut self) {
        self.closed.extend(self.open.take());
    }

    fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open.is_none()
    }

    fn oldest(&self) -> Option<&ProducerBatch> {
        self.closed.front().or(self.open.as_ref())
    }
}

/// One record to be appended.
pub(crate) struct Append<'a> {
    pub(crate) partition: TopicPartition,
    pub(crate) timestamp: i64,
    pub(crate) content: RecordContent<'a>,
    pub(crate) room: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) struct RecordAccumulator {
    rules: BatchingRules,
    queues: HashMap<TopicPartition, PartitionQueue>,
    sticky: HashMap<TopicName, Option<StickyPartition>>,
    next_number: u64,
    /// Batches that have not come to an end, for those who wait for all of them.
    unfinished: BTreeMap<u64, watch::Receiver<BatchOutcome>>,
}

impl RecordAccumulator {
    pub(crate) fn new(rules: BatchingRules) -> Self {
        Self {
            rules,
            queues: HashMap::new(),
            sticky: HashMap::new(),
            next_number: 0,
            unfinished: BTreeMap::new(),
        }
    }

    /// The partition for a record without a key.
    pub(crate) fn sticky_partition(&mut self, topic: &Topic, bytes: usize) -> PartitionIndex {
        let current = match self.sticky.get_mut(&topic.name) {
            Some(current) => current,
            None => self.sticky.entry(topic.name.clone()).or_default(),
        };
        StickyPartition::choose(current, topic, bytes, self.rules.batch_bytes_max)
    }

    /// Appends a record. Says whether a batch is now ready or newly open, so that the sender has
    /// to look.
    pub(crate) fn append(
        &mut self,
        record: Append<'_>,
        now: Instant,
    ) -> std::result::Result<(Delivery, bool), BuildError> {
        let Append { partition, timestamp, content, room } = record;
        let queue = match self.queues.get_mut(&partition) {
            Some(queue) => queue,
            None => self.queues.entry(partition.clone()).or_default(),
        };
        let is_full = |open: &ProducerBatch| {
            let bytes = open.builder.uncompressed_bytes_with(timestamp, &content);
            bytes > self.rules.batch_bytes_max
        };
        let mut wake = false;
        if queue.open.as_ref().is_some_and(is_full) {
            queue.close_open();
            wake = true;
        }
        let (batch, opened) = match queue.open.take() {
            Some(mut batch) => {
                batch.room.merge(room);
                (queue.open.insert(batch), false)
            }
            None => {
                let batch = ProducerBatch {
                    number: self.next_number,
                    opened_at: now,
                    builder: RecordBatchBuilder::new(self.rules.compression),
                    outcome: watch::Sender::new(None),
                    room,
                };
                (queue.open.insert(batch), true)
            }
        };
        let index = match batch.builder.append(timestamp, &content) {
            Ok(index) => index,
            Err(error) => {
                if opened {
                    queue.open = None;
                }
                return Err(error);
            }
        };
        if opened {
            self.next_number += 1;
            self.unfinished.insert(batch.number, batch.outcome.subscribe());
        }
        let outcome = batch.outcome.subscribe();
        if batch.builder.uncompressed_bytes() >= self.rules.batch_bytes_max {
            queue.close_open();
            wake = true;
        }
        Ok((Delivery { partition, index, timestamp, outcome }, wake || opened))
    }

    /// Closes the batches that have waited long enough, or all of them.
    pub(crate) fn close_due(&mut self, now: Instant, all: bool) {
        for queue in self.queues.values_mut() {
            let due = |open: &ProducerBatch| now >= open.opened_at + self.rules.linger;
            if queue.open.as_ref().is_some_and(|open| all || due(open)) {
                queue.close_open();
            }
        }
    }

    /// When the next open batch has waited long enough.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let open = self.queues.values().filter_map(|queue| queue.open.as_ref());
        open.map(|open| open.opened_at + self.rules.linger).min()
    }

    /// Partitions with a closed batch, that with the oldest first.
    pub(crate) fn ready(&self) -> Vec<TopicPartition> {
        let mut ready: Vec<_> = self
            .queues
            .iter()
            .filter_map(|(partition, queue)| Some((queue.closed.front()?.number, partition)))
            .collect();
        ready.sort_unstable_by_key(|(number, _)| *number);
        ready.into_iter().map(|(_, partition)| partition.clone()).collect()
    }

    /// The bytes of a partition's next closed batch, before compression.
    pub(crate) fn next_bytes(&self, partition: &TopicPartition) -> Option<usize> {
        Some(self.queues.get(partition)?.closed.front()?.builder.uncompressed_bytes())
    }

    /// Takes a partition's next closed batch.
    pub(crate) fn take(&mut self, partition: &TopicPartition) -> Option<ProducerBatch> {
        let queue = self.queues.get_mut(partition)?;
        let batch = queue.closed.pop_front();
        if queue.is_empty() {
            self.queues.remove(partition);
        }
        batch
    }

    /// Takes the batches that were opened at or before `time`, unsent.
    pub(crate) fn take_opened_by(&mut self, time: Instant) -> Vec<(TopicPartition, ProducerBatch)> {
        let mut old = Vec::new();
        for (partition, queue) in &mut self.queues {
            while queue.oldest().is_some_and(|batch| batch.opened_at <= time) {
                let batch = queue.closed.pop_front().or_else(|| queue.open.take());
                old.extend(batch.map(|batch| (partition.clone(), batch)));
            }
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        old
    }

    /// When the oldest batch was opened.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.queues.values().filter_map(PartitionQueue::oldest).map(|batch| batch.opened_at).min()
    }

    /// A batch has come to its end.
    pub(crate) fn forget(&mut self, number: u64) {
        self.unfinished.remove(&number);
    }

    /// The batches that have not come to an end.
    pub(crate) fn unfinished(&self) -> Vec<watch::Receiver<BatchOutcome>> {
        self.unfinished.values().cloned().collect()
    }

    /// Whether no record waits or is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.unfinished.is_empty()
    }
}

#[cfg(test)]
mod tests;
