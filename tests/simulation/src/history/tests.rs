//! Forged histories, by the ways that the workload records by: were the recording deaf to one of
//! these, every run would look good. Whether each rule sees is shown by the tests of `logcheck`.

use client::{ConsumedRecord, LeaderEpoch, Offset, TimestampKind};
use logcheck::{Answer, Bound, Client, Operation, Payload, Rebalance, Step, Value};
use protocol::{PartitionIndex, TopicName, TopicPartition};

use super::{History, key_of};
use crate::trace::Trace;
use crate::weather::Weather;

const PRODUCER: Client = Client::new(1, 1);
const READER: Client = Client::new(2, 1);
const LAST: Client = Client::new(3, 1);
const MEMBER: Client = Client::new(4, 1);

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new(TopicName::new("ledger").unwrap(), PartitionIndex(index))
}

fn value(number: u64) -> Value {
    Value::new(PRODUCER.process, number)
}

fn record(offset: i64, number: u64) -> ConsumedRecord {
    let payload = Payload { value: value(number), key: "ledger-0" };
    ConsumedRecord {
        partition: partition(0),
        offset: Offset::new(offset),
        leader_epoch: LeaderEpoch::new(0),
        timestamp: 0,
        timestamp_kind: TimestampKind::Created,
        key: None,
        value: Some(payload.encode(0).into()),
        headers: Vec::new(),
    }
}

/// Three records, acknowledged at the offsets 0 to 2.
fn history() -> History {
    let history = History::new(Weather::new(1, Trace::default()));
    for number in 0..3 {
        let ticket = history.sends(PRODUCER, &partition(0), value(number));
        history.acked(ticket, value(number), i64::try_from(number).ok());
    }
    history
}

fn read(history: &History, who: Client, records: &[(i64, u64)]) {
    for (offset, number) in records {
        let poll = history.begins(who, Operation::Poll);
        history.read(poll, &record(*offset, *number), None, Vec::new());
    }
}

/// The last look reads this, and takes it for everything.
fn drain(history: &History, records: &[(i64, u64)]) {
    let poll = history.begins(LAST, Operation::Poll);
    history.read_nothing(poll, Vec::new());
    read(history, LAST, records);
    history.notes(LAST, Step::Drained(vec![key_of(&partition(0))]));
}

fn commit(history: &History, generation: i32, offset: i64) {
    let operation = Operation::Commit {
        group: "auditors".to_owned(),
        generation: Some(generation),
        offsets: vec![(key_of(&partition(0)), offset)],
    };
    let ticket = history.begins(MEMBER, operation);
    history.ends(ticket, Step::Ok(Answer::Done));
}

fn find_committed(history: &History, offset: Option<i64>) {
    let group = "auditors".to_owned();
    let ticket = history.begins(LAST, Operation::FetchCommitted { group });
    let found = vec![(key_of(&partition(0)), offset)];
    history.ends(ticket, Step::Ok(Answer::Committed(found)));
}

#[track_caller]
fn expect(history: &History, what: &str) {
    history.judge();
    let violations = history.violations();
    let named = violations.iter().any(|told| told.contains(&format!("ms: {what}")));
    assert!(named, "{what} was not told: {violations:?}");
}

const ALL: &[(i64, u64)] = &[(0, 0), (1, 1), (2, 2)];

#[test]
fn a_history_in_which_everything_is_read_once_is_good() {
    let history = history();
    read(&history, READER, ALL);
    commit(&history, 1, 2);
    find_committed(&history, Some(2));
    drain(&history, ALL);
    history.judge();
    assert_eq!(history.violations(), Vec::<String>::new());
    assert!(history.sometimes.times("judged: unseen") > 0);
}

#[test]
fn an_acknowledged_record_that_the_last_look_does_not_see_is_lost() {
    let history = history();
    drain(&history, &[(0, 0), (1, 1)]);
    expect(&history, "unseen ledger-0 2");
}

#[test]
fn an_offset_that_shows_two_records_is_found() {
    let history = history();
    read(&history, READER, ALL);
    read(&history, LAST, &[(1, 2)]);
    expect(&history, "inconsistent-offset ledger-0 1");
    expect(&history, "duplicate ledger-0");
}

#[test]
fn a_record_that_nobody_sent_is_found() {
    let history = history();
    read(&history, READER, &[(3, 77)]);
    expect(&history, "never-sent");
}

#[test]
fn a_record_that_was_not_admitted_and_is_read_all_the_same_is_found() {
    let history = history();
    let ticket = history.sends(PRODUCER, &partition(0), value(3));
    history.failed(ticket, value(3), Step::Fail, &client::Error::Closed);
    read(&history, READER, &[(3, 3)]);
    expect(&history, "G1a");
}

#[test]
fn a_reader_that_misses_an_offset_is_found() {
    let history = history();
    let poll = history.begins(READER, Operation::Poll);
    history.read(poll, &record(2, 2), Some(1), Vec::new());
    expect(&history, "a reader of ledger-0 was given offset 2 instead of 1");
}

#[test]
fn a_record_that_does_not_say_who_it_is_is_found() {
    let history = history();
    let poll = history.begins(READER, Operation::Poll);
    let damaged = ConsumedRecord { value: Some("ledger".into()), ..record(0, 0) };
    history.read(poll, &damaged, None, Vec::new());
    expect(&history, "damaged-value");
}

#[test]
fn records_of_a_later_leadership_below_those_of_an_earlier_one_are_found() {
    let history = history();
    let poll = history.begins(READER, Operation::Poll);
    let later = ConsumedRecord { leader_epoch: LeaderEpoch::new(5), ..record(0, 0) };
    history.read(poll, &later, None, Vec::new());
    read(&history, READER, &[(1, 1)]);
    expect(&history, "epoch-regression");
}

#[test]
fn an_end_below_what_was_read_is_found() {
    let history = history();
    read(&history, READER, ALL);
    let look = history.begins(LAST, Operation::ListOffsets(Bound::Latest));
    let ends = vec![(key_of(&partition(0)), 2, None)];
    history.ends(look, Step::Ok(Answer::Offsets(ends)));
    expect(&history, "offset-beyond");
}

#[test]
fn a_forgotten_commit_is_found() {
    for found in [Some(1), None] {
        let history = history();
        commit(&history, 1, 1);
        commit(&history, 1, 2);
        find_committed(&history, found);
        expect(&history, "commit-regression");
    }
}

#[test]
fn a_commit_of_a_member_that_the_group_has_left_behind_is_found() {
    let history = history();
    let told = |who, generation| {
        let group = "auditors".to_owned();
        let (assigned, revoked) = (Vec::new(), Vec::new());
        let told = Rebalance { group, generation: Some(generation), assigned, revoked };
        history.notes(who, Step::Rebalance(told));
    };
    told(MEMBER, 1);
    told(READER, 2);
    commit(&history, 1, 2);
    expect(&history, "zombie-commit");
}
