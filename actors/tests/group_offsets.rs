//! Many commits, many groups, and offsets that expire. If commits that overlap were written or read
//! in another order than they were made, or an expired one came back, consumers would go astray.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod group_harness;

use group_harness::{OUTSIDE, PATIENCE, Wire, commit_request, join_request, start, stop};
use protocol::ErrorCode;
use protocol::generated::describe_groups::DescribeGroupsRequest;
use protocol::generated::join_group::JoinGroupRequest;
use protocol::generated::list_groups::ListGroupsRequest;
use protocol::generated::offset_commit::OffsetCommitRequest;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_overlap_are_all_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    wire.create_topic("orders", 8).await;
    wire.find_coordinator("busy").await;
    let mut committing = Vec::new();
    for partition in 0..8 {
        let mut wire = Wire::connect(&node).await;
        committing.push(tokio::spawn(async move {
            for offset in 0..200 {
                let mut commit = commit_request("busy", OUTSIDE, "orders", offset);
                commit.topics[0].partitions[0].partition_index = partition;
                assert_eq!(wire.commit(&commit).await, ErrorCode::None);
            }
        }));
    }
    for partition in committing {
        partition.await.unwrap();
    }
    let before = wire.fetch("busy", None).await;
    stop(node).await;

    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    let after = wire.fetch("busy", None).await;
    assert_eq!(before, after);
    let offsets: Vec<i64> =
        after[0].partitions.iter().map(|partition| partition.committed_offset).collect();
    assert_eq!(offsets, [199; 8]);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_groups_are_listed_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    wire.create_topic("orders", 1).await;
    wire.find_coordinator("group-0").await;
    for number in 0..300 {
        let commit = commit_request(&format!("group-{number}"), OUTSIDE, "orders", number);
        assert_eq!(wire.commit(&commit).await, ErrorCode::None);
    }
    stop(node).await;

    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    let request = ListGroupsRequest::default();
    let listed = wire.until(5, &request, |answer| answer.error_code).await;
    assert_eq!((listed.error_code, listed.groups.len()), (0, 300));
    for number in (0..300).step_by(37) {
        assert_eq!(wire.committed(&format!("group-{number}"), "orders").await, number);
    }
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_with_its_last_expired_offset_and_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    wire.create_topic("orders", 1).await;
    wire.find_coordinator("passing").await;
    let commit = OffsetCommitRequest {
        retention_time_ms: 0,
        ..commit_request("passing", OUTSIDE, "orders", 3)
    };
    let code = |answer: &protocol::generated::offset_commit::OffsetCommitResponse| {
        answer.topics[0].partitions[0].error_code
    };
    assert_eq!(code(&wire.until(4, &commit, code).await), 0);
    let lasting = commit_request("lasting", OUTSIDE, "orders", 4);
    assert_eq!(wire.commit(&lasting).await, ErrorCode::None);
    let groups = &node.broker().groups;
    assert_eq!(groups.count(), 2);
    groups.expire_offsets(node.broker());
    let started = std::time::Instant::now();
    while groups.count() > 1 {
        assert!(started.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    stop(node).await;

    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    assert_eq!(wire.committed("passing", "orders").await, -1);
    assert_eq!(wire.committed("lasting", "orders").await, 4);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_client_left_while_it_joined_is_lost_before_its_session_ends() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    wire.find_coordinator("crowd").await;
    wire.become_member("crowd").await;
    let mut leaver = Wire::connect(&node).await;
    let first = leaver.join("crowd", "").await;
    // parked: the member that is there already does not join again
    leaver.send::<JoinGroupRequest>(9, &join_request("crowd", &first.member_id)).await;
    let members = async |wire: &mut Wire| {
        let request = DescribeGroupsRequest { groups: vec!["crowd".into()], ..Default::default() };
        wire.ask(5, &request).await.groups[0].members.len()
    };
    while members(&mut wire).await < 2 {}
    drop(leaver);
    let started = std::time::Instant::now();
    while members(&mut wire).await > 1 {
        assert!(started.elapsed() < PATIENCE);
    }
    drop(wire);
    stop(node).await;
}
