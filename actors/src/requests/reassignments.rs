//! AlterPartitionReassignments and ListPartitionReassignments (KIP-455): moving partitions to other
//! brokers while they serve, and how far that is.

use metadata::{PartitionState, Reassignment, TopicState};
use protocol::generated::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse, ReassignableTopic, ReassignableTopicResponse,
};
use protocol::generated::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use protocol::primitives::{Encoded, WireString};
use protocol::{BrokerId, ErrorCode, PartitionIndex};

use super::Turn;
use super::controller_call::{ask, wait_from};
use crate::client_session::connection::ConnectionEnd;
use crate::controller::Refused;
use crate::controller::question::{Each, Reassign};

/// Starts, changes or cancels reassignments. The answer says that they began; moving takes longer.
///
/// # Errors
/// As every request.
pub async fn alter(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<AlterPartitionReassignmentsRequest>()?;
    let may_change_factor = turn.frame.version == 0 || request.allow_replication_factor_change;
    let reassignments = request.topics.iter().flat_map(wanted).collect();
    let question = Reassign { reassignments, may_change_factor };
    let decided = ask(turn.broker, wait_from(request.timeout_ms), question).await;
    let response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: may_change_factor,
        error_code: decided.as_ref().err().map_or(0, |code| code.code()),
        error_message: None,
        responses: outcomes(&request.topics, &decided),
        ..AlterPartitionReassignmentsResponse::default()
    };
    turn.respond::<AlterPartitionReassignmentsRequest>(&response)
}

fn wanted(topic: &ReassignableTopic) -> impl Iterator<Item = Reassignment> {
    let name = topic.name.to_string();
    topic.partitions.iter().map(move |partition| Reassignment {
        topic: name.clone(),
        partition: PartitionIndex(partition.partition_index),
        replicas: partition
            .replicas
            .as_ref()
            .map(|replicas| replicas.iter().copied().map(BrokerId).collect()),
    })
}

/// The outcomes come in the order of the partitions that were named.
fn outcomes(
    topics: &[ReassignableTopic],
    decided: &Result<Each<()>, ErrorCode>,
) -> Vec<ReassignableTopicResponse> {
    let mut results = decided.iter().flatten();
    let mut outcome = |index: i32| {
        let refused: Option<&Refused> = results.next().and_then(|result| result.as_ref().err());
        let code = decided.as_ref().err().copied().or(refused.map(Refused::code));
        ReassignablePartitionResponse {
            partition_index: index,
            error_code: code.unwrap_or(ErrorCode::None).code(),
            error_message: refused.map(|refused| WireString::from(refused.to_string())),
        }
    };
    let mut responses = Vec::with_capacity(topics.len());
    for topic in topics {
        let partitions = topic.partitions.iter().map(|one| outcome(one.partition_index)).collect();
        responses.push(ReassignableTopicResponse { name: topic.name.clone(), partitions });
    }
    responses
}

/// Says which reassignments are under way, as this node knows it.
///
/// # Errors
/// As every request.
pub fn list(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<ListPartitionReassignmentsRequest>()?;
    let image = turn.broker.image.load();
    let everything = |_: PartitionIndex| true;
    let topics = match &request.topics {
        None => image.topics().filter_map(|topic| ongoing(topic, everything)).collect(),
        Some(wanted) => {
            let named = wanted.iter().filter_map(|wanted| {
                let is_wanted = |index: PartitionIndex| wanted.partition_indexes.contains(&index.0);
                ongoing(image.topic(&wanted.name)?, is_wanted)
            });
            named.collect()
        }
    };
    let response = ListPartitionReassignmentsResponse {
        topics,
        error_message: None,
        ..ListPartitionReassignmentsResponse::default()
    };
    turn.respond::<ListPartitionReassignmentsRequest>(&response)
}

fn ongoing(
    topic: &TopicState,
    is_wanted: impl Fn(PartitionIndex) -> bool,
) -> Option<OngoingTopicReassignment> {
    let under_way = topic.indexed_partitions().filter(|(_, state)| state.is_being_reassigned());
    let wanted = under_way.filter(|(index, _)| is_wanted(*index));
    let partitions: Vec<_> = wanted.map(|(index, state)| progress(index, state)).collect();
    let name = WireString::from(topic.name.as_str());
    (!partitions.is_empty()).then_some(OngoingTopicReassignment { name, partitions })
}

fn progress(index: PartitionIndex, state: &PartitionState) -> OngoingPartitionReassignment {
    let numbers = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
    OngoingPartitionReassignment {
        partition_index: index.0,
        replicas: numbers(&state.assigned_replicas),
        adding_replicas: numbers(&state.adding_replicas),
        removing_replicas: numbers(&state.removing_replicas),
    }
}
