//! Which work is under way and since which tick, and what that says of the disk.

use std::collections::BTreeMap;

/// Ticks of a whole timeout.
pub const TICKS_PER_TIMEOUT: u32 = 8;

/// What a tick says of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What the tick before said.
    AsBefore,
    /// It does not answer any more.
    Hung,
    /// It answers again.
    Answers,
}

#[derive(Clone, Copy, Debug)]
struct Work {
    since_tick: u64,
    bytes: u64,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Outstanding {
    /// What the slowest disk that is not hung writes in a tick.
    bytes_per_tick: u64,
    tick: u64,
    next: u64,
    works: BTreeMap<u64, Work>,
    /// Whether the watch looks.
    is_armed: bool,
    /// Whether work began since the last tick.
    was_busy: bool,
    is_hung: bool,
    /// Ticks in a row, of a hung disk, at which nothing was outstanding for long.
    calm_ticks: u32,
}

impl Outstanding {
    /// No work. `bytes_per_tick` is what the slowest disk that is not hung writes in a tick.
    pub const fn new(bytes_per_tick: u64) -> Self {
        Self {
            bytes_per_tick,
            tick: 0,
            next: 0,
            works: BTreeMap::new(),
            is_armed: false,
            was_busy: false,
            is_hung: false,
            calm_ticks: 0,
        }
    }

    /// Work begins. Gives its number, and whether the watch must be told to look.
    pub fn begin(&mut self, bytes: u64) -> (u64, bool) {
        let number = self.next;
        self.next += 1;
        self.works.insert(number, Work { since_tick: self.tick, bytes });
        self.was_busy = true;
        (number, !std::mem::replace(&mut self.is_armed, true))
    }

    /// Work ends.
    pub fn end(&mut self, number: u64) {
        self.works.remove(&number);
    }

    /// The watch looks from now on.
    pub fn arm(&mut self) {
        self.is_armed = true;
    }

    /// For how many ticks the oldest work has been under way.
    pub fn oldest_ticks(&self) -> u32 {
        // numbers rise with time
        let oldest = self.works.values().next();
        let ticks = oldest.map_or(0, |work| self.tick - work.since_tick);
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// A tick: what it says of the disk, the age of the oldest work in ticks, and whether the watch
    /// goes on looking. It does while there is work, and for one more tick after the last began: so
    /// a disk in use does not wake it for each work.
    pub fn on_tick(&mut self) -> (Verdict, u32, bool) {
        self.tick += 1;
        let oldest = self.oldest_ticks();
        let patience = TICKS_PER_TIMEOUT.saturating_add(self.ticks_to_write());
        let verdict = self.judge(oldest, patience);
        let was_busy = std::mem::take(&mut self.was_busy);
        self.is_armed = was_busy || self.is_hung || !self.works.is_empty();
        (verdict, oldest, self.is_armed)
    }

    /// What is to be written may take so long, and all that waits behind it.
    fn ticks_to_write(&self) -> u32 {
        let bytes = self.works.values().fold(0_u64, |sum, work| sum.saturating_add(work.bytes));
        u32::try_from(bytes.checked_div(self.bytes_per_tick).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    fn judge(&mut self, oldest: u32, patience: u32) -> Verdict {
        if !self.is_hung {
            // work that began just before a tick is a tick old at once
            self.is_hung = oldest > patience;
            self.calm_ticks = 0;
            return if self.is_hung { Verdict::Hung } else { Verdict::AsBefore };
        }
        let is_calm = oldest <= patience / 2;
        self.calm_ticks = if is_calm { self.calm_ticks + 1 } else { 0 };
        if self.calm_ticks < TICKS_PER_TIMEOUT {
            return Verdict::AsBefore;
        }
        self.is_hung = false;
        Verdict::Answers
    }
}

#[cfg(test)]
mod tests;
