//! Which feeds wait for a partition's next read view. A feed leaves a bell with every partition
//! about which it has told everything; the first change after that rings it, once, and says whose it
//! is: with a thousand partitions in a session nobody looks at the other ones. A partition without
//! followers pays one load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use metadata::PartitionKey;
use tokio::sync::Notify;

/// The partitions that rang for one feed.
#[derive(Debug, Default)]
pub struct RungPartitions {
    rung: Mutex<Vec<PartitionKey>>,
    notify: Notify,
}

impl RungPartitions {
    /// Waits until something has rung since it was last taken.
    pub async fn any(&self) {
        self.notify.notified().await;
    }

    /// Takes what has rung.
    #[must_use]
    pub fn take(&self) -> Vec<PartitionKey> {
        std::mem::take(&mut *lock(&self.rung))
    }

    fn ring(&self, key: PartitionKey) {
        lock(&self.rung).push(key);
        self.notify.notify_one();
    }
}

/// The bells that feeds left with one partition.
#[derive(Debug, Default)]
pub struct FeedBells {
    waiting: AtomicUsize,
    bells: Mutex<Vec<Weak<RungPartitions>>>,
}

impl FeedBells {
    /// Leaves a bell. Whoever does so looks at the view again afterwards: a change in between has
    /// already rung.
    pub fn leave(&self, rung: &Arc<RungPartitions>) {
        let mut bells = lock(&self.bells);
        // those of sessions that ended are swept before the list grows
        if bells.len() == bells.capacity() {
            bells.retain(|bell| bell.strong_count() > 0);
        }
        bells.push(Arc::downgrade(rung));
        self.waiting.store(bells.len(), Ordering::SeqCst);
    }

    /// Rings and forgets every bell. Called after the new view is published.
    pub fn ring(&self, key: PartitionKey) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let bells = {
            let mut bells = lock(&self.bells);
            self.waiting.store(0, Ordering::SeqCst);
            std::mem::take(&mut *bells)
        };
        for rung in bells.iter().filter_map(Weak::upgrade) {
            rung.ring(key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
