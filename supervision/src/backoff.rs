//! How long to wait before a restart. Pure: time and jitter are passed in.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Delays between the restarts of one child.
///
/// The first restart after a quiet time is immediate, unless [`immediate_first`] is
/// off; then come `min`, 2 × `min`, 4 × `min` … up to `max`. A child that has run
/// for `reset_after` without a failure starts over.
///
/// [`immediate_first`]: Backoff::immediate_first
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first delay that is not immediate.
    pub min: Duration,
    /// No delay is longer.
    pub max: Duration,
    /// A run of at least this length forgets the failures before it.
    pub reset_after: Duration,
    /// Share of a delay that may be taken off at random, 0.0 to 1.0: failed children
    /// with one cause then do not come back at the same instant.
    pub jitter: f64,
    /// Whether the first restart does not wait at all.
    pub immediate_first: bool,
}

impl Backoff {
    /// Exponential delays from `min` to `max`, forgotten after a minute of health, with a
    /// fifth of jitter and an immediate first restart.
    #[must_use]
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, reset_after: Duration::from_secs(60), jitter: 0.2, immediate_first: true }
    }

    /// The delay before the restart that follows failure number `failures`, counted from 1.
    ///
    /// `random` is evenly spread in 0.0 (inclusive) to 1.0 (exclusive); what lies outside is cut.
    #[must_use]
    pub fn delay(&self, failures: u32, random: f64) -> Duration {
        let doublings = match (failures, self.immediate_first) {
            (0, _) | (1, true) => return Duration::ZERO,
            (failures, true) => failures - 2,
            (failures, false) => failures - 1,
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let full = self.min.checked_mul(factor).unwrap_or(self.max).min(self.max);
        let cut = self.jitter.clamp(0.0, 1.0) * random.clamp(0.0, 1.0);
        full.mul_f64(1.0 - cut)
    }
}

impl Default for Backoff {
    /// At once, then 100 ms doubling to 30 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(30))
    }
}

/// The failures of one child that still lengthen its delays.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailureRun {
    failures: u32,
}

impl FailureRun {
    /// Notes a failure at `now` of an incarnation that ran since `up_since` (`None`: it never
    /// came up) and returns the delay before the next start.
    pub fn on_failure(
        &mut self,
        backoff: &Backoff,
        up_since: Option<Instant>,
        now: Instant,
        random: f64,
    ) -> Duration {
        let healthy_for = up_since.map(|since| now.saturating_duration_since(since));
        if healthy_for.is_some_and(|time| time >= backoff.reset_after) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        backoff.delay(self.failures, random)
    }

    /// Failures since the last healthy time.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Forgets all failures: after an operator's release or restart.
    pub fn clear(&mut self) {
        self.failures = 0;
    }
}

/// A small seedable source of jitter (splitmix64). Not for anything that must be unguessable.
#[derive(Clone, Debug)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// The same seed gives the same sequence.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number, in 0.0 (inclusive) to 1.0 (exclusive).
    pub fn next_fraction(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // 53 bits are what an f64 holds exactly.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests;
