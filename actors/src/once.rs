//! Something that happens once, and that any number may wait for. No actor.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// See the head of this file. Those who wait go on in the order in which they began to wait.
#[derive(Debug, Default)]
pub(crate) struct Once {
    happened: AtomicBool,
    waiting: Notify,
}

impl Once {
    /// From now on it has happened.
    pub fn happen(&self) {
        self.happened.store(true, Ordering::Release);
        self.waiting.notify_waiters();
    }

    /// Whether it has happened.
    pub fn has_happened(&self) -> bool {
        self.happened.load(Ordering::Acquire)
    }

    /// Waits until it has happened.
    pub async fn wait(&self) {
        let mut notified = std::pin::pin!(self.waiting.notified());
        notified.as_mut().enable();
        if !self.has_happened() {
            notified.await;
        }
    }
}
