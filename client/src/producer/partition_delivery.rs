//! The batches of one partition between their first send and their outcome: sequences, order of
//! retries, and what an idempotent producer does about gaps (KIP-98, KIP-360). Pure.
//!
//! Rules, all of which keep a partition's records in order and single:
//!
//! 1. Batches get their sequence when they are first sent, and keep it over retries.
//! 2. A batch is sent again only when none that was sent after it is still under way.
//! 3. No new batch is sent while one waits to be sent again.
//! 4. OUT_OF_ORDER_SEQUENCE after a predecessor that is not settled is an ordinary retry: the
//!    broker has not written the batch. Without such a predecessor the broker has lost track;
//!    once nothing is under way, sequences start at 0 under a higher producer epoch.
//!    But a batch of which an earlier attempt may be stored is given up and the application told:
//!    under another identity it could be written a second time.
//! 5. Under a new identity one batch travels alone until the broker has acknowledged one. A broker
//!    that knows nothing of a producer takes any first sequence, not only 0: were the first batch
//!    refused and the second, under way behind it, taken, the two would change places.
//! 6. When a batch is given up, those sent after it are first settled under the old epoch. If
//!    that shows that the broker had written the lost one, nothing needs to change; else 4.
//! 7. No new batch is sent when four that were sent after the oldest unsettled one are out or
//!    written. Brokers know the last five batches of a producer again: the oldest, whose answer
//!    went down with an old leader, would be refused by the new one although it is stored.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use protocol::record_batch::{ProducerStamp, stamp_producer};
use protocol::{BrokerId, ErrorCode};
use tokio::time::Instant;

use super::delivery::BatchPlace;
use super::identity::ProducerIdentity;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::record_accumulator::ProducerBatch;

/// Batches of one producer in one partition that a broker knows again.
const KNOWN_AGAIN: usize = 5;

/// A batch in its final bytes.
#[derive(Debug)]
pub(crate) struct SentBatch {
    pub(crate) batch: ProducerBatch,
    pub(crate) bytes: Bytes,
    base_sequence: i32,
    pub(crate) last_error: Option<Error>,
}

fn sequence_after(sequence: i32, records: i32) -> i32 {
    sequence.wrapping_add(records) & i32::MAX
}

impl SentBatch {
    fn next_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.batch.builder.record_count())
    }
}

/// What the partition allows next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing until an answer comes or a pause ends.
    Wait,
    /// This batch, once more.
    Resend(Box<SentBatch>),
    /// A new batch, if there is one: see [`PartitionDelivery::send_first`].
    Fresh,
    /// An identity other than this one has to be given by [`PartitionDelivery::restart`].
    Restart(Option<ProducerIdentity>),
}

#[derive(Debug)]
pub(crate) struct PartitionDelivery {
    idempotent: bool,
    identity: Option<ProducerIdentity>,
    /// The sequence of the next new batch.
    next_sequence: i32,
    /// The sequence after the last batch that the broker has acknowledged.
    acknowledged_sequence: i32,
    in_flight: BTreeSet<u64>,
    retries: BTreeMap<u64, SentBatch>,
    /// Written batches that were sent after one that is not settled (rule 7).
    written_ahead: BTreeSet<u64>,
    /// The broker has acknowledged a batch of this identity, so it checks sequences (rule 5).
    is_known: bool,
    /// A batch was given up after it had been sent (rule 6).
    gave_up: bool,
    /// The broker has lost track of the sequences (rule 4).
    must_restart: bool,
    backoff: Backoff,
    not_before: Option<Instant>,
    /// The broker that refused last because it does not lead, or did not answer.
    refused_by: Option<BrokerId>,
}

impl PartitionDelivery {
    pub(crate) const fn new(idempotent: bool, backoff: Backoff) -> Self {
        Self {
            idempotent,
            identity: None,
            next_sequence: 0,
            acknowledged_sequence: 0,
            in_flight: BTreeSet::new(),
            retries: BTreeMap::new(),
            written_ahead: BTreeSet::new(),
            is_known: false,
            gave_up: false,
            must_restart: false,
            backoff,
            not_before: None,
            refused_by: None,
        }
    }

    /// Whether nothing is remembered that a new start would lose.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.retries.is_empty() && !self.idempotent
    }

    /// Whether batches wait to be sent again.
    pub(crate) fn has_retries(&self) -> bool {
        !self.retries.is_empty()
    }

    /// The end of the pause after a failure.
    pub(crate) fn pause_ends(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.has_retries())
    }

    /// This broker is not the one to send to.
    pub(crate) const fn on_refused_by(&mut self, broker: BrokerId) {
        self.refused_by = Some(broker);
    }

    /// Who refused, while there is something to be sent again to somebody else.
    pub(crate) fn refused_by(&self) -> Option<BrokerId> {
        self.refused_by.filter(|_| self.has_retries())
    }

    /// Somebody else leads: the pause has no purpose any more.
    pub(crate) const fn on_moved(&mut self) {
        (self.refused_by, self.not_before) = (None, None);
    }

    /// The bytes of the batch that [`Self::step`] would send again.
    pub(crate) fn resend_bytes(&self) -> Option<usize> {
        self.retries.values().next().map(|sent| sent.bytes.len())
    }

    /// What may be sent now. A batch to be sent again is under way from here on.
    pub(crate) fn step(&mut self, now: Instant, in_flight_max: usize) -> Step {
        let pausing = self.not_before.is_some_and(|end| now < end);
        let alone = self.idempotent && !self.is_known;
        let in_flight_max = if alone { 1 } else { in_flight_max };
        if pausing || self.in_flight.len() >= in_flight_max {
            return Step::Wait;
        }
        if self.idempotent && self.in_flight.is_empty() {
            let settled = self.retries.is_empty();
            let nothing_lost = self.acknowledged_sequence == self.next_sequence;
            if self.gave_up && settled && nothing_lost {
                self.gave_up = false;
            }
            if self.must_restart || self.identity.is_none() || (self.gave_up && settled) {
                return Step::Restart(self.identity);
            }
        }
        match self.retries.first_key_value().map(|(number, _)| *number) {
            Some(number) if self.in_flight.last().is_none_or(|last| *last < number) => {
                self.in_flight.insert(number);
                self.retries.remove(&number).map_or(Step::Wait, |sent| Step::Resend(Box::new(sent)))
            }
            Some(_) => Step::Wait,
            None if self.gave_up || self.must_restart || self.is_too_far_ahead() => Step::Wait,
            None => Step::Fresh,
        }
    }

    /// Whether the broker would forget the oldest unsettled batch over another one.
    fn is_too_far_ahead(&self) -> bool {
        self.idempotent && self.in_flight.len() + self.written_ahead.len() >= KNOWN_AGAIN
    }

    /// Forgets written batches that nothing unsettled was sent before.
    fn settle(&mut self) {
        let oldest = self.in_flight.first().into_iter().chain(self.retries.keys().next()).min();
        match oldest.copied() {
            Some(oldest) => self.written_ahead = self.written_ahead.split_off(&oldest),
            None => self.written_ahead.clear(),
        }
    }

    /// Starts the sequences again under another identity; batches that wait get new ones.
    pub(crate) fn restart(&mut self, identity: ProducerIdentity) {
        (self.is_known, self.gave_up, self.must_restart) = (false, false, false);
        (self.next_sequence, self.acknowledged_sequence) = (0, 0);
        self.identity = Some(identity);
        self.written_ahead.clear();
        for sent in self.retries.values_mut() {
            sent.base_sequence = self.next_sequence;
            self.next_sequence = sent.next_sequence();
            let mut bytes = BytesMut::from(std::mem::take(&mut sent.bytes));
            let stamp = stamp(Some(identity), sent.base_sequence);
            stamp_producer(&mut bytes, stamp).expect("the bytes were built as a batch here");
            sent.bytes = bytes.freeze();
        }
    }

    /// Gives a new batch its sequence and its bytes; it is under way from here on.
    ///
    /// # Errors
    /// Where the batch cannot be put into bytes; it is finished with the same error.
    pub(crate) fn send_first(&mut self, batch: ProducerBatch) -> Result<SentBatch> {
        let base_sequence = if self.idempotent { self.next_sequence } else { -1 };
        let built = batch.builder.build(stamp(self.identity, base_sequence));
        let bytes = match built {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) => {
                let error = Error::from(error);
                batch.finish(Err(error.clone()));
                return Err(error);
            }
        };
        let sent = SentBatch { batch, bytes, base_sequence, last_error: None };
        if self.idempotent {
            self.next_sequence = sent.next_sequence();
        }
        self.in_flight.insert(sent.batch.number);
        Ok(sent)
    }

    /// The broker has written the batch.
    pub(crate) fn on_written(&mut self, sent: SentBatch, place: BatchPlace) {
        self.in_flight.remove(&sent.batch.number);
        self.written_ahead.insert(sent.batch.number);
        self.settle();
        self.acknowledged_sequence = sent.next_sequence();
        self.is_known = true;
        self.backoff.reset();
        (self.refused_by, self.not_before) = (None, None);
        sent.batch.finish(Ok(place));
    }

    /// The broker has refused the batch, or has not answered. Gives back the batch's number if it
    /// has come to its end.
    pub(crate) fn on_failed(&mut self, mut sent: SentBatch, error: Error, now: Instant) -> bool {
        let number = sent.batch.number;
        self.in_flight.remove(&number);
        let lost_track = self.idempotent && is_sequence_error(error.code());
        if lost_track {
            let before = |other: &u64| *other < number;
            let predecessor = self.in_flight.iter().any(before) || self.retries.keys().any(before);
            if !predecessor && may_be_stored(&sent) {
                // an earlier attempt may stand in the log: another identity would write it again
                self.gave_up = true;
                self.settle();
                sent.batch.finish(Err(error));
                return true;
            }
            self.must_restart |= !predecessor;
        } else if !error.is_retryable() {
            self.gave_up |= self.idempotent;
            self.settle();
            sent.batch.finish(Err(error));
            return true;
        }
        self.not_before = Some(now + self.backoff.next_pause());
        if !(lost_track && may_be_stored(&sent)) {
            sent.last_error = Some(error);
        }
        self.retries.insert(number, sent);
        false
    }

    /// Takes the batches that wait to be sent again and were opened at or before `time`.
    pub(crate) fn give_up_opened_by(&mut self, time: Instant) -> Vec<SentBatch> {
        let old = self.retries.extract_if(.., |_, sent| sent.batch.opened_at <= time);
        let old: Vec<_> = old.map(|(_, sent)| sent).collect();
        self.gave_up |= self.idempotent && !old.is_empty();
        self.settle();
        old
    }

    /// When the oldest batch that waits to be sent again was opened.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.retries.values().map(|sent| sent.batch.opened_at).min()
    }
}

fn stamp(identity: Option<ProducerIdentity>, base_sequence: i32) -> ProducerStamp {
    identity.map_or(ProducerStamp::NONE, |identity| ProducerStamp {
        id: identity.id,
        epoch: identity.epoch,
        base_sequence,
    })
}

/// Whether an earlier attempt ended in a way that leaves open if the batch was stored: anything but
/// a refusal of its sequence.
fn may_be_stored(sent: &SentBatch) -> bool {
    sent.last_error.as_ref().is_some_and(|last| !is_sequence_error(last.code()))
}

/// Whether the broker's idea of the producer's sequences differs from ours.
fn is_sequence_error(code: Option<ErrorCode>) -> bool {
    matches!(
        code,
        Some(
            ErrorCode::OutOfOrderSequenceNumber
                | ErrorCode::UnknownProducerId
                | ErrorCode::InvalidProducerEpoch
        )
    )
}

#[cfg(test)]
mod tests;
