//! How long to wait before trying again: exponential with jitter, so that the clients of a broker
//! that comes back do not all return at once (KIP-580).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, Result};

/// Doubling pauses between two bounds, each shortened or lengthened by up to a fifth.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempts: 0 }
    }

    /// The next pause, given a random number in `[0, 1)`.
    fn next_with(&mut self, random: f64) -> Duration {
        let factor = 1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        self.attempts = self.attempts.saturating_add(1);
        self.first.saturating_mul(factor).min(self.longest).mul_f64(0.8 + 0.4 * random)
    }

    /// The next pause.
    pub(crate) fn next_pause(&mut self) -> Duration {
        self.next_with(rand::random())
    }

    /// Starts again from the shortest pause.
    pub(crate) const fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// The attempts of one operation: pauses between them, and the deadline of all.
#[derive(Debug)]
pub(crate) struct Attempts {
    backoff: Backoff,
    timeout: Duration,
    deadline: Instant,
}

impl Attempts {
    pub(crate) fn new(backoff: Backoff, timeout: Duration) -> Self {
        Self { backoff, timeout, deadline: Instant::now() + timeout }
    }

    /// Waits before the next attempt after one has failed.
    ///
    /// # Errors
    /// `error` itself if trying again does not help, [`Error::GaveUp`] if the time is up.
    pub(crate) async fn pause(&mut self, error: Error) -> Result<()> {
        if !error.is_retryable() {
            return Err(error);
        }
        let pause = self.backoff.next_pause();
        if Instant::now() + pause >= self.deadline {
            return Err(Error::GaveUp { after: self.timeout, last: Arc::new(error) });
        }
        tracing::debug!(%error, ?pause, "trying again");
        sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempts, Backoff};
    use crate::error::Error;
    use std::time::Duration;

    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_longest_and_start_again_after_a_reset() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let pauses: Vec<_> = (0..6).map(|_| backoff.next_with(0.5).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        for _ in 0..100 {
            backoff.next_with(0.5);
        }
        backoff.reset();
        assert_eq!(backoff.next_with(0.0).as_millis(), 80);
        assert_eq!(backoff.next_with(1.0).as_millis(), 240);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_no_retry_helps_against_ends_the_attempts() {
        let mut attempts = Attempts::new(Backoff::new(FIRST, LONGEST), Duration::from_secs(60));
        assert!(matches!(attempts.pause(Error::Closed).await, Err(Error::Closed)));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_end_with_the_last_error_when_the_time_is_up() {
        let lost = || Error::ConnectionLost { address: "b:1".into(), source: None };
        let mut attempts = Attempts::new(Backoff::new(FIRST, LONGEST), Duration::from_secs(3));
        let mut count = 0;
        let error = loop {
            match attempts.pause(lost()).await {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        assert!((4..8).contains(&count), "{count} attempts");
        assert!(matches!(error, Error::GaveUp { .. }));
    }
}
