//! What is asked of a cluster about nodes, replicas, leaders and voters, and what its answers
//! become. If this breaks, a person moves other replicas than they meant, or believes that a move
//! is through which was refused.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod scripted_broker;

use client::{
    Admin, BrokerId, Client, ElectionKind, Error, NewVoter, PartitionIndex, ReplicaMove, TopicName,
    TopicPartition,
};
use protocol::generated::add_raft_voter::{self, AddRaftVoterRequest, AddRaftVoterResponse};
use protocol::generated::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::generated::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use protocol::generated::describe_quorum::{
    self, DescribeQuorumRequest, DescribeQuorumResponse, ReplicaState,
};
use protocol::generated::describe_topic_partitions::{
    self as described, Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use protocol::generated::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use protocol::generated::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use protocol::generated::remove_raft_voter::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};
use protocol::generated::unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use protocol::primitives::WireString;
use protocol::{ApiKey, ErrorCode, TopicId};
use scripted_broker::ScriptedBroker;
use uuid::Uuid;

async fn admin(broker: &ScriptedBroker) -> Admin {
    Client::connect(&broker.start(&[]).await).await.unwrap().admin()
}

fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition::new(TopicName::new(topic).unwrap(), PartitionIndex(index))
}

fn nodes(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn text(text: &str) -> Option<WireString> {
    Some(WireString::from(text))
}

#[tokio::test]
async fn each_move_has_its_own_result_and_a_controller_that_moved_is_asked_again() {
    let result = |partition_index, error_code, message| ReassignablePartitionResponse {
        partition_index,
        error_code,
        error_message: message,
    };
    let topic = |name: &str, partitions| ReassignableTopicResponse {
        name: WireString::from(name),
        partitions,
    };
    let invalid = ErrorCode::InvalidReplicaAssignment.code();
    let broker = ScriptedBroker::default()
        .answer::<AlterPartitionReassignmentsRequest>(AlterPartitionReassignmentsResponse {
            error_code: ErrorCode::NotController.code(),
            ..AlterPartitionReassignmentsResponse::default()
        })
        .answer::<AlterPartitionReassignmentsRequest>(AlterPartitionReassignmentsResponse {
            responses: vec![
                topic("a", vec![result(0, 0, None), result(1, invalid, text("no broker 9"))]),
                topic("b", vec![result(0, 0, None)]),
            ],
            ..AlterPartitionReassignmentsResponse::default()
        });
    let moves = [
        (partition("b", 0), ReplicaMove::Cancel),
        (partition("a", 0), ReplicaMove::To(nodes(&[2, 3]))),
        (partition("a", 1), ReplicaMove::To(nodes(&[9]))),
    ];
    let results = admin(&broker).await.reassign_partitions(&moves, false).await.unwrap();
    assert!(results[0].1.is_ok() && results[2].1.is_ok());
    let refused = results[1].1.as_ref().unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::InvalidReplicaAssignment));
    let said = refused.to_string();
    assert!(said.contains("a-1") && said.contains("no broker 9"), "{said}");

    let asked = broker.asked::<AlterPartitionReassignmentsRequest>();
    assert_eq!(asked.len(), 2);
    let request = &asked[1];
    assert!(!request.allow_replication_factor_change);
    let sent: Vec<_> = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|it| (&*topic.name, it.replicas.clone())))
        .collect();
    assert_eq!(sent, [("a", Some(vec![2, 3])), ("a", Some(vec![9])), ("b", None)]);
}

#[tokio::test]
async fn a_move_under_way_says_where_it_leads() {
    let ongoing = OngoingPartitionReassignment {
        partition_index: 4,
        replicas: vec![3, 1, 2],
        adding_replicas: vec![3],
        removing_replicas: vec![2],
    };
    let topic = OngoingTopicReassignment { name: WireString::from("a"), partitions: vec![ongoing] };
    let response = ListPartitionReassignmentsResponse {
        topics: vec![topic],
        ..ListPartitionReassignmentsResponse::default()
    };
    let broker = ScriptedBroker::default()
        .answer::<ListPartitionReassignmentsRequest>(response)
        .answer::<ListPartitionReassignmentsRequest>(
        ListPartitionReassignmentsResponse::default(),
    );
    let admin = admin(&broker).await;
    let moves = admin.list_reassignments(None).await.unwrap();
    assert_eq!(moves[0].partition, partition("a", 4));
    assert_eq!(moves[0].target(), nodes(&[3, 1]));
    assert!(admin.list_reassignments(Some(&[partition("a", 4)])).await.unwrap().is_empty());
    let asked = broker.asked::<ListPartitionReassignmentsRequest>();
    assert_eq!(asked[0].topics, None);
    assert_eq!(asked[1].topics.as_ref().unwrap()[0].partition_indexes, [4]);
}

#[tokio::test]
async fn an_election_says_what_became_of_each_partition() {
    let result = |partition_id, code: ErrorCode| PartitionResult {
        partition_id,
        error_code: code.code(),
        error_message: None,
    };
    let results = vec![result(0, ErrorCode::None), result(1, ErrorCode::ElectionNotNeeded)];
    let topic = ReplicaElectionResult { topic: WireString::from("a"), partition_result: results };
    let broker = ScriptedBroker::default().answer::<ElectLeadersRequest>(ElectLeadersResponse {
        replica_election_results: vec![topic],
        ..ElectLeadersResponse::default()
    });
    let wanted = [partition("a", 0), partition("a", 1)];
    let admin = admin(&broker).await;
    let results = admin.elect_leaders(ElectionKind::Unclean, Some(&wanted)).await.unwrap();
    assert!(results[0].1.is_ok());
    let code = results[1].1.as_ref().unwrap_err().code();
    assert_eq!((&results[1].0, code), (&wanted[1], Some(ErrorCode::ElectionNotNeeded)));
    let asked = &broker.asked::<ElectLeadersRequest>()[0];
    assert_eq!(asked.election_type, 1);
    assert_eq!(asked.topic_partitions.as_ref().unwrap()[0].partitions, [0, 1]);
}

#[tokio::test]
async fn the_quorum_is_described_with_its_lag_and_changed() {
    let member = |replica_id, log_end_offset| ReplicaState {
        replica_id,
        replica_directory_id: TopicId(Uuid::from_u128(replica_id as u128)),
        log_end_offset,
        last_caught_up_timestamp: -1,
        ..ReplicaState::default()
    };
    let log = describe_quorum::PartitionData {
        leader_id: 2,
        leader_epoch: 7,
        high_watermark: 90,
        current_voters: vec![member(3, 60), member(2, 100)],
        observers: vec![member(4, -1)],
        ..describe_quorum::PartitionData::default()
    };
    let listener = describe_quorum::Listener {
        name: WireString::from("CLUSTER"),
        host: WireString::from("::1"),
        port: 10_092,
    };
    let response = DescribeQuorumResponse {
        topics: vec![describe_quorum::TopicData {
            topic_name: WireString::from("__cluster_metadata"),
            partitions: vec![log],
        }],
        nodes: vec![describe_quorum::Node { node_id: 3, listeners: vec![listener] }],
        ..DescribeQuorumResponse::default()
    };
    let broker = ScriptedBroker::default()
        .answer::<DescribeQuorumRequest>(response)
        .answer::<AddRaftVoterRequest>(AddRaftVoterResponse {
            error_code: ErrorCode::DuplicateVoter.code(),
            ..AddRaftVoterResponse::default()
        })
        .answer::<RemoveRaftVoterRequest>(RemoveRaftVoterResponse::default());
    let admin = admin(&broker).await;
    let quorum = admin.describe_quorum().await.unwrap();
    assert_eq!((quorum.leader, quorum.leader_epoch), (Some(BrokerId(2)), 7));
    let lags: Vec<_> = quorum.members().map(|it| (it.id.0, quorum.lag_of(it))).collect();
    assert_eq!(lags, [(2, Some(0)), (3, Some(40)), (4, None)]);
    assert_eq!(quorum.voters[1].addresses, ["[::1]:10092"]);
    assert_eq!(quorum.voters[1].last_caught_up, None);

    let directory_id = quorum.voters[1].directory_id;
    let endpoints = vec![("CLUSTER".to_owned(), "::1".to_owned(), 10_092)];
    let voter = NewVoter { id: BrokerId(3), directory_id, endpoints };
    let refused = admin.add_voter(&voter).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::DuplicateVoter));
    admin.remove_voter(BrokerId(3), directory_id).await.unwrap();
    let added = &broker.asked::<AddRaftVoterRequest>()[0];
    let listener: &add_raft_voter::Listener = &added.listeners[0];
    assert_eq!((&*listener.host, listener.port), ("::1", 10_092));
    assert_eq!(broker.asked::<RemoveRaftVoterRequest>()[0].voter_directory_id.0, directory_id);
}

#[tokio::test]
async fn fenced_brokers_are_described_where_the_version_can_ask_for_them() {
    let broker_row = |broker_id, is_fenced| DescribeClusterBroker {
        broker_id,
        host: WireString::from("h"),
        port: 1,
        is_fenced,
        ..DescribeClusterBroker::default()
    };
    let response = |fenced| DescribeClusterResponse {
        brokers: vec![broker_row(2, fenced), broker_row(1, false)],
        ..DescribeClusterResponse::default()
    };
    let broker = ScriptedBroker::default()
        .answer::<DescribeClusterRequest>(response(true))
        .answer::<UnregisterBrokerRequest>(UnregisterBrokerResponse {
        error_code: ErrorCode::BrokerIdNotRegistered.code(),
        ..UnregisterBrokerResponse::default()
    });
    let admin = admin(&broker).await;
    let described = admin.describe_cluster().await.unwrap();
    assert!(described.fenced.contains(&BrokerId(2)) && described.fenced.len() == 1);
    assert!(broker.asked::<DescribeClusterRequest>()[0].include_fenced_brokers);
    let refused = admin.unregister_broker(BrokerId(9)).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::BrokerIdNotRegistered));

    let older = ScriptedBroker::default().answer::<DescribeClusterRequest>(response(false));
    let address = older.start(&[(ApiKey::DescribeCluster, 1)]).await;
    let admin = Client::connect(&address).await.unwrap().admin();
    let described = admin.describe_cluster().await.unwrap();
    assert_eq!((described.brokers.len(), described.fenced.len()), (2, 0));
}

fn page(
    topic: &str,
    partitions: &[(i32, &[i32])],
    next: Option<(&str, i32)>,
) -> DescribeTopicPartitionsResponse {
    let row =
        |(index, eligible): &(i32, &[i32])| described::DescribeTopicPartitionsResponsePartition {
            partition_index: *index,
            eligible_leader_replicas: Some(eligible.to_vec()),
            ..described::DescribeTopicPartitionsResponsePartition::default()
        };
    let topic = described::DescribeTopicPartitionsResponseTopic {
        name: text(topic),
        partitions: partitions.iter().map(row).collect(),
        ..described::DescribeTopicPartitionsResponseTopic::default()
    };
    let cursor = |(topic, partition_index): (&str, i32)| Cursor {
        topic_name: WireString::from(topic),
        partition_index,
    };
    DescribeTopicPartitionsResponse {
        topics: vec![topic],
        next_cursor: next.map(cursor),
        ..DescribeTopicPartitionsResponse::default()
    }
}

#[tokio::test]
async fn eligible_leaders_are_read_page_by_page() {
    let broker = ScriptedBroker::default()
        .answer::<DescribeTopicPartitionsRequest>(page("a", &[(0, &[1]), (1, &[])], Some(("a", 2))))
        .answer::<DescribeTopicPartitionsRequest>(page("a", &[(2, &[3])], Some(("b", 0))))
        .answer::<DescribeTopicPartitionsRequest>(page("b", &[(0, &[2, 3])], None));
    let topics = ["b", "a"].map(|name| TopicName::new(name).unwrap());
    let found = admin(&broker).await.eligible_leaders(&topics).await.unwrap();
    let found: Vec<_> = found.iter().map(|(name, nodes)| (name.to_string(), nodes.len())).collect();
    let expected = [("a-0", 1), ("a-1", 0), ("a-2", 1), ("b-0", 2)];
    assert_eq!(found, expected.map(|(name, count)| (name.to_owned(), count)));
    let asked = broker.asked::<DescribeTopicPartitionsRequest>();
    assert_eq!(asked[1].cursor.as_ref().unwrap().partition_index, 2);
    assert_eq!(asked[2].topics.len(), 1, "what is read is not asked for again");
}

#[tokio::test]
async fn pages_that_do_not_go_on_end_in_an_error() {
    let again = || page("a", &[(0, &[])], Some(("a", 1)));
    let broker = ScriptedBroker::default()
        .answer::<DescribeTopicPartitionsRequest>(again())
        .answer::<DescribeTopicPartitionsRequest>(again());
    let topics = [TopicName::new("a").unwrap()];
    let error = admin(&broker).await.eligible_leaders(&topics).await.unwrap_err();
    assert!(matches!(error, Error::NotInResponse { .. }), "{error}");
}
