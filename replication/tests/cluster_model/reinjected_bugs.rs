//! Mistakes that Kafka once made, one at a time: a model that does not find them proves nothing
//! about the ones nobody has made yet.

use std::panic::AssertUnwindSafe;

use replication::ReinjectedBug;

use crate::STEPS;
use crate::world::World;

/// The first seed whose run breaks a promise, and which. An invariant of the machine counts too.
fn find(bug: ReinjectedBug, seeds: u64) -> Option<(u64, String)> {
    (0..seeds).find_map(|seed| {
        let run = AssertUnwindSafe(|| World::new(seed, Some(bug)).run(STEPS));
        match std::panic::catch_unwind(run) {
            Ok(Ok(())) => None,
            Ok(Err(broken)) => Some((seed, broken)),
            Err(panic) => {
                let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
                Some((seed, words.unwrap_or_else(|| "an invariant".to_owned())))
            }
        }
    })
}

fn must_be_found(bug: ReinjectedBug) {
    let (seed, broken) = find(bug, 4_000).unwrap_or_else(|| panic!("nobody noticed {bug:?}"));
    let broken = broken.lines().next().unwrap_or_default().chars().take(160).collect::<String>();
    println!("{bug:?}: SEED={seed}: {broken}");
}

#[test]
fn truncating_to_the_high_watermark_is_found() {
    must_be_found(ReinjectedBug::TruncateToHighWatermark);
}

#[test]
fn judging_followers_by_offset_alone_is_found() {
    must_be_found(ReinjectedBug::JudgeByOffsetAlone);
}

#[test]
fn hiding_a_missing_epoch_is_found() {
    must_be_found(ReinjectedBug::HideMissingEpoch);
}

#[test]
fn keeping_empty_epochs_is_found() {
    must_be_found(ReinjectedBug::KeepEmptyEpochs);
}

#[test]
fn trusting_an_unchanged_leader_is_found() {
    must_be_found(ReinjectedBug::TrustUnchangedLeader);
}

#[test]
fn forgetting_the_epoch_on_an_empty_answer_is_found() {
    must_be_found(ReinjectedBug::ForgetEpochOnEmptyAnswer);
}

#[test]
fn shrinking_without_the_controller_is_found() {
    must_be_found(ReinjectedBug::ShrinkWithoutController);
}

#[test]
fn committing_below_min_in_sync_is_found() {
    must_be_found(ReinjectedBug::IgnoreMinInSync);
}

#[test]
fn counting_what_is_not_flushed_is_found() {
    must_be_found(ReinjectedBug::CountUnflushed);
}

#[test]
fn believing_an_earlier_registration_is_found() {
    must_be_found(ReinjectedBug::IgnoreBrokerEpoch);
}
