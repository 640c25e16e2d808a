//! What the checkpoint files of the log directory say about each log, shared by replicas and writers,
//! which report, and maintenance, which writes the files at most once a second for all of them.
//!
//! ```text
//! segment_writer ─ after each flush, before a cut is told ─▶ recovery point (an atomic each log)
//! partition_replica ─ opened, given back, closed, cut ─────▶ recovery point, log start
//!       the first change since the files were written ─────▶ CheckpointsChanged ─▶ maintenance
//! ```
//!
//! A point in the files is at no time above what is flushed, but for a log that was just cut: beside
//! that one stands a note of the cut, until the files hold a point from after it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use commit_log::OpenHints;
use protocol::{Offset, TopicPartition};
use supervision::Address;
use tokio::sync::oneshot;

use crate::log_maintenance::MaintenanceMessage;

/// What is known about one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCheckpoint {
    /// Everything below it was flushed; recovery scans from there.
    pub recovery_point: Option<Offset>,
    /// The first offset that is readable.
    pub log_start_offset: Option<Offset>,
    /// Where a log that failed was good up to, when even that could not be noted on its disk.
    pub flushed_proof: Option<Offset>,
}

/// What is known about all logs of a directory.
pub type AllCheckpoints = BTreeMap<TopicPartition, LogCheckpoint>;

/// What is to be written.
#[derive(Debug)]
pub struct ChangedCheckpoints {
    /// All logs, those that did not change among them.
    pub logs: AllCheckpoints,
    /// Whether some log begins elsewhere than the files say: that one of them is rarely written.
    pub log_starts_changed: bool,
}

/// The checkpoints of one log directory.
#[derive(Debug)]
pub struct LogCheckpoints {
    inner: Mutex<Inner>,
    /// Whether anything changed since the files were last written. Outside of the lock, because
    /// writers set it after every flush.
    is_dirty: AtomicBool,
    /// Held while the files are written, so that an older state never replaces a newer one.
    writing: Mutex<()>,
    /// Told when there is something to write: once until it has been written.
    maintenance: Address<MaintenanceMessage>,
}

#[derive(Debug, Default)]
struct Inner {
    logs: BTreeMap<TopicPartition, KnownLog>,
    clean_shutdown: bool,
    log_starts_changed: bool,
    /// Who wants to know when the files hold what it reported.
    waiting: Vec<Confirmation>,
}

#[derive(Debug, Default)]
struct KnownLog {
    recovery_point: Arc<RecoveryPoint>,
    log_start_offset: Option<Offset>,
    flushed_proof: Option<Offset>,
}

impl KnownLog {
    fn checkpoint(&self) -> LogCheckpoint {
        let Self { recovery_point, log_start_offset, flushed_proof } = self;
        LogCheckpoint {
            recovery_point: recovery_point.get(),
            log_start_offset: *log_start_offset,
            flushed_proof: *flushed_proof,
        }
    }
}

/// A recovery point that changes with every flush.
#[derive(Debug)]
struct RecoveryPoint(AtomicI64);

/// No recovery point is known.
const NO_POINT: i64 = i64::MIN;

impl Default for RecoveryPoint {
    fn default() -> Self {
        Self(AtomicI64::new(NO_POINT))
    }
}

impl RecoveryPoint {
    fn get(&self) -> Option<Offset> {
        let point = self.0.load(Ordering::Acquire);
        (point != NO_POINT).then(|| Offset::new(point))
    }

    /// Says whether that is another one than before.
    fn set(&self, point: Offset) -> bool {
        self.0.swap(point.value(), Ordering::AcqRel) != point.value()
    }
}

/// Where the writer of a log says how far it is flushed, without a lock. Of a log that was
/// forgotten meanwhile it speaks to nobody.
#[derive(Clone, Debug)]
pub struct FlushedLog {
    point: Arc<RecoveryPoint>,
    checkpoints: Arc<LogCheckpoints>,
}

impl FlushedLog {
    /// From now on a crash is recovered from by reading what lies above `recovery_point`. Everything
    /// below it is on disk; after a cut it is lower than before, and that is said before anybody
    /// hears of the cut.
    pub fn note(&self, recovery_point: Offset) {
        if self.point.set(recovery_point) {
            self.checkpoints.changed();
        }
    }
}

/// A log, what it reported, and where the word goes.
type Confirmation = (TopicPartition, oneshot::Sender<Offset>);

impl LogCheckpoints {
    /// What the files said when the node started, whether it had stopped in order, and who writes
    /// them from now on.
    #[must_use]
    pub fn new(
        logs: AllCheckpoints,
        clean_shutdown: bool,
        maintenance: Address<MaintenanceMessage>,
    ) -> Self {
        let known = logs.into_iter().map(|(log, checkpoint)| {
            let known = KnownLog {
                log_start_offset: checkpoint.log_start_offset,
                flushed_proof: checkpoint.flushed_proof,
                ..KnownLog::default()
            };
            if let Some(point) = checkpoint.recovery_point {
                known.recovery_point.set(point);
            }
            (log, known)
        });
        let inner = Inner { logs: known.collect(), clean_shutdown, ..Inner::default() };
        let (is_dirty, writing) = (AtomicBool::new(false), Mutex::default());
        Self { inner: Mutex::new(inner), is_dirty, writing, maintenance }
    }

    /// Who writes the files.
    #[must_use]
    pub const fn maintenance(&self) -> &Address<MaintenanceMessage> {
        &self.maintenance
    }

    /// Something is to be written. Whoever writes takes the flag before it looks, so that nothing is
    /// left behind; if nobody is there, the next start looks.
    fn changed(&self) {
        if !self.is_dirty.swap(true, Ordering::AcqRel) {
            let _ = self.maintenance.send(MaintenanceMessage::CheckpointsChanged);
        }
    }

    /// Whether the process before this one stopped in order.
    #[must_use]
    pub fn stopped_in_order(&self) -> bool {
        self.lock().clean_shutdown
    }

    /// What to open a log with. An orderly stop is believed once: a replica that restarts later in
    /// this process did not stop in order.
    #[must_use]
    pub fn hints(&self, log: &TopicPartition, first_start: bool, now_ms: i64) -> OpenHints {
        let inner = self.lock();
        let known = inner.logs.get(log).map(KnownLog::checkpoint).unwrap_or_default();
        OpenHints {
            recovery_point: known.recovery_point,
            log_start_offset: known.log_start_offset,
            clean_shutdown: inner.clean_shutdown && first_start,
            flushed_proof: known.flushed_proof,
            jitter_seed: 0,
            now_ms,
        }
    }

    /// Where the writer of a log says how far it is flushed.
    #[must_use]
    pub fn flushed_log(self: &Arc<Self>, log: &TopicPartition) -> FlushedLog {
        let mut inner = self.lock();
        let point = Arc::clone(&inner.logs.entry(log.clone()).or_default().recovery_point);
        FlushedLog { point, checkpoints: Arc::clone(self) }
    }

    /// A log's recovery point and start as they are now, from whoever owns it.
    pub fn report(&self, log: &TopicPartition, recovery_point: Offset, log_start_offset: Offset) {
        let mut inner = self.lock();
        let known = inner.logs.entry(log.clone()).or_default();
        known.flushed_proof = None;
        let point_changed = known.recovery_point.set(recovery_point);
        let starts_changed = known.log_start_offset.replace(log_start_offset);
        let starts_changed = starts_changed != Some(log_start_offset);
        inner.log_starts_changed |= starts_changed;
        drop(inner);
        if point_changed || starts_changed {
            self.changed();
        }
    }

    /// A log was cut, perhaps below what the files say; its writer has noted how far it is flushed,
    /// and may have noted more since. The answer is the recovery point that the files hold, as soon
    /// as they hold one from now on.
    pub fn report_cut(
        &self,
        log: &TopicPartition,
        log_start_offset: Offset,
    ) -> oneshot::Receiver<Offset> {
        let (written, confirmed) = oneshot::channel();
        let mut inner = self.lock();
        let known = inner.logs.entry(log.clone()).or_default();
        known.flushed_proof = None;
        known.log_start_offset = Some(log_start_offset);
        inner.log_starts_changed = true;
        inner.waiting.push((log.clone(), written));
        drop(inner);
        self.changed();
        confirmed
    }

    /// A log failed, and its disk took no note of how far it is good.
    pub fn report_failure(&self, log: &TopicPartition, flushed_offset: Offset) {
        self.lock().logs.entry(log.clone()).or_default().flushed_proof = Some(flushed_offset);
    }

    /// A log is gone.
    pub fn forget(&self, log: &TopicPartition) {
        let mut inner = self.lock();
        let was_known = inner.logs.remove(log).is_some();
        inner.log_starts_changed |= was_known;
        drop(inner);
        if was_known {
            self.changed();
        }
    }

    /// Gives all logs to `write`, if anything changed since the last call. One at a time.
    ///
    /// # Errors
    /// What `write` says; the change then counts as not written.
    pub fn write_changed<E>(
        &self,
        write: impl FnOnce(&ChangedCheckpoints) -> Result<(), E>,
    ) -> Result<(), E> {
        let _writing = self.writing.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !self.is_dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let (changed, waiting) = self.lock().take_changed();
        if let Err(error) = write(&changed) {
            let mut inner = self.lock();
            inner.log_starts_changed |= changed.log_starts_changed;
            inner.waiting.extend(waiting);
            drop(inner);
            self.changed();
            return Err(error);
        }
        for (log, written) in waiting {
            if let Some(offset) = changed.logs.get(&log).and_then(|known| known.recovery_point) {
                let _ = written.send(offset);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Inner {
    /// What is to be written, and who wants to know of it.
    fn take_changed(&mut self) -> (ChangedCheckpoints, Vec<Confirmation>) {
        let logs = self.logs.iter().map(|(log, known)| (log.clone(), known.checkpoint())).collect();
        let log_starts_changed = std::mem::take(&mut self.log_starts_changed);
        (ChangedCheckpoints { logs, log_starts_changed }, std::mem::take(&mut self.waiting))
    }
}

#[cfg(test)]
mod tests;
