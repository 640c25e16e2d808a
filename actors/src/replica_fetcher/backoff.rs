//! How long a fetcher leaves a leader alone that does not answer. No task.

use std::time::Duration;

use tokio::time::Instant;

use crate::ports::rng::Rng;

const DELAY_MIN: Duration = Duration::from_millis(20);
/// While the link is up: the leader is there, and may be about to answer.
const DELAY_MAX: Duration = Duration::from_millis(500);
/// While there is no link: asking costs nothing then, as nothing is sent.
const DELAY_WITHOUT_LINK: Duration = Duration::from_millis(50);

/// Doubling delays, spread by chance so that followers do not come back all at once.
#[derive(Debug, Default)]
pub struct LinkBackoff {
    failures: u32,
    refused_reports: u32,
    until: Option<Instant>,
}

impl LinkBackoff {
    /// The leader answered.
    pub fn on_success(&mut self) {
        (self.failures, self.until) = (0, None);
    }

    /// It did not.
    pub fn on_failure(&mut self, now: Instant, has_link: bool, rng: &dyn Rng) {
        let delay = if has_link { doubled(self.failures) } else { DELAY_WITHOUT_LINK };
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + spread(delay, rng));
    }

    /// Until when it is left alone; `None` if it is not.
    #[must_use]
    pub fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// It refused a report: when to repeat it.
    pub fn delay_of_report(&mut self, rng: &dyn Rng) -> Duration {
        self.refused_reports = self.refused_reports.saturating_add(1);
        spread(doubled(self.refused_reports - 1), rng)
    }

    /// It heard everything.
    pub fn on_report_heard(&mut self) {
        self.refused_reports = 0;
    }
}

fn doubled(times: u32) -> Duration {
    DELAY_MIN.saturating_mul(1 << times.min(8)).min(DELAY_MAX)
}

/// Between three quarters of `delay` and all of it.
fn spread(delay: Duration, rng: &dyn Rng) -> Duration {
    let quarter = delay / 4;
    let share = u32::try_from(rng.next() % 1024).unwrap_or(0);
    delay - quarter * share / 1024
}
