//! Segments deleted from the start, by age, size and DeleteRecords, while somebody reads. A mistake
//! here deletes what is wanted, or keeps a disk full.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::path::Path;
use std::sync::Arc;

use commit_log::{
    FaultyStorage, LogError, LogSettings, OpenHints, ReadError, ReadMode, ReadRequest, Storage,
};
use harness::{
    Home, NOW_MS, append_numbered, batch_at, contents, hints, idempotent, must_append, numbered,
};
use protocol::Offset;
use protocol::record_batch::ProducerStamp;

fn home() -> (Home, FaultyStorage) {
    let storage = FaultyStorage::new(1);
    storage.create_directories(Path::new("/disk")).unwrap();
    (Home::new(Arc::new(storage.clone()), Path::new("/disk")), storage)
}

fn from(home: &Home, offset: i64) -> Vec<(i64, String)> {
    let (log, _) = home.open_from(60);
    assert_eq!(log.log_start_offset(), Offset::new(offset));
    contents(&log)
}

fn files(home: &Home) -> Vec<String> {
    let entries = home.resources.storage().list(&home.directory).unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn the_oldest_segments_go_when_the_log_is_too_large() {
    let (mut home, _) = home();
    home.settings = LogSettings { retention_bytes: Some(2500), ..home.settings };
    let mut log = home.open();
    append_numbered(&mut log, 60);
    log.flush().unwrap();
    let before = log.segments();
    let deleted = log.apply_retention(NOW_MS, log.log_end_offset()).unwrap();
    assert_eq!(deleted, before[..deleted.len()]);
    assert!(log.bytes() >= 2500 && log.bytes() - log.segments()[0].bytes < 2500);
    let start = log.log_start_offset();
    assert_eq!(start, log.segments()[0].base_offset);
    assert_eq!(contents(&log), numbered(60)[usize::try_from(start.value()).unwrap()..]);
    drop(log);
    assert_eq!(from(&home, start.value()).len(), 60 - usize::try_from(start.value()).unwrap());
}

#[test]
fn segments_go_when_their_last_record_is_too_old_and_the_active_one_too() {
    let (mut home, _) = home();
    home.settings = LogSettings { retention_ms: Some(1000), ..home.settings };
    let mut log = home.open();
    for age in 0..40 {
        must_append(&mut log, batch_at(NOW_MS + age * 100, &["value"], ProducerStamp::NONE));
    }
    log.flush().unwrap();
    let end = log.log_end_offset();
    assert!(log.apply_retention(NOW_MS, end).unwrap().is_empty());
    let first_ends = log.segments()[1].base_offset.value();
    let due = NOW_MS + (first_ends - 1) * 100 + 1000;
    assert!(log.apply_retention(due, end).unwrap().is_empty());
    assert_eq!(log.apply_retention(due + 1, end).unwrap().len(), 1);
    assert!(
        log.apply_retention(i64::MAX, Offset::new(first_ends)).unwrap().is_empty(),
        "committed"
    );
    let segments = log.segments().len();
    assert!(log.become_dormant().unwrap());
    assert_eq!(log.apply_retention(i64::MAX, end).unwrap().len(), segments);
    assert!(log.is_dormant(), "a sleeping log is not woken for good");
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.bytes()), (end, end, 0));
    append_numbered(&mut log, 1);
    assert_eq!(contents(&log), [(40, "value-40".to_owned())]);
}

#[test]
fn deleted_records_are_gone_at_once_and_for_ever() {
    let (home, storage) = home();
    let mut log = home.open();
    append_numbered(&mut log, 60);
    log.flush().unwrap();
    log.advance_log_start(Offset::new(33)).unwrap();
    assert_eq!(contents(&log), numbered(60)[33..]);
    log.advance_log_start(Offset::new(20)).unwrap();
    assert_eq!(log.log_start_offset(), Offset::new(33), "never back");
    let beyond = log.advance_log_start(Offset::new(61));
    assert!(matches!(beyond, Err(LogError::OffsetOutOfRange { .. })));
    storage.power_cut();
    drop(log);
    assert_eq!(from(&home, 33), numbered(60)[33..]);
    let (log, _) = home.open_from(60);
    let segments = log.segments();
    assert!(segments[0].base_offset <= Offset::new(33), "{segments:?}");
    assert!(segments[1].base_offset > Offset::new(33), "what lies wholly below is gone");
    assert_eq!(log.log_start_offset(), Offset::new(33));
    assert_eq!(contents(&log), numbered(60)[33..]);
}

#[test]
fn files_are_removed_after_their_delay_and_at_the_next_start() {
    let (mut home, _) = home();
    home.settings = LogSettings { file_delete_delay_ms: 1000, ..home.settings };
    let mut log = home.open();
    append_numbered(&mut log, 60);
    log.advance_log_start(Offset::new(60)).unwrap();
    log.apply_retention(NOW_MS, Offset::new(60)).unwrap();
    let waiting = || files(&home).iter().filter(|name| name.ends_with(".deleted")).count();
    assert!(waiting() > 3, "{:?}", files(&home));
    assert_eq!(log.remove_deleted_files(NOW_MS + 999).unwrap(), 0);
    assert!(log.remove_deleted_files(NOW_MS + 1000).unwrap() > 3);
    assert_eq!(waiting(), 0);
    append_numbered(&mut log, 60);
    log.advance_log_start(Offset::new(120)).unwrap();
    log.apply_retention(NOW_MS, Offset::new(120)).unwrap();
    assert!(waiting() > 3);
    drop(log);
    home.open_from(0);
    assert_eq!(waiting(), 0);
}

#[test]
fn a_reader_below_the_new_start_is_told_so_and_one_with_the_bytes_keeps_them() {
    let (home, _) = home();
    let mut log = home.open();
    append_numbered(&mut log, 60);
    let reader = log.reader();
    let request = |from| ReadRequest {
        from: Offset::new(from),
        up_to: Offset::new(60),
        bytes_max: 1000,
        at_least_one_batch: true,
        mode: ReadMode::MayBlock,
    };
    let held = reader.read(request(0)).unwrap();
    let copy = held.batches.to_vec();
    log.advance_log_start(Offset::new(60)).unwrap();
    log.apply_retention(NOW_MS, Offset::new(60)).unwrap();
    append_numbered(&mut log, 20);
    assert_eq!(held.batches, copy);
    let gone = reader.read(request(5)).unwrap_err();
    assert!(matches!(gone, ReadError::OffsetOutOfRange { .. }), "{gone}");
}

#[test]
fn idle_producers_are_forgotten() {
    let (mut home, _) = home();
    home.settings = LogSettings { producer_id_expiration_ms: 1000, ..home.settings };
    let mut log = home.open();
    must_append(&mut log, idempotent(7, 0, 0, "value"));
    log.apply_retention(NOW_MS + 999, Offset::ZERO).unwrap();
    assert_eq!(log.producer_count(), Some(1));
    log.apply_retention(NOW_MS + 1000, Offset::ZERO).unwrap();
    assert_eq!(log.producer_count(), Some(0));
    log.close_cleanly().unwrap();
    let later = OpenHints { now_ms: NOW_MS + 1000, ..hints(1) };
    assert_eq!(home.try_open(later).unwrap().0.producer_count(), Some(0), "nor found again");
}
