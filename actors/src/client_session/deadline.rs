//! The one timer of a connection. It is armed for the nearest deadline and, when it rings, asked
//! again: activity in between moves the deadline without touching the timer.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionDeadlines {
    /// Between two requests (`connections.max.idle.ms`).
    pub idle: Duration,
    /// From the first byte of a request to its last.
    pub request_read: Duration,
    /// For taking a response that has been written.
    pub response_write: Duration,
}

/// The connection's timer.
#[derive(Debug)]
pub struct ConnectionTimer {
    deadlines: ConnectionDeadlines,
    last_activity: Instant,
    frame_started: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl ConnectionTimer {
    /// A timer of a connection that has just been accepted: its first request is due as if it had
    /// begun.
    #[must_use]
    pub fn start(deadlines: ConnectionDeadlines) -> Self {
        let now = Instant::now();
        let sleep = Box::pin(sleep_until(now + deadlines.request_read.min(deadlines.idle)));
        Self { deadlines, last_activity: now, frame_started: None, sleep }
    }

    /// Bytes have come or gone.
    pub fn on_activity(&mut self) {
        self.last_activity = Instant::now();
    }

    /// Every whole request has been taken; `inside_frame` says whether half of one is left.
    pub fn before_wait(&mut self, inside_frame: bool) {
        if !inside_frame {
            self.frame_started = None;
        } else if self.frame_started.is_none() {
            let now = Instant::now();
            self.frame_started = Some(now);
            let due = now + self.deadlines.request_read;
            if due < self.sleep.deadline() {
                self.sleep.as_mut().reset(due);
            }
        }
    }

    /// Waits until a deadline has really passed. Safe to cancel.
    pub async fn expired(&mut self) {
        loop {
            self.sleep.as_mut().await;
            let due = self.due();
            if due <= Instant::now() {
                return;
            }
            self.sleep.as_mut().reset(due);
        }
    }

    fn due(&self) -> Instant {
        let idle = self.last_activity + self.deadlines.idle;
        self.frame_started.map_or(idle, |started| idle.min(started + self.deadlines.request_read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: ConnectionDeadlines = ConnectionDeadlines {
        idle: Duration::from_secs(600),
        request_read: Duration::from_secs(30),
        response_write: Duration::from_secs(60),
    };

    async fn seconds_until_expired(timer: &mut ConnectionTimer) -> u64 {
        let start = Instant::now();
        timer.expired().await;
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_request_expires_long_before_an_idle_connection() {
        let mut timer = ConnectionTimer::start(DEADLINES);
        timer.before_wait(true);
        tokio::time::advance(Duration::from_secs(20)).await;
        timer.on_activity();
        timer.before_wait(true);
        assert_eq!(seconds_until_expired(&mut timer).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn activity_moves_the_idle_deadline() {
        let mut timer = ConnectionTimer::start(DEADLINES);
        tokio::time::advance(Duration::from_secs(20)).await;
        timer.before_wait(true);
        timer.on_activity();
        timer.before_wait(false);
        assert_eq!(seconds_until_expired(&mut timer).await, 600);
    }
}
