//! Every version of every API of groups, and what each says of the things that go wrong. A response
//! that its version cannot carry ends the connection; a code in the wrong place is read as success.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod group_harness;

use actors::Node;
use group_harness::{OUTSIDE, Wire, commit_request, join_request, start, stop};
use protocol::generated::delete_groups::DeleteGroupsRequest;
use protocol::generated::describe_groups::DescribeGroupsRequest;
use protocol::generated::find_coordinator::FindCoordinatorRequest;
use protocol::generated::heartbeat::HeartbeatRequest;
use protocol::generated::join_group::JoinGroupRequest;
use protocol::generated::leave_group::{LeaveGroupRequest, MemberIdentity};
use protocol::generated::list_groups::ListGroupsRequest;
use protocol::generated::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::generated::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::generated::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::generated::sync_group::SyncGroupRequest;
use protocol::{ErrorCode, Message, Request, TopicId};

/// A node with a topic `orders` of two partitions and a group `billing` that has committed 17 for
/// the first of them.
async fn prepared(directory: &std::path::Path) -> (Node, Wire) {
    let node = start(directory).await;
    let mut wire = Wire::connect(&node).await;
    wire.create_topic("orders", 2).await;
    wire.find_coordinator("billing").await;
    let commit = commit_request("billing", OUTSIDE, "orders", 17);
    assert_eq!(wire.commit(&commit).await, ErrorCode::None);
    (node, wire)
}

fn versions<R: Request>() -> std::ops::RangeInclusive<i16> {
    <R as Message>::VERSIONS.min..=<R as Message>::VERSIONS.max
}

fn topic_id(node: &Node, name: &str) -> TopicId {
    node.broker().image.load().topic(name).unwrap().id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_answered_in_every_version() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    for version in versions::<JoinGroupRequest>() {
        let group = format!("joiners-{version}");
        let first =
            wire.until(version, &join_request(&group, ""), |answer| answer.error_code).await;
        let joined = if version >= 4 {
            assert_eq!(first.error_code, ErrorCode::MemberIdRequired.code());
            wire.ask(version, &join_request(&group, &first.member_id)).await
        } else {
            first
        };
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "version {version}");
        assert!(joined.member_id.starts_with("tester-"), "{}", joined.member_id);
        assert_eq!(joined.members.len(), 1);

        let member_id = joined.member_id.clone();
        let sync = SyncGroupRequest {
            group_id: group.as_str().into(),
            generation_id: 1,
            member_id: member_id.clone(),
            protocol_type: (version >= 5).then(|| "consumer".into()),
            protocol_name: (version >= 5).then(|| "range".into()),
            ..SyncGroupRequest::default()
        };
        assert_eq!(wire.ask(version.min(5), &sync).await.error_code, 0);
        let beat = HeartbeatRequest {
            group_id: group.as_str().into(),
            generation_id: 1,
            member_id: member_id.clone(),
            ..HeartbeatRequest::default()
        };
        assert_eq!(wire.ask(version.min(4), &beat).await.error_code, 0);
        let mut leave =
            LeaveGroupRequest { group_id: group.as_str().into(), ..LeaveGroupRequest::default() };
        if version >= 3 {
            leave.members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
        } else {
            leave.member_id = member_id;
        }
        let left = wire.ask(version.min(5), &leave).await;
        assert_eq!(left.error_code, 0);
        // the oldest have one code only, and it says that the member is gone already
        let again = wire.ask(version.min(5), &leave).await;
        let unknown = ErrorCode::UnknownMemberId.code();
        if version >= 3 {
            assert_eq!((again.error_code, again.members[0].error_code), (0, unknown));
        } else {
            assert_eq!(again.error_code, unknown);
        }
    }
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_group_name_is_refused_where_kafka_refuses_it() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    wire.find_coordinator("").await;
    let invalid = ErrorCode::InvalidGroupId.code();
    let joined = wire.until(9, &join_request("", ""), |answer| answer.error_code).await;
    assert_eq!(joined.error_code, invalid);
    assert_eq!(wire.ask(5, &SyncGroupRequest::default()).await.error_code, invalid);
    assert_eq!(wire.ask(4, &HeartbeatRequest::default()).await.error_code, invalid);
    assert_eq!(wire.ask(5, &LeaveGroupRequest::default()).await.error_code, invalid);
    // old clients commit without any group
    assert_eq!(wire.commit(&commit_request("", OUTSIDE, "orders", 3)).await, ErrorCode::None);
    assert_eq!(wire.committed("", "orders").await, 3);
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_are_committed_and_fetched_in_every_version() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    let id = topic_id(&node, "orders");
    for version in versions::<OffsetCommitRequest>() {
        let mut commit = commit_request("billing", OUTSIDE, "orders", 100 + i64::from(version));
        let topic = &mut commit.topics[0];
        topic.partitions.push(OffsetCommitRequestPartition {
            partition_index: 7,
            ..topic.partitions[0].clone()
        });
        let mut unknown = topic.clone();
        if version >= 10 {
            (topic.topic_id, topic.name) = (id, "".into());
            unknown.topic_id = TopicId(uuid::Uuid::from_u128(1));
            unknown.name = "".into();
        } else {
            unknown.name = "nowhere".into();
        }
        commit.topics.insert(0, unknown);
        let answer = wire.ask(version, &commit).await;
        let codes: Vec<Vec<i16>> = answer
            .topics
            .iter()
            .map(|topic| topic.partitions.iter().map(|partition| partition.error_code).collect())
            .collect();
        let missing = if version >= 10 {
            ErrorCode::UnknownTopicId.code()
        } else {
            ErrorCode::UnknownTopicOrPartition.code()
        };
        let no_partition = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(codes, [[missing, missing], [0, no_partition]], "version {version}");
        assert_eq!(wire.committed("billing", "orders").await, 100 + i64::from(version));
    }
    let commit = commit_request("billing", OUTSIDE, "orders", 17);
    assert_eq!(wire.commit(&commit).await, ErrorCode::None);
    for version in versions::<OffsetFetchRequest>() {
        fetch_in(version, id, &mut wire).await;
    }
    drop(wire);
    stop(node).await;
}

async fn fetch_in(version: i16, id: TopicId, wire: &mut Wire) {
    if version < 8 {
        let topic =
            OffsetFetchRequestTopic { name: "orders".into(), partition_indexes: vec![0, 1, 7] };
        let mut request = OffsetFetchRequest {
            group_id: "billing".into(),
            topics: Some(vec![topic]),
            ..OffsetFetchRequest::default()
        };
        let answer = wire.ask(version, &request).await;
        let offsets: Vec<(i64, i16)> = answer.topics[0]
            .partitions
            .iter()
            .map(|partition| (partition.committed_offset, partition.error_code))
            .collect();
        assert_eq!(offsets, [(17, 0), (-1, 0), (-1, 0)], "version {version}");
        if version >= 2 {
            request.topics = None;
            let all = wire.ask(version, &request).await;
            assert_eq!((all.topics.len(), all.topics[0].partitions.len()), (1, 1));
        }
        return;
    }
    let named = |name: &str, topic_id| OffsetFetchRequestTopics {
        name: if version >= 10 { "".into() } else { name.into() },
        topic_id: if version >= 10 { topic_id } else { TopicId::ZERO },
        partition_indexes: vec![0, 1],
    };
    let group = |group: &str, topics| OffsetFetchRequestGroup {
        group_id: group.into(),
        topics,
        ..OffsetFetchRequestGroup::default()
    };
    let unknown = TopicId(uuid::Uuid::from_u128(1));
    let request = OffsetFetchRequest {
        groups: vec![
            group("billing", Some(vec![named("nowhere", unknown), named("orders", id)])),
            group("billing", None),
            group("nobody", Some(vec![named("orders", id)])),
        ],
        ..OffsetFetchRequest::default()
    };
    let answer = wire.until(version, &request, |answer| answer.groups[2].error_code).await;
    let offsets = |group: usize, topic: usize| {
        let partitions = &answer.groups[group].topics[topic].partitions;
        partitions.iter().map(|partition| partition.committed_offset).collect::<Vec<_>>()
    };
    assert_eq!(offsets(0, 0), [-1, -1]);
    assert_eq!(offsets(0, 1), [17, -1]);
    assert_eq!(offsets(1, 0), [17]);
    assert_eq!(offsets(2, 0), [-1, -1]);
    let code = answer.groups[0].topics[0].partitions[0].error_code;
    let expected = if version >= 10 { ErrorCode::UnknownTopicId } else { ErrorCode::None };
    assert_eq!(code, expected.code());
    assert_eq!(&*answer.groups[1].topics[0].partitions[0].metadata.clone().unwrap(), "a note");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_described_listed_and_deleted_in_every_version() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    wire.become_member("consumers").await;
    for version in versions::<DescribeGroupsRequest>() {
        let request = DescribeGroupsRequest {
            groups: vec!["consumers".into(), "nobody".into()],
            include_authorized_operations: version >= 3,
        };
        let answer = wire.until(version, &request, |answer| answer.groups[1].error_code).await;
        let [consumers, nobody] = answer.groups.as_slice() else { panic!("two groups") };
        assert_eq!((&*consumers.group_state, &*consumers.protocol_data), ("Stable", "range"));
        let member = &consumers.members[0];
        assert_eq!((&*member.client_host, &*member.client_id), ("/127.0.0.1", "tester"));
        assert_eq!(&*member.member_assignment, b"everything");
        let not_found = if version >= 6 { ErrorCode::GroupIdNotFound } else { ErrorCode::None };
        assert_eq!((&*nobody.group_state, nobody.error_code), ("Dead", not_found.code()));
        assert_eq!(nobody.error_message.is_some(), version >= 6);
    }
    for version in versions::<ListGroupsRequest>() {
        let mut request = ListGroupsRequest::default();
        let answer = wire.until(version, &request, |answer| answer.error_code).await;
        let mut names: Vec<String> =
            answer.groups.iter().map(|group| group.group_id.to_string()).collect();
        names.sort();
        assert_eq!(names, ["billing", "consumers"], "version {version}");
        if version >= 4 {
            request.states_filter = vec!["stable".into()];
            let stable = wire.ask(version, &request).await;
            assert_eq!(stable.groups.len(), 1);
            assert_eq!(&*stable.groups[0].group_state, "Stable");
        }
        if version >= 5 {
            request.types_filter = vec!["consumer".into()];
            assert!(wire.ask(version, &request).await.groups.is_empty());
        }
    }
    for version in versions::<DeleteGroupsRequest>() {
        let commit = commit_request("billing", OUTSIDE, "orders", 17);
        assert_eq!(wire.commit(&commit).await, ErrorCode::None);
        let names = ["billing", "consumers", "nobody"];
        let request = DeleteGroupsRequest { groups_names: names.map(Into::into).to_vec() };
        let answer = wire.until(version, &request, |answer| answer.results[2].error_code).await;
        let codes: Vec<i16> = answer.results.iter().map(|result| result.error_code).collect();
        let expected = [ErrorCode::None, ErrorCode::NonEmptyGroup, ErrorCode::GroupIdNotFound];
        assert_eq!(codes, expected.map(ErrorCode::code));
        assert_eq!(wire.committed("billing", "orders").await, -1);
    }
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_are_found_in_every_version() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    let port = i32::from(node.bootstrap().unwrap().port());
    let refused = ErrorCode::TransactionalIdAuthorizationFailed.code();
    for version in versions::<FindCoordinatorRequest>() {
        for key_type in [0, 1, 2, 9] {
            if version == 0 && key_type > 0 {
                continue;
            }
            let mut request = FindCoordinatorRequest { key_type, ..Default::default() };
            if version >= 4 {
                request.coordinator_keys = vec!["a".into(), "b".into()];
            } else {
                request.key = "a".into();
            }
            let answer = wire.ask(version, &request).await;
            let answers = if version >= 4 {
                assert_eq!(answer.coordinators.len(), 2);
                answer.coordinators.iter().map(|found| (found.error_code, found.port)).collect()
            } else {
                vec![(answer.error_code, answer.port)]
            };
            let expected = match key_type {
                0 => (0, port),
                1 | 2 => (refused, -1),
                _ => (ErrorCode::InvalidRequest.code(), -1),
            };
            assert!(answers.iter().all(|answer| *answer == expected), "{version}: {answers:?}");
        }
    }
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_are_deleted_unless_somebody_consumes_the_topic() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
    let topic = |name: &str| OffsetDeleteRequestTopic {
        name: name.into(),
        partitions: vec![partition(0), partition(9)],
    };
    let mut request = OffsetDeleteRequest {
        group_id: "billing".into(),
        topics: vec![topic("nowhere"), topic("orders")],
    };
    let answer = wire.ask(0, &request).await;
    let codes: Vec<i16> = answer
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| partition.error_code))
        .collect();
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!((answer.error_code, codes), (0, vec![unknown, unknown, 0, unknown]));
    assert_eq!(wire.committed("billing", "orders").await, -1);
    request.group_id = "nobody".into();
    let answer = wire.until(0, &request, |answer| answer.error_code).await;
    let not_found = ErrorCode::GroupIdNotFound.code();
    assert_eq!((answer.error_code, answer.topics.len()), (not_found, 0));
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_of_a_deleted_topic_are_not_those_of_the_next_one_of_its_name() {
    use protocol::generated::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    let delete = DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name: Some("orders".into()), ..Default::default() }],
        timeout_ms: 20_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(wire.ask(6, &delete).await.responses[0].error_code, 0);
    wire.create_topic("orders", 1).await;
    assert_eq!(wire.committed("billing", "orders").await, -1);
    assert_eq!(wire.fetch("billing", None).await, []);
    let absent = OffsetCommitRequestTopic { name: "gone".into(), ..Default::default() };
    let none = OffsetCommitRequest { topics: vec![absent], ..commit_request("", OUTSIDE, "", 0) };
    assert_eq!(wire.ask(9, &none).await.topics[0].partitions, []);
    drop(wire);
    stop(node).await;
}
