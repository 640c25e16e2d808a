//! What the checkpoint files of the log directory say about each log, shared by the replicas, which
//! report, and maintenance, which writes the files at most once a second for all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use commit_log::OpenHints;
use protocol::{Offset, TopicPartition};
use tokio::sync::oneshot;

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

/// The checkpoints of one log directory.
#[derive(Debug, Default)]
pub struct LogCheckpoints {
    inner: Mutex<Inner>,
    /// Held while the files are written, so that an older state never replaces a newer one.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    logs: AllCheckpoints,
    clean_shutdown: bool,
    is_dirty: bool,
    /// Who wants to know when the files hold what it reported.
    waiting: Vec<Confirmation>,
}

/// A log, what it reported, and where the word goes.
type Confirmation = (TopicPartition, oneshot::Sender<Offset>);

impl LogCheckpoints {
    /// What the files said when the node started, and whether it had stopped in order.
    #[must_use]
    pub fn new(logs: AllCheckpoints, clean_shutdown: bool) -> Self {
        let inner =
            Mutex::new(Inner { logs, clean_shutdown, is_dirty: false, waiting: Vec::new() });
        Self { inner, writing: Mutex::new(()) }
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
        let known = inner.logs.get(log).copied().unwrap_or_default();
        OpenHints {
            recovery_point: known.recovery_point,
            log_start_offset: known.log_start_offset,
            clean_shutdown: inner.clean_shutdown && first_start,
            flushed_proof: known.flushed_proof,
            jitter_seed: 0,
            now_ms,
        }
    }

    /// A log's recovery point and start as they are now.
    pub fn report(&self, log: &TopicPartition, recovery_point: Offset, log_start_offset: Offset) {
        let mut inner = self.lock();
        let known = inner.logs.entry(log.clone()).or_default();
        let told = LogCheckpoint {
            recovery_point: Some(recovery_point),
            log_start_offset: Some(log_start_offset),
            flushed_proof: None,
        };
        if *known != told {
            *known = told;
            inner.is_dirty = true;
        }
    }

    /// A log was cut, perhaps below what the files say. The answer is the recovery point that they
    /// hold, as soon as they hold one from now on.
    pub fn report_cut(
        &self,
        log: &TopicPartition,
        recovery_point: Offset,
        log_start_offset: Offset,
    ) -> oneshot::Receiver<Offset> {
        self.report(log, recovery_point, log_start_offset);
        let (written, confirmed) = oneshot::channel();
        let mut inner = self.lock();
        inner.is_dirty = true;
        inner.waiting.push((log.clone(), written));
        confirmed
    }

    /// A log failed, and its disk took no note of how far it is good.
    pub fn report_failure(&self, log: &TopicPartition, flushed_offset: Offset) {
        self.lock().logs.entry(log.clone()).or_default().flushed_proof = Some(flushed_offset);
    }

    /// A log is gone.
    pub fn forget(&self, log: &TopicPartition) {
        let mut inner = self.lock();
        inner.is_dirty |= inner.logs.remove(log).is_some();
    }

    /// Gives all logs to `write`, if anything changed since the last call. One at a time.
    ///
    /// # Errors
    /// What `write` says; the change then counts as not written.
    pub fn write_changed<E>(
        &self,
        write: impl FnOnce(&AllCheckpoints) -> Result<(), E>,
    ) -> Result<(), E> {
        let _writing = self.writing.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let changed = {
            let mut inner = self.lock();
            std::mem::take(&mut inner.is_dirty)
                .then(|| (inner.logs.clone(), std::mem::take(&mut inner.waiting)))
        };
        let Some((logs, waiting)) = changed else { return Ok(()) };
        if let Err(error) = write(&logs) {
            let mut inner = self.lock();
            inner.is_dirty = true;
            inner.waiting.extend(waiting);
            return Err(error);
        }
        for (log, written) in waiting {
            if let Some(offset) = logs.get(&log).and_then(|known| known.recovery_point) {
                let _ = written.send(offset);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
