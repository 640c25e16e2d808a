//! What stands between two places of the world: delays, cuts, losses. Shared by the network of the
//! clients and by that of the nodes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chance::Chance;
use crate::trace::Trace;

/// An end of a message's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Where the clients are.
    Clients,
    /// A node.
    Node(i32),
}

/// What is in force now.
#[derive(Debug)]
pub struct Conditions {
    /// Milliseconds since the world began.
    pub now_ms: u64,
    /// Ways that nothing passes, each in one direction.
    pub cuts: BTreeSet<(Place, Place)>,
    /// The longest time that a message is under way.
    pub delay_ms_max: u64,
    /// Messages between nodes, of a thousand, that vanish after they were accepted.
    pub losses_per_mille: u64,
    /// Messages between nodes, of a thousand, that take up to a second.
    pub stragglers_per_mille: u64,
    chance: Chance,
}

impl Conditions {
    /// Whether a message gets through.
    #[must_use]
    pub fn passes(&self, from: Place, to: Place) -> bool {
        !self.cuts.contains(&(from, to))
    }

    /// When a message that leaves now arrives: in the next millisecond at the earliest.
    pub const fn arrival_ms(&mut self) -> u64 {
        self.now_ms + 1 + self.chance.between(0, self.delay_ms_max)
    }

    /// When a message between nodes arrives, or that it never does.
    pub const fn peer_arrival_ms(&mut self) -> Option<u64> {
        if self.chance.per_mille(self.losses_per_mille) {
            return None;
        }
        let arrival = self.arrival_ms();
        if self.chance.per_mille(self.stragglers_per_mille) {
            return Some(arrival + self.chance.between(0, 1000));
        }
        Some(arrival)
    }

    /// When the two ends of a link that closes now may find each other again.
    pub const fn redial_at_ms(&mut self) -> u64 {
        self.now_ms + self.chance.between(20, 300)
    }
}

/// The conditions, shared.
#[derive(Clone)]
pub struct Weather {
    conditions: Arc<Mutex<Conditions>>,
    /// Where everything that happens is noted.
    pub trace: Trace,
}

impl Weather {
    /// Fair weather at the beginning of the world.
    #[must_use]
    pub fn new(seed: u64, trace: Trace) -> Self {
        let conditions = Conditions {
            now_ms: 0,
            cuts: BTreeSet::new(),
            delay_ms_max: 2,
            losses_per_mille: 0,
            stragglers_per_mille: 0,
            chance: Chance::new(seed, "weather"),
        };
        Self { conditions: Arc::new(Mutex::new(conditions)), trace }
    }

    /// What is in force now.
    pub fn now(&self) -> MutexGuard<'_, Conditions> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the world began.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now().now_ms
    }

    /// Notes an event at the present time.
    pub fn note(&self, what: &str, about: u64, bytes: &[u8]) {
        self.trace.note(self.now_ms(), what, about, bytes);
    }
}
