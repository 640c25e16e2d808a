//! Three replicas, a controller, and everything that goes wrong between them: messages lost,
//! repeated and overtaken, crashes that lose what was not flushed, failed flushes, lost disks,
//! brokers fenced though alive. What was committed stays; afterwards all logs are the same.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::print_stdout, reason = "a run tells what it did")]

mod broker;
mod controller;
mod dice;
mod disk;
mod message;
mod oracle;
#[cfg(feature = "reinjected-bugs")]
mod reinjected_bugs;
mod world;

use world::World;

#[cfg(feature = "reinjected-bugs")]
type Bug = replication::ReinjectedBug;
#[cfg(not(feature = "reinjected-bugs"))]
type Bug = std::convert::Infallible;

const STEPS: usize = 1_500;

/// `TRACE=1` tells everything that happens.
fn trace(what: impl FnOnce() -> String) {
    thread_local!(static TRACES: bool = std::env::var_os("TRACE").is_some());
    if TRACES.with(|traces| *traces) {
        println!("{}", what());
    }
}

/// `SEED=n` repeats one run; `SEEDS=n` runs more of them.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |key: &str| std::env::var(key).ok()?.parse().ok();
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(usual),
    }
}

#[test]
fn nothing_committed_is_lost_and_every_cluster_heals() {
    let (mut committed, mut acknowledged) = (0, 0);
    for seed in seeds(1_500) {
        let mut world = World::new(seed, None);
        if let Err(broken) = world.run(STEPS) {
            panic!("SEED={seed}: {broken}");
        }
        committed += world.oracle.committed();
        acknowledged += world.oracle.acknowledged;
    }
    println!("{committed} records committed, {acknowledged} appends acknowledged");
    assert!(acknowledged > 0, "the runs acknowledged nothing, so they showed nothing");
}
