//! Port: chance. Only identities and jitter are drawn; no decision rests on it.

use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::{Builder, Uuid};

/// A source of random numbers.
pub trait Rng: Send + Sync {
    /// The next number, uniform over all 64 bits.
    fn next(&self) -> u64;

    /// A random (version 4) identity.
    fn uuid(&self) -> Uuid {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

/// The operating system's randomness, through the thread's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

impl Rng for OsRng {
    fn next(&self) -> u64 {
        rand::rng().next_u64()
    }
}

/// A generator that repeats itself for the same seed.
#[derive(Debug)]
pub struct SeededRng {
    generator: Mutex<StdRng>,
}

impl SeededRng {
    /// The generator of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { generator: Mutex::new(StdRng::seed_from_u64(seed)) }
    }
}

impl Rng for SeededRng {
    fn next(&self) -> u64 {
        let mut generator = self.generator.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        generator.next_u64()
    }
}
