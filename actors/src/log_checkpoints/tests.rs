use std::convert::Infallible;

use protocol::{PartitionIndex, TopicName};

use super::*;

fn log() -> TopicPartition {
    TopicPartition::new(TopicName::new("orders").unwrap(), PartitionIndex(0))
}

fn checkpoints() -> Arc<LogCheckpoints> {
    Arc::new(LogCheckpoints::new(AllCheckpoints::new(), false, Address::new()))
}

/// What is written, if anything is.
fn written(checkpoints: &LogCheckpoints) -> Option<(Option<Offset>, bool)> {
    let mut written = None;
    let write = |changed: &ChangedCheckpoints| {
        let point = changed.logs.get(&log()).and_then(|known| known.recovery_point);
        written = Some((point, changed.log_starts_changed));
        Ok::<_, Infallible>(())
    };
    checkpoints.write_changed(write).unwrap();
    written
}

#[test]
fn a_flush_is_written_once_and_what_stays_the_same_is_not_written() {
    let checkpoints = checkpoints();
    checkpoints.report(&log(), Offset::new(0), Offset::new(0));
    assert_eq!(written(&checkpoints), Some((Some(Offset::new(0)), true)));
    let flushed = checkpoints.flushed_log(&log());
    for offset in [10, 20, 30] {
        flushed.note(Offset::new(offset));
    }
    assert_eq!(written(&checkpoints), Some((Some(Offset::new(30)), false)));
    flushed.note(Offset::new(30));
    assert_eq!(written(&checkpoints), None);
}

#[test]
fn a_replica_that_starts_again_believes_what_was_flushed_since_the_files_were_written() {
    let checkpoints = checkpoints();
    checkpoints.report(&log(), Offset::new(5), Offset::new(0));
    checkpoints.flushed_log(&log()).note(Offset::new(40));
    let hints = checkpoints.hints(&log(), false, 0);
    assert_eq!(hints.recovery_point, Some(Offset::new(40)));
}

#[test]
fn a_cut_is_confirmed_with_a_point_that_was_noted_after_it() {
    let checkpoints = checkpoints();
    checkpoints.report(&log(), Offset::new(0), Offset::new(0));
    let flushed = checkpoints.flushed_log(&log());
    flushed.note(Offset::new(100));
    written(&checkpoints);
    flushed.note(Offset::new(50));
    let mut confirmed = checkpoints.report_cut(&log(), Offset::new(0));
    // cut again before anybody has written the first one down
    flushed.note(Offset::new(40));
    let failed = checkpoints.write_changed(|_| Err(()));
    assert_eq!((failed, confirmed.try_recv().is_ok()), (Err(()), false));
    assert_eq!(written(&checkpoints), Some((Some(Offset::new(40)), true)));
    assert_eq!(confirmed.try_recv(), Ok(Offset::new(40)));
}

#[test]
fn a_log_that_is_gone_says_nothing_of_the_next_one_of_its_name() {
    let checkpoints = checkpoints();
    let before = checkpoints.flushed_log(&log());
    before.note(Offset::new(100));
    checkpoints.forget(&log());
    before.note(Offset::new(200));
    assert_eq!(checkpoints.hints(&log(), false, 0).recovery_point, None);
    checkpoints.report(&log(), Offset::new(0), Offset::new(0));
    assert_eq!(written(&checkpoints), Some((Some(Offset::new(0)), true)));
}
