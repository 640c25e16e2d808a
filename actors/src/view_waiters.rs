//! Who waits for a partition's next read view. A fetch with too little to answer leaves its bell
//! with every partition it asked for; the first change rings it, once. Nothing is parked in a
//! mailbox, and a partition nobody waits for pays one relaxed load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::Notify;

/// The bell of one waiting fetch.
#[derive(Clone, Debug, Default)]
pub struct Bell {
    notify: Arc<Notify>,
}

impl Bell {
    /// Waits until it has rung since the last wait.
    pub async fn rung(&self) {
        self.notify.notified().await;
    }
}

/// The bells left with one partition.
#[derive(Debug, Default)]
pub struct ViewWaiters {
    waiting: AtomicUsize,
    bells: Mutex<Vec<Weak<Notify>>>,
}

impl ViewWaiters {
    /// Leaves a bell. Whoever does so looks at the view again afterwards: a change in between has
    /// already rung.
    pub fn leave(&self, bell: &Bell) {
        let mut bells = self.lock();
        // bells of fetches that have been answered meanwhile are swept before the list grows
        if bells.len() == bells.capacity() {
            bells.retain(|bell| bell.strong_count() > 0);
        }
        bells.push(Arc::downgrade(&bell.notify));
        self.waiting.store(bells.len(), Ordering::SeqCst);
    }

    /// Rings and forgets every bell. Called after the new view is published.
    pub fn ring(&self) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let bells = {
            let mut bells = self.lock();
            self.waiting.store(0, Ordering::SeqCst);
            std::mem::take(&mut *bells)
        };
        for notify in bells.iter().filter_map(Weak::upgrade) {
            notify.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Notify>>> {
        self.bells.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bell_left_before_the_change_rings_once() {
        let waiters = ViewWaiters::default();
        let bell = Bell::default();
        waiters.leave(&bell);
        waiters.ring();
        bell.rung().await;
        waiters.ring();
        let again = tokio::time::timeout(std::time::Duration::from_millis(1), bell.rung()).await;
        assert!(again.is_err());
    }

    #[test]
    fn bells_of_finished_fetches_do_not_pile_up() {
        let waiters = ViewWaiters::default();
        for _ in 0..10_000 {
            waiters.leave(&Bell::default());
        }
        assert!(waiters.lock().capacity() <= 64, "{}", waiters.lock().capacity());
    }
}
