//! The table of APIs and versions against the plan. If this breaks, a client finds a version that
//! we cannot speak, or misses one that it needs.

use protocol::api_key::ApiKey;
use protocol::api_versions::{
    CODED, ServedApis, newest_common, request_header_version, response_header_version,
};
use protocol::message::Versions;

/// Kafka 4.3's versions of the APIs that we speak: key, oldest, newest, first flexible.
const KAFKA: &[(ApiKey, i16, i16, i16, Option<i16>)] = &[
    (ApiKey::Produce, 0, 3, 13, Some(9)),
    (ApiKey::Fetch, 1, 4, 18, Some(12)),
    (ApiKey::ListOffsets, 2, 1, 11, Some(6)),
    (ApiKey::Metadata, 3, 0, 13, Some(9)),
    (ApiKey::OffsetCommit, 8, 2, 10, Some(8)),
    (ApiKey::OffsetFetch, 9, 1, 10, Some(6)),
    (ApiKey::FindCoordinator, 10, 0, 6, Some(3)),
    (ApiKey::JoinGroup, 11, 0, 9, Some(6)),
    (ApiKey::Heartbeat, 12, 0, 4, Some(4)),
    (ApiKey::LeaveGroup, 13, 0, 5, Some(4)),
    (ApiKey::SyncGroup, 14, 0, 5, Some(4)),
    (ApiKey::DescribeGroups, 15, 0, 6, Some(5)),
    (ApiKey::ListGroups, 16, 0, 5, Some(3)),
    (ApiKey::ApiVersions, 18, 0, 4, Some(3)),
    (ApiKey::CreateTopics, 19, 2, 7, Some(5)),
    (ApiKey::DeleteTopics, 20, 1, 6, Some(4)),
    (ApiKey::DeleteRecords, 21, 0, 2, Some(2)),
    (ApiKey::InitProducerId, 22, 0, 5, Some(2)),
    (ApiKey::OffsetForLeaderEpoch, 23, 2, 4, Some(4)),
    (ApiKey::DescribeConfigs, 32, 1, 4, Some(4)),
    (ApiKey::AlterConfigs, 33, 0, 2, Some(2)),
    (ApiKey::CreatePartitions, 37, 0, 3, Some(2)),
    (ApiKey::DeleteGroups, 42, 0, 2, Some(2)),
    (ApiKey::ElectLeaders, 43, 0, 2, Some(2)),
    (ApiKey::IncrementalAlterConfigs, 44, 0, 1, Some(1)),
    (ApiKey::AlterPartitionReassignments, 45, 0, 1, Some(0)),
    (ApiKey::ListPartitionReassignments, 46, 0, 0, Some(0)),
    (ApiKey::OffsetDelete, 47, 0, 0, None),
    (ApiKey::DescribeQuorum, 55, 0, 2, Some(0)),
    (ApiKey::DescribeCluster, 60, 0, 2, Some(0)),
    (ApiKey::UnregisterBroker, 64, 0, 0, Some(0)),
    (ApiKey::DescribeTopicPartitions, 75, 0, 0, Some(0)),
    (ApiKey::AddRaftVoter, 80, 0, 1, Some(0)),
    (ApiKey::RemoveRaftVoter, 81, 0, 0, Some(0)),
];

#[test]
fn the_table_is_that_of_kafka_4_3() {
    assert_eq!(CODED.len(), KAFKA.len());
    for (api, (key, code, min, max, flexible_from)) in CODED.iter().zip(KAFKA) {
        assert_eq!(api.key, *key);
        assert_eq!(api.key.code(), *code, "{key}");
        assert_eq!((api.min, api.max), (*min, *max), "{key}");
        assert_eq!(api.flexible_from, *flexible_from, "{key}");
        assert_eq!(ApiKey::from_code(*code), Some(*key));
    }
    assert_eq!(ApiKey::ALL.len(), KAFKA.len());
    assert_eq!(ApiKey::from_code(4), None);
}

#[test]
fn only_produce_is_advertised_below_what_is_served() {
    for api in ServedApis::all().iter() {
        let expected = if api.key == ApiKey::Produce { 0 } else { api.min };
        assert_eq!(api.advertised_min(), expected, "{}", api.key);
    }
}

#[test]
fn an_api_that_does_not_work_yet_is_left_out() {
    let served = ServedApis::all().without(&[ApiKey::OffsetDelete, ApiKey::DeleteGroups]);
    assert_eq!(served.get(ApiKey::OffsetDelete), None);
    assert!(served.advertised().iter().all(|row| row.api_key != 42 && row.api_key != 47));
    assert_eq!(served.iter().count(), CODED.len() - 2);
    let two = ServedApis::only(&[ApiKey::Metadata, ApiKey::Produce]);
    let keys: Vec<ApiKey> = two.iter().map(|api| api.key).collect();
    assert_eq!(keys, [ApiKey::Produce, ApiKey::Metadata]);
}

#[test]
fn headers_grow_tags_with_the_first_flexible_version() {
    for (key, _, min, max, flexible_from) in KAFKA {
        for version in *min..=*max {
            let flexible = flexible_from.is_some_and(|first| version >= first);
            let tags = i16::from(flexible);
            assert_eq!(request_header_version(*key, version), 1 + tags, "{key} v{version}");
            let response = if *key == ApiKey::ApiVersions { 0 } else { tags };
            assert_eq!(response_header_version(*key, version), response, "{key} v{version}");
        }
    }
}

#[test]
fn both_sides_take_the_newest_version_that_they_share() {
    let newest = |ours: (i16, i16), theirs: (i16, i16)| {
        newest_common(Versions::new(ours.0, ours.1), Versions::new(theirs.0, theirs.1))
    };
    assert_eq!(newest((3, 13), (0, 9)), Some(9));
    assert_eq!(newest((3, 13), (0, 20)), Some(13));
    assert_eq!(newest((3, 13), (0, 2)), None);
    assert_eq!(newest((0, 2), (3, 13)), None);
}
