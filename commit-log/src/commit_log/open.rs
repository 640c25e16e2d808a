//! Opening: what the directory holds becomes a log, cut and flushed, before an offset of it is
//! told to anybody.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use protocol::Offset;

use crate::commit_log::CommitLog;
use crate::commit_log::append_group::AppendGroup;
use crate::commit_log::flushing::FlushProgress;
use crate::leader_epochs::{LeaderEpochs, leader_epochs_path};
use crate::log_files::{LogFiles, remove, survey};
use crate::log_state::{EndBound, LogState};
use crate::producer_recovery::{rebuild_epochs, recover_producers};
use crate::recovery::{ScanBounds, Scanned, scan};
use crate::segment::{Segment, SegmentPlace};
use crate::segment_files::{FileKind, segment_path};
use crate::shared_log::SharedLog;
use crate::storage::OpenMode;
use crate::tail::{ActiveSegment, jitter_ms};
use crate::{
    Damage, FlushEvidence, LogError, LogResources, LogSettings, OpenHints, RecoveryReport,
};

/// What the directory holds of the log.
struct Recovered {
    scanned: Scanned,
    /// Segments that lie below the log start offset.
    deleted: Vec<Arc<Segment>>,
    epochs: LeaderEpochs,
    snapshots: BTreeSet<Offset>,
}

/// The largest leader epoch file: some forty million epochs.
const EPOCH_BYTES_MAX: u64 = 1 << 30;

impl CommitLog {
    /// Opens the log in `directory`, made if missing, and recovers it: finds out where it ends,
    /// cuts a torn tail off, rebuilds what is derived, and flushes before it returns.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] where flushed bytes are damaged or missing, [`LogError::Checkpoint`]
    /// where the log's own notes are, [`LogError::InterruptedSwap`], [`LogError::Storage`].
    pub fn open(
        resources: &LogResources,
        directory: &Path,
        settings: LogSettings,
        hints: OpenHints,
    ) -> Result<(Self, RecoveryReport), LogError> {
        let opening = Opening::new(resources, directory, &settings, &hints)?;
        let mut report = RecoveryReport::default();
        let recovered = opening.recover(&mut report)?;
        let log = opening.into_log(recovered, &mut report)?;
        Ok((log, report))
    }
}

struct Opening<'a> {
    resources: &'a LogResources,
    directory: Arc<Path>,
    settings: &'a LogSettings,
    hints: &'a OpenHints,
    /// What the log itself has noted.
    noted: Option<LogState>,
    state: LogState,
}

impl<'a> Opening<'a> {
    fn new(
        resources: &'a LogResources,
        directory: &Path,
        settings: &'a LogSettings,
        hints: &'a OpenHints,
    ) -> Result<Self, LogError> {
        let storage = &*resources.storage;
        storage
            .create_directories(directory)
            .map_err(|source| LogError::storage("making the log's directory", directory, source))?;
        let noted = LogState::read(storage, directory)?;
        let mut state = noted.unwrap_or(LogState::NONE);
        if let Some(proof) = hints.flushed_proof {
            state.end_bound = Some(EndBound::FlushFailed(proof));
        }
        let directory = Arc::from(directory);
        Ok(Self { resources, directory, settings, hints, noted, state })
    }

    fn storage_error(&self, operation: &'static str) -> impl Fn(io::Error) -> LogError + use<> {
        let directory = Arc::clone(&self.directory);
        move |source| LogError::storage(operation, &directory, source)
    }

    /// The log start offset that the opener and the log itself remember.
    fn log_start_offset(&self) -> Offset {
        let hint = self.hints.log_start_offset.unwrap_or(Offset::ZERO);
        match self.state.end_bound {
            // the directory's checkpoint may be older than the cut
            Some(EndBound::Truncated(_)) => self.state.log_start_offset,
            _ => hint.max(self.state.log_start_offset),
        }
    }

    fn bounds(&self, first_offset: Offset) -> ScanBounds {
        let recovery_point = self.hints.recovery_point.unwrap_or(first_offset);
        // of what was deleted on purpose, nothing has to be there
        let is_below_start = recovery_point <= self.log_start_offset();
        let hint = if is_below_start { first_offset } else { recovery_point };
        let (scan_from, good_up_to, cut_at) = match self.state.end_bound {
            None => (hint, hint, None),
            Some(EndBound::FlushFailed(bound)) => (hint.min(bound), bound, Some(bound)),
            Some(EndBound::WriteFailed(bound)) => (hint.min(bound), hint.min(bound), Some(bound)),
            Some(EndBound::Truncated(bound)) => (hint.min(bound), hint.min(bound), None),
        };
        ScanBounds { scan_from, good_up_to, cut_at, clean_shutdown: self.hints.clean_shutdown }
    }

    /// Tells the log's segments from those whose deletion an earlier process did not finish.
    fn part(&self, mut places: Vec<SegmentPlace>) -> (Vec<SegmentPlace>, Vec<SegmentPlace>) {
        let log_start_offset = self.log_start_offset();
        let last = places.len().saturating_sub(1);
        let next = places.iter().skip(1).map(|place| place.base_offset);
        let deleted = next.take_while(|next| *next <= log_start_offset).count().min(last);
        let kept = places.split_off(deleted);
        (places, kept)
    }

    /// Whether the files that the log began with are gone. A log moves its start durably before it
    /// deletes one; only in a directory of Kafka's is there no note of that.
    fn check_beginning(&self, first_offset: Offset) -> Result<(), LogError> {
        let Some(LogState { log_start_offset, .. }) = self.noted else { return Ok(()) };
        let recovery_point = self.hints.recovery_point.unwrap_or(Offset::ZERO);
        if first_offset <= log_start_offset || recovery_point <= log_start_offset {
            return Ok(());
        }
        Err(LogError::Corrupt {
            path: segment_path(&self.directory, log_start_offset, FileKind::Log),
            position: 0,
            damage: Damage::Missing { missing_from: log_start_offset },
            evidence: FlushEvidence::RecoveryPoint(recovery_point),
        })
    }

    fn recover(&self, report: &mut RecoveryReport) -> Result<Recovered, LogError> {
        let LogFiles { segments: mut places, snapshots } =
            survey(&*self.resources.storage, &self.directory)?;
        if places.is_empty() {
            places.push(self.first_segment()?);
        }
        let (deleted, places) = self.part(places);
        let first_offset = places.first().map_or(Offset::ZERO, |place| place.base_offset);
        self.check_beginning(first_offset)?;
        let interval = self.settings.index_interval_bytes;
        let directory = &self.directory;
        let segment = |place| Arc::new(Segment::new(Arc::clone(directory), place, interval));
        let segments: Vec<_> = places.into_iter().map(segment).collect();
        let deleted = deleted.into_iter().map(segment).collect();
        let bounds = self.bounds(first_offset);
        let mut epochs = self.read_epochs(&segments)?;
        let before = epochs.clone();
        let scanned = scan(self.resources, segments, bounds, &mut epochs, report)?;
        self.make_durable(&scanned, bounds, report)?;
        epochs.truncate_from_end(scanned.end);
        epochs.truncate_from_start(self.log_start_offset().max(first_offset));
        if epochs != before {
            let path = leader_epochs_path(&self.directory);
            let written = self.resources.storage.replace(&path, epochs.to_text().as_bytes());
            written.map_err(self.storage_error("writing the leader epochs"))?;
        }
        Ok(Recovered { scanned, deleted, epochs, snapshots })
    }

    /// Makes the file of a log that has none yet.
    fn first_segment(&self) -> Result<SegmentPlace, LogError> {
        let base_offset = self.log_start_offset();
        let path = segment_path(&self.directory, base_offset, FileKind::Log);
        if let Some(recovery_point) = self.hints.recovery_point.filter(|at| *at > base_offset) {
            return Err(LogError::Corrupt {
                path,
                position: 0,
                damage: Damage::Missing { missing_from: base_offset },
                evidence: FlushEvidence::RecoveryPoint(recovery_point),
            });
        }
        let storage = &self.resources.storage;
        storage
            .open(&path, OpenMode::CreateNew)
            .and_then(|file| file.sync_data())
            .and_then(|()| storage.sync_directory(&self.directory))
            .map_err(self.storage_error("making the first segment"))?;
        Ok(SegmentPlace { base_offset, bytes: 0, modified_ms: self.hints.now_ms })
    }

    /// Flushes what an earlier process may have left unflushed.
    fn make_durable(
        &self,
        scanned: &Scanned,
        bounds: ScanBounds,
        report: &RecoveryReport,
    ) -> Result<(), LogError> {
        if scanned.end <= bounds.good_up_to && report.cut_from.is_none() {
            return Ok(());
        }
        let failed = self.storage_error("flushing what was recovered");
        let after =
            scanned.segments.partition_point(|segment| segment.base_offset() <= bounds.scan_from);
        for segment in scanned.segments.iter().skip(after.saturating_sub(1)) {
            let path = segment.path(FileKind::Log);
            let file = self.resources.storage.open(&path, OpenMode::Write).map_err(&failed)?;
            file.sync_data().map_err(&failed)?;
        }
        self.resources.storage.sync_directory(&self.directory).map_err(failed)
    }

    fn read_epochs(&self, segments: &[Arc<Segment>]) -> Result<LeaderEpochs, LogError> {
        let path = leader_epochs_path(&self.directory);
        match self.resources.storage.read(&path, EPOCH_BYTES_MAX) {
            Ok(text) => match LeaderEpochs::parse(&text) {
                Ok(epochs) => return Ok(epochs),
                // all of them stand in the batches, too
                Err(_) => remove(&*self.resources.storage, &path)?,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(LogError::storage("reading the leader epochs", &path, source));
            }
        }
        rebuild_epochs(self.resources, segments)
    }

    fn into_log(
        self,
        recovered: Recovered,
        report: &mut RecoveryReport,
    ) -> Result<CommitLog, LogError> {
        let Recovered { scanned, deleted, epochs, mut snapshots } = recovered;
        let Scanned { segments, tail_indexes, tail_saved, end, cut_by_bound } = scanned;
        let Self { resources, directory, settings, hints, state, .. } = &self;
        let first_offset = segments.first().map_or(end, |segment| segment.base_offset());
        let mut producers =
            recover_producers(resources, directory, &segments, &mut snapshots, end)?;
        producers.expire(hints.now_ms, settings.producer_id_expiration_ms);
        let active = self.active_segment(&segments, end)?;
        let log_start_offset = self.log_start_offset().max(first_offset);
        let shared = SharedLog::new(Arc::clone(directory), (*resources).clone(), segments, epochs);
        shared.set_log_start_offset(log_start_offset);
        shared.set_log_end_offset(end);
        let mut log = CommitLog {
            shared: Arc::new(shared),
            settings: (*settings).clone(),
            jitter_seed: hints.jitter_seed,
            active,
            producers: Some(producers),
            snapshots,
            // who was killed may have made the active segment and not flushed the directory
            flush: FlushProgress::at(end, !hints.clean_shutdown),
            state: LogState { log_start_offset, ..*state },
            failed: None,
            deleted: VecDeque::new(),
            group: AppendGroup::default(),
        };
        let path = log.active.segment.path(FileKind::Log);
        resources
            .storage
            .open(&path, OpenMode::Write)
            .and_then(|file| log.active.open_with(file, tail_indexes, tail_saved))
            .map_err(self.storage_error("opening the active segment"))?;
        for segment in deleted {
            log.delete_files(&segment, hints.now_ms)?;
        }
        log.remove_stray_snapshots()?;
        log.finish_opening(cut_by_bound, hints.now_ms, report)?;
        Ok(log)
    }

    fn active_segment(
        &self,
        segments: &[Arc<Segment>],
        end: Offset,
    ) -> Result<ActiveSegment, LogError> {
        let segment = segments.last().map(Arc::clone);
        // the scan keeps at least the segment that it began in
        let segment = segment.ok_or_else(|| LogError::Corrupt {
            path: segment_path(&self.directory, end, FileKind::Log),
            position: 0,
            damage: Damage::Missing { missing_from: end },
            evidence: FlushEvidence::RecoveryPoint(end),
        })?;
        Ok(ActiveSegment {
            bytes: segment.end(),
            jitter_ms: jitter_ms(self.hints.jitter_seed, segment.base_offset(), self.settings),
            segment,
            first_timestamp: None,
            created_ms: self.hints.now_ms,
            open: None,
        })
    }
}

impl CommitLog {
    /// The last steps, on a log that works: a new segment after a failed flush, nothing left below
    /// the log start, notes that have served their purpose removed.
    fn finish_opening(
        &mut self,
        cut_by_bound: bool,
        now_ms: i64,
        report: &mut RecoveryReport,
    ) -> Result<(), LogError> {
        if cut_by_bound && self.active.bytes > 0 {
            self.roll(now_ms)?;
            self.flush()?;
        }
        let log_start_offset = self.log_start_offset();
        if log_start_offset > self.log_end_offset() {
            self.truncate_fully_and_start_at(log_start_offset, now_ms)?;
            report.emptied = true;
        }
        let served = matches!(
            self.state.end_bound,
            Some(EndBound::FlushFailed(_) | EndBound::WriteFailed(_))
        );
        if served {
            self.state.end_bound = None;
            self.state.write(&*self.resources().storage, &self.shared.directory)?;
        }
        Ok(())
    }
}
