//! The two clocks a group needs, both read by the caller.

use std::fmt;
use std::time::Duration;

/// Wall-clock time in milliseconds since 1970-01-01 UTC, as Kafka's records carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A time from its milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The time `millis` later; stays at the end of the range instead of wrapping.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Whether at least `duration` lies between `earlier` and this time.
    #[must_use]
    pub fn is_at_least_after(self, duration: Duration, earlier: Self) -> bool {
        let elapsed = i128::from(self.0) - i128::from(earlier.0);
        elapsed >= i128::try_from(duration.as_millis()).unwrap_or(i128::MAX)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The moment of an input, as the caller's clocks show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Time since an origin of the caller's choice, the same for the life of a group. Never goes
    /// back. Every deadline is measured on it.
    pub monotonic: Duration,
    /// What stands in records: the time of a commit, the time a group became empty. May jump.
    pub wall_clock: Timestamp,
}
