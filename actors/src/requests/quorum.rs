//! DescribeQuorum (KIP-595), AddRaftVoter and RemoveRaftVoter (KIP-853): who agrees on the metadata.
//!
//! Any node takes them; what only the leader knows or does is asked of it.

use std::time::Duration;

use metadata::DirectoryId;
use protocol::generated::add_raft_voter::{AddRaftVoterRequest, AddRaftVoterResponse};
use protocol::generated::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState,
    RequestedTopic, TopicData,
};
use protocol::generated::remove_raft_voter::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};
use protocol::primitives::{Encoded, WireString};
use protocol::{BrokerId, ErrorCode, TopicId};
use tokio::time::{Instant, sleep};

use super::Turn;
use super::controller_call::{wait_default, wait_from};
use crate::broker::Broker;
use crate::client_session::connection::ConnectionEnd;
use crate::metadata_quorum::{AskQuorum, QuorumAnswer, QuorumMember, QuorumRefusal, QuorumView};

/// The name under which Kafka's tools ask for the metadata log.
const METADATA_TOPIC: &str = "__cluster_metadata";
/// What the listener between nodes is called where Kafka names one.
const LISTENER: &str = "CLUSTER";
/// How long the leader may take to describe the quorum, before this node says what it knows itself.
const DESCRIPTION_DEADLINE: Duration = Duration::from_secs(1);
/// How long until the leader is asked again.
const RETRY: Duration = Duration::from_millis(100);

/// Describes the quorum.
///
/// # Errors
/// As every request.
pub async fn describe_quorum(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<DescribeQuorumRequest>()?;
    let version = turn.frame.version;
    let view = view_of_the_leader(turn.broker).await;
    let nodes: Vec<Node> = view.members().filter_map(node).collect();
    let response = DescribeQuorumResponse {
        topics: request.topics.iter().map(|topic| describe(topic, &view, version)).collect(),
        nodes: if version >= 2 { nodes } else { Vec::new() },
        error_message: None,
        ..DescribeQuorumResponse::default()
    };
    turn.respond::<DescribeQuorumRequest>(&response)
}

/// Only the leader knows how far the others are.
async fn view_of_the_leader(broker: &Broker) -> QuorumView {
    let own = broker.quorum.view();
    let Some(leader) = own.leader.filter(|leader| *leader != broker.id) else {
        return QuorumView::clone(&own);
    };
    let asked = broker.peer_caller();
    match asked.ask(leader, &AskQuorum::Describe, DESCRIPTION_DEADLINE).await {
        Ok(QuorumAnswer::Described(view)) => view,
        _ => QuorumView::clone(&own),
    }
}

fn node(member: &QuorumMember) -> Option<Node> {
    let address = member.address.as_ref()?;
    let listener = Listener {
        name: WireString::from_static(LISTENER),
        host: WireString::from(&*address.host),
        port: address.port,
    };
    Some(Node { node_id: member.broker.0, listeners: vec![listener] })
}

fn describe(topic: &RequestedTopic, view: &QuorumView, version: i16) -> TopicData {
    let describe = |index: i32| {
        let is_known = &*topic.topic_name == METADATA_TOPIC && index == 0;
        let code = match (is_known, view.leader) {
            (false, _) => ErrorCode::UnknownTopicOrPartition,
            (true, None) => ErrorCode::LeaderNotAvailable,
            (true, Some(_)) => return described(view, version),
        };
        let error_code = code.code();
        PartitionData { partition_index: index, error_code, ..PartitionData::default() }
    };
    TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic.partitions.iter().map(|one| describe(one.partition_index)).collect(),
    }
}

fn described(view: &QuorumView, version: i16) -> PartitionData {
    let replica = |member: &QuorumMember| {
        let directory = member.directory.map_or(TopicId::ZERO, |directory| TopicId(directory.0));
        ReplicaState {
            replica_id: member.broker.0,
            replica_directory_id: if version >= 2 { directory } else { TopicId::ZERO },
            log_end_offset: end_after(member.last),
            ..ReplicaState::default()
        }
    };
    PartitionData {
        leader_id: view.leader.map_or(-1, |leader| leader.0),
        leader_epoch: i32::try_from(view.term).unwrap_or(i32::MAX),
        high_watermark: end_after(view.applied),
        current_voters: view.voters.iter().map(replica).collect(),
        observers: view.observers.iter().map(replica).collect(),
        ..PartitionData::default()
    }
}

/// Kafka's ends are the next offset, and −1 where nothing is known.
fn end_after(last: Option<u64>) -> i64 {
    last.and_then(|last| i64::try_from(last).ok()?.checked_add(1)).unwrap_or(-1)
}

/// Gives a node a vote.
///
/// # Errors
/// As every request.
pub async fn add_raft_voter(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<AddRaftVoterRequest>()?;
    let question = AskQuorum::AddVoter {
        broker: BrokerId(request.voter_id),
        directory: directory(request.voter_directory_id),
    };
    let cluster_id = request.cluster_id.as_deref();
    let deadline = wait_from(request.timeout_ms);
    let (code, message) = change_voters(turn.broker, cluster_id, question, deadline).await;
    let response = AddRaftVoterResponse {
        error_code: code.code(),
        error_message: message,
        ..AddRaftVoterResponse::default()
    };
    turn.respond::<AddRaftVoterRequest>(&response)
}

/// Takes a node's vote.
///
/// # Errors
/// As every request.
pub async fn remove_raft_voter(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<RemoveRaftVoterRequest>()?;
    let question = AskQuorum::RemoveVoter {
        broker: BrokerId(request.voter_id),
        directory: directory(request.voter_directory_id),
    };
    let cluster_id = request.cluster_id.as_deref();
    let changed = change_voters(turn.broker, cluster_id, question, wait_default());
    let (code, message) = changed.await;
    let response = RemoveRaftVoterResponse {
        error_code: code.code(),
        error_message: message,
        ..RemoveRaftVoterResponse::default()
    };
    turn.respond::<RemoveRaftVoterRequest>(&response)
}

fn directory(id: TopicId) -> Option<DirectoryId> {
    (id != TopicId::ZERO).then_some(DirectoryId(id.0))
}

/// Has the leader change the voters, whichever node leads within the deadline.
async fn change_voters(
    broker: &Broker,
    cluster_id: Option<&str>,
    question: AskQuorum,
    deadline: Instant,
) -> (ErrorCode, Option<WireString>) {
    if cluster_id.is_some_and(|meant| meant != broker.cluster_id.to_string()) {
        return (ErrorCode::InconsistentClusterId, None);
    }
    loop {
        let refusal = match ask_leader(broker, &question, deadline).await {
            QuorumAnswer::Changed => return (ErrorCode::None, None),
            QuorumAnswer::Refused(refusal) => refusal,
            QuorumAnswer::Described(_) | QuorumAnswer::WouldVote(_) => QuorumRefusal::NotAgreed,
        };
        if !refusal.is_retryable() || Instant::now() + RETRY >= deadline {
            return (code_of(refusal), Some(WireString::from(refusal.to_string())));
        }
        sleep(RETRY).await;
    }
}

async fn ask_leader(broker: &Broker, question: &AskQuorum, deadline: Instant) -> QuorumAnswer {
    let nobody = QuorumAnswer::Refused(QuorumRefusal::NotLeader);
    match broker.quorum.view().leader {
        None => nobody,
        Some(leader) if leader == broker.id => broker.quorum.ask(question.clone()).await,
        Some(leader) => {
            let rest = deadline.saturating_duration_since(Instant::now());
            broker.peer_caller().ask(leader, question, rest).await.unwrap_or(nobody)
        }
    }
}

const fn code_of(refusal: QuorumRefusal) -> ErrorCode {
    match refusal {
        QuorumRefusal::NotLeader => ErrorCode::NotLeaderOrFollower,
        QuorumRefusal::IsVoter => ErrorCode::DuplicateVoter,
        QuorumRefusal::IsNoVoter | QuorumRefusal::UnknownMember => ErrorCode::VoterNotFound,
        QuorumRefusal::NotCaughtUp | QuorumRefusal::NotAgreed => ErrorCode::RequestTimedOut,
        QuorumRefusal::LastVoter => ErrorCode::InvalidRequest,
    }
}
