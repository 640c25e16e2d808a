//! What a run came across. A simulation that never met a failed flush has shown nothing about
//! failed flushes, and many runs that met nothing look like many runs that found nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counters by name. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Sometimes {
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Sometimes {
    /// It happened.
    pub fn met(&self, what: &str) {
        self.met_times(what, 1);
    }

    /// It happened so often.
    pub fn met_times(&self, what: &str, times: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(what) {
            Some(count) => *count += times,
            None => drop(counts.insert(what.to_owned(), times)),
        }
    }

    /// How often it happened.
    #[must_use]
    pub fn times(&self, what: &str) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(what).copied().unwrap_or_default()
    }

    /// Everything that happened.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
