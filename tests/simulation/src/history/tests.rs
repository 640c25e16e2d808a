//! Forged histories: were one of these rules blind, every run would look good.

use protocol::{PartitionIndex, TopicName, TopicPartition};

use super::History;
use crate::trace::Trace;
use crate::weather::Weather;

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new(TopicName::new("ledger").unwrap(), PartitionIndex(index))
}

fn history() -> History {
    let history = History::new(Weather::new(1, Trace::default()));
    for (number, value) in ["a.0", "a.1", "a.2"].iter().enumerate() {
        history.sends("a", value, &partition(0));
        history.acked(value, Some(i64::try_from(number).unwrap()));
    }
    history
}

fn read_all(history: &History) {
    for (offset, value) in [(0, "a.0"), (1, "a.1"), (2, "a.2")] {
        history.read(&partition(0), offset, value, Some(offset));
    }
}

#[track_caller]
fn expect_rule(history: &History, rule: &str) {
    history.check_complete();
    let violations = history.violations();
    let named = violations.iter().any(|what| what.contains(&format!("ms: {rule}: ")));
    assert!(named, "rule {rule} did not speak: {violations:?}");
}

#[test]
fn a_history_in_which_everything_is_read_once_is_good() {
    let history = history();
    read_all(&history);
    read_all(&history);
    history.committed(&partition(0), 2);
    history.finds_committed(&partition(0), Some(2));
    history.check_complete();
    assert_eq!(history.violations(), Vec::<String>::new());
}

#[test]
fn an_acknowledged_record_that_nobody_reads_is_lost() {
    let history = history();
    history.read(&partition(0), 0, "a.0", None);
    history.read(&partition(0), 1, "a.1", None);
    expect_rule(&history, "1");
}

#[test]
fn an_offset_that_shows_two_records_is_found() {
    let history = history();
    read_all(&history);
    history.read(&partition(0), 1, "a.2", None);
    expect_rule(&history, "2");
}

#[test]
fn a_record_at_two_offsets_is_found() {
    let history = history();
    read_all(&history);
    history.read(&partition(0), 3, "a.2", None);
    expect_rule(&history, "3");
}

#[test]
fn a_record_that_nobody_sent_or_of_another_partition_is_found() {
    let history = history();
    history.read(&partition(0), 0, "b.0", None);
    expect_rule(&history, "4");
    let history = self::history();
    history.read(&partition(1), 0, "a.0", None);
    expect_rule(&history, "4");
}

#[test]
fn a_reader_that_misses_an_offset_is_found() {
    let history = history();
    history.read(&partition(0), 2, "a.2", Some(1));
    expect_rule(&history, "5");
}

#[test]
fn acknowledged_offsets_that_do_not_rise_are_found() {
    let history = history();
    history.sends("a", "a.3", &partition(0));
    history.acked("a.3", Some(1));
    expect_rule(&history, "6");
}

#[test]
fn a_forgotten_commit_is_found() {
    let history = history();
    history.committed(&partition(0), 2);
    history.finds_committed(&partition(0), Some(1));
    expect_rule(&history, "7");
    let history = self::history();
    history.committed(&partition(0), 2);
    history.finds_committed(&partition(0), None);
    expect_rule(&history, "7");
}
