//! Who holds which partition on this node: the only such table. It is read by every request and
//! written when a replica comes or goes, so readers share an immutable map.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use imbl::HashMap;
use metadata::{PartitionKey, PartitionState};
use protocol::{LeaderEpoch, Offset, TopicPartition};
use supervision::Address;
use tokio::sync::Notify;

use crate::feed_bells::{FeedBells, RungPartitions};
use crate::partition_replica::PartitionReplicaMessage;
use crate::partition_settings::PartitionSettings;
use crate::read_view::ReadView;
use crate::view_waiters::{Bell, ViewWaiters};

/// The place of one partition on this node. It outlives restarts of its replica.
#[derive(Debug)]
pub struct PartitionPlace {
    /// Its topic's incarnation, and its index.
    pub key: PartitionKey,
    /// Its name.
    pub name: TopicPartition,
    /// Its replica.
    pub replica: Address<PartitionReplicaMessage>,
    view: ArcSwapOption<ReadView>,
    waiters: ViewWaiters,
    feeds: FeedBells,
    settings: ArcSwap<PartitionSettings>,
    pending_bytes: Arc<AtomicUsize>,
    was_opened: AtomicBool,
    last_told_epoch: AtomicI32,
    losses: AtomicU64,
    losses_known: AtomicU64,
    decided: ArcSwap<PartitionState>,
    log_end: AtomicI64,
}

/// Bytes on their way into one partition's file; given back when dropped.
#[derive(Debug)]
pub struct PendingBytes {
    counter: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for PendingBytes {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl PartitionPlace {
    /// A place where nobody lives yet.
    #[must_use]
    pub fn new(
        key: PartitionKey,
        name: TopicPartition,
        settings: Arc<PartitionSettings>,
        decided: Arc<PartitionState>,
    ) -> Self {
        Self {
            key,
            name,
            replica: Address::new(),
            view: ArcSwapOption::empty(),
            waiters: ViewWaiters::default(),
            feeds: FeedBells::default(),
            settings: ArcSwap::new(settings),
            pending_bytes: Arc::default(),
            was_opened: AtomicBool::new(false),
            last_told_epoch: AtomicI32::new(LeaderEpoch::UNKNOWN.value()),
            losses: AtomicU64::new(0),
            losses_known: AtomicU64::new(0),
            decided: ArcSwap::new(decided),
            log_end: AtomicI64::new(Offset::UNKNOWN.value()),
        }
    }

    /// The leader's picture; `None` while the replica does not lead.
    #[must_use]
    pub fn view(&self) -> Option<Arc<ReadView>> {
        self.shown().filter(|view| view.is_leaders())
    }

    /// The replica's picture, as a leader or as a follower that serves consumers; `None` while
    /// there is nothing to see.
    #[must_use]
    pub fn shown(&self) -> Option<Arc<ReadView>> {
        self.view.load_full()
    }

    /// Publishes a picture and wakes whoever waits for one.
    pub fn publish(&self, view: ReadView) {
        self.publish_to_feeds(view);
        self.waiters.ring();
    }

    /// Publishes a picture that differs only in what followers may read, and wakes their feeds.
    pub fn publish_to_feeds(&self, view: ReadView) {
        self.replace(view);
        self.feeds.ring(self.key);
    }

    /// Publishes a picture that differs in nothing that anybody waits for.
    pub fn replace(&self, view: ReadView) {
        self.view.store(Some(Arc::new(view)));
    }

    /// Takes the picture away: the replica ended or stopped leading.
    pub fn close(&self) {
        self.view.store(None);
        self.feeds.ring(self.key);
        self.waiters.ring();
    }

    /// Where the replica's log ends, whatever its role; `None` while it is not open. For onlookers:
    /// what leads says so in its view.
    #[must_use]
    pub fn log_end_offset(&self) -> Option<Offset> {
        let led = self.view().map(|view| view.reader.log_end_offset());
        let noted = Offset::new(self.log_end.load(Ordering::Relaxed));
        led.or(Some(noted)).filter(|end| end.is_valid())
    }

    /// Notes where the replica's log ends; [`Offset::UNKNOWN`] when nobody has it open any more.
    pub fn note_log_end(&self, offset: Offset) {
        self.log_end.store(offset.value(), Ordering::Relaxed);
    }

    /// Which storage thread its writer lives on: the same for all of its writers.
    #[must_use]
    pub fn storage_hash(&self) -> u64 {
        let (high, low) = self.key.topic_id.0.as_u64_pair();
        high ^ low ^ u64::from(self.key.partition.0.unsigned_abs())
    }

    /// Leaves a bell that rings at the next picture.
    pub fn leave_bell(&self, bell: &Bell) {
        self.waiters.leave(bell);
    }

    /// Leaves a feed's bell that rings at the next picture.
    pub fn leave_feed_bell(&self, rung: &Arc<RungPartitions>) {
        self.feeds.leave(rung);
    }

    /// The topic's settings as last published.
    #[must_use]
    pub fn settings(&self) -> Arc<PartitionSettings> {
        self.settings.load_full()
    }

    /// Replaces the topic's settings.
    pub fn set_settings(&self, settings: Arc<PartitionSettings>) {
        self.settings.store(settings);
    }

    /// Takes room for `bytes` under the partition's cap; `None` if it is full. One batch always
    /// fits into an empty partition.
    #[must_use]
    pub fn reserve(&self, bytes: usize, bytes_max: usize) -> Option<PendingBytes> {
        let before = self.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
        let reserved = PendingBytes { counter: Arc::clone(&self.pending_bytes), bytes };
        (before == 0 || before.saturating_add(bytes) <= bytes_max).then_some(reserved)
    }

    /// What the cluster has agreed on about the partition, as last published.
    #[must_use]
    pub fn decided(&self) -> Arc<PartitionState> {
        self.decided.load_full()
    }

    /// Remembers what the cluster has agreed on, unless newer is known; says whether it is news. It
    /// comes by two ways, which may overtake each other.
    pub fn set_decided(&self, decided: Arc<PartitionState>) -> bool {
        let is_news = |known: &PartitionState| known.partition_epoch < decided.partition_epoch;
        let before =
            self.decided.rcu(|known| Arc::clone(if is_news(known) { &decided } else { known }));
        is_news(&before)
    }

    /// Whether the log is about to be opened for the first time since the process started; true
    /// once. A restart of the replicas' supervisor counts their incarnations anew, this not.
    #[must_use]
    pub fn opens_first(&self) -> bool {
        !self.was_opened.swap(true, Ordering::SeqCst)
    }

    /// The highest epoch that a replica was told of here since the process started: whoever stops
    /// leading never resumes that epoch, also not after a restart of the replica.
    #[must_use]
    pub fn last_told_epoch(&self) -> LeaderEpoch {
        LeaderEpoch::new(self.last_told_epoch.load(Ordering::SeqCst))
    }

    /// Remembers that records are gone which the replica had confirmed. Whichever incarnation of it
    /// speaks to the controller next has to say so: the log of a later one looks whole.
    pub fn lost_confirmed(&self) {
        self.losses.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether everything that the replica confirmed is there, as far as the controller does not know
    /// otherwise.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.losses() <= self.losses_known.load(Ordering::SeqCst)
    }

    /// How often the replica lost confirmed records.
    #[must_use]
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// The controller has answered a report that was made after so many losses: what it decides from
    /// here on, it decides knowing of them.
    pub fn losses_are_known(&self, losses: u64) {
        self.losses_known.fetch_max(losses, Ordering::SeqCst);
    }

    /// Remembers that the replica took a role under this epoch.
    pub fn told(&self, epoch: LeaderEpoch) {
        self.last_told_epoch.fetch_max(epoch.value(), Ordering::SeqCst);
    }
}

/// The partitions of this node.
#[derive(Debug, Default)]
pub struct PartitionDirectory {
    places: ArcSwap<HashMap<PartitionKey, Arc<PartitionPlace>>>,
    changed: Notify,
}

impl PartitionDirectory {
    /// The place of a partition, if this node holds a replica of it.
    #[must_use]
    pub fn find(&self, key: PartitionKey) -> Option<Arc<PartitionPlace>> {
        self.places.load().get(&key).cloned()
    }

    /// Adds a place.
    pub fn add(&self, place: &Arc<PartitionPlace>) {
        self.places.rcu(|places| places.update(place.key, Arc::clone(place)));
        self.changed.notify_waiters();
    }

    /// Removes a place and closes its view.
    pub fn remove(&self, key: PartitionKey) -> Option<Arc<PartitionPlace>> {
        let place = self.find(key)?;
        self.places.rcu(|places| places.without(&key));
        place.close();
        Some(place)
    }

    /// Every place, in no order.
    #[must_use]
    pub fn places(&self) -> Vec<Arc<PartitionPlace>> {
        self.places.load().values().cloned().collect()
    }

    /// How many partitions this node holds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.load().len()
    }

    /// Waits until each of these partitions is here and serves. Whoever waits sets a deadline.
    pub async fn serving(&self, keys: &[PartitionKey]) {
        for key in keys {
            self.serves(*key).await;
        }
    }

    async fn serves(&self, key: PartitionKey) {
        let bell = Bell::default();
        loop {
            let added = self.changed.notified();
            let Some(place) = self.find(key) else {
                added.await;
                continue;
            };
            place.leave_bell(&bell);
            if place.view().is_some() {
                return;
            }
            bell.rung().await;
        }
    }
}
