//! Whatever clients, time and the disk do, in whatever order: promises of the README hold, every
//! request is answered once, and when the world has calmed down everybody owns something again.
//! Without this only the situations somebody thought of would be safe.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "properties/client.rs"]
mod client;
#[path = "properties/promises.rs"]
mod promises;
#[path = "properties/world.rs"]
mod world;

use proptest::prelude::{Strategy, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use proptest::{collection, prelude::Just};

use world::World;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A client does what its protocol says next.
    Step(usize),
    /// A client joins whatever it waits for, as one does that lost patience.
    JoinAgain(usize),
    /// A client restarts and knows nothing any more.
    Forget(usize),
    Leave(usize),
    Disconnect(usize),
    Commit(usize, i32),
    /// Requests of a generation that is not the group's.
    SpeakOutOfTurn(usize),
    SimpleCommit(i32),
    DeleteOffsets(i32),
    DeleteTopic,
    DeleteGroup,
    Expire,
    /// An append has an outcome: which one of those in flight, and whether it is durable.
    Settle(usize, bool),
    Wait(u64),
    Restart,
}

fn happening() -> impl Strategy<Value = Happening> {
    let client = 0..world::CLIENTS;
    let partition = 0..world::PARTITIONS;
    prop_oneof![
        30 => client.clone().prop_map(Happening::Step),
        3 => client.clone().prop_map(Happening::JoinAgain),
        2 => client.clone().prop_map(Happening::Forget),
        2 => client.clone().prop_map(Happening::Leave),
        2 => client.clone().prop_map(Happening::Disconnect),
        6 => (client.clone(), partition.clone()).prop_map(|(c, p)| Happening::Commit(c, p)),
        2 => client.prop_map(Happening::SpeakOutOfTurn),
        2 => partition.clone().prop_map(Happening::SimpleCommit),
        2 => partition.prop_map(Happening::DeleteOffsets),
        1 => Just(Happening::DeleteTopic),
        1 => Just(Happening::DeleteGroup),
        1 => Just(Happening::Expire),
        16 => (0..4usize, proptest::bool::weighted(0.85)).prop_map(|(n, ok)| Happening::Settle(n, ok)),
        8 => (0..6_000u64).prop_map(Happening::Wait),
        1 => Just(Happening::Restart),
    ]
}

#[test]
fn every_promise_holds_and_the_group_converges() {
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let happenings = collection::vec(happening(), 1..150);
    let outcome = TestRunner::new(config).run(&happenings, |happenings| {
        let mut world = World::new();
        for happening in &happenings {
            world.happen(happening);
        }
        world.calm_down();
        world.close();
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_same_happenings_have_the_same_effects() {
    let config = Config { cases: 30, failure_persistence: None, ..Config::default() };
    let happenings = collection::vec(happening(), 1..150);
    let outcome = TestRunner::new(config).run(&happenings, |happenings| {
        let history = || {
            let mut world = World::new();
            happenings.iter().for_each(|happening| world.happen(happening));
            world.into_history()
        };
        assert_eq!(history(), history());
        Ok(())
    });
    outcome.unwrap();
}
