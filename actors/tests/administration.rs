//! What administrators ask of a cluster, over the wire, on a node that is alone: each API is
//! answered with Kafka's codes. If one is not, an admin tool reports success for what did not happen.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "administrators join no groups")]
mod group_harness;

use group_harness::{Wire, start, stop};
use protocol::ErrorCode;
use protocol::generated::add_raft_voter::AddRaftVoterRequest;
use protocol::generated::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use protocol::generated::describe_cluster::DescribeClusterRequest;
use protocol::generated::describe_quorum::{
    DescribeQuorumRequest, RequestedPartition, RequestedTopic,
};
use protocol::generated::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use protocol::generated::list_partition_reassignments::ListPartitionReassignmentsRequest;
use protocol::generated::remove_raft_voter::RemoveRaftVoterRequest;
use protocol::generated::unregister_broker::UnregisterBrokerRequest;

fn elections(kind: i8, partitions: Option<Vec<i32>>) -> ElectLeadersRequest {
    let topic = |partitions| TopicPartitions { topic: "orders".into(), partitions };
    ElectLeadersRequest {
        election_type: kind,
        topic_partitions: partitions.map(|partitions| vec![topic(partitions)]),
        timeout_ms: 20_000,
    }
}

#[tokio::test]
async fn elections_are_answered_partition_by_partition() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    wire.create_topic("orders", 2).await;
    for kind in [0, 1] {
        let response = wire.ask(2, &elections(kind, Some(vec![0, 7]))).await;
        let results = &response.replica_election_results[0].partition_result;
        let codes: Vec<_> = results.iter().map(|one| one.error_code).collect();
        let expected = [ErrorCode::ElectionNotNeeded, ErrorCode::UnknownTopicOrPartition];
        assert_eq!(codes, expected.map(ErrorCode::code), "kind {kind}");
    }
    // all partitions: those that need no election are not mentioned
    let response = wire.ask(2, &elections(0, None)).await;
    assert_eq!((response.error_code, response.replica_election_results.len()), (0, 0));
    let response = wire.ask(2, &elections(9, None)).await;
    assert_eq!(response.error_code, ErrorCode::InvalidRequest.code());
    stop(node).await;
}

#[tokio::test]
async fn reassignments_that_cannot_be_are_refused_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    wire.create_topic("orders", 3).await;
    let wanted = [(0, Some(vec![9])), (1, None), (2, Some(vec![1])), (7, Some(vec![1]))];
    let partition =
        |(partition_index, replicas)| ReassignablePartition { partition_index, replicas };
    let request = AlterPartitionReassignmentsRequest {
        topics: vec![ReassignableTopic {
            name: "orders".into(),
            partitions: wanted.map(partition).to_vec(),
        }],
        ..AlterPartitionReassignmentsRequest::default()
    };
    let response = wire.ask(1, &request).await;
    let results = &response.responses[0].partitions;
    let codes: Vec<_> = results.iter().map(|one| (one.partition_index, one.error_code)).collect();
    let expected = [
        (0, ErrorCode::InvalidReplicaAssignment),
        (1, ErrorCode::NoReassignmentInProgress),
        (2, ErrorCode::None),
        (7, ErrorCode::UnknownTopicOrPartition),
    ];
    assert_eq!(codes, expected.map(|(index, code)| (index, code.code())));
    let ongoing = wire.ask(0, &ListPartitionReassignmentsRequest::default()).await;
    assert_eq!((ongoing.error_code, ongoing.topics.len()), (0, 0));
    stop(node).await;
}

#[tokio::test]
async fn the_controller_is_named_and_an_unknown_broker_cannot_be_unregistered() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    let request = DescribeClusterRequest { endpoint_type: 1, ..DescribeClusterRequest::default() };
    let cluster = wire.ask(2, &request).await;
    assert_eq!((cluster.error_code, cluster.controller_id), (0, 1));
    assert!(!cluster.brokers[0].is_fenced);
    let response = wire.ask(0, &UnregisterBrokerRequest { broker_id: 9 }).await;
    assert_eq!(response.error_code, ErrorCode::BrokerIdNotRegistered.code());
    assert!(response.error_message.is_some());
    stop(node).await;
}

#[tokio::test]
async fn the_quorum_is_described_and_its_last_voter_stays() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    let topic = |name: &str| RequestedTopic {
        topic_name: name.into(),
        partitions: vec![RequestedPartition { partition_index: 0 }],
    };
    let topics = vec![topic("__cluster_metadata"), topic("orders")];
    let described = wire.ask(2, &DescribeQuorumRequest { topics }).await;
    let quorum = &described.topics[0].partitions[0];
    assert_eq!((quorum.error_code, quorum.leader_id), (0, 1));
    assert!(quorum.leader_epoch > 0 && quorum.high_watermark > 0);
    assert_eq!(quorum.current_voters.len(), 1);
    assert_eq!(quorum.current_voters[0].replica_id, 1);
    let unknown = described.topics[1].partitions[0].error_code;
    assert_eq!(unknown, ErrorCode::UnknownTopicOrPartition.code());

    let remove = RemoveRaftVoterRequest { cluster_id: None, voter_id: 1, ..Default::default() };
    let refused = wire.ask(0, &remove).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidRequest.code());
    let elsewhere = RemoveRaftVoterRequest { cluster_id: Some("another".into()), ..remove };
    let refused = wire.ask(0, &elsewhere).await;
    assert_eq!(refused.error_code, ErrorCode::InconsistentClusterId.code());
    let (cluster_id, timeout_ms) = (None, 500);
    let add = AddRaftVoterRequest { cluster_id, voter_id: 9, timeout_ms, ..Default::default() };
    let refused = wire.ask(1, &add).await;
    assert_eq!(refused.error_code, ErrorCode::VoterNotFound.code());
    stop(node).await;
}
