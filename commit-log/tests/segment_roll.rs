//! A log that grows over many segments. A mistake here loses records at the seams, or finds them
//! at the wrong place.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::sync::Arc;

use commit_log::{LogSettings, RealStorage};
use harness::{
    Home, NOW_MS, append, append_numbered, append_one, batch, batch_at, contents, must_append,
    numbered,
};
use protocol::Offset;
use protocol::record_batch::ProducerStamp;

fn home(folder: &tempfile::TempDir) -> Home {
    Home::new(Arc::new(RealStorage), folder.path())
}

#[test]
fn records_are_read_back_over_all_segments_and_after_every_kind_of_stop() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(&folder);
    let mut log = home.open();
    append_numbered(&mut log, 100);
    assert!(log.segments().len() > 5, "{:?}", log.segments());
    assert_eq!(contents(&log), numbered(100));
    drop(log);
    let (mut log, report) = home.open_from(0);
    assert_eq!((report.cut_bytes, log.log_end_offset()), (0, Offset::new(100)));
    assert_eq!(contents(&log), numbered(100));
    append_numbered(&mut log, 10);
    let closed = log.close_cleanly().unwrap();
    assert_eq!(closed.recovery_point, Offset::new(110));
    let (log, report) = home.open_from(110);
    assert!(report.scanned_bytes < 1024, "{report:?}");
    assert_eq!(contents(&log), numbered(110));
}

#[test]
fn a_segment_is_rolled_before_it_would_grow_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(&folder);
    let mut log = home.open();
    append_numbered(&mut log, 100);
    let segments = log.segments();
    assert!(segments.iter().all(|segment| segment.bytes <= home.settings.segment_bytes));
    let batch_bytes = batch(&["value-99"]).len() as u64;
    let (_, closed) = segments.split_last().unwrap();
    let full = |bytes| bytes + batch_bytes > home.settings.segment_bytes;
    assert!(closed.iter().all(|segment| full(segment.bytes)), "{segments:?}");
}

#[test]
fn one_group_may_fill_several_segments() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = home(&folder).open();
    let group: Vec<_> =
        (0..50).map(|number| append(batch(&[&format!("value-{number}")]))).collect();
    let results = log.append(&group);
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.as_ref().unwrap().base_offset(), Offset::new(number as i64));
    }
    assert!(log.segments().len() > 3);
    assert_eq!(contents(&log), numbered(50));
}

#[test]
fn a_segment_is_rolled_when_its_first_batch_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = home(&folder);
    home.settings = LogSettings { segment_ms: 1000, ..home.settings };
    let mut log = home.open();
    for (timestamp, segments) in [(0, 1), (1000, 1), (1001, 2), (2001, 2), (2002, 3)] {
        must_append(&mut log, batch_at(NOW_MS + timestamp, &["a"], ProducerStamp::NONE));
        assert_eq!(log.segments().len(), segments, "at {timestamp}");
    }
}

#[test]
fn jitter_rolls_logs_that_were_made_together_at_different_times() {
    let folder = tempfile::tempdir().unwrap();
    let mut rolled_at = std::collections::BTreeSet::new();
    for seed in 0..8 {
        let mut home = Home::new(Arc::new(RealStorage), &folder.path().join(seed.to_string()));
        home.settings = LogSettings {
            segment_bytes: 1 << 20,
            segment_ms: 1000,
            segment_jitter_ms: 900,
            ..home.settings
        };
        let hints = commit_log::OpenHints { jitter_seed: seed, ..harness::hints(0) };
        let (mut log, _) = home.try_open(hints).unwrap();
        let roll = (0..=1001).step_by(10).find(|age| {
            must_append(&mut log, batch_at(NOW_MS + age, &["a"], ProducerStamp::NONE));
            log.segments().len() > 1
        });
        rolled_at.insert(roll.unwrap_or(1001));
    }
    assert!(rolled_at.len() > 4, "{rolled_at:?}");
}

#[test]
fn a_full_index_rolls_the_segment() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = home(&folder);
    home.settings = LogSettings {
        segment_bytes: 1 << 20,
        segment_index_bytes: 80,
        index_interval_bytes: 1,
        ..home.settings
    };
    let mut log = home.open();
    append_numbered(&mut log, 40);
    assert!(log.segments().len() > 2, "{:?}", log.segments());
    assert_eq!(contents(&log), numbered(40));
}

#[test]
fn a_batch_larger_than_a_segment_is_refused_to_clients() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = home(&folder).open();
    let large = batch(&[&"x".repeat(2000)]);
    let refused = append_one(&mut log, append(large.clone())).unwrap_err();
    assert_eq!(refused.error_code(), protocol::ErrorCode::RecordListTooLarge);
    append_numbered(&mut log, 1);
    // the leader may have taken it under other settings
    let mut patched = large.to_vec();
    patched[..8].copy_from_slice(&1i64.to_be_bytes());
    append_one(&mut log, harness::replicated(patched.into())).unwrap();
    assert_eq!(log.log_end_offset(), Offset::new(2));
}
