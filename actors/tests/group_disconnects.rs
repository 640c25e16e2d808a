//! Members whose clients close their connections. If the coordinator did not hear of it, the others
//! would wait for a session timeout; if it took the end of any connection for the end of a member,
//! they would rebalance for nothing.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "the harness serves several files")]
mod group_harness;

use actors::Node;
use group_harness::{PATIENCE, Wire, join_request, start_with, stop};
use protocol::ErrorCode;
use protocol::generated::describe_groups::DescribeGroupsRequest;
use protocol::generated::heartbeat::HeartbeatRequest;
use protocol::generated::join_group::JoinGroupRequest;

/// Far below the session timeout of the members, which is longer than a test's patience.
const GRACE: (&str, &str) = ("callboard.group.disconnect.grace.ms", "300");

async fn started(directory: &std::path::Path, settings: &[(&str, &str)]) -> Node {
    let at_once = ("group.initial.rebalance.delay.ms", "0");
    let settings: Vec<_> = settings.iter().copied().chain([at_once]).collect();
    let node = start_with(directory, &settings).await;
    let mut wire = Wire::connect(&node).await;
    wire.find_coordinator("billing").await;
    node
}

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

async fn members_of(wire: &mut Wire, group: &str) -> usize {
    let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
    let response = wire.until(5, &request, |response| response.groups[0].error_code).await;
    response.groups[0].members.len()
}

async fn until_nobody_is_left(wire: &mut Wire, group: &str) {
    let started = std::time::Instant::now();
    while members_of(wire, group).await > 0 {
        assert!(started.elapsed() < PATIENCE, "{group} still has a member");
        tokio::task::yield_now().await;
    }
}

/// Lets a member of another group close its connection, and waits until that group has lost it: what
/// closed before has had its grace by then.
async fn a_grace_later(node: &Node) {
    let mut wire = Wire::connect(node).await;
    wire.become_member("passers-by").await;
    drop(wire);
    until_nobody_is_left(&mut Wire::connect(node).await, "passers-by").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_client_closed_gives_its_partitions_to_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path(), &[GRACE]).await;
    let mut first = Wire::connect(&node).await;
    let (lost, generation) = first.become_member("billing").await;
    let mut second = Wire::connect(&node).await;
    let named = second.join("billing", "").await;
    drop(first);
    // parked until the first one has joined again or is lost
    let joined = second.join("billing", &named.member_id).await;
    assert_eq!((joined.error_code, joined.generation_id), (0, generation + 1));
    assert_eq!(joined.members.len(), 1, "it may assign everything to itself");
    let synced = second.sync("billing", &joined, b"everything").await;
    assert_eq!(&*synced.assignment, b"everything");
    let late = heartbeat(&mut Wire::connect(&node).await, "billing", (&lost, generation)).await;
    assert_eq!(late, ErrorCode::UnknownMemberId);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_waits_for_the_others_is_lost_when_its_client_closes() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path(), &[GRACE]).await;
    let mut first = Wire::connect(&node).await;
    let (member, generation) = first.become_member("billing").await;
    let mut second = Wire::connect(&node).await;
    let named = second.join("billing", "").await;
    second.send(9, &join_request("billing", &named.member_id)).await;
    let me = (member.as_str(), generation);
    while heartbeat(&mut first, "billing", me).await != ErrorCode::RebalanceInProgress {
        tokio::task::yield_now().await;
    }
    drop(second);
    let joined = loop {
        let joined = first.join("billing", &member).await;
        if joined.members.len() == 1 {
            break joined;
        }
        // it came while the other one was still expected back
        assert_eq!((joined.error_code, joined.members.len()), (0, 2));
        first.sync("billing", &joined, b"half").await;
    };
    assert_eq!(joined.leader, joined.member_id);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_comes_back_in_time_keeps_its_partitions() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path(), &[(GRACE.0, "3000")]).await;
    let mut wire = Wire::connect(&node).await;
    let (member, generation) = wire.become_member("billing").await;
    drop(wire);
    let mut wire = Wire::connect(&node).await;
    let me = (member.as_str(), generation);
    assert_eq!(heartbeat(&mut wire, "billing", me).await, ErrorCode::None);
    a_grace_later(&node).await;
    assert_eq!(heartbeat(&mut wire, "billing", me).await, ErrorCode::None);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_speaks_by_another_connection_is_not_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path(), &[GRACE]).await;
    let mut wire = Wire::connect(&node).await;
    let (member, generation) = wire.become_member("billing").await;
    let me = (member.as_str(), generation);
    let mut other = Wire::connect(&node).await;
    assert_eq!(heartbeat(&mut other, "billing", me).await, ErrorCode::None);
    drop(other);
    a_grace_later(&node).await;
    assert_eq!(heartbeat(&mut wire, "billing", me).await, ErrorCode::None);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_speaks_for_so_many_members_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path(), &[GRACE]).await;
    let mut wire = Wire::connect(&node).await;
    wire.become_member("billing").await;
    for stranger in 0..256 {
        let refused = heartbeat(&mut wire, "billing", (&format!("stranger-{stranger}"), 1)).await;
        assert_eq!(refused, ErrorCode::UnknownMemberId);
    }
    drop(wire);
    a_grace_later(&node).await;
    // forgotten in favour of the others, so it has its session
    assert_eq!(members_of(&mut Wire::connect(&node).await, "billing").await, 1);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_is_expected_back() {
    let directory = tempfile::tempdir().unwrap();
    let node = started(directory.path(), &[GRACE]).await;
    let mut wire = Wire::connect(&node).await;
    let request = JoinGroupRequest {
        group_instance_id: Some("shelf-1".into()),
        ..join_request("billing", "")
    };
    let joined = wire.until(9, &request, |response| response.error_code).await;
    assert_eq!(joined.error_code, 0);
    drop(wire);
    a_grace_later(&node).await;
    assert_eq!(members_of(&mut Wire::connect(&node).await, "billing").await, 1);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_grace_a_member_has_its_session() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [(GRACE.0, "0"), ("group.min.session.timeout.ms", "1")];
    let node = started(directory.path(), &settings).await;
    let mut wire = Wire::connect(&node).await;
    let (member, generation) = wire.become_member("billing").await;
    drop(wire);
    // one with a session of half a second closes after it, and is lost by that
    let mut wire = Wire::connect(&node).await;
    let short = |member: &str| JoinGroupRequest {
        session_timeout_ms: 500,
        ..join_request("passers-by", member)
    };
    let named = wire.until(9, &short(""), |response| response.error_code).await;
    let joined = wire.ask(9, &short(&named.member_id)).await;
    assert_eq!(joined.error_code, 0);
    drop(wire);
    let mut wire = Wire::connect(&node).await;
    until_nobody_is_left(&mut wire, "passers-by").await;
    assert_eq!(heartbeat(&mut wire, "billing", (&member, generation)).await, ErrorCode::None);
    stop(node).await;
}
