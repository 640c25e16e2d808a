//! The power goes after every single change of a scripted run, and what was not flushed is lost,
//! kept or torn by seed. A mistake here loses acknowledged records, or serves bytes that nobody
//! wrote.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::path::Path;
use std::sync::Arc;

use commit_log::{CommitLog, FaultyStorage, LogError, LogSettings, OpenHints};
use harness::{Home, NOW_MS, append, append_in, batch, contents, hints, idempotent};
use protocol::{LeaderEpoch, Offset};

const SEEDS: u64 = 4;

/// What must hold after a crash.
#[derive(Clone, Debug, Default)]
struct Expectation {
    /// Every record appended, by offset; the log is a beginning of it.
    appended: Vec<String>,
    /// Records below this must be there.
    flushed: usize,
    /// The recovery point in the directory's checkpoint.
    checkpointed: i64,
    /// The log start offset last asked for, and the last one that is certain.
    log_start: (i64, i64),
    /// Whether the log was closed in order.
    closed: bool,
}

impl Expectation {
    /// Appends these records as one group. They may be there from now on, whatever is answered.
    fn append(&mut self, log: &mut CommitLog, values: &[&str]) -> Result<(), LogError> {
        let epoch = log.latest_epoch().map_or(0, LeaderEpoch::value);
        let group: Vec<_> = values.iter().map(|value| append_in(epoch, batch(&[value]))).collect();
        self.appended.extend(values.iter().map(ToString::to_string));
        for result in log.append(&group) {
            result.map_err(|_| power_is_off())?;
        }
        Ok(())
    }

    fn flush(&mut self, log: &mut CommitLog) -> Result<(), LogError> {
        let flushed = log.flush()?;
        self.flushed = usize::try_from(flushed.value()).unwrap();
        self.checkpointed = log.recovery_point().value();
        Ok(())
    }
}

/// The storage's own error is of no interest to these tests.
fn power_is_off() -> LogError {
    LogError::Poisoned { flushed_offset: Offset::UNKNOWN, proof_written: false }
}

type Script = fn(&Home, &mut Expectation) -> Result<(), LogError>;

/// Appends in groups, over segments, with and without flushes, asleep in between.
fn append_and_flush(home: &Home, expected: &mut Expectation) -> Result<(), LogError> {
    let long = "x".repeat(700);
    let (mut log, _) = home.try_open(hints(0))?;
    expected.append(&mut log, &["a", "b", "c"])?;
    expected.flush(&mut log)?;
    expected.append(&mut log, &["d"])?;
    expected.append(&mut log, &["e", &long, "f"])?;
    expected.append(&mut log, &["g"; 12])?;
    expected.flush(&mut log)?;
    log.assign_epoch(LeaderEpoch::new(1), log.log_end_offset())?;
    expected.append(&mut log, &[&long, &long, "h", "i"])?;
    if log.become_dormant()? {
        expected.flushed = expected.appended.len();
        expected.checkpointed = log.recovery_point().value();
    }
    expected.append(&mut log, &["j", "k"])?;
    let job = log.begin_flush()?.unwrap();
    expected.append(&mut log, &["l", "m", &long])?;
    let flushed = log.finish_flush(job.run())?;
    expected.flushed = usize::try_from(flushed.value()).unwrap();
    expected.append(&mut log, &["n"; 9])?;
    expected.flush(&mut log)?;
    expected.append(&mut log, &["o", "p"])?;
    let closed = log.close_cleanly()?;
    expected.flushed = expected.appended.len();
    expected.checkpointed = closed.recovery_point.value();
    expected.closed = true;
    Ok(())
}

/// Deletes from the start while appending.
fn delete_and_append(home: &Home, expected: &mut Expectation) -> Result<(), LogError> {
    let (mut log, _) = home.try_open(hints(0))?;
    expected.append(&mut log, &["a"; 25])?;
    expected.flush(&mut log)?;
    expected.log_start.0 = 15;
    log.advance_log_start(Offset::new(15))?;
    expected.log_start.1 = 15;
    let deleted = log.apply_retention(NOW_MS, log.flushed_offset())?;
    assert!(!deleted.is_empty());
    expected.append(&mut log, &["b"; 15])?;
    expected.flush(&mut log)?;
    log.update_settings(LogSettings { retention_bytes: Some(1500), ..home.settings.clone() });
    expected.log_start.0 = i64::MAX;
    log.apply_retention(NOW_MS, log.flushed_offset())?;
    expected.log_start = (log.log_start_offset().value(), log.log_start_offset().value());
    expected.append(&mut log, &["c"; 5])?;
    expected.flush(&mut log)
}

/// Runs a script with the power going after every change, and checks what is left each time.
fn survives_every_crash(script: Script, expected_cuts: u64) {
    for cut in 0..1000 {
        let mut finished = false;
        for seed in 0..SEEDS {
            let storage = FaultyStorage::new(seed * 1000 + cut);
            storage.create_directories_for_test();
            let home = Home::new(Arc::new(storage.clone()), Path::new("/disk"));
            let mut expected = Expectation::default();
            storage.cut_power_after(cut);
            finished = script(&home, &mut expected).is_ok();
            storage.power_cut();
            let situation = format!("cut after change {cut}, seed {seed}");
            check(&home, &storage, &expected, &situation);
        }
        if finished {
            assert!(cut >= expected_cuts, "the script made only {cut} changes");
            return;
        }
    }
    panic!("the script never came to its end");
}

trait Prepared {
    fn create_directories_for_test(&self);
}

impl Prepared for FaultyStorage {
    fn create_directories_for_test(&self) {
        commit_log::Storage::create_directories(self, Path::new("/disk")).unwrap();
    }
}

/// Opens the log after a crash, and uses it.
fn check(home: &Home, storage: &FaultyStorage, expected: &Expectation, situation: &str) {
    let hints = OpenHints { clean_shutdown: expected.closed, ..hints(expected.checkpointed) };
    let opened = home.try_open(hints.clone());
    let (log, report) = opened.unwrap_or_else(|error| panic!("{situation}: {error}"));
    let end = usize::try_from(log.log_end_offset().value()).unwrap();
    assert!(end >= expected.flushed, "{situation}: {end} of {expected:?}, {report:?}");
    let start = log.log_start_offset().value();
    let (asked, certain) = expected.log_start;
    assert!((certain..=asked).contains(&start), "{situation}: starts at {start}, {expected:?}");
    let written: Vec<_> = expected
        .appended
        .iter()
        .enumerate()
        .map(|(offset, value)| (offset as i64, value.clone()))
        .filter(|(offset, _)| *offset >= start)
        .collect();
    let kept = contents(&log);
    assert!(written.starts_with(&kept), "{situation}: {kept:?} is no beginning of {written:?}");
    assert_eq!(kept.len(), end - usize::try_from(start).unwrap(), "{situation}");

    // what was told once is there after the next crash, too
    let recovery_point = Some(log.recovery_point());
    storage.power_cut();
    drop(log);
    let again = home.try_open(OpenHints { recovery_point, clean_shutdown: false, ..hints.clone() });
    let (mut log, _) = again.unwrap_or_else(|error| panic!("{situation}, again: {error}"));
    assert_eq!(contents(&log), kept, "{situation}, again");

    // what comes after the crash is kept, and nothing that was cut comes back
    for _ in 0..9 {
        let epoch = log.latest_epoch().map_or(0, LeaderEpoch::value);
        log.append(&[append_in(epoch, batch(&["after"]))]).pop().unwrap().unwrap();
    }
    let closed = log.close_cleanly().unwrap();
    let hints =
        OpenHints { recovery_point: Some(closed.recovery_point), clean_shutdown: true, ..hints };
    let (log, report) = home.try_open(hints).unwrap();
    assert_eq!((report.cut_bytes, report.damage), (0, None), "{situation}");
    let mut expected = kept;
    expected.extend((end as i64..end as i64 + 9).map(|offset| (offset, "after".to_owned())));
    assert_eq!(contents(&log), expected, "{situation}");
}

#[test]
fn flushed_records_survive_a_power_cut_after_every_change() {
    survives_every_crash(append_and_flush, 60);
}

#[test]
fn deletion_from_the_start_survives_a_power_cut_after_every_change() {
    survives_every_crash(delete_and_append, 50);
}

/// A killed process leaves what it wrote in the page cache, and the next one reads it there. Once
/// that one has told anybody of it, it must be on disk.
#[test]
fn what_is_found_after_a_kill_is_on_disk_before_it_is_told() {
    for cut in 0..1000 {
        let storage = FaultyStorage::new(cut);
        storage.create_directories_for_test();
        let home = Home::new(Arc::new(storage.clone()), Path::new("/disk"));
        let mut expected = Expectation::default();
        storage.cut_power_after(cut);
        let finished = append_and_flush(&home, &mut expected).is_ok();
        storage.kill();
        let (log, _) = home.open_from(expected.checkpointed);
        let (found, told) = (contents(&log), log.recovery_point());
        assert_eq!(told, log.log_end_offset());
        if cut % 2 == 0 {
            storage.power_cut();
        } else {
            storage.kill();
        }
        drop(log);
        let opened = home.try_open(hints(told.value()));
        let (mut log, _) = opened.unwrap_or_else(|error| panic!("killed after {cut}: {error}"));
        assert_eq!(contents(&log), found, "killed after change {cut}");

        // and so is what comes after it, in files that the killed process may have made
        storage.kill();
        drop(log);
        log = home.open_from(told.value()).0;
        append_values(&mut log, 9, "later", 5).unwrap();
        let flushed = log.flush().unwrap();
        let found = contents(&log);
        storage.power_cut();
        drop(log);
        let opened = home.try_open(hints(flushed.value()));
        let (log, _) = opened.unwrap_or_else(|error| panic!("killed after {cut}: {error}"));
        assert_eq!(contents(&log), found, "killed after change {cut}, then appended");
        if finished {
            return;
        }
    }
    panic!("the script never came to its end");
}

/// A log that is cut and goes on in another way, as a follower's: after a crash it is a beginning
/// of the old records or of the new ones.
#[test]
fn a_truncation_leaves_the_old_log_or_the_new_one_but_no_mixture() {
    for cut in 0..400 {
        let mut finished = false;
        for seed in 0..SEEDS {
            let storage = FaultyStorage::new(seed * 1000 + cut);
            storage.create_directories_for_test();
            let home = Home::new(Arc::new(storage.clone()), Path::new("/disk"));
            let mut checkpointed = 0;
            storage.cut_power_after(cut);
            finished = truncate_and_go_on(&home, &mut checkpointed).is_ok();
            storage.power_cut();
            let situation = format!("cut after change {cut}, seed {seed}");
            check_after_truncation(&home, checkpointed, finished, &situation);
        }
        if finished {
            return;
        }
    }
    panic!("the script never came to its end");
}

fn truncate_and_go_on(home: &Home, checkpointed: &mut i64) -> Result<(), LogError> {
    let (mut log, _) = home.try_open(hints(0))?;
    append_values(&mut log, 0, "old", 30)?;
    log.flush()?;
    *checkpointed = log.recovery_point().value();
    log.truncate_to(Offset::new(17), NOW_MS)?;
    append_values(&mut log, 1, "new", 8)?;
    log.flush()?;
    // the directory's checkpoint comes late
    append_values(&mut log, 1, "new", 4)?;
    let recovery_point = log.recovery_point();
    *checkpointed = recovery_point.value();
    log.recovery_point_checkpointed(recovery_point)?;
    log.truncate_to(Offset::new(27), NOW_MS)?;
    append_values(&mut log, 2, "newest", 12)?;
    log.flush()?;
    Ok(())
}

fn append_values(log: &mut CommitLog, epoch: i32, name: &str, count: i64) -> Result<(), LogError> {
    for _ in 0..count {
        let value = format!("{name}-{}", log.log_end_offset());
        let append = append_in(epoch, batch(&[&value]));
        log.append(&[append]).pop().unwrap().map_err(|_| power_is_off())?;
    }
    Ok(())
}

fn check_after_truncation(home: &Home, checkpointed: i64, finished: bool, situation: &str) {
    let opened = home.try_open(hints(checkpointed));
    let (log, _) = opened.unwrap_or_else(|error| panic!("{situation}: {error}"));
    let kept = contents(&log);
    let timeline = |name: &str, from: i64, to: i64| -> Vec<(i64, String)> {
        (from..to).map(|offset| (offset, format!("{name}-{offset}"))).collect()
    };
    let old = timeline("old", 0, 30);
    let new = [timeline("old", 0, 17), timeline("new", 17, 29)].concat();
    let newest = [timeline("old", 0, 17), timeline("new", 17, 27), timeline("newest", 27, 39)];
    let newest = newest.concat();
    let is_a_beginning = [&old, &new, &newest].iter().any(|whole| whole.starts_with(&kept));
    assert!(is_a_beginning, "{situation}: {kept:?}");
    if finished {
        assert_eq!(kept, newest, "{situation}");
        assert_eq!(log.latest_epoch(), Some(LeaderEpoch::new(2)), "{situation}");
    }
    let latest = log.latest_epoch().map_or(-1, LeaderEpoch::value);
    let last = kept.last().map_or(-1, |(_, value)| match value.split_once('-') {
        Some(("old", _)) => 0,
        Some(("new", _)) => 1,
        _ => 2,
    });
    assert_eq!(latest, last, "{situation}: the epoch in force is that of the last record");
}

/// Producers are known again after a crash exactly as far as their batches are in the log.
#[test]
fn producers_are_recovered_with_their_batches() {
    for cut in 0..200 {
        let storage = FaultyStorage::new(cut);
        storage.create_directories_for_test();
        let home = Home::new(Arc::new(storage.clone()), Path::new("/disk"));
        storage.cut_power_after(cut);
        let finished = produce(&home).is_ok();
        storage.power_cut();
        let (mut log, _) = home.open_from(0);
        let in_log = i32::try_from(log.log_end_offset().value()).unwrap();
        let last = log.producers().unwrap().first().map_or(-1, |producer| producer.last_sequence);
        assert_eq!(last, in_log - 1, "cut after change {cut}");
        if finished {
            return;
        }
    }
    panic!("the script never came to its end");
}

fn produce(home: &Home) -> Result<(), LogError> {
    let (mut log, _) = home.try_open(hints(0))?;
    for sequence in 0..40 {
        let append = append(idempotent(7, 0, sequence, "value"));
        log.append(&[append]).pop().unwrap().map_err(|_| power_is_off())?;
        if sequence % 15 == 14 {
            log.flush()?;
        }
    }
    Ok(())
}
