//! How often children may be restarted before their supervisor gives up. Pure: time is passed in.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// At most `restarts` restarts within any span of `within`.
///
/// The restart that would be number `restarts + 1` in the span is refused.
/// `restarts` = 0 allows none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartIntensity {
    /// Restarts allowed within the span, inclusive.
    pub restarts: u32,
    /// Length of the sliding span; a restart exactly this old no longer counts.
    pub within: Duration,
}

impl RestartIntensity {
    /// At most `restarts` restarts within `within`.
    #[must_use]
    pub const fn new(restarts: u32, within: Duration) -> Self {
        Self { restarts, within }
    }
}

impl Default for RestartIntensity {
    /// Three restarts within a minute.
    fn default() -> Self {
        Self::new(3, Duration::from_secs(60))
    }
}

/// The restarts that still count. Empty, it owns no memory.
#[derive(Clone, Debug, Default)]
pub struct RestartHistory {
    recent: VecDeque<Instant>,
}

impl RestartHistory {
    /// Notes a restart at `now` and says whether it is still within `intensity`.
    ///
    /// `now` must not be earlier than in the call before.
    pub fn allow(&mut self, intensity: RestartIntensity, now: Instant) -> bool {
        while let Some(oldest) = self.recent.front() {
            if now.saturating_duration_since(*oldest) < intensity.within {
                break;
            }
            self.recent.pop_front();
        }
        if self.recent.len() >= intensity.restarts as usize {
            return false;
        }
        self.recent.push_back(now);
        true
    }

    /// Restarts noted and not yet forgotten.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recent.len()
    }

    /// Whether no restart counts any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }

    /// Forgets everything: after an operator's release or restart.
    pub fn clear(&mut self) {
        self.recent = VecDeque::new();
    }
}

#[cfg(test)]
mod tests;
