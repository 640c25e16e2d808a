//! Replicas find their places. If this breaks, a drain overloads one node, puts all replicas into
//! one rack, or moves what could have stayed.

use client::{
    Broker, BrokerId, ClusterDescription, LeaderEpoch, Partition, PartitionIndex, Topic, TopicName,
    TopicPartition,
};
use protocol::TopicId;

use super::{Placement, TooFewNodes};
use crate::commands::cluster::cluster_view::ClusterView;

fn ids(numbers: &[i32]) -> Vec<BrokerId> {
    numbers.iter().copied().map(BrokerId).collect()
}

fn partition(index: i32, replicas: &[i32], in_sync: &[i32]) -> Partition {
    Partition {
        index: PartitionIndex(index),
        leader: replicas.first().copied().map(BrokerId),
        leader_epoch: LeaderEpoch::new(1),
        assigned_replicas: ids(replicas),
        in_sync_replicas: ids(in_sync),
        offline_replicas: Vec::new(),
    }
}

fn view(nodes: &[(i32, Option<&str>)], partitions: &[&[i32]]) -> ClusterView {
    let broker = |(id, rack): &(i32, Option<&str>)| Broker {
        id: BrokerId(*id),
        address: "host:1".into(),
        rack: rack.map(str::to_owned),
    };
    let partitions =
        (0..).zip(partitions).map(|(index, replicas)| partition(index, replicas, replicas));
    ClusterView {
        cluster: ClusterDescription {
            cluster_id: "c".to_owned(),
            controller: None,
            brokers: nodes.iter().map(broker).collect(),
            fenced: std::collections::BTreeSet::new(),
        },
        topics: vec![Topic {
            name: TopicName::new("t").unwrap(),
            id: TopicId::ZERO,
            is_internal: false,
            partitions: partitions.collect(),
        }],
    }
}

fn name(index: i32) -> TopicPartition {
    TopicPartition::new(TopicName::new("t").unwrap(), PartitionIndex(index))
}

const PLAIN: &[(i32, Option<&str>)] = &[(1, None), (2, None), (3, None), (4, None)];

#[test]
fn what_a_drained_node_held_is_spread_over_the_others() {
    let held: Vec<&[i32]> = vec![&[1, 2], &[1, 3], &[1, 4], &[1, 2], &[1, 3], &[1, 4]];
    let view = view(PLAIN, &held);
    let mut placement = Placement::new(&view, ids(&[2, 3, 4]));
    let mut count = [0; 5];
    for (name, partition) in view.partitions() {
        let placed = placement.place(&name, partition, 2).unwrap();
        assert_eq!(placed[0], partition.assigned_replicas[1], "who has the records leads");
        placed.iter().for_each(|node| count[usize::try_from(node.0).unwrap()] += 1);
    }
    assert_eq!(count, [0, 0, 4, 4, 4]);
}

#[test]
fn what_can_stay_stays_in_its_order() {
    let view = view(PLAIN, &[&[3, 1, 2]]);
    let mut placement = Placement::new(&view, ids(&[1, 2, 3, 4]));
    let place = |placement: &mut Placement, replicas, in_sync: &[i32]| {
        placement.place(&name(0), &partition(0, &[3, 1, 2], in_sync), replicas).unwrap()
    };
    assert_eq!(place(&mut placement, 3, &[1, 2, 3]), ids(&[3, 1, 2]));
    assert_eq!(place(&mut placement, 4, &[1, 2, 3]), ids(&[3, 1, 2, 4]));
    assert_eq!(place(&mut placement, 1, &[1, 2, 3]), ids(&[3]));
    assert_eq!(place(&mut placement, 2, &[2]), ids(&[3, 2]), "one that lags goes first");
}

#[test]
fn racks_come_before_evenness() {
    let racks = &[(1, Some("a")), (2, Some("a")), (3, Some("b")), (4, Some("b"))];
    let view = view(racks, &[&[1], &[3], &[3], &[3], &[4], &[4]]);
    let mut placement = Placement::new(&view, ids(&[1, 2, 3, 4]));
    let placed = placement.place(&name(0), &partition(0, &[1], &[1]), 2).unwrap();
    assert_eq!(placed, ids(&[1, 4]));
}

#[test]
fn preferred_leaders_are_spread_when_theirs_goes() {
    let view = view(PLAIN, &[&[1, 2, 3], &[1, 2, 3], &[1, 2, 3], &[1, 2, 3]]);
    let mut placement = Placement::new(&view, ids(&[2, 3, 4]));
    let mut firsts = Vec::new();
    for (name, partition) in view.partitions() {
        firsts.push(placement.place(&name, partition, 3).unwrap()[0].0);
    }
    assert_eq!(firsts, [2, 3, 4, 2], "also to the one that is new");
}

#[test]
fn too_few_nodes_are_said() {
    let view = view(PLAIN, &[&[1, 2, 3]]);
    let mut placement = Placement::new(&view, ids(&[2, 3]));
    let refused = placement.place(&name(0), &partition(0, &[1, 2, 3], &[1]), 3);
    assert_eq!(refused, Err(TooFewNodes { partition: name(0), replicas: 3, nodes: 2 }));
}
