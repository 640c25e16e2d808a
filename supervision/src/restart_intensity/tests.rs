//! Failures at any distance: counted wrongly, a supervisor would give up over nothing, or
//! restart a broken child for ever.

use super::{RestartHistory, RestartIntensity};
use proptest::prelude::{prop_assert_eq, proptest};
use std::time::{Duration, Instant};

#[test]
fn the_restart_beyond_the_limit_is_refused() {
    let intensity = RestartIntensity::new(2, Duration::from_secs(10));
    let (mut history, now) = (RestartHistory::default(), Instant::now());
    assert!(history.allow(intensity, now));
    assert!(history.allow(intensity, now));
    assert!(!history.allow(intensity, now));
}

#[test]
fn a_restart_exactly_as_old_as_the_span_no_longer_counts() {
    let intensity = RestartIntensity::new(1, Duration::from_secs(10));
    let (mut history, now) = (RestartHistory::default(), Instant::now());
    assert!(history.allow(intensity, now));
    assert!(!history.allow(intensity, now + Duration::from_millis(9_999)));
    assert!(history.allow(intensity, now + Duration::from_secs(10)));
}

#[test]
fn zero_restarts_means_none() {
    let intensity = RestartIntensity::new(0, Duration::from_secs(10));
    assert!(!RestartHistory::default().allow(intensity, Instant::now()));
}

#[test]
fn a_cleared_history_begins_anew() {
    let intensity = RestartIntensity::new(1, Duration::from_secs(10));
    let (mut history, now) = (RestartHistory::default(), Instant::now());
    assert!(history.allow(intensity, now));
    history.clear();
    assert!(history.is_empty());
    assert!(history.allow(intensity, now));
}

proptest! {
    #[test]
    fn it_agrees_with_counting_the_span_by_hand(
        limit in 0_u32..5,
        within in 1_u64..50,
        gaps in proptest::collection::vec(0_u64..20, 0..60),
    ) {
        let intensity = RestartIntensity::new(limit, Duration::from_millis(within));
        let begin = Instant::now();
        let (mut history, mut allowed, mut at) = (RestartHistory::default(), Vec::new(), 0_u64);
        for gap in gaps {
            at += gap;
            let recent = allowed.iter().filter(|earlier| at - **earlier < within).count();
            let expected = recent < limit as usize;
            prop_assert_eq!(history.allow(intensity, begin + Duration::from_millis(at)), expected);
            if expected {
                allowed.push(at);
            }
            prop_assert_eq!(history.len() <= limit as usize, true);
        }
    }
}
