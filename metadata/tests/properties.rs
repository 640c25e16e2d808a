//! Random brokers, clients and faults: whatever they do, the invariants hold, no leader epoch is
//! led twice, whoever leads without having to recover holds every committed record, and an image
//! is the same whether it came about by records, by their bytes, or by its snapshot. If one of
//! these breaks, acknowledged records are lost or two brokers write under one epoch.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "properties/committed_records.rs"]
mod committed_records;
#[path = "properties/operation.rs"]
mod operation;
#[path = "properties/world.rs"]
mod world;

use proptest::prelude::{ProptestConfig, proptest};
use proptest::test_runner::FileFailurePersistence;

use operation::operations;
use world::World;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 800,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn decisions_keep_their_promises(operations in operations(80)) {
        let mut world = World::new();
        for operation in &operations {
            world.perform(operation);
        }
        world.check_snapshot();
    }

    #[test]
    fn decisions_that_are_cut_keep_their_promises(operations in operations(80)) {
        let mut world = World::of_large_brokers();
        for operation in &operations {
            world.perform(operation);
        }
        world.check_snapshot();
    }

    #[test]
    fn the_same_requests_give_the_same_records(operations in operations(20)) {
        let run = || {
            let mut world = World::new();
            operations.iter().for_each(|operation| world.perform(operation));
            world.into_log()
        };
        assert_eq!(run(), run());
    }
}
