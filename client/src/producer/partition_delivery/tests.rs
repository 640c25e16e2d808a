//! Retries of an idempotent producer keep order and sequences whatever comes back. If this breaks,
//! records are lost, doubled or reordered on a retry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use protocol::api_key::ApiKey;
use protocol::compression::Compression;
use protocol::record::RecordContent;
use protocol::record_batch::BatchHeader;
use protocol::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId, TopicName, TopicPartition};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{PartitionDelivery, ProducerIdentity, SentBatch, Step};
use crate::backoff::Backoff;
use crate::error::{Error, Subject};
use crate::producer::delivery::BatchPlace;
use crate::record_accumulator::{Append, BatchingRules, ProducerBatch, RecordAccumulator};

const PLACE: BatchPlace = BatchPlace { base_offset: None, log_append_time: None };

fn refusal(code: ErrorCode) -> Error {
    Error::Broker { api: ApiKey::Produce, subject: Subject::Request, code, message: None }
}

/// A source of batches whose records say their number.
struct Source {
    accumulator: RecordAccumulator,
    partition: TopicPartition,
    room: Arc<Semaphore>,
    next: u32,
}

impl Source {
    fn new() -> Self {
        let (batch_bytes_max, linger, compression) = (1000, Duration::ZERO, Compression::None);
        let rules = BatchingRules { batch_bytes_max, linger, compression };
        let partition = TopicPartition::new(TopicName::new("t").unwrap(), PartitionIndex(0));
        let room = Arc::new(Semaphore::new(1 << 20));
        Self { accumulator: RecordAccumulator::new(rules), partition, room, next: 0 }
    }

    fn batch(&mut self, records: u32, now: Instant) -> ProducerBatch {
        for _ in 0..records {
            let value = self.next.to_be_bytes();
            self.next += 1;
            let content = RecordContent { value: Some(&value), ..RecordContent::default() };
            let room = Arc::clone(&self.room).try_acquire_owned().unwrap();
            let partition = self.partition.clone();
            let append = Append { partition, timestamp: 0, content, room };
            let _ = self.accumulator.append(append, now).unwrap();
        }
        self.accumulator.close_due(now, true);
        self.accumulator.take(&self.partition).unwrap()
    }
}

fn identity(epoch: i16) -> ProducerIdentity {
    ProducerIdentity { id: ProducerId(7), epoch: ProducerEpoch(epoch) }
}

fn idempotent() -> PartitionDelivery {
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
    let mut delivery = PartitionDelivery::new(true, backoff);
    let step = delivery.step(Instant::now(), 5);
    assert!(matches!(step, Step::Restart(None)), "an identity comes first");
    delivery.restart(identity(0));
    delivery
}

/// As [`idempotent`], after a first record that the broker has acknowledged.
fn known(source: &mut Source, now: Instant) -> PartitionDelivery {
    let mut delivery = idempotent();
    let first = delivery.send_first(source.batch(1, now)).unwrap();
    assert_eq!(sequence(&first), (0, 0));
    delivery.on_written(first, PLACE);
    delivery
}

fn sequence(sent: &SentBatch) -> (i16, i32) {
    let header = BatchHeader::parse(&sent.bytes).unwrap();
    header.check(&sent.bytes).unwrap();
    (header.producer_epoch.0, header.base_sequence)
}

fn later(now: Instant) -> Instant {
    now + Duration::from_secs(1)
}

fn resend(delivery: &mut PartitionDelivery, now: Instant) -> SentBatch {
    match delivery.step(now, 5) {
        Step::Resend(sent) => *sent,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn sequences_follow_on_and_stay_over_a_retry() {
    let (mut source, now) = (Source::new(), Instant::now());
    let mut delivery = known(&mut source, now);
    let first = delivery.send_first(source.batch(3, now)).unwrap();
    let second = delivery.send_first(source.batch(2, now)).unwrap();
    assert_eq!([sequence(&first), sequence(&second)], [(0, 1), (0, 4)]);
    assert!(!delivery.on_failed(first, refusal(ErrorCode::NotLeaderOrFollower), now));
    assert!(matches!(delivery.step(later(now), 5), Step::Wait), "the second is under way");
    // the broker has not seen the first, so it refuses the second: no reason to start again
    assert!(!delivery.on_failed(second, refusal(ErrorCode::OutOfOrderSequenceNumber), now));
    assert!(matches!(delivery.step(now, 5), Step::Wait), "a pause before the retry");
    let first = resend(&mut delivery, later(now));
    let second = resend(&mut delivery, later(now));
    assert_eq!([sequence(&first), sequence(&second)], [(0, 1), (0, 4)]);
    assert!(matches!(delivery.step(later(now), 5), Step::Fresh));
    delivery.on_written(first, PLACE);
    delivery.on_written(second, PLACE);
    let third = delivery.send_first(source.batch(1, now)).unwrap();
    assert_eq!(sequence(&third), (0, 6));
}

#[tokio::test(start_paused = true)]
async fn the_broker_is_not_made_to_forget_a_batch_whose_answer_was_lost() {
    let (mut source, now) = (Source::new(), Instant::now());
    let mut delivery = known(&mut source, now);
    let lost = delivery.send_first(source.batch(1, now)).unwrap();
    // the next leader has it and answers what follows, while its own answer never comes
    for _ in 0..4 {
        assert!(matches!(delivery.step(now, 5), Step::Fresh));
        let sent = delivery.send_first(source.batch(1, now)).unwrap();
        delivery.on_written(sent, PLACE);
    }
    assert!(matches!(delivery.step(now, 5), Step::Wait), "a sixth would push it out");
    assert!(!delivery.on_failed(lost, refusal(ErrorCode::NotLeaderOrFollower), now));
    let lost = resend(&mut delivery, later(now));
    assert_eq!(sequence(&lost), (0, 1));
    assert!(matches!(delivery.step(later(now), 5), Step::Wait), "still the oldest");
    delivery.on_written(lost, PLACE);
    assert!(matches!(delivery.step(now, 5), Step::Fresh));
}

#[tokio::test(start_paused = true)]
async fn the_first_batch_of_a_new_producer_goes_alone_also_over_a_retry() {
    let (mut source, mut delivery, now) = (Source::new(), idempotent(), Instant::now());
    let first = delivery.send_first(source.batch(1, now)).unwrap();
    assert!(matches!(delivery.step(now, 5), Step::Wait));
    assert!(!delivery.on_failed(first, refusal(ErrorCode::NotLeaderOrFollower), now));
    let first = resend(&mut delivery, later(now));
    assert!(matches!(delivery.step(later(now), 5), Step::Wait));
    delivery.on_written(first, PLACE);
    for _ in 0..5 {
        assert!(matches!(delivery.step(later(now), 5), Step::Fresh));
        let _ = delivery.send_first(source.batch(1, now)).unwrap();
    }
    assert!(matches!(delivery.step(later(now), 5), Step::Wait));
}

#[tokio::test(start_paused = true)]
async fn no_more_batches_are_under_way_than_allowed() {
    let (mut source, now) = (Source::new(), Instant::now());
    let mut delivery = known(&mut source, now);
    let first = delivery.send_first(source.batch(1, now)).unwrap();
    let _second = delivery.send_first(source.batch(1, now)).unwrap();
    assert!(matches!(delivery.step(now, 2), Step::Wait));
    delivery.on_written(first, PLACE);
    assert!(matches!(delivery.step(now, 2), Step::Fresh));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_may_be_stored_is_never_written_under_another_identity() {
    let (mut source, now) = (Source::new(), Instant::now());
    let mut delivery = known(&mut source, now);
    let batch = delivery.send_first(source.batch(2, now)).unwrap();
    // no answer: it may stand in the log, which the next refusal does not deny
    assert!(!delivery.on_failed(batch, refusal(ErrorCode::RequestTimedOut), now));
    let batch = resend(&mut delivery, later(now));
    assert!(delivery.on_failed(batch, refusal(ErrorCode::OutOfOrderSequenceNumber), now));
    assert!(!delivery.has_retries(), "the application is told instead");
    assert!(matches!(delivery.step(later(now), 5), Step::Restart(_)), "later ones start anew");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_lost_track_gets_new_sequences_under_a_higher_epoch() {
    let (mut source, mut delivery, now) = (Source::new(), idempotent(), Instant::now());
    let first = delivery.send_first(source.batch(3, now)).unwrap();
    delivery.on_written(first, PLACE);
    let second = delivery.send_first(source.batch(2, now)).unwrap();
    let third = delivery.send_first(source.batch(1, now)).unwrap();
    assert!(!delivery.on_failed(second, refusal(ErrorCode::UnknownProducerId), now));
    assert!(matches!(delivery.step(now, 5), Step::Wait), "the third is under way");
    assert!(!delivery.on_failed(third, refusal(ErrorCode::OutOfOrderSequenceNumber), now));
    let now = later(now);
    let Step::Restart(Some(old)) = delivery.step(now, 5) else { panic!("no restart") };
    assert_eq!(old, identity(0));
    delivery.restart(old.next_epoch().unwrap());
    let second = resend(&mut delivery, now);
    assert!(matches!(delivery.step(now, 5), Step::Wait), "the first of an epoch goes alone");
    assert_eq!(sequence(&second), (1, 0));
    delivery.on_written(second, PLACE);
    let third = resend(&mut delivery, now);
    assert_eq!(sequence(&third), (1, 2));
    let fourth = delivery.send_first(source.batch(1, now)).unwrap();
    assert_eq!(sequence(&fourth), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_gap_left_by_a_batch_given_up_is_closed_by_a_new_epoch() {
    let (mut source, mut delivery, now) = (Source::new(), idempotent(), Instant::now());
    let first = delivery.send_first(source.batch(1, now)).unwrap();
    assert!(delivery.on_failed(first, refusal(ErrorCode::MessageTooLarge), now));
    assert!(matches!(delivery.step(now, 5), Step::Restart(Some(_))));
    delivery.restart(identity(1));
    let second = delivery.send_first(source.batch(1, now)).unwrap();
    assert_eq!(sequence(&second), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_given_up_that_was_written_after_all_needs_no_new_epoch() {
    let (mut source, now) = (Source::new(), Instant::now());
    let mut delivery = known(&mut source, now);
    let first = delivery.send_first(source.batch(1, now)).unwrap();
    let second = delivery.send_first(source.batch(1, now)).unwrap();
    assert!(!delivery.on_failed(first, refusal(ErrorCode::RequestTimedOut), now));
    let given_up = delivery.give_up_opened_by(now);
    assert_eq!(given_up.len(), 1);
    assert!(matches!(delivery.step(later(now), 5), Step::Wait), "the second decides");
    // the broker takes the second, so it must have written the first
    delivery.on_written(second, PLACE);
    assert!(matches!(delivery.step(later(now), 5), Step::Fresh));
    let third = delivery.send_first(source.batch(1, now)).unwrap();
    assert_eq!(sequence(&third), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn without_idempotence_batches_carry_no_sequence_and_nothing_is_remembered() {
    let (mut source, now) = (Source::new(), Instant::now());
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
    let mut delivery = PartitionDelivery::new(false, backoff);
    assert!(matches!(delivery.step(now, 5), Step::Fresh));
    let first = delivery.send_first(source.batch(1, now)).unwrap();
    assert_eq!(sequence(&first), (-1, -1));
    assert!(!delivery.is_idle());
    assert!(delivery.on_failed(first, refusal(ErrorCode::MessageTooLarge), now));
    assert!(delivery.is_idle());
}

/// A broker's memory of one producer in one partition, by Kafka's rules: of a producer that it
/// knows nothing about it takes any first sequence, not only 0.
#[derive(Default)]
struct Broker {
    epoch: i16,
    next_sequence: Option<i32>,
    log: Vec<u32>,
    written: HashMap<(i16, i32), ()>,
}

impl Broker {
    fn produce(&mut self, bytes: &Bytes) -> Result<(), ErrorCode> {
        let batch = protocol::record_batch::RecordBatch::parse(bytes).unwrap();
        let header = *batch.header();
        let (epoch, sequence) = (header.producer_epoch.0, header.base_sequence);
        if epoch > self.epoch && sequence == 0 {
            (self.epoch, self.next_sequence) = (epoch, Some(0));
        }
        if self.written.contains_key(&(epoch, sequence)) {
            return Ok(());
        }
        if epoch != self.epoch || self.next_sequence.is_some_and(|next| next != sequence) {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        self.written.insert((epoch, sequence), ());
        self.next_sequence = Some(sequence + header.record_count);
        for record in batch.records(10_000).unwrap() {
            let value = record.unwrap().value.unwrap();
            self.log.push(u32::from_be_bytes(value[..4].try_into().unwrap()));
        }
        Ok(())
    }
}

proptest! {
    /// Requests and answers get lost at random; everything is written once and in order.
    #[test]
    fn whatever_is_lost_on_the_way_the_log_holds_every_record_once_in_order(
        fates in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let (mut source, mut delivery) = (Source::new(), idempotent());
        let (mut broker, mut now) = (Broker::default(), Instant::now());
        let mut under_way: Vec<SentBatch> = Vec::new();
        let mut fates = fates.into_iter();
        let (mut fresh_left, mut turns) = (60, 0);
        loop {
            turns += 1;
            prop_assert!(turns < 10_000, "no progress");
            now = later(now);
            match delivery.step(now, 5) {
                Step::Fresh if fresh_left > 0 => {
                    fresh_left -= 1;
                    let batch = source.batch(1 + fresh_left % 3, now);
                    under_way.push(delivery.send_first(batch).unwrap());
                    if under_way.len() < 5 {
                        continue;
                    }
                }
                Step::Resend(sent) => {
                    under_way.push(*sent);
                    continue;
                }
                Step::Restart(_) => panic!("nothing was given up, nothing forgotten"),
                Step::Fresh | Step::Wait => {}
            }
            if under_way.is_empty() {
                break;
            }
            let lost = || Error::ConnectionLost { address: "b".into(), source: None };
            for sent in std::mem::take(&mut under_way) {
                // by default all goes well, so that it ends
                match fates.next().unwrap_or(9) % 10 {
                    0 | 1 => drop(delivery.on_failed(sent, lost(), now)),
                    fate => match broker.produce(&sent.bytes) {
                        _ if fate == 2 => drop(delivery.on_failed(sent, lost(), now)),
                        Ok(()) => delivery.on_written(sent, PLACE),
                        Err(code) => drop(delivery.on_failed(sent, refusal(code), now)),
                    },
                }
            }
        }
        prop_assert_eq!(fresh_left, 0);
        prop_assert_eq!(broker.log, (0..source.next).collect::<Vec<_>>());
    }
}
