//! The checker against histories that are right, histories with one contradiction in them, and
//! forged ones from files. It must accuse exactly what is wrong, or no test can rely on it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod anomalies;
mod clean;
mod forged;
mod injection;
mod lines;
mod world;

use logcheck::{Event, History};

/// Chance by seed (splitmix64), the same on every machine.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).expect("it is below a usize")
    }

    /// Whether something of that probability in percent happens.
    pub fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// The history that those events make.
pub fn history_of(events: &[Event]) -> History {
    let mut history = History::new();
    for (event, line) in events.iter().zip(1..) {
        let added = history.record(event.clone());
        added.unwrap_or_else(|error| panic!("line {line}: {error}: {event:?}"));
    }
    history
}
