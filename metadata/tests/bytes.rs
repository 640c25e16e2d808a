//! Records and snapshots whose bytes are damaged or forged. What is read here came from a disk or
//! from another node: it must never panic, loop, or reserve memory for what is not there.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use metadata::wire::{
    FORMAT_VERSION, RECORD_BYTES_MAX, WireError, decode_records, decode_snapshot, encode_records,
    encode_snapshot,
};
use metadata::{
    BrokerEndpoint, BrokerRegistration, ClusterId, ClusterImage, DirectoryId, HostAndPort,
    Incarnation, MetadataRecord, PartitionKey, PartitionState, SecurityProtocol, SettingResource,
};
use proptest::prelude::{any, proptest};
use protocol::{BrokerEpoch, BrokerId, PartitionIndex, TopicId, TopicName};
use uuid::Uuid;

/// One record of every kind, in an order in which they apply.
fn every_record() -> Vec<MetadataRecord> {
    let (broker, broker_epoch) = (BrokerId(1), BrokerEpoch::new(3));
    let (topic, topic_id) = (TopicName::new("orders").unwrap(), TopicId(Uuid::from_u128(7)));
    let key = PartitionKey::new(topic_id, PartitionIndex(0));
    let state = PartitionState::founded(vec![broker, BrokerId(2)], vec![broker]);
    let mut next = state.clone();
    next.partition_epoch = state.partition_epoch.next();
    next.elr = vec![BrokerId(2)];
    vec![
        MetadataRecord::ClusterFounded { cluster_id: ClusterId(Uuid::from_u128(9)) },
        MetadataRecord::BrokerRegistered(BrokerRegistration {
            broker,
            incarnation: Incarnation(Uuid::from_u128(4)),
            broker_epoch,
            directory: DirectoryId(Uuid::from_u128(5)),
            endpoints: vec![BrokerEndpoint {
                listener: Arc::from("PLAINTEXT"),
                address: HostAndPort::new("127.0.0.1", 9092),
                security: SecurityProtocol::Plaintext,
            }],
            cluster_address: Some(HostAndPort::new("node1", 7000)),
            rack: Some(Arc::from("a")),
            fenced: true,
        }),
        MetadataRecord::BrokerUnfenced { broker, broker_epoch },
        MetadataRecord::BrokerShuttingDown { broker, broker_epoch },
        MetadataRecord::BrokerDiskHung { broker, broker_epoch },
        MetadataRecord::BrokerDiskAnswered { broker, broker_epoch },
        MetadataRecord::TopicCreated { topic: topic.clone(), topic_id },
        MetadataRecord::PartitionCreated { key, state },
        MetadataRecord::PartitionChanged { key, state: next },
        MetadataRecord::SettingChanged {
            resource: SettingResource::Topic(topic),
            key: Arc::from("retention.ms"),
            value: Some(Arc::from("5")),
        },
        MetadataRecord::ProducerIdsAllocated { broker, broker_epoch, next_producer_id: 1000 },
        MetadataRecord::FeatureLevelChanged { feature: Arc::from("group.version"), level: 1 },
        MetadataRecord::ProducerIdsReached { next_producer_id: 2000 },
        MetadataRecord::BrokerEpochsReached { next_broker_epoch: BrokerEpoch::new(10) },
    ]
}

fn image() -> ClusterImage {
    let mut image = ClusterImage::empty();
    every_record().iter().for_each(|record| image.apply(record).unwrap());
    image.advance_to(42);
    image
}

/// The first bytes of the format are a promise to the logs that exist.
#[test]
fn records_are_written_as_ever() {
    let records = [
        MetadataRecord::ClusterFounded { cluster_id: ClusterId(Uuid::from_u128(1)) },
        MetadataRecord::TopicDeleted { topic_id: TopicId(Uuid::from_u128(2)) },
        MetadataRecord::BrokerFenced { broker: BrokerId(3), broker_epoch: BrokerEpoch::new(4) },
    ];
    let mut expected = vec![FORMAT_VERSION, 3, 0, 0, 0];
    expected.extend([0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expected.extend([7, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    expected.extend([2, 6, 8]);
    assert_eq!(encode_records(&records).unwrap(), expected);
}

#[test]
fn every_kind_of_record_comes_back() {
    let records = every_record();
    assert_eq!(decode_records(&encode_records(&records).unwrap()).unwrap(), records);
}

#[test]
fn an_image_comes_back_with_its_version() {
    let decoded = decode_snapshot(&encode_snapshot(&image()).unwrap()).unwrap();
    assert_eq!(decoded, image());
    assert_eq!(decoded.version(), 42);
}

#[test]
fn bytes_that_end_early_are_refused_wherever_they_end() {
    let records = encode_records(&every_record()).unwrap();
    let snapshot = encode_snapshot(&image()).unwrap();
    for length in 0..records.len() {
        assert!(decode_records(&records[..length]).is_err(), "{length}");
    }
    for length in 0..snapshot.len() {
        assert!(decode_snapshot(&snapshot[..length]).is_err(), "{length}");
    }
}

#[test]
fn every_flipped_bit_is_survived() {
    let records = encode_records(&every_record()).unwrap();
    let snapshot = encode_snapshot(&image()).unwrap();
    for place in 0..records.len() * 8 {
        let mut damaged = records.clone();
        damaged[place / 8] ^= 1 << (place % 8);
        drop(decode_records(&damaged));
    }
    for place in 0..snapshot.len() * 8 {
        let mut damaged = snapshot.clone();
        damaged[place / 8] ^= 1 << (place % 8);
        drop(decode_snapshot(&damaged));
    }
}

#[test]
fn trailing_bytes_and_other_versions_are_refused() {
    let mut bytes = encode_records(&every_record()).unwrap();
    bytes.push(0);
    assert!(matches!(decode_records(&bytes), Err(WireError::TrailingBytes { length: 1 })));
    bytes[0] = FORMAT_VERSION + 1;
    assert!(matches!(decode_records(&bytes), Err(WireError::UnknownVersion { .. })));
    assert!(matches!(decode_records(&[]), Err(WireError::TooShort { .. })));
}

#[test]
fn lengths_that_lie_reserve_nothing() {
    // four thousand million records in no bytes
    let many = [FORMAT_VERSION, 255, 255, 255, 255];
    assert!(matches!(decode_records(&many), Err(WireError::TooManyRecords { .. })));
    let mut snapshot = vec![FORMAT_VERSION];
    snapshot.extend([255; 16]);
    assert!(matches!(decode_snapshot(&snapshot), Err(WireError::TooManyRecords { .. })));
    // a topic name of 2^40 bytes, and a list of 2^60 replicas: 253 announces eight bytes
    let name = [FORMAT_VERSION, 1, 0, 0, 0, 6, 253, 0, 0, 0, 0, 0, 1, 0, 0];
    assert!(matches!(decode_records(&name), Err(WireError::Record { place: 0, .. })));
    let mut list = vec![FORMAT_VERSION, 1, 0, 0, 0, 8, 16];
    list.extend([0; 16]);
    list.extend([0, 253, 0, 0, 0, 0, 0, 0, 0, 16]);
    assert!(matches!(decode_records(&list), Err(WireError::Record { place: 0, .. })));
}

#[test]
fn a_record_beyond_its_bound_is_not_written() {
    let value = "x".repeat(RECORD_BYTES_MAX);
    let record = MetadataRecord::SettingChanged {
        resource: SettingResource::ClusterDefault,
        key: Arc::from("log.cleanup.policy"),
        value: Some(Arc::from(value)),
    };
    assert!(matches!(encode_records(&[record]), Err(WireError::TooLong { .. })));
}

/// Names become directories, so a name that climbs out of one must not come in by the log.
#[test]
fn a_forged_topic_name_is_refused() {
    let topic = TopicName::new("aa").unwrap();
    let record = MetadataRecord::TopicCreated { topic, topic_id: TopicId(Uuid::from_u128(1)) };
    let mut bytes = encode_records(&[record]).unwrap();
    let place = bytes.windows(2).position(|pair| pair == b"aa").unwrap();
    bytes[place..place + 2].copy_from_slice(b"..");
    assert!(matches!(decode_records(&bytes), Err(WireError::TopicName { place: 0, .. })));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(decode_records(&bytes));
        drop(decode_snapshot(&bytes));
        let mut list = vec![FORMAT_VERSION, 2, 0, 0, 0];
        list.append(&mut bytes);
        drop(decode_records(&list));
    }
}
