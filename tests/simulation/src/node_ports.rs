//! The small ports of a simulated node: clock, chance, and a disk that takes its time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::ports::clock::Clock;
use actors::ports::rng::Rng;
use actors::ports::storage_executor::{Job, StorageExecutor};
use ractor::thread_local::ThreadLocalActorSpawner;
use tokio::sync::watch;

use crate::chance::Chance;
use crate::weather::Weather;

/// 2023-11-14T22:13:20Z, when every world begins.
pub const EPOCH_MS: i64 = 1_700_000_000_000;

/// A node's time of day: the world's, and what it is wrong by.
pub struct VirtualClock {
    weather: Weather,
    skew_ms: AtomicI64,
}

impl VirtualClock {
    /// A clock that is right.
    #[must_use]
    pub const fn new(weather: Weather) -> Self {
        Self { weather, skew_ms: AtomicI64::new(0) }
    }

    /// Makes it wrong by so much, either way.
    pub fn set_skew_ms(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn wall_ms(&self) -> i64 {
        let now_ms = i64::try_from(self.weather.now_ms()).unwrap_or(i64::MAX);
        EPOCH_MS + now_ms + self.skew_ms.load(Ordering::Relaxed)
    }
}

/// A node's chance: a stream of the seed.
pub struct VirtualRng {
    chance: Mutex<Chance>,
}

impl VirtualRng {
    /// The port of this stream.
    #[must_use]
    pub const fn new(chance: Chance) -> Self {
        Self { chance: Mutex::new(chance) }
    }
}

impl Rng for VirtualRng {
    fn next(&self) -> u64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).draw()
    }
}

/// How slow a node's disk is. It belongs to the machine and outlives the process.
pub struct DiskPace {
    delay_us_max: AtomicU64,
    hangs: watch::Sender<bool>,
    chance: Mutex<Chance>,
}

impl DiskPace {
    /// A disk of usual speed.
    #[must_use]
    pub fn new(chance: Chance) -> Self {
        let (delay_us_max, hangs) = (AtomicU64::new(USUAL_FLUSH_US), watch::Sender::new(false));
        Self { delay_us_max, hangs, chance: Mutex::new(chance) }
    }

    /// From now on no work begins, or what waits begins.
    pub fn set_hangs(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    /// From now on a flush takes up to so long.
    pub fn set_flush_max(&self, longest: Duration) {
        let microseconds = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        self.delay_us_max.store(microseconds, Ordering::Relaxed);
    }

    fn draw(&self, share: u64) -> Duration {
        let longest = self.delay_us_max.load(Ordering::Relaxed) / share;
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_micros(chance.between(0, longest))
    }
}

/// A flush of a usual disk takes up to this many microseconds.
pub const USUAL_FLUSH_US: u64 = 5_000;

/// Blocking work runs on the node's one thread, but only after the time that the disk takes: until
/// then writes go on, crashes happen, and neighbours finish first.
pub struct PacedExecutor {
    pace: Arc<DiskPace>,
}

impl PacedExecutor {
    /// The executor of a node with this disk.
    #[must_use]
    pub const fn new(pace: Arc<DiskPace>) -> Self {
        Self { pace }
    }
}

fn later(pace: &DiskPace, delay: Duration, job: Job) {
    // a job that panics ends alone, as on the real threads
    let run = || drop(catch_unwind(AssertUnwindSafe(job)));
    let mut hangs = pace.hangs.subscribe();
    if delay < Duration::from_millis(1) && !*hangs.borrow() {
        return run();
    }
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        // a disk that is gone answers nobody, and nobody waits for it
        let _ = hangs.wait_for(|hangs| !hangs).await;
        run();
    });
}

impl StorageExecutor for PacedExecutor {
    fn writer_thread(&self, _hash: u64) -> Option<ThreadLocalActorSpawner> {
        None
    }

    fn flush(&self, job: Job) {
        later(&self.pace, self.pace.draw(1), job);
    }

    fn run(&self, job: Job) {
        later(&self.pace, self.pace.draw(3), job);
    }

    fn jobs_wait_for_the_disk(&self) -> bool {
        true
    }
}
