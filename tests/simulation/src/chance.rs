//! Chance, as the seed has it. Every part of the world draws from a stream of its own, so that one
//! part drawing once more does not change what all others draw.

use std::time::Duration;

/// A stream of random numbers (SplitMix64): the same for the same seed, on every machine.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The stream of `seed` for the part of the world called `part`.
    #[must_use]
    pub fn new(seed: u64, part: &str) -> Self {
        let name = u64::from(crc32fast::hash(part.as_bytes()));
        let mut chance = Self { state: seed ^ (name << 32 | name) };
        chance.draw();
        chance
    }

    /// The next number, uniform over all 64 bits.
    pub const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to below `high`; `low` if there is none.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        let drawn = self.draw();
        match drawn.checked_rem(high.saturating_sub(low)) {
            Some(above) => low + above,
            None => low,
        }
    }

    /// Whether something happens that happens so many times in a thousand.
    pub const fn per_mille(&mut self, times: u64) -> bool {
        self.between(0, 1000) < times
    }

    /// A duration from `low` to below `high` milliseconds.
    pub const fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// One of the items; `None` if there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.between(0, items.len() as u64);
        items.get(usize::try_from(index).unwrap_or(usize::MAX))
    }
}
