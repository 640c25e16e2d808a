//! A follower's log whose end is cut, because its leader has other records there. A mistake here
//! leaves records that no leader has, or a producer or epoch that never was.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::path::Path;
use std::sync::Arc;

use commit_log::{AppendError, CommitLog, FaultyOperation, FaultyStorage, LogError, OpenHints};
use harness::{
    Home, NOW_MS, append, append_in, append_numbered, append_one, batch, contents, hints,
    idempotent, must_append, numbered,
};
use protocol::{LeaderEpoch, Offset};

fn home() -> (Home, FaultyStorage) {
    let storage = FaultyStorage::new(1);
    commit_log::Storage::create_directories(&storage, Path::new("/disk")).unwrap();
    (Home::new(Arc::new(storage.clone()), Path::new("/disk")), storage)
}

fn truncate(log: &mut CommitLog, offset: i64) -> i64 {
    log.truncate_to(Offset::new(offset), NOW_MS).unwrap().value()
}

#[test]
fn a_log_can_be_cut_at_every_offset_and_goes_on_there() {
    for offset in 0..=60 {
        let (home, _) = home();
        let mut log = home.open();
        append_numbered(&mut log, 60);
        assert_eq!(truncate(&mut log, offset), offset);
        assert_eq!(contents(&log), numbered(offset), "cut at {offset}");
        append_numbered(&mut log, 20);
        assert_eq!(contents(&log), numbered(offset + 20), "cut at {offset}, then appended");
        log.flush().unwrap();
        drop(log);
        let (log, report) = home.open_from(offset + 20);
        assert_eq!(contents(&log), numbered(offset + 20), "cut at {offset}, then opened");
        assert_eq!(report.cut_bytes, 0);
    }
}

#[test]
fn a_batch_goes_whole() {
    let (home, _) = home();
    let mut log = home.open();
    must_append(&mut log, batch(&["a", "b", "c"]));
    must_append(&mut log, batch(&["d", "e", "f"]));
    assert_eq!(truncate(&mut log, 5), 3);
    assert_eq!(log.log_end_offset(), Offset::new(3));
    assert_eq!(truncate(&mut log, 9), 3, "beyond the end nothing happens");
    assert_eq!(truncate(&mut log, 1), 0);
    assert_eq!(contents(&log), []);
}

#[test]
fn epochs_and_producers_go_back_with_the_log() {
    let (home, _) = home();
    let mut log = home.open();
    for sequence in 0..30 {
        let append = append_in(sequence / 10, idempotent(7, 0, sequence, "value"));
        append_one(&mut log, append).unwrap();
    }
    truncate(&mut log, 15);
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch::new(1)));
    let end = log.end_offset_for_epoch(LeaderEpoch::new(0));
    assert_eq!(end, Some((LeaderEpoch::new(0), Offset::new(10))));
    assert_eq!(log.producers().unwrap()[0].last_sequence, 14);
    let early = append_one(&mut log, append_in(1, idempotent(7, 0, 29, "value"))).unwrap_err();
    assert!(matches!(early, AppendError::OutOfOrderSequence { last_sequence: 14, .. }), "{early}");
    append_one(&mut log, append_in(1, idempotent(7, 0, 15, "value"))).unwrap();
    truncate(&mut log, 10);
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch::new(0)));
    truncate(&mut log, 0);
    assert_eq!((log.latest_epoch(), log.producers().unwrap()), (None, vec![]));
}

#[test]
fn a_cut_during_a_flush_is_not_taken_for_flushed() {
    let (home, _) = home();
    let mut log = home.open();
    append_numbered(&mut log, 10);
    let job = log.begin_flush().unwrap().unwrap();
    truncate(&mut log, 4);
    append_numbered(&mut log, 8);
    let flushed = log.finish_flush(job.run()).unwrap();
    assert_eq!((flushed, log.log_end_offset()), (Offset::new(4), Offset::new(12)));
    assert_eq!(log.flush().unwrap(), Offset::new(12));
}

#[test]
fn a_checkpoint_older_than_a_cut_is_not_taken_for_lost_records() {
    let (home, storage) = home();
    let mut log = home.open();
    append_numbered(&mut log, 40);
    log.flush().unwrap();
    assert_eq!(log.recovery_point(), Offset::new(40));
    truncate(&mut log, 25);
    storage.power_cut();
    drop(log);
    // the directory's checkpoint still says 40
    let (mut log, _) = home.open_from(40);
    assert_eq!(contents(&log), numbered(25));
    append_numbered(&mut log, 5);
    log.flush().unwrap();
    log.recovery_point_checkpointed(log.recovery_point()).unwrap();
    drop(log);
    // from here on it counts again
    assert!(matches!(home.try_open(hints(31)), Err(LogError::Corrupt { .. })));
    assert_eq!(contents(&home.open_from(30).0), numbered(30));
}

#[test]
fn a_log_emptied_goes_on_where_the_leaders_begins() {
    for start in [0, 7, 60, 500] {
        let (home, storage) = home();
        let mut log = home.open();
        append_numbered(&mut log, 60);
        log.flush().unwrap();
        assert_eq!(log.recovery_point(), Offset::new(60));
        log.advance_log_start(Offset::new(20)).unwrap();
        log.truncate_fully_and_start_at(Offset::new(start), NOW_MS).unwrap();
        assert_eq!(log.segments().len(), 1);
        assert_eq!(
            (log.log_start_offset(), log.flushed_offset()),
            (Offset::new(start), Offset::new(start))
        );
        append_numbered(&mut log, 3);
        log.flush().unwrap();
        storage.power_cut();
        drop(log);
        // neither checkpoint has been written since
        let stale = OpenHints { log_start_offset: Some(Offset::new(20)), ..hints(60) };
        let (log, _) = home.try_open(stale).unwrap();
        let expected: Vec<_> = (start..start + 3).map(|at| (at, format!("value-{at}"))).collect();
        assert_eq!(contents(&log), expected, "start at {start}");
    }
}

#[test]
fn a_cut_below_the_log_start_moves_it_back() {
    let (home, _) = home();
    let mut log = home.open();
    append_numbered(&mut log, 60);
    log.advance_log_start(Offset::new(50)).unwrap();
    truncate(&mut log, 45);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset::new(45), Offset::new(45)));
}

#[test]
fn a_cut_that_fails_ends_the_log_and_its_readers() {
    // the first truncation and the first flush are those of the note that a cut begins
    let operations = [
        (FaultyOperation::Truncate, 1),
        (FaultyOperation::SyncData, 1),
        (FaultyOperation::Remove, 0),
    ];
    for (operation, skip) in operations {
        let (home, storage) = home();
        let mut log = home.open();
        append_numbered(&mut log, 60);
        log.flush().unwrap();
        assert_eq!(log.recovery_point(), Offset::new(60));
        let reader = log.reader();
        storage.fail(operation, skip, 1, std::io::ErrorKind::Other);
        assert!(log.truncate_to(Offset::new(20), NOW_MS).is_err(), "{operation:?}");
        let refused = append_one(&mut log, append(batch(&["a"])));
        assert!(refused.is_err(), "{operation:?}");
        let request = commit_log::ReadRequest {
            from: Offset::ZERO,
            up_to: Offset::new(60),
            bytes_max: 100,
            at_least_one_batch: true,
            mode: commit_log::ReadMode::MayBlock,
        };
        assert!(reader.read(request).is_err(), "{operation:?}");
        drop(log);
        storage.heal();
        let (log, _) = home.open_from(60);
        let kept = contents(&log);
        assert!(numbered(60).starts_with(&kept) && kept.len() >= 20, "{operation:?}");
    }
}
