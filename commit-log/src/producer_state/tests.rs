//! Producers that send again, skip, wrap, die and come back. A mistake here duplicates records or
//! refuses a producer for ever.

use super::*;
use protocol::LeaderEpoch;

fn header(id: i64, epoch: i16, sequence: i32, records: i32, base_offset: i64) -> BatchHeader {
    BatchHeader {
        base_offset: Offset::new(base_offset),
        length: 100,
        leader_epoch: LeaderEpoch::ZERO,
        magic: 2,
        crc: 0,
        attributes: 0,
        last_offset_delta: records - 1,
        base_timestamp: 1_000,
        max_timestamp: 1_000,
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: sequence,
        record_count: records,
    }
}

fn check(producers: &ProducerStates, batch: &BatchHeader) -> Result<Option<i64>, &'static str> {
    match producers.check(batch, AppendOrigin::Client) {
        Ok(duplicate) => Ok(duplicate.map(|batch| batch.base_offset().value())),
        Err(AppendError::OutOfOrderSequence { .. }) => Err("sequence"),
        Err(AppendError::InvalidProducerEpoch { .. }) => Err("epoch"),
        Err(AppendError::InvalidTransactionState { .. }) => Err("transaction"),
        Err(_) => Err("other"),
    }
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    let producers = ProducerStates::default();
    assert_eq!(check(&producers, &header(1, 0, 17, 1, 0)), Ok(None));
}

#[test]
fn the_last_five_batches_are_recognised_and_an_older_one_refused() {
    let mut producers = ProducerStates::default();
    for batch in 0..6 {
        producers.record(&header(1, 0, batch * 10, 10, i64::from(batch) * 100));
    }
    assert_eq!(check(&producers, &header(1, 0, 0, 10, 0)), Err("sequence"));
    for batch in 1..6 {
        let found = check(&producers, &header(1, 0, batch * 10, 10, 0));
        assert_eq!(found, Ok(Some(i64::from(batch) * 100)));
    }
    assert_eq!(check(&producers, &header(1, 0, 60, 1, 0)), Ok(None));
    assert_eq!(check(&producers, &header(1, 0, 61, 1, 0)), Err("sequence"));
    assert_eq!(check(&producers, &header(1, 0, 50, 9, 0)), Err("sequence"), "other bounds");
}

#[test]
fn sequences_wrap_at_the_largest_number() {
    let mut producers = ProducerStates::default();
    producers.record(&header(1, 0, i32::MAX - 1, 2, 0));
    assert_eq!(check(&producers, &header(1, 0, 0, 1, 0)), Ok(None));
    assert_eq!(check(&producers, &header(1, 0, 1, 1, 0)), Err("sequence"));
    let mut producers = ProducerStates::default();
    producers.record(&header(1, 0, i32::MAX - 1, 5, 0)); // ends with sequence 2
    assert_eq!(check(&producers, &header(1, 0, i32::MAX - 1, 5, 9)), Ok(Some(0)));
    assert_eq!(check(&producers, &header(1, 0, 3, 1, 0)), Ok(None));
}

#[test]
fn a_new_epoch_begins_with_zero_and_fences_the_old_one() {
    let mut producers = ProducerStates::default();
    producers.record(&header(1, 4, 0, 3, 0));
    assert_eq!(check(&producers, &header(1, 5, 3, 1, 0)), Err("sequence"));
    assert_eq!(check(&producers, &header(1, 5, 0, 3, 3)), Ok(None), "no duplicate: other epoch");
    producers.record(&header(1, 5, 0, 3, 3));
    assert_eq!(check(&producers, &header(1, 4, 3, 1, 0)), Err("epoch"));
    assert_eq!(check(&producers, &header(1, 4, 0, 3, 0)), Err("epoch"), "not even a duplicate");
    assert_eq!(check(&producers, &header(1, 5, 0, 3, 3)), Ok(Some(3)));
}

#[test]
fn what_was_not_written_is_taken_back() {
    let mut producers = ProducerStates::default();
    producers.record(&header(1, 0, 0, 1, 0));
    producers.commit();
    let before = producers.sorted();
    let changes = producers.changes();
    producers.record(&header(1, 0, 1, 1, 1));
    producers.record(&header(1, 1, 0, 1, 2));
    producers.record(&header(2, 0, 0, 1, 3));
    producers.undo_to(changes);
    assert_eq!(producers.sorted(), before);
    assert_eq!(check(&producers, &header(1, 0, 1, 1, 1)), Ok(None), "the sequence is free again");
}

#[test]
fn a_marker_ends_the_transaction_and_may_raise_the_epoch() {
    let mut producers = ProducerStates::default();
    let mut data = header(1, 0, 0, 1, 10);
    data.attributes |= 0x10;
    producers.record(&data);
    assert_eq!(producers.summaries()[0].transaction_start_offset, Some(Offset::new(10)));
    assert_eq!(check(&producers, &header(1, 0, 1, 1, 11)), Err("transaction"));
    producers.expire(i64::MAX, 1);
    assert_eq!(producers.len(), 1, "an open transaction keeps its producer");
    let marker = TransactionMarker { coordinator_epoch: 3, timestamp: 2_000 };
    producers.record_marker(&header(1, 1, -1, 1, 11), marker);
    assert_eq!(producers.summaries()[0].transaction_start_offset, None);
    assert_eq!(check(&producers, &header(1, 1, 0, 1, 12)), Ok(None));
    assert_eq!(check(&producers, &header(1, 0, 1, 1, 12)), Err("epoch"));
}

#[test]
fn idle_producers_are_forgotten_after_their_time() {
    let mut producers = ProducerStates::default();
    producers.record(&header(1, 0, 0, 1, 0));
    producers.expire(1_000 + 99, 100);
    assert_eq!(producers.len(), 1);
    producers.expire(1_000 + 100, 100);
    assert_eq!(producers.len(), 0);
    assert_eq!(check(&producers, &header(1, 0, 9, 1, 0)), Ok(None), "any sequence again");
}
