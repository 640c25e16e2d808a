//! Readers at every offset and with every limit, while the log grows, is cut and put to sleep. A
//! mistake here serves wrong bytes, skips records, or makes a runtime thread wait for a disk.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use commit_log::{
    FaultyStorage, LogReader, ReadError, ReadMode, ReadOutcome, ReadRequest, RealStorage, Storage,
};
use harness::{
    Home, NOW_MS, append_in, append_numbered, append_one, batch, batch_at, contents, must_append,
    numbered,
};
use protocol::record_batch::{BatchHeader, ProducerStamp, RecordBatches};
use protocol::{LeaderEpoch, Offset};

fn home() -> (Home, FaultyStorage) {
    let storage = FaultyStorage::new(1);
    storage.create_directories(Path::new("/disk")).unwrap();
    (Home::new(Arc::new(storage.clone()), Path::new("/disk")), storage)
}

fn request(from: i64, up_to: i64) -> ReadRequest {
    ReadRequest {
        from: Offset::new(from),
        up_to: Offset::new(up_to),
        bytes_max: 1 << 20,
        at_least_one_batch: true,
        mode: ReadMode::MayBlock,
    }
}

fn offsets(outcome: &ReadOutcome) -> Vec<i64> {
    let batches = RecordBatches::new(outcome.batches.clone());
    batches.map(|batch| batch.unwrap().header().base_offset.value()).collect()
}

fn must_read(reader: &LogReader, request: ReadRequest) -> ReadOutcome {
    reader.read(request).unwrap()
}

#[test]
fn every_offset_is_found_with_every_bound() {
    let (home, _) = home();
    let mut log = home.open();
    append_numbered(&mut log, 40);
    let reader = log.reader();
    for from in (0..40).rev() {
        for up_to in from..=40 {
            let outcome = must_read(&reader, request(from, up_to));
            let found = offsets(&outcome);
            assert_eq!(found.is_empty(), from == up_to);
            let next = outcome.next_offset.value();
            assert_eq!(found, (from..next).collect::<Vec<_>>(), "from {from} up to {up_to}");
            assert!(next <= up_to);
        }
    }
}

#[test]
fn only_whole_batches_come_and_one_too_large_if_asked_for() {
    let (home, _) = home();
    let mut log = home.open();
    let small = batch(&["small"]);
    for _ in 0..3 {
        must_append(&mut log, small.clone());
    }
    let reader = log.reader();
    let bytes = small.len();
    let cases = [(0, 0), (bytes - 1, 0), (bytes, 1), (2 * bytes - 1, 1), (3 * bytes, 3)];
    for (bytes_max, batches) in cases {
        let limited = ReadRequest { bytes_max, at_least_one_batch: false, ..request(0, 3) };
        assert_eq!(offsets(&must_read(&reader, limited)).len(), batches, "{bytes_max}");
        let at_least_one = ReadRequest { at_least_one_batch: true, ..limited };
        assert_eq!(offsets(&must_read(&reader, at_least_one)).len(), batches.max(1));
    }
}

#[test]
fn an_offset_within_a_batch_gives_the_whole_batch() {
    let (home, _) = home();
    let mut log = home.open();
    must_append(&mut log, batch(&["a", "b", "c"]));
    must_append(&mut log, batch(&["d", "e", "f"]));
    let reader = log.reader();
    assert_eq!(offsets(&must_read(&reader, request(4, 6))), [3]);
    assert_eq!(offsets(&must_read(&reader, request(2, 6))), [0, 3]);
    assert!(offsets(&must_read(&reader, request(4, 5))).is_empty(), "it reaches beyond");
}

#[test]
fn offsets_outside_the_log_are_refused_and_the_end_is_empty() {
    let (home, _) = home();
    let mut log = home.open();
    append_numbered(&mut log, 10);
    log.advance_log_start(Offset::new(4)).unwrap();
    let reader = log.reader();
    for outside in [-1, 3, 11] {
        let refused = reader.read(request(outside, 10)).unwrap_err();
        assert!(matches!(refused, ReadError::OffsetOutOfRange { .. }), "{outside}");
    }
    assert!(must_read(&reader, request(10, 10)).batches.is_empty());
    assert!(must_read(&reader, request(8, 6)).batches.is_empty(), "not committed yet");
}

#[test]
fn a_read_that_may_not_wait_never_does() {
    let (home, storage) = home();
    let mut log = home.open();
    append_numbered(&mut log, 40);
    let reader = log.reader();
    let impatient = |from| ReadRequest { mode: ReadMode::NoWait, ..request(from, 40) };
    assert_eq!(offsets(&must_read(&reader, impatient(36))), [36, 37, 38]);
    storage.set_warm_bytes(Some(0));
    assert!(matches!(reader.read(impatient(36)), Err(ReadError::WouldBlock)));
    assert_eq!(offsets(&must_read(&reader, request(36, 40))), [36, 37, 38]);
    storage.set_warm_bytes(None);
    assert!(log.become_dormant().unwrap());
    assert!(matches!(reader.read(impatient(3)), Err(ReadError::WouldBlock)), "nothing is open");
    must_read(&reader, request(3, 40));
    assert!(!must_read(&reader, impatient(3)).batches.is_empty());
}

#[test]
fn a_batch_half_in_memory_is_waited_for_and_not_taken_for_a_damaged_one() {
    let (home, storage) = home();
    let mut log = home.open();
    append_numbered(&mut log, 30);
    let reader = log.reader();
    for warm in 1..1000 {
        storage.set_warm_bytes(Some(warm));
        for from in [0, 7, 20] {
            let impatient = ReadRequest { mode: ReadMode::NoWait, ..request(from, 30) };
            match reader.read(impatient) {
                Ok(outcome) => assert_eq!(offsets(&outcome).first(), Some(&from), "{warm}"),
                Err(error) => assert!(matches!(error, ReadError::WouldBlock), "{warm}: {error}"),
            }
        }
    }
}

#[test]
fn a_damaged_batch_is_never_served_and_its_neighbours_are() {
    let (home, storage) = home();
    let mut log = home.open();
    append_numbered(&mut log, 40);
    let reader = log.reader();
    let first = home.directory.join("00000000000000000000.log");
    let bytes = batch(&["value-0"]).len() as u64;
    for byte in [8, 20, 30, 70] {
        storage.flip(&first, 5 * bytes + byte, 1).unwrap();
        assert_eq!(offsets(&must_read(&reader, request(0, 40))), [0, 1, 2, 3, 4], "byte {byte}");
        let damaged = reader.read(request(5, 40)).unwrap_err();
        assert!(matches!(damaged, ReadError::Corrupt { .. }), "byte {byte}: {damaged}");
        assert!(!damaged.is_retryable());
        storage.flip(&first, 5 * bytes + byte, 1).unwrap();
    }
    storage.flip(&first, 5 * bytes + 70, 1).unwrap();
    assert_eq!(offsets(&must_read(&reader, request(20, 40)))[0], 20);
    storage.flip(&first, 5 * bytes + 70, 1).unwrap();
    assert_eq!(contents(&log), numbered(40));
}

#[test]
fn what_was_read_before_a_truncation_is_known_to_be_old() {
    let (home, _) = home();
    let mut log = home.open();
    append_numbered(&mut log, 20);
    let reader = log.reader();
    let before = must_read(&reader, request(10, 20));
    assert_eq!(before.generation, reader.generation());
    log.truncate_to(Offset::new(10), NOW_MS).unwrap();
    append_one(&mut log, append_in(1, batch(&["other", "other"]))).unwrap();
    assert_ne!(before.generation, reader.generation());
    let after = must_read(&reader, request(11, 12));
    assert_eq!(offsets(&after), [10], "no remembered place is of the old log");
    drop(log);
    assert!(matches!(reader.read(request(10, 12)), Err(ReadError::Closed)));
}

#[test]
fn records_are_found_by_time() {
    let (home, _) = home();
    let mut log = home.open();
    let times = [10, 20, 20, 15, 30, 30, 5, 40];
    for round in 0..8 {
        for time in times {
            let timestamp = NOW_MS + round * 100 + time;
            must_append(&mut log, batch_at(timestamp, &["value"], ProducerStamp::NONE));
        }
    }
    let reader = log.reader();
    let all: Vec<i64> =
        (0..8).flat_map(|round| times.map(|time| NOW_MS + round * 100 + time)).collect();
    let check = |reader: &LogReader, up_to: i64| {
        for time in NOW_MS - 1..NOW_MS + 760 {
            let expected = all.iter().position(|found| *found >= time).map(|at| at as i64);
            let expected = expected.filter(|at| *at < up_to);
            let found =
                reader.batch_for_timestamp(time, Offset::new(up_to), ReadMode::MayBlock).unwrap();
            let found = found.map(|found| found.first_record_since(time, Offset::ZERO, 1 << 16));
            let found = found.map(|found| found.unwrap().unwrap().0.value());
            assert_eq!(found, expected, "since {time} up to {up_to}");
        }
    };
    check(&reader, 64);
    check(&reader, 20);
    let latest = reader.batch_of_max_timestamp(Offset::new(64), ReadMode::MayBlock).unwrap();
    assert_eq!(latest.unwrap().header.base_offset, Offset::new(63));
    let latest = reader.batch_of_max_timestamp(Offset::new(63), ReadMode::MayBlock).unwrap();
    assert!(latest.is_none());
    assert!(log.become_dormant().unwrap());
    check(&reader, 64);
    log.close_cleanly().unwrap();
    let (log, _) = home.open_from(64);
    check(&log.reader(), 64);
}

#[test]
fn epochs_can_be_asked_for() {
    let (home, _) = home();
    let mut log = home.open();
    for epoch in [2, 2, 5] {
        append_one(&mut log, append_in(epoch, batch(&["value"]))).unwrap();
    }
    let reader = log.reader();
    let end = |epoch| reader.end_offset_for_epoch(LeaderEpoch::new(epoch));
    assert_eq!(end(3), Some((LeaderEpoch::new(2), Offset::new(2))));
    assert_eq!(end(5), Some((LeaderEpoch::new(5), Offset::new(3))));
    assert_eq!(end(6), None);
    assert_eq!(reader.epoch_of(Offset::new(1)), Some(LeaderEpoch::new(2)));
}

#[test]
fn a_sleeping_log_holds_nothing_and_goes_on_where_it_was() {
    let (home, _) = home();
    let mut log = home.open();
    for count in [1, 30, 5] {
        append_numbered(&mut log, count);
        assert!(log.become_dormant().unwrap());
        assert!(log.is_dormant());
    }
    assert_eq!(contents(&log), numbered(36));
    append_numbered(&mut log, 30);
    let job = log.begin_flush().unwrap().unwrap();
    assert!(!log.become_dormant().unwrap(), "a flush is under way");
    log.finish_flush(job.run()).unwrap();
    assert!(log.become_dormant().unwrap());
    assert_eq!(contents(&log), numbered(66));
}

#[test]
fn few_files_stay_open_however_many_segments_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = Home::new(Arc::new(RealStorage), folder.path());
    home.resources = commit_log::LogResources::with_bounds(Arc::new(RealStorage), 3, 1 << 20, 0);
    let mut log = home.open();
    append_numbered(&mut log, 400);
    let open = || {
        let names = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets = names.filter_map(|name| std::fs::read_link(name.unwrap().path()).ok());
        targets.filter(|target| target.starts_with(&home.directory)).count()
    };
    log.flush().unwrap();
    for _ in 0..3 {
        assert_eq!(contents(&log), numbered(400));
        assert!(open() <= 4, "{} files are open", open());
    }
    assert!(log.segments().len() > 20);
    assert!(log.become_dormant().unwrap());
    assert_eq!(open(), 0);
}

/// One thread appends, cuts and rolls; others read all the time. Every batch carries the number of
/// cuts made before it, so a mixture would show.
#[test]
fn readers_see_one_log_while_it_is_appended_to_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(Arc::new(RealStorage), folder.path());
    let mut log = home.open();
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|number| {
            let (reader, stop) = (log.reader(), Arc::clone(&stop));
            std::thread::spawn(move || read_until(&reader, &stop, number))
        })
        .collect();
    for round in 0..60 {
        for _ in 0..40 {
            let value = format!("{round}");
            append_one(&mut log, append_in(round, batch(&[&value]))).unwrap();
        }
        let cut = log.log_end_offset().value() - i64::from(round % 37) - 1;
        log.truncate_to(Offset::new(cut), NOW_MS).unwrap();
    }
    stop.store(true, Ordering::Release);
    let batches: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    assert!(batches > 100, "only {batches} batches were read");
}

fn read_until(reader: &LogReader, stop: &AtomicBool, number: usize) -> usize {
    let mut batches = 0;
    let mut from = Offset::ZERO;
    while !stop.load(Ordering::Acquire) {
        let request = ReadRequest {
            from,
            up_to: reader.log_end_offset(),
            bytes_max: 200 + number * 300,
            at_least_one_batch: true,
            mode: if number == 0 { ReadMode::NoWait } else { ReadMode::MayBlock },
        };
        match reader.read(request) {
            Ok(outcome) => {
                batches += check_batches(&outcome, from);
                from = if outcome.batches.is_empty() { Offset::ZERO } else { outcome.next_offset };
            }
            Err(ReadError::WouldBlock | ReadError::Truncated) => from = Offset::ZERO,
            Err(ReadError::OffsetOutOfRange { .. }) => from = Offset::ZERO,
            Err(error) => panic!("{error}"),
        }
    }
    batches
}

/// Offsets are dense and epochs never fall, and each value is its batch's epoch.
fn check_batches(outcome: &ReadOutcome, from: Offset) -> usize {
    let mut expected = from;
    let mut latest = -1;
    let mut count = 0;
    for batch in RecordBatches::new(outcome.batches.clone()) {
        let batch = batch.unwrap();
        let header: &BatchHeader = batch.header();
        assert_eq!(header.base_offset, expected);
        assert!(header.leader_epoch.value() >= latest);
        let record = batch.records(1 << 16).unwrap().next().unwrap().unwrap();
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        assert_eq!(value, header.leader_epoch.to_string());
        latest = header.leader_epoch.value();
        expected = header.next_offset();
        count += 1;
    }
    count
}
