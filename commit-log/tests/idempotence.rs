//! Producers that send a batch again after a lost answer, over restarts, sleep and rolled segments
//! (KIP-98). A mistake here duplicates records.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::sync::Arc;

use commit_log::{AppendError, AppendOutcome, LogSettings, RealStorage, TimestampType};
use harness::{
    Home, NOW_MS, append, append_in, append_one, batch, contents, idempotent, must_append,
};
use protocol::record_batch::BatchHeader;
use protocol::{ErrorCode, Offset};

fn home(folder: &tempfile::TempDir) -> Home {
    Home::new(Arc::new(RealStorage), folder.path())
}

fn duplicate_of(outcome: &AppendOutcome) -> Option<i64> {
    match outcome {
        AppendOutcome::Duplicate { base_offset, .. } => Some(base_offset.value()),
        AppendOutcome::Appended { .. } => None,
    }
}

#[test]
fn a_batch_sent_again_is_recognised_wherever_the_log_has_been() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(&folder);
    let mut log = home.open();
    for sequence in 0..40 {
        must_append(&mut log, idempotent(7, 0, sequence, "value"));
    }
    assert!(log.segments().len() > 2);
    let again = |log: &mut commit_log::CommitLog| must_append(log, idempotent(7, 0, 39, "value"));
    assert_eq!(duplicate_of(&again(&mut log)), Some(39));
    assert!(log.become_dormant().unwrap());
    assert_eq!(log.producer_count(), None);
    assert_eq!(duplicate_of(&again(&mut log)), Some(39), "after sleep");
    drop(log);
    let (mut log, _) = home.open_from(0);
    assert_eq!(duplicate_of(&again(&mut log)), Some(39), "after a crash");
    log.close_cleanly().unwrap();
    let (mut log, _) = home.open_from(40);
    assert_eq!(duplicate_of(&again(&mut log)), Some(39), "after an orderly stop");
    assert_eq!(contents(&log).len(), 40);
    assert_eq!(duplicate_of(&must_append(&mut log, idempotent(7, 0, 40, "value"))), None);
}

#[test]
fn a_repetition_within_one_group_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = home(&folder).open();
    let group: Vec<_> = [0, 1, 0, 2, 4].map(|at| append(idempotent(7, 0, at, "value"))).to_vec();
    let results = log.append(&group);
    assert_eq!(duplicate_of(results[2].as_ref().unwrap()), Some(0));
    assert_eq!(results[3].as_ref().unwrap().base_offset(), Offset::new(2));
    let refused = results[4].as_ref().unwrap_err();
    assert_eq!(refused.error_code(), ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(contents(&log).len(), 3);
}

#[test]
fn a_follower_learns_the_producers_from_what_it_replicates() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = home(&folder).open();
    for sequence in 0..3 {
        let mut bytes = idempotent(7, 0, sequence, "value").to_vec();
        bytes[..8].copy_from_slice(&i64::from(sequence).to_be_bytes());
        append_one(&mut log, harness::replicated(bytes.into())).unwrap();
    }
    // it became the leader, and the client repeats what the old one did not answer
    let again = append_one(&mut log, append_in(1, idempotent(7, 0, 2, "value"))).unwrap();
    assert_eq!(duplicate_of(&again), Some(2));
}

#[test]
fn the_broker_stamps_its_time_where_the_topic_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = home(&folder);
    let stamps = TimestampType::LogAppendTime;
    home.settings = LogSettings { message_timestamp_type: stamps, ..home.settings };
    let mut log = home.open();
    let outcome = must_append(&mut log, idempotent(7, 0, 0, "value"));
    let AppendOutcome::Appended { log_append_time, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(log_append_time, Some(NOW_MS));
    let again = must_append(&mut log, idempotent(7, 0, 0, "value"));
    let AppendOutcome::Duplicate { log_append_time, .. } = again else { panic!("{again:?}") };
    assert_eq!(log_append_time, Some(NOW_MS));
    let outcome = log.reader().read(commit_log::ReadRequest {
        from: Offset::ZERO,
        up_to: Offset::new(1),
        bytes_max: 1000,
        at_least_one_batch: true,
        mode: commit_log::ReadMode::MayBlock,
    });
    let header = BatchHeader::parse(&outcome.unwrap().batches).unwrap();
    assert!(header.is_log_append_time() && header.max_timestamp == NOW_MS);
}

#[test]
fn batches_are_refused_by_size_time_and_form() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = home(&folder);
    home.settings = LogSettings {
        max_message_bytes: 100,
        message_timestamp_before_max_ms: 1000,
        message_timestamp_after_max_ms: 1000,
        ..home.settings
    };
    let mut log = home.open();
    let too_large = append(batch(&[&"x".repeat(100)]));
    let mut too_old = append(batch(&["a"]));
    too_old.now_ms = NOW_MS + 1001;
    let mut too_early = append(batch(&["a"]));
    too_early.now_ms = NOW_MS - 1001;
    let mut cut = append(batch(&["a"]));
    cut.batch = cut.batch.slice(..60);
    let refusals = [
        (too_large, ErrorCode::MessageTooLarge),
        (too_old, ErrorCode::InvalidTimestamp),
        (too_early, ErrorCode::InvalidTimestamp),
        (cut, ErrorCode::CorruptMessage),
    ];
    for (append, code) in refusals {
        assert_eq!(append_one(&mut log, append).unwrap_err().error_code(), code);
    }
    append_one(&mut log, append_in(3, batch(&["a"]))).unwrap();
    let fenced = append_one(&mut log, append_in(2, batch(&["a"]))).unwrap_err();
    assert!(matches!(fenced, AppendError::FencedLeaderEpoch { .. }));
    assert_eq!(log.log_end_offset(), Offset::new(1));
}
