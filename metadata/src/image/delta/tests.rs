use protocol::{BrokerEpoch, LeaderEpoch};
use uuid::Uuid;

use super::*;
use crate::broker::{BrokerEndpoint, BrokerRegistration, HostAndPort, SecurityProtocol};
use crate::{ClusterId, DirectoryId, Incarnation};

const KEY: PartitionKey =
    PartitionKey { topic_id: TopicId(Uuid::from_u128(7)), partition: PartitionIndex(0) };

fn registered(broker: i32) -> MetadataRecord {
    let number = broker.unsigned_abs();
    MetadataRecord::BrokerRegistered(BrokerRegistration {
        broker: BrokerId(broker),
        incarnation: Incarnation(Uuid::from_u128(number.into())),
        broker_epoch: BrokerEpoch::new(i64::from(number)),
        directory: DirectoryId(Uuid::from_u128(u128::from(number) + 100)),
        endpoints: vec![BrokerEndpoint {
            listener: "PLAINTEXT".into(),
            address: HostAndPort::new("127.0.0.1", 9092),
            security: SecurityProtocol::Plaintext,
        }],
        cluster_address: None,
        rack: None,
        fenced: false,
    })
}

fn state(isr: &[i32], partition_epoch: i32) -> PartitionState {
    let assigned = [1, 2, 3].map(BrokerId).to_vec();
    let isr = isr.iter().copied().map(BrokerId).collect();
    let mut state = PartitionState::founded(assigned, isr);
    state.partition_epoch = crate::PartitionEpoch::new(partition_epoch);
    state.leader_epoch = LeaderEpoch::ZERO;
    state
}

/// Three brokers, and a partition that the first of them leads.
fn cluster() -> ClusterImage {
    let topic = MetadataRecord::TopicCreated {
        topic: TopicName::new("orders").unwrap(),
        topic_id: KEY.topic_id,
    };
    let partition = MetadataRecord::PartitionCreated { key: KEY, state: state(&[1, 2, 3], 0) };
    let founded = MetadataRecord::ClusterFounded { cluster_id: ClusterId(Uuid::from_u128(1)) };
    let records = [founded, registered(1), registered(2), registered(3), topic, partition];
    ClusterImage::empty().apply_entry(1, &records).unwrap().0
}

fn fenced(image: &ClusterImage) -> ClusterImage {
    let (broker, broker_epoch) = (BrokerId(3), BrokerEpoch::new(3));
    let fenced = MetadataRecord::BrokerFenced { broker, broker_epoch };
    let out = MetadataRecord::PartitionChanged { key: KEY, state: state(&[1, 2], 1) };
    image.apply_entry(2, &[fenced, out]).unwrap().0
}

fn unfenced(image: &ClusterImage) -> ClusterImage {
    let (broker, broker_epoch) = (BrokerId(3), BrokerEpoch::new(3));
    let unfenced = MetadataRecord::BrokerUnfenced { broker, broker_epoch };
    image.apply_entry(3, &[unfenced]).unwrap().0
}

#[test]
fn a_fence_that_came_and_went_between_two_images_is_seen_by_whom_it_took_out() {
    let older = cluster();
    let newer = unfenced(&fenced(&older));
    let delta = ImageDelta::between(&older, &newer);
    let found = delta.taken_out_and_active(BrokerId(1), &older, &newer);
    assert_eq!(found, [(KEY, BrokerId(3))]);
    let not_led = delta.taken_out_and_active(BrokerId(2), &older, &newer);
    assert_eq!(not_led, []);
}

#[test]
fn who_is_still_fenced_is_not_said_to_be_back() {
    let older = cluster();
    let newer = fenced(&older);
    let delta = ImageDelta::between(&older, &newer);
    assert_eq!(delta.taken_out_and_active(BrokerId(1), &older, &newer), []);
}
