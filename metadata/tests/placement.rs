//! Where replicas go, seen as numbers: if the spread is uneven, one broker does the work of two,
//! and if racks repeat, one power supply takes a partition with it.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::{
    BrokerEndpoint, ClusterImage, Controller, DirectoryId, HostAndPort, Incarnation, LastUse,
    RegisterBroker, SecurityProtocol, StaticSettings, TopicToCreate, offsets_partition,
};
use protocol::{BrokerId, PartitionIndex, TopicId};
use uuid::Uuid;

fn cluster(brokers: i32, racks: i32) -> Controller {
    let given = Arc::new(StaticSettings::defaults());
    let mut controller = Controller::new(ClusterImage::empty(), given);
    for id in 1..=brokers {
        let uuid = Uuid::from_u128(id.unsigned_abs().into());
        let request = RegisterBroker {
            broker: BrokerId(id),
            incarnation: Incarnation(uuid),
            cluster_id: None,
            directory: DirectoryId(uuid),
            last_use: LastUse::Never,
            endpoints: vec![BrokerEndpoint {
                listener: Arc::from("PLAINTEXT"),
                address: HostAndPort::new("127.0.0.1", 9092),
                security: SecurityProtocol::Plaintext,
            }],
            cluster_address: None,
            rack: (racks > 0).then(|| Arc::from((id % racks).to_string())),
            starts_unfenced: true,
        };
        controller.register_broker(&request, false).unwrap();
    }
    controller
}

fn create(controller: &mut Controller, name: &str, partitions: i32, factor: i16, id: u128) {
    let mut topic = TopicToCreate::with_defaults(name);
    (topic.partitions, topic.replication_factor) = (partitions, factor);
    let id = TopicId(Uuid::from_u128(id));
    controller.create_topics(&[topic], false, || id)[0].as_ref().unwrap();
}

/// The smallest and the largest count.
fn spread(counts: &BTreeMap<BrokerId, usize>) -> (usize, usize) {
    (*counts.values().min().unwrap(), *counts.values().max().unwrap())
}

#[test]
fn leaders_and_replicas_of_one_topic_are_even() {
    for (brokers, racks, partitions, factor) in
        [(3, 0, 30, 3), (5, 0, 50, 3), (6, 3, 60, 3), (6, 2, 36, 2), (7, 0, 70, 2), (1, 0, 9, 1)]
    {
        let mut controller = cluster(brokers, racks);
        create(&mut controller, "orders", partitions, factor, 12345);
        let mut leaders = BTreeMap::new();
        let mut replicas = BTreeMap::new();
        for state in &controller.image().topic("orders").unwrap().partitions {
            *leaders.entry(state.leader.unwrap()).or_default() += 1;
            for broker in &state.assigned_replicas {
                *replicas.entry(*broker).or_default() += 1;
            }
        }
        let case = format!("{brokers} brokers, {racks} racks: {leaders:?} {replicas:?}");
        assert_eq!(leaders.len(), usize::try_from(brokers).unwrap(), "{case}");
        let (fewest, most) = spread(&leaders);
        assert!(most - fewest <= 1, "{case}");
        let (fewest, most) = spread(&replicas);
        assert!(most - fewest <= most / 5 + 1, "{case}");
    }
}

#[test]
fn every_rack_has_a_replica_before_any_has_two() {
    let mut controller = cluster(7, 3);
    create(&mut controller, "orders", 50, 3, 99);
    for state in &controller.image().topic("orders").unwrap().partitions {
        let mut racks: Vec<_> = state.assigned_replicas.iter().map(|id| id.0 % 3).collect();
        racks.sort_unstable();
        assert_eq!(racks, [0, 1, 2], "{state:?}");
    }
}

/// Where one broker fails, its leaderships must not all fall to its neighbour.
#[test]
fn the_second_replicas_of_a_leader_differ() {
    let mut controller = cluster(5, 0);
    create(&mut controller, "orders", 100, 3, 7);
    let mut heirs = BTreeMap::new();
    for state in &controller.image().topic("orders").unwrap().partitions {
        if state.leader == Some(BrokerId(1)) {
            *heirs.entry(state.assigned_replicas[1]).or_insert(0) += 1;
        }
    }
    assert_eq!(heirs.values().copied().collect::<Vec<_>>(), [5, 5, 5, 5], "{heirs:?}");
}

#[test]
fn topics_of_one_partition_are_spread_too() {
    let mut controller = cluster(4, 0);
    for number in 0..400u128 {
        // as random as a real id, and the same in every run
        let id = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        create(&mut controller, &format!("topic{number}"), 1, 1, id);
    }
    let mut leaders = BTreeMap::new();
    for topic in controller.image().topics() {
        *leaders.entry(topic.partitions[0].leader.unwrap()).or_default() += 1;
    }
    let (fewest, most) = spread(&leaders);
    assert!(fewest > 60 && most < 140, "{leaders:?}");
}

/// The numbers are what Kafka 4.3.1 answers: a group must find its offsets in either's log.
#[test]
fn groups_live_where_kafka_puts_them() {
    let expected = [
        ("", 0),
        ("test-group", 12),
        ("orders", 31),
        ("äöü-group", 24),
        ("group-with-a-long-name-that-overflows", 39),
        ("polygenelubricants", 0),
    ];
    for (group, partition) in expected {
        assert_eq!(offsets_partition(group, 50), PartitionIndex(partition), "{group}");
    }
}
