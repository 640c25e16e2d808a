//! A disk that fails, fills up, or loses what it said it had. A mistake here acknowledges records
//! that are gone, or takes a whole partition down for a full disk.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use commit_log::{
    AppendError, CommitLog, FaultyOperation, FaultyStorage, FlushResult, LogError, OpenHints,
    Storage,
};
use harness::{
    Home, append, append_numbered, append_one, batch, contents, hints, idempotent, must_append,
    numbered,
};
use protocol::Offset;

fn home(seed: u64) -> (Home, FaultyStorage) {
    let storage = FaultyStorage::new(seed);
    storage.create_directories(Path::new("/disk")).unwrap();
    (Home::new(Arc::new(storage.clone()), Path::new("/disk")), storage)
}

fn poison(log: &mut CommitLog, storage: &FaultyStorage) -> LogError {
    storage.fail(FaultyOperation::SyncData, 0, 1, ErrorKind::Other);
    log.flush().unwrap_err()
}

#[test]
fn a_failed_flush_ends_the_log_and_the_next_one_keeps_what_was_flushed() {
    for power_cut in [false, true] {
        let (home, storage) = home(3);
        let mut log = home.open();
        append_numbered(&mut log, 30);
        log.flush().unwrap();
        append_numbered(&mut log, 10);
        let failed = poison(&mut log, &storage);
        let LogError::FlushFailed { flushed_offset, proof_written, .. } = failed else {
            panic!("{failed}")
        };
        assert_eq!((flushed_offset, proof_written), (Offset::new(30), true));
        assert!(matches!(log.flush(), Err(LogError::Poisoned { .. })));
        let refused = append_one(&mut log, append(batch(&["a"]))).unwrap_err();
        assert!(matches!(refused, AppendError::Log(_)) && !refused.is_retryable());
        // the page cache still reads as if nothing had happened
        assert_eq!(contents(&log), numbered(40));
        drop(log);
        if power_cut {
            storage.power_cut();
        }
        let (mut log, report) = home.open_from(30);
        assert_eq!(contents(&log), numbered(30), "power cut: {power_cut}");
        assert!(power_cut || report.cut_from == Some(Offset::new(30)), "{report:?}");
        append_numbered(&mut log, 10);
        log.flush().unwrap();
        storage.power_cut();
        drop(log);
        let (log, report) = home.open_from(40);
        assert_eq!((contents(&log), report.cut_bytes), (numbered(40), 0), "the note has served");
    }
}

#[test]
fn after_a_failed_flush_the_log_goes_on_in_a_new_segment() {
    let (home, storage) = home(3);
    let mut log = home.open();
    append_numbered(&mut log, 5);
    log.flush().unwrap();
    append_numbered(&mut log, 5);
    poison(&mut log, &storage);
    drop(log);
    let (log, _) = home.open_from(5);
    let bases: Vec<_> = log.segments().iter().map(|segment| segment.base_offset.value()).collect();
    assert_eq!(bases, [0, 5]);
}

#[test]
fn what_could_not_be_noted_on_disk_is_told_by_the_owner() {
    let (home, storage) = home(3);
    let mut log = home.open();
    append_numbered(&mut log, 30);
    log.flush().unwrap();
    append_numbered(&mut log, 10);
    storage.fail(FaultyOperation::SyncData, 0, 9, ErrorKind::Other);
    let failed = log.flush().unwrap_err();
    let LogError::FlushFailed { flushed_offset, proof_written: false, .. } = failed else {
        panic!("{failed}")
    };
    drop(log);
    storage.heal();
    let told = OpenHints { flushed_proof: Some(flushed_offset), ..hints(30) };
    let (log, _) = home.try_open(told).unwrap();
    assert_eq!(contents(&log), numbered(30));
}

#[test]
fn a_lost_flush_counts_as_a_failed_one() {
    let (home, _) = home(3);
    let mut log = home.open();
    append_numbered(&mut log, 5);
    let job = log.begin_flush().unwrap().unwrap();
    assert!(log.begin_flush().unwrap().is_none(), "one at a time");
    let lost = FlushResult::lost(job.up_to());
    drop(job);
    assert!(matches!(log.finish_flush(lost), Err(LogError::FlushFailed { .. })));
}

#[test]
fn a_failed_write_leaves_no_trace() {
    for seed in 0..50 {
        let (home, storage) = home(seed);
        let mut log = home.open();
        append_numbered(&mut log, 5);
        storage.fail(FaultyOperation::Write, 0, 1, ErrorKind::Other);
        let group: Vec<_> = ["a", "b", "c"].map(|value| append(batch(&[value]))).to_vec();
        let results = log.append(&group);
        for result in results {
            let error = result.unwrap_err();
            assert!(matches!(error, AppendError::Storage(_)) && error.is_retryable());
        }
        assert_eq!(contents(&log), numbered(5));
        append_numbered(&mut log, 1);
        drop(log);
        let (log, report) = home.open_from(0);
        assert_eq!((contents(&log), report.cut_bytes), (numbered(6), 0), "seed {seed}");
    }
}

#[test]
fn a_failed_write_that_cannot_be_undone_ends_the_log() {
    let (home, storage) = home(3);
    let mut log = home.open();
    append_numbered(&mut log, 5);
    log.flush().unwrap();
    append_numbered(&mut log, 5);
    storage.fail(FaultyOperation::Write, 0, 1, ErrorKind::Other);
    storage.fail(FaultyOperation::Truncate, 0, 1, ErrorKind::Other);
    // two batches, of which the first may be whole in the file
    let group: Vec<_> = ["a", "b"].map(|value| append(batch(&[value]))).to_vec();
    assert!(log.append(&group).iter().all(Result::is_err));
    assert!(matches!(log.flush(), Err(LogError::Poisoned { .. })));
    drop(log);
    let (log, _) = home.open_from(5);
    assert_eq!(contents(&log), numbered(10), "what was written before it stays");
}

#[test]
fn a_failed_append_releases_its_sequence() {
    let (home, storage) = home(3);
    let mut log = home.open();
    must_append(&mut log, idempotent(7, 0, 0, "a"));
    storage.fail(FaultyOperation::Write, 0, 1, ErrorKind::Other);
    let group: Vec<_> = [1, 2, 1].map(|sequence| append(idempotent(7, 0, sequence, "b"))).to_vec();
    // the third repeats the first, and what it repeats is not in the log
    assert!(log.append(&group).iter().all(Result::is_err));
    let again = must_append(&mut log, idempotent(7, 0, 1, "b"));
    assert_eq!(again.base_offset(), Offset::new(1));
    assert!(matches!(again, commit_log::AppendOutcome::Appended { .. }));
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_room_again() {
    let (home, storage) = home(3);
    let mut log = home.open();
    append_numbered(&mut log, 3);
    storage.set_capacity(Some(300));
    let full = append_one(&mut log, append(batch(&[&"x".repeat(200)]))).unwrap_err();
    assert!(matches!(full, AppendError::StorageFull(_)) && full.is_retryable(), "{full}");
    assert_eq!(contents(&log), numbered(3), "it can be read");
    storage.set_capacity(None);
    append_numbered(&mut log, 2);
    log.flush().unwrap();
    drop(log);
    assert_eq!(contents(&home.open_from(5).0), numbered(5));
}

#[test]
fn a_segment_that_cannot_be_rolled_refuses_appends_and_nothing_else() {
    let (home, storage) = home(3);
    let mut log = home.open();
    append_numbered(&mut log, 13);
    let segments = log.segments().len();
    for operation in [FaultyOperation::Open, FaultyOperation::Rename, FaultyOperation::Write] {
        storage.fail(operation, 0, 1, ErrorKind::StorageFull);
        let error = append_one(&mut log, append(batch(&["value-13"]))).unwrap_err();
        assert!(error.is_retryable(), "{operation:?}: {error}");
        assert_eq!((contents(&log), log.segments().len()), (numbered(13), segments));
    }
    append_numbered(&mut log, 7);
    assert_eq!(log.segments().len(), segments + 1);
    assert_eq!(contents(&log), numbered(20));
}

#[test]
fn a_group_that_cannot_roll_keeps_what_was_written_once() {
    let (home, storage) = home(3);
    let mut log = home.open();
    append_numbered(&mut log, 10);
    storage.fail(FaultyOperation::Rename, 0, 1, ErrorKind::Other);
    let group: Vec<_> =
        (10..20).map(|number| append(batch(&[&format!("value-{number}")]))).collect();
    let results = log.append(&group);
    let written = results.iter().take_while(|result| result.is_ok()).count();
    assert!(written > 0 && results[written..].iter().all(Result::is_err), "{results:?}");
    assert_eq!(contents(&log), numbered(10 + written as i64));
}

#[test]
fn replicated_batches_after_a_hole_are_not_appended() {
    let (home, storage) = home(3);
    let mut log = home.open();
    let at = |offset: i64| {
        let mut bytes = batch(&["value"]).to_vec();
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        harness::replicated(bytes.into())
    };
    let mut damaged = at(1);
    damaged.batch = damaged.batch.slice(..70);
    let results = log.append(&[at(0), damaged, at(2)]);
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    storage.fail(FaultyOperation::Write, 0, 1, ErrorKind::Other);
    assert!(log.append(&[at(1), at(2)]).iter().all(Result::is_err));
    assert_eq!(log.log_end_offset(), Offset::new(1));
    let low = append_one(&mut log, at(0)).unwrap_err();
    assert!(matches!(low, AppendError::UnexpectedOffset { .. }));
    append_one(&mut log, at(5)).unwrap();
    assert_eq!(log.log_end_offset(), Offset::new(6), "compaction leaves gaps");
}
