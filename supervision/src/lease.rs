//! Exclusive leases: what only one holder may use at a time, held across restarts.
//!
//! A supervisor waits for the whole end of an incarnation before it starts the next, but work
//! that an actor has handed out (a blocking job, a flush on another thread) may outlive it. Such
//! work holds a clone of the lease, and the next incarnation's start waits for the last clone.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Gates<K> = Mutex<HashMap<K, Gate>>;

struct Gate {
    /// One permit.
    open: Arc<Semaphore>,
    /// Holders and those who wait.
    interested: usize,
}

/// The leases of one kind of resource, by key. Clones are the same table.
pub struct LeaseTable<K> {
    gates: Arc<Gates<K>>,
}

/// The right to use the resource `key`, until the last clone is dropped.
///
/// Keep it as the **last** field of a state: fields are dropped in order, so everything
/// else is closed before the lease is free.
pub struct Lease<K: Eq + Hash> {
    held: Arc<Held<K>>,
}

struct Held<K: Eq + Hash> {
    // Fields drop in order: the gate is open before the interest in it goes.
    _permit: OwnedSemaphorePermit,
    interest: Interest<K>,
}

/// Keeps the gate of a key in the table while somebody holds it or waits for it.
struct Interest<K: Eq + Hash> {
    key: K,
    open: Arc<Semaphore>,
    gates: Arc<Gates<K>>,
}

/// The former holder did not let go in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease was not released within {waited:?}")]
pub struct LeaseTimeout {
    /// How long was waited.
    pub waited: Duration,
}

impl LeaseTimeout {
    /// Whether trying again may help: always, the holder may be about to end.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        true
    }
}

impl<K: Eq + Hash + Clone> LeaseTable<K> {
    /// A table without leases.
    #[must_use]
    pub fn new() -> Self {
        Self { gates: Arc::new(Mutex::new(HashMap::new())) }
    }

    /// Waits until `key` is free and takes it. Those who wait are served in order.
    ///
    /// # Errors
    /// [`LeaseTimeout`] after `deadline`.
    pub async fn acquire(&self, key: K, deadline: Duration) -> Result<Lease<K>, LeaseTimeout> {
        let interest = self.interest(key);
        match tokio::time::timeout(deadline, interest.open.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Lease { held: Arc::new(Held { _permit: permit, interest }) }),
            // Gates are never closed, so the inner error does not occur.
            Ok(Err(_)) | Err(_) => Err(LeaseTimeout { waited: deadline }),
        }
    }

    /// Takes `key` if it is free now.
    #[must_use]
    pub fn try_acquire(&self, key: K) -> Option<Lease<K>> {
        let interest = self.interest(key);
        let permit = interest.open.clone().try_acquire_owned().ok()?;
        Some(Lease { held: Arc::new(Held { _permit: permit, interest }) })
    }

    /// Whether somebody holds `key` now.
    #[must_use]
    pub fn is_held(&self, key: &K) -> bool {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.get(key).is_some_and(|gate| gate.open.available_permits() == 0)
    }

    /// Whether nobody holds or wants anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn interest(&self, key: K) -> Interest<K> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates
            .entry(key.clone())
            .or_insert_with(|| Gate { open: Arc::new(Semaphore::new(1)), interested: 0 });
        gate.interested += 1;
        Interest { key, open: gate.open.clone(), gates: self.gates.clone() }
    }
}

impl<K: Eq + Hash> Lease<K> {
    /// What the lease is for.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.held.interest.key
    }
}

impl<K: Eq + Hash> Drop for Interest<K> {
    fn drop(&mut self) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(gate) = gates.get_mut(&self.key) else { return };
        gate.interested -= 1;
        if gate.interested == 0 {
            gates.remove(&self.key);
        }
    }
}

impl<K> Clone for LeaseTable<K> {
    fn clone(&self) -> Self {
        Self { gates: self.gates.clone() }
    }
}

impl<K: Eq + Hash + Clone> Default for LeaseTable<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Eq + Hash> Clone for Lease<K> {
    fn clone(&self) -> Self {
        Self { held: self.held.clone() }
    }
}

impl<K> fmt::Debug for LeaseTable<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LeaseTable")
    }
}

impl<K: Eq + Hash + fmt::Debug> fmt::Debug for Lease<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Lease").field(&self.key()).finish()
    }
}
