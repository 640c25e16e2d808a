//! What is under way, by the time of its arrival.

use std::collections::BTreeMap;

/// Things that are due at a time; those due at the same time in the order in which they were put.
#[derive(Debug)]
pub struct Agenda<T> {
    entries: BTreeMap<(u64, u64), T>,
    next: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), next: 0 }
    }
}

impl<T> Agenda<T> {
    /// Puts something down for a time.
    pub fn put(&mut self, due_ms: u64, entry: T) {
        self.entries.insert((due_ms, self.next), entry);
        self.next += 1;
    }

    /// The next thing that is due by now.
    pub fn take_due(&mut self, now_ms: u64) -> Option<T> {
        let first = self.entries.first_entry()?;
        if first.key().0 > now_ms { None } else { Some(first.remove()) }
    }
}
