//! The producers' state at opening and after a truncation: the newest good snapshot, and what the
//! log says after it. The leader epochs are rebuilt here too, if their file is lost.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use protocol::Offset;
use protocol::record_batch::{BatchHeader, RecordBatch};

use crate::batch_walk::{BatchAt, BatchWalk, Check, HEADER_CHUNK_BYTES, Step, WalkRange};
use crate::leader_epochs::LeaderEpochs;
use crate::log_files::remove;
use crate::producer_snapshot::parse_snapshot;
use crate::producer_state::{ProducerStates, TransactionMarker};
use crate::segment::Segment;
use crate::segment_files::{FileKind, segment_path};
use crate::{FlushEvidence, LogError, LogResources};

/// No file of a log is larger that is read whole: some twenty million producers.
const SNAPSHOT_BYTES_MAX: u64 = 1 << 30;
/// A marker is a record of a few bytes.
const MARKER_BYTES_MAX: usize = 4096;

/// The state of all producers after the last record below `end`. Snapshots above `end` and damaged
/// ones are removed.
pub(crate) fn recover_producers(
    resources: &LogResources,
    directory: &Path,
    segments: &[Arc<Segment>],
    snapshots: &mut BTreeSet<Offset>,
    end: Offset,
) -> Result<ProducerStates, LogError> {
    let storage = &*resources.storage;
    while let Some(offset) = snapshots.last().copied() {
        let path = segment_path(directory, offset, FileKind::Snapshot);
        if offset <= end {
            let contents = storage
                .read(&path, SNAPSHOT_BYTES_MAX)
                .map_err(|source| LogError::storage("reading a snapshot", &path, source))?;
            // a damaged snapshot is worth nothing, the one before it and the log are
            if let Ok(mut producers) = parse_snapshot(&contents) {
                replay(resources, segments, offset, &mut producers)?;
                return Ok(producers);
            }
        }
        remove(storage, &path)?;
        snapshots.remove(&offset);
    }
    let mut producers = ProducerStates::default();
    replay(resources, segments, Offset::ZERO, &mut producers)?;
    Ok(producers)
}

/// Takes in the batches from `from` on.
fn replay(
    resources: &LogResources,
    segments: &[Arc<Segment>],
    from: Offset,
    producers: &mut ProducerStates,
) -> Result<(), LogError> {
    let after = segments.partition_point(|segment| segment.base_offset() <= from);
    for segment in segments.iter().skip(after.saturating_sub(1)) {
        visit(resources, segment, from, |walk, batch| {
            if !batch.header.has_producer_id() {
                return Ok(());
            }
            if batch.header.is_control() {
                let bytes = Bytes::copy_from_slice(walk.batch_bytes(batch)?);
                record_marker(producers, &batch.header, &bytes);
            } else {
                producers.record(&batch.header);
            }
            producers.commit();
            Ok(())
        })?;
    }
    Ok(())
}

/// Takes in a control batch, if it ends a transaction.
pub(crate) fn record_marker(producers: &mut ProducerStates, header: &BatchHeader, batch: &Bytes) {
    if let Some(marker) = transaction_marker(batch) {
        producers.record_marker(header, marker);
    }
}

/// The end marker in a control batch (KIP-98): its key is a version and a type, 0 for an abort and
/// 1 for a commit; its value a version and the coordinator's epoch.
fn transaction_marker(batch: &Bytes) -> Option<TransactionMarker> {
    let batch = RecordBatch::parse(batch).ok()?;
    let record = batch.records(MARKER_BYTES_MAX).ok()?.next()?.ok()?;
    let (key, value) = (record.key?, record.value?);
    let kind = i16::from_be_bytes(*key.get(2..)?.first_chunk()?);
    if !(0..=1).contains(&kind) {
        return None;
    }
    let coordinator_epoch = i32::from_be_bytes(*value.get(2..)?.first_chunk()?);
    Some(TransactionMarker { coordinator_epoch, timestamp: record.timestamp })
}

/// Visits the headers of the batches of a segment that end above `from`.
fn visit(
    resources: &LogResources,
    segment: &Arc<Segment>,
    from: Offset,
    mut on_batch: impl FnMut(&mut BatchWalk<'_>, &BatchAt) -> io::Result<()>,
) -> Result<(), LogError> {
    let path = segment.path(FileKind::Log);
    let failed = |source| LogError::storage("reading a segment's headers", &path, source);
    let end = segment.end();
    if end == 0 {
        return Ok(());
    }
    let file = segment.file(resources).map_err(failed)?;
    let read_at = |buffer: &mut [u8], position| file.read_at(buffer, position);
    let mut position = 0;
    if from > segment.base_offset() {
        let indexed = segment.with_indexes(resources, |indexes| indexes.lookup(from));
        let start = segment.confirm(&*file, indexed.map_err(failed)?).map_err(failed)?;
        position = start.map_or(0, |batch| batch.position);
    }
    let range = WalkRange { base_offset: segment.base_offset(), position, end };
    let mut walk = BatchWalk::new(&read_at, range, HEADER_CHUNK_BYTES);
    loop {
        match walk.step(Check::Header).map_err(failed)? {
            Step::Batch(batch) if batch.header.next_offset() > from => {
                on_batch(&mut walk, &batch).map_err(failed)?;
            }
            Step::Batch(_) => {}
            Step::End => return Ok(()),
            Step::Damaged { position, damage } => {
                // the scan has let this pass, so it lies below the recovery point
                let evidence = FlushEvidence::RecoveryPoint(walk.next_offset());
                return Err(LogError::Corrupt { path, position, damage, evidence });
            }
        }
    }
}

/// Reads all batch headers of a log for the leader epochs in them.
pub(crate) fn rebuild_epochs(
    resources: &LogResources,
    segments: &[Arc<Segment>],
) -> Result<LeaderEpochs, LogError> {
    let mut epochs = LeaderEpochs::default();
    for segment in segments {
        visit(resources, segment, Offset::ZERO, |_, batch| {
            epochs.assign(batch.header.leader_epoch, batch.header.base_offset);
            Ok(())
        })?;
    }
    Ok(epochs)
}
