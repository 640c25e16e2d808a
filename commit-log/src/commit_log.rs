//! The public type: one partition's log. One thread at a time owns it and changes it; any number
//! read it through [`crate::LogReader`].

mod append_group;
mod flushing;
mod lifecycle;
mod open;
mod roll;
mod segment_removal;
mod truncation;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use crate::commit_log::append_group::AppendGroup;
use crate::commit_log::flushing::FlushProgress;
use crate::commit_log::segment_removal::DeletedFile;
use crate::leader_epochs::leader_epochs_path;
use crate::log_state::LogState;
use crate::producer_state::ProducerStates;
use crate::shared_log::SharedLog;
use crate::tail::ActiveSegment;
use crate::{LogError, LogReader, LogResources, LogSettings};

pub use lifecycle::CleanlyClosed;
pub(crate) use segment_removal::retention_facts;

/// What a producer's idempotence rests on, as DescribeProducers tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSummary {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its latest epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of its last record; −1 if none is known.
    pub last_sequence: i32,
    /// The time of its last batch, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that ended its last transaction; −1 if none did.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction.
    pub transaction_start_offset: Option<Offset>,
}

/// One segment, for status and dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSummary {
    /// Its first offset.
    pub base_offset: Offset,
    /// Bytes of its log file.
    pub bytes: u64,
    /// Whether it is the one being appended to.
    pub active: bool,
}

/// One partition's log.
///
/// 1. `log_start_offset ≤ log_end_offset`, and `recovery_point ≤ flushed_offset ≤ log_end_offset`.
/// 2. The active segment is the last one; its base offset is at most the log end offset.
/// 3. Everything below the log end offset is whole batches with good checksums, in offset order.
/// 4. The producers' state is that after the last record of the log.
/// 5. After a failed flush every call that changes the log is refused.
#[derive(Debug)]
pub struct CommitLog {
    shared: Arc<SharedLog>,
    settings: LogSettings,
    jitter_seed: u64,
    active: ActiveSegment,
    /// `None` while the log is dormant and a snapshot has them.
    producers: Option<ProducerStates>,
    /// The offsets that there are producer snapshots of.
    snapshots: BTreeSet<Offset>,
    flush: FlushProgress,
    state: LogState,
    failed: Option<Failed>,
    deleted: VecDeque<DeletedFile>,
    /// Memory of the last group, for the next one.
    group: AppendGroup,
}

/// That the log takes no more work.
#[derive(Clone, Copy, Debug)]
struct Failed {
    /// Whether the next process finds on disk how much of the log is good.
    proof_written: bool,
}

impl CommitLog {
    fn resources(&self) -> &LogResources {
        &self.shared.resources
    }

    fn ensure_good(&self) -> Result<(), LogError> {
        let flushed_offset = self.flush.flushed_offset;
        match self.failed {
            Some(Failed { proof_written }) => {
                Err(LogError::Poisoned { flushed_offset, proof_written })
            }
            None => Ok(()),
        }
    }

    /// A view of the log for other threads. It ends with this value.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.shared))
    }

    /// Takes new settings for what follows; what is written stays as it is.
    pub fn update_settings(&mut self, settings: LogSettings) {
        self.settings = settings;
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &LogSettings {
        &self.settings
    }

    /// The first offset that can be read.
    #[must_use]
    pub fn log_start_offset(&self) -> Offset {
        self.shared.log_start_offset()
    }

    /// The offset that the next record gets.
    #[must_use]
    pub fn log_end_offset(&self) -> Offset {
        self.shared.log_end_offset()
    }

    /// The log end offset at the last successful flush: everything below survives a power cut.
    #[must_use]
    pub fn flushed_offset(&self) -> Offset {
        self.flush.flushed_offset
    }

    /// The latest leader epoch that the log knows.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.shared.with_epochs(|epochs| epochs.latest())
    }

    /// The leader epochs with their first offsets, oldest first.
    #[must_use]
    pub fn epochs(&self) -> Vec<(LeaderEpoch, Offset)> {
        self.shared.with_epochs(crate::leader_epochs::LeaderEpochs::starts)
    }

    /// The largest epoch at or below `epoch`, and the offset where it ended: what a follower that
    /// last wrote under `epoch` compares its own end with (KIP-101, KIP-279). `None` if `epoch` is
    /// above all known ones.
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.shared.end_offset_for_epoch(epoch)
    }

    /// Notes, durably, that `epoch` begins at `start_offset`: what a new leader does at its log
    /// end offset before its first append. Nothing happens if the epoch is known already.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Poisoned`].
    pub fn assign_epoch(
        &mut self,
        epoch: LeaderEpoch,
        start_offset: Offset,
    ) -> Result<(), LogError> {
        self.ensure_good()?;
        let mut epochs = self.shared.with_epochs(Clone::clone);
        if epochs.assign(epoch, start_offset) {
            self.write_epochs(epochs)?;
        }
        Ok(())
    }

    fn write_epochs(&self, epochs: crate::leader_epochs::LeaderEpochs) -> Result<(), LogError> {
        let path = leader_epochs_path(&self.shared.directory);
        self.resources()
            .storage
            .replace(&path, epochs.to_text().as_bytes())
            .map_err(|source| LogError::storage("writing the leader epochs", &path, source))?;
        self.shared.set_epochs(epochs);
        Ok(())
    }

    /// Producers remembered; `None` while the log is dormant and they are on disk.
    #[must_use]
    pub fn producer_count(&self) -> Option<usize> {
        self.producers.as_ref().map(ProducerStates::len)
    }

    /// The producers remembered, by id.
    ///
    /// # Errors
    /// [`LogError::Storage`]: a dormant log reads them.
    pub fn producers(&mut self) -> Result<Vec<ProducerSummary>, LogError> {
        Ok(self.awake_producers()?.summaries())
    }

    /// Bytes of all log files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.segments().iter().map(|segment| segment.end()).sum()
    }

    /// The segments, by base offset.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentSummary> {
        let segments = self.shared.segments();
        let active = self.active.segment.base_offset();
        let summary = |segment: &Arc<crate::segment::Segment>| SegmentSummary {
            base_offset: segment.base_offset(),
            bytes: segment.end(),
            active: segment.base_offset() == active,
        };
        segments.iter().map(summary).collect()
    }
}

impl Drop for CommitLog {
    fn drop(&mut self) {
        // another incarnation may cut the files: what is read from now on could be anything
        self.shared.close();
    }
}
