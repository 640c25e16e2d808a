//! The high watermark: the one function that computes it, and a type that only rises.

use protocol::Offset;

/// The first offset that is not committed. It rises only; truncation is the one exception.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HighWatermark(Offset);

impl HighWatermark {
    pub(crate) const fn new(offset: Offset) -> Self {
        Self(offset)
    }

    pub(crate) const fn get(self) -> Offset {
        self.0
    }

    /// Raises it if `offset` is higher; says whether it was.
    pub(crate) fn raise_to(&mut self, offset: Offset) -> bool {
        let rises = offset > self.0;
        if rises {
            self.0 = offset;
        }
        rises
    }

    /// The log was cut at `offset`: nothing above it exists any more. Says whether it fell.
    pub(crate) fn cut_at(&mut self, offset: Offset) -> bool {
        let falls = offset < self.0;
        if falls {
            self.0 = offset;
        }
        falls
    }
}

/// The highest offset that every one of `counted` has reached: the offset each member of the
/// maximal in-sync replicas counts with, flushed or written. `None` if nobody counts.
pub(crate) fn reached_by_all(counted: impl Iterator<Item = Offset>) -> Option<Offset> {
    counted.min()
}
