//! From the files to a log at hand, and back at an orderly stop.

use std::path::{Path, PathBuf};

use commit_log::{CommitLog, LogError, RecoveryReport, Storage, read_topic_id, write_topic_id};
use protocol::TopicId;
use ractor::ActorProcessingErr;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{LogPlace, OwnMessage, PartitionReplicaMessage, PartitionReplicaState};

/// Why a partition's log was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log itself.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The directory is another topic's of the same name: opening it would mix their records.
    #[error("{} belongs to topic {found}, not to {expected}", directory.display())]
    OtherTopic {
        /// Which directory.
        directory: PathBuf,
        /// Whose it is.
        found: TopicId,
        /// Whose it should be.
        expected: TopicId,
    },
}

impl OpenError {
    /// Whether opening again may succeed without anybody's help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Log(error) => error.is_retryable(),
            Self::OtherTopic { .. } => false,
        }
    }
}

/// Writes the topic's id into a new directory; in an old one it must stand already.
fn claim(storage: &dyn Storage, directory: &Path, topic_id: TopicId) -> Result<(), OpenError> {
    let created = |source| LogError::Storage {
        operation: "making the partition's directory",
        path: directory.to_owned(),
        source,
    };
    storage.create_directories(directory).map_err(created)?;
    match read_topic_id(storage, directory)? {
        None => Ok(write_topic_id(storage, directory, topic_id)?),
        Some(found) if found == topic_id => Ok(()),
        Some(found) => {
            let directory = directory.to_owned();
            Err(OpenError::OtherTopic { directory, found, expected: topic_id })
        }
    }
}

/// Makes a log dormant that was not written to before it was opened. Another one's producers are
/// about to send again what they had no answer to. Their last batches are known after a recovery,
/// but only the last one of each survives dormancy: batches before it would be refused as out of
/// order, and a client might then write them twice.
fn rest_if_unused(mut log: CommitLog, report: &RecoveryReport) -> Result<CommitLog, LogError> {
    if report.scanned_bytes == 0 {
        log.become_dormant()?;
    }
    Ok(log)
}

impl PartitionReplicaState {
    /// Recovers the log on a storage thread; the result comes back as a message.
    pub(super) fn start_opening(&mut self) {
        let opening = self.opening();
        self.arguments.ports.executor.run(Box::new(opening));
    }

    pub(super) fn opening(&mut self) -> impl FnOnce() + Send + use<> {
        let arguments = &self.arguments;
        self.opens_first = arguments.place.opens_first();
        let resources = arguments.resources.clone();
        let directory = arguments.directory.clone();
        let settings = arguments.place.settings().log.clone();
        let hints = arguments.checkpoints.hints(
            &arguments.place.name,
            self.opens_first,
            arguments.ports.clock.wall_ms(),
        );
        let (myself, lease) = (self.myself.clone(), self.lease.clone());
        let (storage, topic_id) = (arguments.ports.storage.clone(), arguments.place.key.topic_id);
        move || {
            let opened = claim(&*storage, &directory, topic_id)
                .and_then(|()| Ok(CommitLog::open(&resources, &directory, settings, hints)?))
                .and_then(|(log, report)| Ok((rest_if_unused(log, &report)?, report)));
            let opened = OwnMessage::Opened(Box::new(opened));
            let _ = myself.cast(PartitionReplicaMessage::Own(opened).into());
            drop(lease);
        }
    }

    pub(super) fn on_opened(
        &mut self,
        opened: Result<(CommitLog, RecoveryReport), OpenError>,
    ) -> Result<(), ActorProcessingErr> {
        let (log, report) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.on_open_failed(error),
        };
        self.tell_of_recovery(&report);
        if report.cut_from.is_some() && !self.opens_first && self.counts_unflushed() {
            self.arguments.place.lost_confirmed();
        }
        if !log.is_dormant() {
            let idle_after = self.arguments.writer_idle_after;
            let idle = || PartitionReplicaMessage::Own(OwnMessage::LogIdle).into();
            self.myself.send_after(idle_after, idle);
        }
        self.reader = Some(log.reader());
        self.arguments.place.note_log_end(log.log_end_offset());
        self.report_checkpoint(&log);
        self.log = LogPlace::Dormant(Box::new(log));
        // a decision that came while this replica was starting found nobody to be told
        self.on_decided(self.arguments.place.decided());
        Ok(())
    }

    /// Whether what was not flushed may have counted as replicated: only where a write is enough for
    /// that, and only to others does it matter.
    pub(super) fn counts_unflushed(&self) -> bool {
        let place = &self.arguments.place;
        let has_peers = place.decided().assigned_replicas.len() > 1;
        has_peers && !place.settings().replication.flush_before_ack
    }

    fn tell_of_recovery(&self, report: &RecoveryReport) {
        let partition = &self.arguments.place.name;
        if let Some(broker) = self.arguments.broker.upgrade() {
            broker.metrics.recovery_scanned_bytes.inc_by(report.scanned_bytes);
        }
        if let Some(offset) = report.cut_from {
            let bytes = report.cut_bytes;
            warn!(%partition, %offset, bytes, "cut a torn tail and kept it aside");
        } else if report.scanned_bytes > 0 {
            info!(%partition, bytes = report.scanned_bytes, "recovered");
        }
    }

    /// Tells the directory's checkpoints where the log stands.
    pub(super) fn report_checkpoint(&self, log: &CommitLog) {
        let arguments = &self.arguments;
        let (recovery_point, log_start) = (log.recovery_point(), log.log_start_offset());
        arguments.checkpoints.report(&arguments.place.name, recovery_point, log_start);
    }

    /// An orderly stop: the writer gives the log back first.
    pub(super) fn on_close(
        &mut self,
        reply: oneshot::Sender<()>,
    ) -> Result<(), ActorProcessingErr> {
        self.stop_role();
        if self.retire_writer() {
            self.postponed.push(PartitionReplicaMessage::Close { reply });
            return Ok(());
        }
        if let LogPlace::Dormant(log) = std::mem::replace(&mut self.log, LogPlace::Elsewhere) {
            let closed = log.close_cleanly()?;
            let arguments = &self.arguments;
            arguments.checkpoints.report(
                &arguments.place.name,
                closed.recovery_point,
                closed.log_start_offset,
            );
        }
        let _ = reply.send(());
        self.myself.stop(Some("closed".to_owned()));
        Ok(())
    }
}
