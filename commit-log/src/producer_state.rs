//! What idempotence rests on (KIP-98): for every producer its epoch and its last five batches, so
//! that a batch sent again is recognised and one out of order refused.
//!
//! An append changes the state before its bytes are written, so that the next batch of the same
//! group is checked against it; [`ProducerStates::undo_to`] takes that back if the write fails.

use std::collections::HashMap;

use protocol::record_batch::BatchHeader;
use protocol::{Offset, ProducerEpoch, ProducerId};

use crate::{AppendError, AppendOrigin, ProducerSummary};

/// Batches remembered of a producer: as many as clients keep in flight.
const BATCHES: usize = 5;
/// What a snapshot says where no transaction coordinator is known.
const NO_COORDINATOR_EPOCH: i32 = -1;

/// A batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerBatch {
    /// Sequence of its last record.
    pub(crate) last_sequence: i32,
    /// Offset of its last record.
    pub(crate) last_offset: Offset,
    /// Offset of its last record minus that of its first.
    pub(crate) offset_delta: i32,
    /// Its largest timestamp, in milliseconds since 1970.
    pub(crate) timestamp: i64,
}

impl ProducerBatch {
    /// Sequence of its first record; sequences wrap at 2³¹.
    fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        i32::try_from(first & 0x7fff_ffff).unwrap_or(i32::MAX)
    }

    /// Offset of its first record.
    pub(crate) fn base_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }
}

/// What is known of one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerState {
    pub(crate) producer_epoch: ProducerEpoch,
    /// Epoch of the coordinator that wrote the last transaction marker; −1 if none did.
    pub(crate) coordinator_epoch: i32,
    /// In milliseconds since 1970.
    pub(crate) last_timestamp: i64,
    /// First offset of the open transaction.
    pub(crate) transaction_start_offset: Option<Offset>,
    /// The last batches of this epoch, the oldest first.
    batches: [Option<ProducerBatch>; BATCHES],
}

impl ProducerState {
    pub(crate) const fn new(producer_epoch: ProducerEpoch) -> Self {
        Self {
            producer_epoch,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            last_timestamp: -1,
            transaction_start_offset: None,
            batches: [None; BATCHES],
        }
    }

    pub(crate) fn last_batch(&self) -> Option<&ProducerBatch> {
        self.batches.iter().flatten().next_back()
    }

    fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(-1, |batch| batch.last_sequence)
    }

    pub(crate) fn remember(&mut self, batch: ProducerBatch) {
        match self.batches.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(batch),
            None => {
                self.batches.rotate_left(1);
                self.batches[BATCHES - 1] = Some(batch);
            }
        }
        self.last_timestamp = batch.timestamp;
    }

    /// Goes to another epoch, of which nothing is remembered yet.
    fn enter_epoch(&mut self, producer_epoch: ProducerEpoch) {
        if self.producer_epoch != producer_epoch {
            self.producer_epoch = producer_epoch;
            self.batches = [None; BATCHES];
        }
    }

    /// The remembered batch with the same sequences, if the same epoch sent it.
    fn duplicate_of(&self, header: &BatchHeader) -> Option<ProducerBatch> {
        if header.producer_epoch != self.producer_epoch {
            return None;
        }
        let same = |batch: &&ProducerBatch| {
            batch.first_sequence() == header.base_sequence
                && batch.last_sequence == header.last_sequence()
        };
        self.batches.iter().flatten().find(same).copied()
    }

    fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        self.transaction_start_offset.is_none()
            && now_ms.saturating_sub(self.last_timestamp) >= expiration_ms
    }
}

/// An end marker of a transaction, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TransactionMarker {
    /// Epoch of the coordinator that wrote it.
    pub(crate) coordinator_epoch: i32,
    /// Its record's timestamp, in milliseconds since 1970.
    pub(crate) timestamp: i64,
}

/// The producers of a log.
#[derive(Debug, Default)]
pub(crate) struct ProducerStates {
    producers: HashMap<ProducerId, ProducerState>,
    /// What the producers were before each change since the last commit.
    undo: Vec<(ProducerId, Option<ProducerState>)>,
}

impl ProducerStates {
    /// Whether a batch may be appended. `Some` is the batch in the log that it repeats.
    ///
    /// A producer that is not known, because it never wrote or was forgotten, may begin with any
    /// sequence; a known one begins a new epoch with 0.
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        origin: AppendOrigin,
    ) -> Result<Option<ProducerBatch>, AppendError> {
        if origin == AppendOrigin::Replication || header.is_control() {
            return Ok(None);
        }
        let producer_id = header.producer_id;
        let Some(state) = self.producers.get(&producer_id) else { return Ok(None) };
        let producer_epoch = header.producer_epoch;
        if let Some(batch) = state.duplicate_of(header) {
            return Ok(Some(batch));
        }
        if producer_epoch < state.producer_epoch {
            let current_epoch = state.producer_epoch;
            return Err(AppendError::InvalidProducerEpoch {
                producer_id,
                producer_epoch,
                current_epoch,
            });
        }
        let same_epoch = producer_epoch == state.producer_epoch;
        let last_sequence = if same_epoch { state.last_sequence() } else { -1 };
        let first_sequence = header.base_sequence;
        if !follows(last_sequence, first_sequence) {
            return Err(AppendError::OutOfOrderSequence {
                producer_id,
                producer_epoch,
                first_sequence,
                last_sequence,
            });
        }
        if state.transaction_start_offset.is_some() && !header.is_transactional() {
            return Err(AppendError::InvalidTransactionState { producer_id });
        }
        Ok(None)
    }

    /// Takes in a data batch with the offsets it has in the log.
    pub(crate) fn record(&mut self, header: &BatchHeader) {
        let last_offset = header.last_offset();
        let state = self.change(header.producer_id, header.producer_epoch);
        state.enter_epoch(header.producer_epoch);
        state.remember(ProducerBatch {
            last_sequence: header.last_sequence(),
            last_offset,
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        if header.is_transactional() {
            state.transaction_start_offset.get_or_insert(header.base_offset);
        }
    }

    /// Takes in the end of a transaction.
    pub(crate) fn record_marker(&mut self, header: &BatchHeader, marker: TransactionMarker) {
        let state = self.change(header.producer_id, header.producer_epoch);
        state.enter_epoch(header.producer_epoch);
        state.coordinator_epoch = marker.coordinator_epoch;
        state.last_timestamp = marker.timestamp;
        state.transaction_start_offset = None;
    }

    fn change(&mut self, id: ProducerId, epoch: ProducerEpoch) -> &mut ProducerState {
        self.undo.push((id, self.producers.get(&id).copied()));
        self.producers.entry(id).or_insert(ProducerState::new(epoch))
    }

    /// Changes since the last commit; [`ProducerStates::undo_to`] goes back to one.
    pub(crate) fn changes(&self) -> usize {
        self.undo.len()
    }

    /// Takes all but the first `changes` changes since the last commit back.
    pub(crate) fn undo_to(&mut self, changes: usize) {
        while self.undo.len() > changes {
            match self.undo.pop() {
                Some((id, Some(state))) => self.producers.insert(id, state),
                Some((id, None)) => self.producers.remove(&id),
                None => None,
            };
        }
    }

    /// Makes all changes final.
    pub(crate) fn commit(&mut self) {
        self.undo.clear();
    }

    /// Puts a producer in place of what is known of it.
    pub(crate) fn insert(&mut self, id: ProducerId, state: ProducerState) {
        self.producers.insert(id, state);
    }

    /// Forgets producers that wrote nothing for `expiration_ms` and have no transaction open.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, state| !state.is_expired(now_ms, expiration_ms));
    }

    pub(crate) fn len(&self) -> usize {
        self.producers.len()
    }

    /// All producers, by id.
    pub(crate) fn sorted(&self) -> Vec<(ProducerId, ProducerState)> {
        let mut producers: Vec<_> =
            self.producers.iter().map(|(id, state)| (*id, *state)).collect();
        producers.sort_unstable_by_key(|(id, _)| *id);
        producers
    }

    pub(crate) fn summaries(&self) -> Vec<ProducerSummary> {
        let producers = self.sorted().into_iter();
        let summary = |(producer_id, state): (ProducerId, ProducerState)| ProducerSummary {
            producer_id,
            producer_epoch: state.producer_epoch,
            last_sequence: state.last_sequence(),
            last_timestamp: state.last_timestamp,
            coordinator_epoch: state.coordinator_epoch,
            transaction_start_offset: state.transaction_start_offset,
        };
        producers.map(summary).collect()
    }
}

/// Whether a batch that begins with `first` may follow one that ended with `last`.
fn follows(last: i32, first: i32) -> bool {
    // −1 + 1 is 0: a new epoch begins there, as does the sequence after the last of all
    if last == i32::MAX { first == 0 } else { first == last + 1 }
}

#[cfg(test)]
mod tests;
