//! How long this node may take itself for a living member of the cluster: no actor, one number that
//! every produce, fetch and question for offsets looks at.
//!
//! The controller takes a broker's leaderships away when it has been silent for the session timeout.
//! The broker counts the same time from the moment at which it *sent* the last heartbeat that was
//! answered, so it stops serving before anybody else begins to lead, whether it was cut off or the
//! whole process stood still. Safety does not rest on it (a deposed leader can commit nothing): it
//! keeps clients from talking to a leader that is none any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// See the head of this file.
#[derive(Debug)]
pub struct Lifeline {
    since: Instant,
    /// Microseconds from `since`; 0 before the first answer.
    holds_until: AtomicU64,
}

impl Default for Lifeline {
    fn default() -> Self {
        Self { since: Instant::now(), holds_until: AtomicU64::new(0) }
    }
}

impl Lifeline {
    /// A heartbeat that was sent at `sent` was answered.
    pub fn extend(&self, sent: Instant, session_timeout: Duration) {
        self.holds_until.fetch_max(self.micros(sent + session_timeout), Ordering::Relaxed);
    }

    /// Whether the cluster may have given this node up.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.micros(Instant::now()) > self.holds_until.load(Ordering::Relaxed)
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.since).as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_holds_for_the_session_timeout_from_the_sending_of_the_last_answered_heartbeat() {
        let lifeline = Lifeline::default();
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(lifeline.is_torn());
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(100)).await;
        lifeline.extend(sent, Duration::from_millis(600));
        assert!(!lifeline.is_torn());
        // an older answer that comes late takes nothing back
        lifeline.extend(sent - Duration::from_millis(1), Duration::from_millis(600));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(!lifeline.is_torn());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(lifeline.is_torn());
    }
}
