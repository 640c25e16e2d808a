//! What may happen, in small numbers, so that things meet.

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

#[derive(Clone, Copy, Debug)]
pub enum Restart {
    InOrder,
    Crash,
    /// The directory was put back from an older copy.
    OlderDirectory,
    NewDirectory,
}

#[derive(Clone, Debug)]
pub enum Operation {
    Start {
        broker: i32,
        how: Restart,
        unfenced: bool,
    },
    Heartbeat {
        broker: i32,
        wants_to_stop: bool,
        wants_fence: bool,
        disk_hangs: bool,
    },
    Fence {
        broker: i32,
    },
    Unregister {
        broker: i32,
    },
    Create {
        topic: usize,
        partitions: i32,
        factor: i16,
        min_in_sync: i32,
        flushes: bool,
    },
    Delete {
        topic: usize,
    },
    Grow {
        topic: usize,
        count: i32,
    },
    SetMinInSync {
        topic: usize,
        value: i32,
    },
    SetUnclean {
        topic: usize,
        value: bool,
    },
    /// The leader commits a record, if its ISR is large enough.
    Commit {
        partition: usize,
    },
    /// The leader drops a member.
    Shrink {
        partition: usize,
        member: usize,
    },
    /// A follower has caught up, and the leader takes it in. If the news is old, it was an earlier
    /// start of the follower that had caught up.
    Expand {
        partition: usize,
        member: usize,
        recovered: bool,
        is_old: bool,
    },
    Restarted {
        partition: usize,
        member: usize,
        whole: bool,
    },
    GaveUp {
        partition: usize,
        member: usize,
        whole: bool,
    },
    Mended {
        partition: usize,
        member: usize,
    },
    Elect {
        partition: usize,
        unclean: bool,
    },
    Reassign {
        partition: usize,
        target: Vec<i32>,
        cancel: bool,
    },
    RaiseInternal,
    ProducerIds {
        broker: i32,
    },
    /// The next decision is not agreed on.
    LoseNext,
    /// Of the next decision so many records are agreed on, each as an entry, before another
    /// controller comes; if it may be cut at all.
    CutNext {
        after: usize,
    },
}

pub fn operations(length: usize) -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 1..length)
}

fn broker() -> impl Strategy<Value = i32> {
    1..5i32
}

fn seldom() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.1)
}

fn operation() -> BoxedStrategy<Operation> {
    prop_oneof![
        6 => of_broker(),
        3 => of_topic(),
        10 => of_partition(),
        1 => Just(Operation::RaiseInternal),
        1 => Just(Operation::LoseNext),
        3 => (0..6usize).prop_map(|after| Operation::CutNext { after }),
    ]
    .boxed()
}

fn of_broker() -> BoxedStrategy<Operation> {
    let how = prop_oneof![
        2 => Just(Restart::InOrder),
        4 => Just(Restart::Crash),
        1 => Just(Restart::OlderDirectory),
        1 => Just(Restart::NewDirectory),
    ];
    prop_oneof![
        6 => (broker(), how, any::<bool>())
            .prop_map(|(broker, how, unfenced)| Operation::Start { broker, how, unfenced }),
        6 => (broker(), seldom(), seldom(), seldom()).prop_map(
            |(broker, wants_to_stop, wants_fence, disk_hangs)| Operation::Heartbeat {
                broker,
                wants_to_stop,
                wants_fence,
                disk_hangs
            }
        ),
        4 => broker().prop_map(|broker| Operation::Fence { broker }),
        1 => broker().prop_map(|broker| Operation::Unregister { broker }),
        1 => broker().prop_map(|broker| Operation::ProducerIds { broker }),
    ]
    .boxed()
}

fn of_topic() -> BoxedStrategy<Operation> {
    let topic = || 0..3usize;
    prop_oneof![
        6 => (topic(), 1..3i32, 1..4i16, 1..4i32, any::<bool>()).prop_map(
            |(topic, partitions, factor, min_in_sync, flushes)| Operation::Create {
                topic,
                partitions,
                factor,
                min_in_sync,
                flushes
            }
        ),
        1 => topic().prop_map(|topic| Operation::Delete { topic }),
        1 => (topic(), 1..5i32).prop_map(|(topic, count)| Operation::Grow { topic, count }),
        2 => (topic(), 1..4i32)
            .prop_map(|(topic, value)| Operation::SetMinInSync { topic, value }),
        1 => (topic(), any::<bool>())
            .prop_map(|(topic, value)| Operation::SetUnclean { topic, value }),
    ]
    .boxed()
}

fn of_partition() -> BoxedStrategy<Operation> {
    let partition = || 0..4usize;
    let member = || 0..4usize;
    prop_oneof![
        6 => partition().prop_map(|partition| Operation::Commit { partition }),
        3 => (partition(), member())
            .prop_map(|(partition, member)| Operation::Shrink { partition, member }),
        5 => (partition(), member(), any::<bool>(), proptest::bool::weighted(0.2)).prop_map(
            |(partition, member, recovered, is_old)| Operation::Expand {
                partition,
                member,
                recovered,
                is_old
            }
        ),
        2 => (partition(), member(), any::<bool>()).prop_map(|(partition, member, whole)| {
            Operation::Restarted { partition, member, whole }
        }),
        1 => (partition(), member(), any::<bool>()).prop_map(|(partition, member, whole)| {
            Operation::GaveUp { partition, member, whole }
        }),
        1 => (partition(), member())
            .prop_map(|(partition, member)| Operation::Mended { partition, member }),
        1 => (partition(), any::<bool>())
            .prop_map(|(partition, unclean)| Operation::Elect { partition, unclean }),
        2 => (partition(), vec(broker(), 1..4), proptest::bool::weighted(0.3)).prop_map(
            |(partition, target, cancel)| Operation::Reassign { partition, target, cancel }
        ),
    ]
    .boxed()
}
