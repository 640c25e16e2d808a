//! Files of a log that are cut short, overwritten, deleted or changed by a bit. What was flushed is
//! never given up silently; what was not is cut at the last whole batch; what is derived is built
//! again.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use commit_log::{Damage, LogError, OpenHints, RealStorage, SegmentDump};
use harness::{
    Home, NOW_MS, append_in, append_numbered, batch, contents, hints, idempotent, must_append,
    numbered,
};
use protocol::{LeaderEpoch, Offset};

/// A log with 60 records in several segments, closed in order, that can be copied.
struct Template {
    folder: tempfile::TempDir,
    home: Home,
}

impl Template {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(Arc::new(RealStorage), &folder.path().join("template"));
        let mut log = home.open();
        append_numbered(&mut log, 60);
        log.close_cleanly().unwrap();
        Self { folder, home }
    }

    fn copy(&self) -> Home {
        let to = self.folder.path().join("copy");
        let _ = fs::remove_dir_all(&to);
        let home = Home::new(Arc::new(RealStorage), &to);
        fs::create_dir_all(&home.directory).unwrap();
        for entry in fs::read_dir(&self.home.directory).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), home.directory.join(entry.file_name())).unwrap();
        }
        home
    }
}

/// The files of a log with this extension, by base offset.
fn files(home: &Home, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(&home.directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn last_log_file(home: &Home) -> PathBuf {
    files(home, "log").pop().unwrap()
}

fn cut(path: &Path, bytes: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

fn flip(path: &Path, position: usize) {
    let mut contents = fs::read(path).unwrap();
    contents[position] ^= 0x20;
    fs::write(path, contents).unwrap();
}

/// Every file of the log, to show that a refused log is left as it is.
fn snapshot(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(&home.directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

const BATCH: u64 = 76; // a record "value-59" in a batch of its own

#[test]
fn a_tail_torn_at_any_byte_is_cut_at_the_last_whole_batch() {
    let template = Template::new();
    assert_eq!(batch(&["value-59"]).len() as u64, BATCH);
    let whole = fs::metadata(last_log_file(&template.home)).unwrap().len();
    for torn in whole - 2 * BATCH..whole {
        let home = template.copy();
        let file = last_log_file(&home);
        cut(&file, torn);
        let (log, report) = home.open_from(0);
        let lost = (whole - torn).div_ceil(BATCH) as i64;
        assert_eq!(contents(&log), numbered(60 - lost), "cut at {torn}");
        let partial = torn - torn / BATCH * BATCH;
        assert_eq!(report.cut_bytes, partial, "cut at {torn}");
        assert_eq!(report.cut_from, (partial > 0).then_some(Offset::new(60 - lost)));
        let aside: u64 =
            report.kept_aside.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert_eq!(aside, partial, "the cut bytes are kept");
    }
}

#[test]
fn a_changed_bit_in_any_byte_of_the_tail_is_found() {
    let template = Template::new();
    let whole =
        usize::try_from(fs::metadata(last_log_file(&template.home)).unwrap().len()).unwrap();
    let last_batch = whole - BATCH as usize;
    // the length, and what the checksum covers; a base offset may be any higher one
    for position in (8..12).chain(16..BATCH as usize) {
        let home = template.copy();
        flip(&last_log_file(&home), last_batch + position);
        let (log, report) = home.open_from(59);
        assert_eq!(contents(&log), numbered(59), "byte {position}");
        assert_eq!(report.cut_bytes, BATCH, "byte {position}");
        assert!(report.damage.is_some());
    }
}

#[test]
fn zeros_behind_the_last_batch_are_cut() {
    let template = Template::new();
    let home = template.copy();
    let file = last_log_file(&home);
    let whole = fs::metadata(&file).unwrap().len();
    cut(&file, whole + 10_000);
    let (log, report) = home.open_from(60);
    assert_eq!((report.cut_bytes, log.log_end_offset()), (10_000, Offset::new(60)));
}

#[test]
fn damage_below_the_recovery_point_is_refused_and_nothing_is_touched() {
    let template = Template::new();
    let whole = fs::metadata(last_log_file(&template.home)).unwrap().len();
    let last_batch = usize::try_from(whole - BATCH).unwrap();
    type Damaging = fn(&Path, usize, u64);
    let damages: [(&str, Damaging); 3] = [
        ("flip", |path, last_batch, _| flip(path, last_batch + 70)),
        ("cut in a batch", |path, _, whole| cut(path, whole - 1)),
        ("cut between batches", |path, _, whole| cut(path, whole - BATCH)),
    ];
    for (name, damage) in damages {
        let home = template.copy();
        let file = last_log_file(&home);
        damage(&file, last_batch, whole);
        let before = snapshot(&home);
        let error = home.try_open(hints(60)).unwrap_err();
        let LogError::Corrupt { path, position, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!((path, *position), (&file, last_batch as u64), "{name}");
        let text = error.to_string();
        assert!(text.contains("callboard log dump") && text.contains("replica"), "{text}");
        assert!(!error.is_retryable());
        assert_eq!(snapshot(&home), before, "{name}");
    }
}

#[test]
fn after_an_orderly_stop_no_tail_is_torn() {
    let template = Template::new();
    let home = template.copy();
    let file = last_log_file(&home);
    let whole = fs::metadata(&file).unwrap().len();
    cut(&file, whole + 1);
    let clean = OpenHints { clean_shutdown: true, ..hints(60) };
    let error = home.try_open(clean).unwrap_err();
    assert!(error.to_string().contains("closed in order"), "{error}");
    assert!(home.try_open(hints(60)).is_ok(), "after a crash it is a torn tail");
}

#[test]
fn a_missing_segment_is_refused_below_the_recovery_point_and_cut_at_above_it() {
    let template = Template::new();
    let bases: Vec<_> = files(&template.home, "log");
    let middle = bases.len() / 2;
    let base =
        |path: &Path| -> i64 { path.file_stem().unwrap().to_str().unwrap().parse().unwrap() };
    let home = template.copy();
    fs::remove_file(home.directory.join(bases[middle].file_name().unwrap())).unwrap();
    let missing_from = Offset::new(base(&bases[middle]));
    let error = home.try_open(hints(missing_from.value() + 1)).unwrap_err();
    let LogError::Corrupt { damage, .. } = error else { panic!("{error}") };
    assert_eq!(damage, Damage::Missing { missing_from });
    let (log, report) = home.open_from(missing_from.value());
    assert_eq!(log.log_end_offset(), missing_from);
    assert_eq!(contents(&log), numbered(missing_from.value()));
    assert_eq!(report.kept_aside.len(), bases.len() - middle - 1, "{report:?}");
}

#[test]
fn a_log_whose_files_are_gone_is_not_taken_for_a_new_one() {
    let template = Template::new();
    let home = template.copy();
    fs::remove_dir_all(&home.directory).unwrap();
    assert!(matches!(home.try_open(hints(60)), Err(LogError::Corrupt { .. })));
    assert_eq!(home.open_from(0).0.log_end_offset(), Offset::ZERO);
}

#[test]
fn a_damaged_index_of_any_segment_is_built_again() {
    let template = Template::new();
    type Damaging = fn(&Path);
    let damages: [(&str, Damaging); 7] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("emptied", |path| cut(path, 0)),
        ("cut", |path| cut(path, fs::metadata(path).unwrap().len().saturating_sub(3))),
        ("longer", |path| cut(path, fs::metadata(path).unwrap().len() + 24)),
        ("garbage", |path| fs::write(path, vec![0x5a; 96]).unwrap()),
        ("other offsets", |path| {
            let mut contents = fs::read(path).unwrap();
            for entry in contents.chunks_exact_mut(8) {
                entry[3] ^= 1;
            }
            fs::write(path, contents).unwrap();
        }),
        ("changed", |path| {
            let mut contents = fs::read(path).unwrap();
            for entry in contents.chunks_exact_mut(8) {
                entry[7] ^= 1;
            }
            fs::write(path, contents).unwrap();
        }),
    ];
    for (name, damage) in damages {
        for extension in ["index", "timeindex"] {
            let home = template.copy();
            files(&home, extension).iter().for_each(|path| damage(path));
            let (mut log, _) = home.open_from(60);
            assert_eq!(contents(&log), numbered(60), "{name} {extension}");
            append_numbered(&mut log, 5);
            log.close_cleanly().unwrap();
            let (log, _) = home.open_from(65);
            assert_eq!(contents(&log), numbered(65), "{name} {extension}, again");
        }
    }
}

#[test]
fn leader_epochs_are_read_from_the_log_if_their_file_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(Arc::new(RealStorage), folder.path());
    let mut log = home.open();
    for (epoch, count) in [(1, 20), (4, 20), (5, 20)] {
        for _ in 0..count {
            log.append(&[append_in(epoch, batch(&["value"]))]).pop().unwrap().unwrap();
        }
    }
    let epochs = log.epochs();
    log.close_cleanly().unwrap();
    let file = home.directory.join("leader-epoch-checkpoint");
    for damage in [None, Some("0\n2\n1 0\n"), Some("\u{0}\u{0}")] {
        match damage {
            None => fs::remove_file(&file).unwrap(),
            Some(text) => fs::write(&file, text).unwrap(),
        }
        let (log, _) = home.open_from(60);
        assert_eq!(log.epochs(), epochs);
        assert_eq!(log.latest_epoch(), Some(LeaderEpoch::new(5)));
    }
}

#[test]
fn producers_are_read_from_the_log_if_their_snapshots_are_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(Arc::new(RealStorage), folder.path());
    let mut log = home.open();
    for sequence in 0..60 {
        must_append(&mut log, idempotent(7, 2, sequence, "value"));
    }
    let producers = log.producers().unwrap();
    log.close_cleanly().unwrap();
    for file in files(&home, "snapshot") {
        flip(&file, 20);
    }
    let (mut log, _) = home.open_from(60);
    assert_eq!(log.producers().unwrap(), producers);
    assert_eq!(files(&home, "snapshot").len(), 0, "damaged ones are gone");
}

#[test]
fn what_earlier_processes_left_is_tidied_up_or_refused() {
    let template = Template::new();
    let home = template.copy();
    let path = |name: &str| home.directory.join(name);
    for name in ["00000000000000000000.log.deleted", "x.tmp", "00000000000000000099.index"] {
        fs::write(path(name), b"left").unwrap();
    }
    fs::write(path("something-else"), b"kept").unwrap();
    let (log, _) = home.open_from(60);
    assert_eq!(contents(&log), numbered(60));
    drop(log);
    assert!(!path("x.tmp").exists() && !path("00000000000000000099.index").exists());
    assert!(!path("00000000000000000000.log.deleted").exists() && path("something-else").exists());
    fs::write(path("00000000000000000000.log.swap"), b"").unwrap();
    assert!(matches!(home.try_open(hints(60)), Err(LogError::InterruptedSwap { .. })));
}

#[test]
fn a_dump_tells_good_batches_from_damaged_ones() {
    let template = Template::new();
    let home = template.copy();
    let file = files(&home, "log").swap_remove(1);
    let batches = || -> Vec<_> {
        SegmentDump::open(&RealStorage, &file).unwrap().map(Result::unwrap).collect()
    };
    let good = batches();
    assert!(good.len() > 10 && good.iter().all(|batch| batch.damage.is_none()));
    let bytes: usize = good.iter().map(|batch| batch.bytes.len()).sum();
    assert_eq!(bytes as u64, fs::metadata(&file).unwrap().len());
    let fourth = usize::try_from(good[3].position).unwrap();
    flip(&file, fourth + 70);
    let damaged: Vec<_> = batches().iter().map(|batch| batch.damage.is_some()).collect();
    assert_eq!(damaged.iter().filter(|damaged| **damaged).count(), 1);
    assert!(damaged[3] && damaged.len() == good.len(), "it is told and passed over");
    flip(&file, fourth + 16);
    assert_eq!(batches().len(), 4, "without a format there is no next batch");
    cut(&file, good[2].position + 70);
    let last = batches().pop().unwrap();
    assert!(matches!(last.damage, Some(Damage::Incomplete { .. })), "{last:?}");
}

#[test]
fn files_of_cut_bytes_do_not_pile_up() {
    let template = Template::new();
    let home = template.copy();
    for crash in 0..20 {
        let file = last_log_file(&home);
        let whole = fs::metadata(&file).unwrap().len();
        cut(&file, whole + 1);
        let (mut log, report) = home.open_from(60 + crash);
        assert_eq!(report.cut_bytes, 1);
        append_numbered(&mut log, 1);
        log.flush().unwrap();
    }
    let torn = snapshot(&home)
        .iter()
        .filter(|(path, _)| path.to_string_lossy().contains(".torn-"))
        .count();
    assert!(torn <= 9, "{torn}");
}

#[test]
fn a_log_that_begins_above_its_last_record_is_emptied() {
    let template = Template::new();
    let home = template.copy();
    let higher = OpenHints { log_start_offset: Some(Offset::new(75)), now_ms: NOW_MS, ..hints(0) };
    let (mut log, report) = home.try_open(higher).unwrap();
    assert!(report.emptied);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset::new(75), Offset::new(75)));
    append_numbered(&mut log, 1);
    assert_eq!(contents(&log), [(75, "value-75".to_owned())]);
}
