//! The file work of a log directory that is under way, and whether the disk has stopped answering: no
//! actor, a table that every write and flush is entered into and that [`crate::disk_watch`] looks at.
//!
//! ```text
//! begin ─▶ write, flush, rename … on a storage thread ─▶ end
//!   │ the first since the watch came to rest: it begins to look
//!   └──▶ tick … tick … tick: what began more than eight ticks ago does not answer
//! ```
//!
//! Time is counted in ticks of the watch, eight to the timeout: a process that could not run for a
//! while has missed its own ticks, too, and does not take that for the disk's silence. A flush may
//! take longer the more it has to write, and so may whatever waits behind it. A disk that has hung
//! counts as answering when for a whole timeout nothing took longer than half of it, so that one
//! which only crawls is not believed after each step.

mod outstanding;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use supervision::Address;
use tokio::sync::watch;

pub use self::outstanding::Verdict;
use self::outstanding::{Outstanding, TICKS_PER_TIMEOUT};
use crate::disk_watch::DiskWatchMessage;

/// A disk that writes slower than that is hung, not slow.
const BYTES_PER_SECOND_MIN: u64 = 16 << 20;

/// See the head of this file. Clones are the same table.
#[derive(Clone)]
pub struct FileWork {
    shared: Arc<Shared>,
}

struct Shared {
    /// Eight of them are the timeout; `None` if nothing is watched.
    tick: Option<Duration>,
    outstanding: Mutex<Outstanding>,
    hung: watch::Sender<bool>,
    hangs: AtomicU64,
    watch: Address<DiskWatchMessage>,
}

/// What a look at the table found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What became of the disk.
    pub verdict: Verdict,
    /// For how long the oldest work has been under way.
    pub oldest: Duration,
    /// Whether to look again after a tick.
    pub goes_on: bool,
}

impl FileWork {
    /// A table without work. `timeout` is how long work may take; `None` watches nothing.
    #[must_use]
    pub fn new(timeout: Option<Duration>) -> Self {
        let tick =
            timeout.map(|timeout| timeout / TICKS_PER_TIMEOUT).filter(|tick| !tick.is_zero());
        let micros = tick.map_or(0, |tick| u64::try_from(tick.as_micros()).unwrap_or(u64::MAX));
        let bytes_per_tick = BYTES_PER_SECOND_MIN.saturating_mul(micros) / 1_000_000;
        let outstanding = Mutex::new(Outstanding::new(bytes_per_tick));
        let (hung, hangs, watch) = (watch::Sender::new(false), AtomicU64::new(0), Address::new());
        Self { shared: Arc::new(Shared { tick, outstanding, hung, hangs, watch }) }
    }

    fn outstanding(&self) -> MutexGuard<'_, Outstanding> {
        self.shared.outstanding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters work that writes so many bytes to the disk. It ends when the result is dropped.
    pub fn begin(&self, bytes: u64) -> WorkUnderWay {
        if self.shared.tick.is_none() {
            return WorkUnderWay { entered: None };
        }
        let (number, must_look) = self.outstanding().begin(bytes);
        if must_look {
            // a watch that is just being restarted looks when it is up
            let _ = self.shared.watch.send(DiskWatchMessage::WorkBegan);
        }
        WorkUnderWay { entered: Some((self.clone(), number)) }
    }

    /// Whether the disk does not answer.
    #[must_use]
    pub fn is_hung(&self) -> bool {
        *self.shared.hung.borrow()
    }

    /// Whether the disk does not answer, as it changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.shared.hung.subscribe()
    }

    /// How often the disk stopped answering.
    #[must_use]
    pub fn hangs(&self) -> u64 {
        self.shared.hangs.load(Ordering::Relaxed)
    }

    /// For how long the oldest work has been under way, to a tick.
    #[must_use]
    pub fn oldest(&self) -> Duration {
        let ticks = self.outstanding().oldest_ticks();
        self.shared.tick.unwrap_or_default().saturating_mul(ticks)
    }

    /// Where the watch is found.
    #[must_use]
    pub fn watch(&self) -> &Address<DiskWatchMessage> {
        &self.shared.watch
    }

    /// How often the watch looks while there is work; `None` if nothing is watched.
    #[must_use]
    pub fn tick(&self) -> Option<Duration> {
        self.shared.tick
    }

    /// The watch looks from now on by itself.
    pub fn arm(&self) {
        self.outstanding().arm();
    }

    /// The watch looks, a tick after the last time.
    pub fn look(&self) -> Look {
        let (verdict, ticks, goes_on) = self.outstanding().on_tick();
        match verdict {
            Verdict::Hung => {
                self.shared.hangs.fetch_add(1, Ordering::Relaxed);
                self.shared.hung.send_replace(true);
            }
            Verdict::Answers => {
                self.shared.hung.send_replace(false);
            }
            Verdict::AsBefore => {}
        }
        let oldest = self.shared.tick.unwrap_or_default().saturating_mul(ticks);
        Look { verdict, oldest, goes_on }
    }
}

/// Work under way; over when it is dropped.
#[must_use]
pub struct WorkUnderWay {
    entered: Option<(FileWork, u64)>,
}

impl Drop for WorkUnderWay {
    fn drop(&mut self) {
        if let Some((work, number)) = self.entered.take() {
            work.outstanding().end(number);
        }
    }
}
