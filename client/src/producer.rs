//! The producer: admits records to a bounded buffer, and leaves their delivery to its task.
//!
//! ```text
//! send ─▶ partitioner ─▶ room in the buffer ─▶ accumulator ─▶ sender ─▶ broker lane ─▶ leader
//!   └──▶ Delivery ◀───────────────── outcome of the batch ◀──────┴────────┘
//! ```

mod broker_lane;
pub(crate) mod delivery;
mod identity;
mod partition_delivery;
mod producer_record;
mod sender;
mod settings;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::TopicPartition;
use protocol::record_batch::RecordBatchBuilder;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

pub use delivery::{Delivery, RecordPlace};
pub use producer_record::ProducerRecord;
pub use settings::{Acks, ProducerSettings};

use crate::backoff::Attempts;
use crate::client::Client;
use crate::cluster_metadata::Topic;
use crate::error::{Error, Result};
use crate::partitioner::partition_for_key;
use crate::record_accumulator::{Append, BatchingRules, RecordAccumulator};
use sender::{ProducerShared, Sender};

/// Sends records. Cloning it is cheap; clones share buffer, batches and identity. When the last
/// clone is dropped, what has been admitted is still delivered, as long as the runtime lives.
#[derive(Clone)]
pub struct Producer {
    handle: Arc<ProducerHandle>,
}

struct ProducerHandle {
    shared: Arc<ProducerShared>,
}

impl Drop for ProducerHandle {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

/// Makes the sender hurry while it lives.
struct Impatience<'a>(&'a ProducerShared);

impl<'a> Impatience<'a> {
    fn of(shared: &'a ProducerShared) -> Self {
        shared.impatient.fetch_add(1, Ordering::AcqRel);
        shared.wake.notify_one();
        Self(shared)
    }
}

impl Drop for Impatience<'_> {
    fn drop(&mut self) {
        self.0.impatient.fetch_sub(1, Ordering::AcqRel);
    }
}

fn now_milliseconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Client {
    /// A producer, and the task that sends for it.
    ///
    /// # Errors
    /// Where the settings contradict themselves.
    pub fn producer(&self, settings: ProducerSettings) -> Result<Producer> {
        settings.check()?;
        let rules = BatchingRules {
            batch_bytes_max: settings.batch_bytes_max.min(settings.request_bytes_max),
            linger: settings.linger,
            compression: settings.compression,
        };
        let shared = Arc::new(ProducerShared {
            cluster: Arc::clone(&self.cluster),
            accumulator: Mutex::new(RecordAccumulator::new(rules)),
            room: Arc::new(Semaphore::new(settings.buffer_bytes_max)),
            settings: Arc::new(settings),
            wake: Notify::new(),
            impatient: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        tokio::spawn(Sender::new(Arc::clone(&shared)).run());
        Ok(Producer { handle: Arc::new(ProducerHandle { shared }) })
    }
}

impl Producer {
    /// Admits a record: chooses its partition and puts it into a batch. Waits while the buffer is
    /// full or the topic unknown; the returned [`Delivery`] gives the record's place once a
    /// broker has acknowledged it.
    ///
    /// Dropping the future before it is ready admits nothing.
    ///
    /// # Errors
    /// [`Error::RecordTooLarge`], [`Error::NoSuchPartition`], [`Error::BufferFull`],
    /// [`Error::Closed`], or why the topic's metadata could not be had.
    pub async fn send(&self, record: ProducerRecord) -> Result<Delivery> {
        let shared = &*self.handle.shared;
        if shared.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        let content = record.content();
        let bytes = RecordBatchBuilder::single_record_bytes(&content);
        let bytes_max = shared.settings.request_bytes_max;
        if bytes > bytes_max {
            return Err(Error::RecordTooLarge { bytes, bytes_max });
        }
        let topic = self.topic_of(&record).await?;
        let room = self.room(bytes).await?;
        let timestamp = record.timestamp.unwrap_or_else(now_milliseconds);
        let mut accumulator = shared.accumulator();
        let index = match (record.partition, &record.key) {
            (Some(index), _) => index,
            (None, Some(key)) => partition_for_key(key, topic.partitions.len()),
            (None, None) => accumulator.sticky_partition(&topic, bytes),
        };
        let partition = TopicPartition::new(record.topic.clone(), index);
        let append = Append { partition, timestamp, content, room };
        let (delivery, wake) = accumulator.append(append, Instant::now())?;
        drop(accumulator);
        if wake {
            shared.wake.notify_one();
        }
        Ok(delivery)
    }

    async fn topic_of(&self, record: &ProducerRecord) -> Result<Arc<Topic>> {
        let shared = &self.handle.shared;
        let (settings, cluster) = (&shared.settings, &shared.cluster);
        let may_create = settings.may_create_topics;
        let attempts = || Attempts::new(cluster.settings.backoff(), settings.admission_timeout);
        let mut topic = cluster.topic(&record.topic, may_create, attempts()).await?;
        if let Some(index) = record.partition
            && topic.partition(index).is_err()
        {
            // partitions may have been added since
            cluster.refresh_after(cluster.metadata().version).await?;
            topic = cluster.topic(&record.topic, may_create, attempts()).await?;
            topic.partition(index)?;
        }
        Ok(topic)
    }

    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        let shared = &self.handle.shared;
        let amount = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Ok(room) = Arc::clone(&shared.room).try_acquire_many_owned(amount) {
            return Ok(room);
        }
        let _hurry = Impatience::of(shared);
        let after = shared.settings.admission_timeout;
        match timeout(after, Arc::clone(&shared.room).acquire_many_owned(amount)).await {
            Ok(room) => room.map_err(|_| Error::Closed),
            Err(_) => Err(Error::BufferFull { bytes, after }),
        }
    }

    /// Waits until every record admitted before has been delivered or has failed; what became of
    /// each, its [`Delivery`] says. Batches that linger leave at once.
    ///
    /// # Errors
    /// The first failure among the records that were under way at the call.
    pub async fn flush(&self) -> Result<()> {
        let shared = &self.handle.shared;
        let _hurry = Impatience::of(shared);
        let unfinished = shared.accumulator().unfinished();
        let mut first = Ok(());
        for mut outcome in unfinished {
            let result = delivery::wait(&mut outcome).await;
            first = first.and(result.map(drop));
        }
        first
    }

    /// Refuses further records and waits for those admitted, as [`Self::flush`]. Also closes the
    /// clones of this producer.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub async fn close(self) -> Result<()> {
        self.handle.shared.closed.store(true, Ordering::Release);
        self.flush().await
    }
}
