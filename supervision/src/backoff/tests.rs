//! Delays over many failures: too short, a broken child burns the machine; never reset, a
//! healthy one pays for failures of last week.

use super::{Backoff, FailureRun, Jitter};
use proptest::prelude::{any, prop_assert, proptest};
use std::time::{Duration, Instant};

fn backoff() -> Backoff {
    Backoff { jitter: 0.0, ..Backoff::new(Duration::from_millis(100), Duration::from_secs(1)) }
}

#[test]
fn the_first_restart_is_immediate_then_delays_double_up_to_the_longest() {
    let delays: Vec<u128> =
        (0..8).map(|failures| backoff().delay(failures, 0.5).as_millis()).collect();
    assert_eq!(delays, [0, 0, 100, 200, 400, 800, 1000, 1000]);
}

#[test]
fn without_an_immediate_first_restart_the_shortest_delay_comes_first() {
    let backoff = Backoff { immediate_first: false, ..backoff() };
    let delays: Vec<u128> =
        (1..4).map(|failures| backoff.delay(failures, 0.5).as_millis()).collect();
    assert_eq!(delays, [100, 200, 400]);
}

#[test]
fn a_healthy_run_forgets_earlier_failures_and_a_short_one_does_not() {
    let (mut run, now) = (FailureRun::default(), Instant::now());
    let healthy = now + backoff().reset_after;
    for expected in [0, 100, 200] {
        let delay = run.on_failure(&backoff(), None, now, 0.0);
        assert_eq!(delay, Duration::from_millis(expected));
    }
    let almost = healthy - Duration::from_millis(1);
    assert_eq!(run.on_failure(&backoff(), Some(now), almost, 0.0), Duration::from_millis(400));
    assert_eq!(run.on_failure(&backoff(), Some(now), healthy, 0.0), Duration::ZERO);
    assert_eq!(run.failures(), 1);
}

#[test]
fn the_same_seed_gives_the_same_jitter() {
    let draw = |seed| {
        let mut jitter = Jitter::new(seed);
        std::array::from_fn::<f64, 8, _>(|_| jitter.next_fraction())
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

proptest! {
    #[test]
    fn jitter_only_shortens_and_no_delay_leaves_its_bounds(
        failures in any::<u32>(),
        min in 0_u64..10_000,
        max in 0_u64..100_000,
        share in -1.0..2.0_f64,
        seed in any::<u64>(),
    ) {
        let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
        let backoff = Backoff { jitter: share, ..Backoff::new(min, max) };
        let random = Jitter::new(seed).next_fraction();
        prop_assert!((0.0..1.0).contains(&random));
        let full = Backoff { jitter: 0.0, ..backoff }.delay(failures, random);
        let delay = backoff.delay(failures, random);
        prop_assert!(delay <= full && full <= max);
        let least = full.as_secs_f64() * (1.0 - share.clamp(0.0, 1.0));
        prop_assert!(delay.as_secs_f64() >= least - 1e-6);
    }
}
