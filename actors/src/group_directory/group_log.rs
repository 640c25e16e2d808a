//! Groups as the log of an offsets partition tells of them. It is read through the partition's read
//! view, a piece at a time, on storage threads, so that a long log keeps nobody else from the disk.

use std::sync::Arc;

use commit_log::{LogReader, ReadError, ReadMode, ReadRequest};
use coordination::{ClassicGroup, GroupLoader};
use protocol::Offset;
use protocol::record::RecordError;
use protocol::record_batch::{BatchError, RecordBatch, RecordBatches};
use thiserror::Error;
use tracing::{debug, warn};

use super::group_place::{GroupPlace, Leadership};
use super::group_settings;
use crate::broker::Broker;
use crate::partition_directory::PartitionPlace;
use crate::ports::storage_executor::run_blocking;
use crate::read_view::ReadView;
use crate::view_waiters::Bell;

/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Decompressed bytes of one batch; our own batches are not compressed.
const BATCH_BYTES_MAX: usize = 64 << 20;

/// Why groups could not be read.
#[derive(Debug, Error)]
pub enum GroupLogError {
    /// The partition is led elsewhere, or under another epoch: whoever leads it reads it anew.
    #[error("the leadership of the offsets partition ended")]
    LeadershipEnded,
    /// The log could not be read.
    #[error("the offsets partition could not be read")]
    Read(#[from] ReadError),
    /// A batch is damaged.
    #[error("a batch of the offsets partition is damaged")]
    Batch(#[from] BatchError),
    /// A record is damaged.
    #[error("a record of the offsets partition is damaged")]
    Record(#[from] RecordError),
    /// The log ends before its end.
    #[error("the offsets partition has nothing at offset {offset}, below its end")]
    Gap {
        /// Where nothing is.
        offset: Offset,
    },
    /// The storage thread's work panicked.
    #[error("reading the offsets partition panicked")]
    Panicked,
}

impl GroupLogError {
    /// Whether reading again may go better.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::LeadershipEnded | Self::Batch(_) | Self::Record(_) | Self::Gap { .. } => false,
            Self::Read(error) => error.is_retryable(),
            Self::Panicked => true,
        }
    }
}

/// Reads one group, whose machine was lost with its actor.
///
/// # Errors
/// [`GroupLogError`].
pub async fn read_group(
    broker: &Arc<Broker>,
    place: &GroupPlace,
) -> Result<ClassicGroup, GroupLogError> {
    let settings = group_settings(broker);
    let loader = GroupLoader::of_group(place.group_id.clone(), settings);
    let loader = read_groups(broker, &place.partition, place.leadership, loader).await?;
    let found = loader.finish().remove(&place.group_id);
    Ok(found.unwrap_or_else(|| broker.groups.new_group(broker, &place.group_id)))
}

/// Reads everything that the partition holds.
///
/// # Errors
/// [`GroupLogError`].
pub async fn read_groups(
    broker: &Broker,
    partition: &PartitionPlace,
    leadership: Leadership,
    mut loader: GroupLoader,
) -> Result<GroupLoader, GroupLogError> {
    let (view, end) = settled_view(partition, leadership).await?;
    let mut from = view.log_start_offset;
    while from < end {
        let reader = view.reader.clone();
        let read = move || {
            let read = replay_piece(&reader, from, end, &mut loader);
            (loader, read)
        };
        let read = run_blocking(&*broker.ports.executor, read).await;
        let (back, next) = read.ok_or(GroupLogError::Panicked)?;
        loader = back;
        from = next?;
    }
    if Leadership::of(partition) != Some(leadership) {
        return Err(GroupLogError::LeadershipEnded);
    }
    let passed_over = loader.records_passed_over();
    debug!(partition = %partition.name, %end, passed_over, "read");
    Ok(loader)
}

/// Waits until all that the log held at the beginning is committed: what an earlier coordinator
/// left under way counts as written then, and so it is read.
async fn settled_view(
    partition: &PartitionPlace,
    leadership: Leadership,
) -> Result<(Arc<ReadView>, Offset), GroupLogError> {
    let bell = Bell::default();
    let mut end = None;
    loop {
        partition.leave_bell(&bell);
        let view = partition.view().ok_or(GroupLogError::LeadershipEnded)?;
        if Leadership::of(partition) != Some(leadership) {
            return Err(GroupLogError::LeadershipEnded);
        }
        let end = *end.get_or_insert_with(|| view.reader.log_end_offset());
        if view.high_watermark >= end {
            return Ok((view, end));
        }
        bell.rung().await;
    }
}

fn replay_piece(
    reader: &LogReader,
    from: Offset,
    up_to: Offset,
    loader: &mut GroupLoader,
) -> Result<Offset, GroupLogError> {
    let piece = reader.read(ReadRequest {
        from,
        up_to,
        bytes_max: PIECE_BYTES,
        at_least_one_batch: true,
        mode: ReadMode::MayBlock,
    })?;
    for batch in RecordBatches::new(piece.batches) {
        replay_batch(&batch?, from, loader)?;
    }
    if piece.next_offset <= from {
        return Err(GroupLogError::Gap { offset: from });
    }
    Ok(piece.next_offset)
}

fn replay_batch(
    batch: &RecordBatch,
    from: Offset,
    loader: &mut GroupLoader,
) -> Result<(), GroupLogError> {
    if batch.header().is_control() || batch.header().is_transactional() {
        return Ok(());
    }
    for record in batch.records(BATCH_BYTES_MAX)? {
        let record = record?;
        if record.offset < from {
            continue;
        }
        if let Err(error) = loader.replay(record.key, record.value) {
            // one record of one group, perhaps of a later version: the others must not suffer
            warn!(offset = %record.offset, %error, "a record of the offsets topic is left out");
        }
    }
    Ok(())
}
