//! A group on a node: it joins, commits and goes on after each kind of restart. If a commit were
//! answered before it is in the log, or the log read wrongly, a consumer would resume in the wrong
//! place.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod group_harness;

use actors::Node;
use group_harness::{
    OUTSIDE, PATIENCE, Wire, commit_request, join_request, start, start_with, stop,
};
use protocol::ErrorCode;
use protocol::generated::heartbeat::HeartbeatRequest;
use protocol::generated::join_group::JoinGroupRequest;
use supervision::OperatorCommand;

async fn heartbeat(wire: &mut Wire, group: &str, (member, generation): (&str, i32)) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: group.into(),
        generation_id: generation,
        member_id: member.into(),
        ..HeartbeatRequest::default()
    };
    let response = wire.until(4, &request, |response| response.error_code).await;
    ErrorCode::from_code(response.error_code).unwrap()
}

async fn prepared(directory: &std::path::Path) -> (Node, Wire) {
    let node = start(directory).await;
    let mut wire = Wire::connect(&node).await;
    wire.create_topic("orders", 2).await;
    let (host, port) = wire.find_coordinator("billing").await;
    let bootstrap = node.bootstrap().unwrap();
    assert_eq!((host.as_str(), port), ("127.0.0.1", i32::from(bootstrap.port())));
    (node, wire)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_after_the_node_starts_again() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    let (member, generation) = wire.become_member("billing").await;
    let me = (member.as_str(), generation);
    assert_eq!(wire.commit(&commit_request("billing", me, "orders", 17)).await, ErrorCode::None);
    assert_eq!(wire.committed("billing", "orders").await, 17);
    // it is the node that ends the connection: that cuts off nobody
    stop(node).await;
    drop(wire);

    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    assert_eq!(wire.committed("billing", "orders").await, 17);
    assert_eq!(heartbeat(&mut wire, "billing", me).await, ErrorCode::None);
    assert_eq!(wire.commit(&commit_request("billing", me, "orders", 18)).await, ErrorCode::None);
    assert_eq!(wire.committed("billing", "orders").await, 18);
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_after_its_coordinator_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    let (member, generation) = wire.become_member("billing").await;
    let me = (member.as_str(), generation);
    for offset in 0..20 {
        let commit = commit_request("billing", me, "orders", offset);
        assert_eq!(wire.commit(&commit).await, ErrorCode::None);
        node.tree().operate("groups/billing", OperatorCommand::Kill).await.unwrap();
        assert_eq!(heartbeat(&mut wire, "billing", me).await, ErrorCode::None);
        assert_eq!(wire.committed("billing", "orders").await, offset);
        node.tree().operate("groups/billing", OperatorCommand::Restart).await.unwrap();
    }
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_after_the_replica_of_its_partition_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    let (member, generation) = wire.become_member("billing").await;
    let me = (member.as_str(), generation);
    assert_eq!(wire.commit(&commit_request("billing", me, "orders", 5)).await, ErrorCode::None);
    let index = coordination::coordinator_partition("billing", 3).unwrap();
    let replica = format!("partitions/__consumer_offsets-{index}");
    node.tree().operate(&replica, OperatorCommand::Kill).await.unwrap();
    // a simple consumer of another group of the same partition finds its coordinator again, too
    assert_eq!(heartbeat(&mut wire, "billing", me).await, ErrorCode::None);
    assert_eq!(wire.committed("billing", "orders").await, 5);
    assert_eq!(wire.commit(&commit_request("billing", me, "orders", 6)).await, ErrorCode::None);
    assert_eq!(wire.committed("billing", "orders").await, 6);
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_come_at_once_are_in_one_generation() {
    let directory = tempfile::tempdir().unwrap();
    let delay = ("group.initial.rebalance.delay.ms", "500");
    let node = start_with(directory.path(), &[delay]).await;
    let mut wire = Wire::connect(&node).await;
    wire.find_coordinator("crowd").await;
    let mut members = Vec::new();
    for _ in 0..10 {
        let mut wire = Wire::connect(&node).await;
        members.push(tokio::spawn(async move {
            let first = wire.join("crowd", "").await;
            assert_eq!(first.error_code, ErrorCode::MemberIdRequired.code());
            wire.join("crowd", &first.member_id).await
        }));
    }
    let mut told = 0;
    for member in members {
        let joined = member.await.unwrap();
        assert_eq!((joined.error_code, joined.generation_id), (0, 1));
        told += joined.members.len();
    }
    // its leader is told of all, the others of nobody
    assert_eq!(told, 10);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_ended_can_begin_again_at_once() {
    use protocol::generated::delete_groups::DeleteGroupsRequest;
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    let delete = DeleteGroupsRequest { groups_names: vec!["billing".into()] };
    for offset in 0..20 {
        let commit = commit_request("billing", OUTSIDE, "orders", offset);
        assert_eq!(wire.commit(&commit).await, ErrorCode::None);
        assert_eq!(wire.committed("billing", "orders").await, offset);
        let deleted = wire.until(2, &delete, |response| response.results[0].error_code).await;
        assert_eq!(deleted.results[0].error_code, 0);
        assert_eq!(wire.committed("billing", "orders").await, -1);
    }
    let deleted = wire.until(2, &delete, |response| response.results[0].error_code).await;
    assert_eq!(deleted.results[0].error_code, ErrorCode::GroupIdNotFound.code());
    assert_eq!(node.broker().groups.count(), 0);
    drop(wire);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_for_groups_that_do_not_exist_start_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut wire) = prepared(directory.path()).await;
    assert_eq!(heartbeat(&mut wire, "nobody", ("me", 3)).await, ErrorCode::UnknownMemberId);
    assert_eq!(wire.committed("nobody", "orders").await, -1);
    let as_member: JoinGroupRequest = join_request("nobody", "a member of old");
    let refused = wire.until(9, &as_member, |response| response.error_code).await;
    assert_eq!(refused.error_code, ErrorCode::UnknownMemberId.code());
    let refused = wire.commit(&commit_request("nobody", ("me", 3), "orders", 1)).await;
    assert_eq!(refused, ErrorCode::GroupIdNotFound);
    // the two that might have begun a group are gone again
    let started = std::time::Instant::now();
    while node.broker().groups.count() > 0 {
        assert!(started.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    drop(wire);
    stop(node).await;
}
