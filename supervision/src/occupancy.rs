//! How many are busy with something, and a wait until nobody is. Entering never waits; any number
//! may wait, and may stop waiting at any time.

use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Occupancy {
    count: AtomicU32,
    left: Notify,
}

impl Occupancy {
    pub(crate) fn enter(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn leave(&self) {
        if self.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.left.notify_waiters();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    pub(crate) async fn empty(&self) {
        loop {
            // Made before the look, so that a leave between the two is not missed.
            let left = self.left.notified();
            if self.is_empty() {
                return;
            }
            left.await;
        }
    }
}
