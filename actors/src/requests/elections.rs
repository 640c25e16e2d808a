//! ElectLeaders (KIP-460): preferred leaders, or anybody where nobody else is left.

use metadata::ElectionKind;
use protocol::generated::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use protocol::primitives::{Encoded, WireString};
use protocol::{ErrorCode, PartitionIndex};

use super::Turn;
use super::controller_call::{ask, wait_from};
use crate::client_session::connection::ConnectionEnd;
use crate::controller::question::{ElectLeaders, ElectionOutcome};

/// Elections of preferred leaders.
const PREFERRED: i8 = 0;
/// Elections that may lose records.
const UNCLEAN: i8 = 1;

/// Has leaders elected.
///
/// # Errors
/// As every request.
pub async fn elect_leaders(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<ElectLeadersRequest>()?;
    let partitions: Option<Vec<_>> = request.topic_partitions.as_ref().map(|topics| {
        let named = topics.iter().flat_map(|topic| {
            let name = topic.topic.to_string();
            topic.partitions.iter().map(move |index| (name.clone(), PartitionIndex(*index)))
        });
        named.collect()
    });
    // version 0 knew only one kind
    let kind = match request.election_type {
        _ if turn.frame.version == 0 => Ok(ElectionKind::Preferred),
        PREFERRED => Ok(ElectionKind::Preferred),
        UNCLEAN => Ok(ElectionKind::Unclean),
        _ => Err(ErrorCode::InvalidRequest),
    };
    let elected = match kind {
        Ok(kind) => {
            let question = ElectLeaders { kind, partitions: partitions.clone() };
            ask(turn.broker, wait_from(request.timeout_ms), question).await
        }
        Err(code) => Err(code),
    };
    let response = match elected {
        Ok(outcomes) => ElectLeadersResponse {
            replica_election_results: by_topic(outcomes.into_iter().map(result)),
            ..ElectLeadersResponse::default()
        },
        Err(code) => {
            let refused = |(topic, partition)| (topic, refused(partition, code));
            let named = partitions.unwrap_or_default().into_iter();
            ElectLeadersResponse {
                error_code: if turn.frame.version == 0 { 0 } else { code.code() },
                replica_election_results: by_topic(named.map(refused)),
                ..ElectLeadersResponse::default()
            }
        }
    };
    turn.respond::<ElectLeadersRequest>(&response)
}

fn result(outcome: ElectionOutcome) -> (String, PartitionResult) {
    let refused = outcome.outcome.err();
    let result = PartitionResult {
        partition_id: outcome.partition.0,
        error_code: refused.as_ref().map_or(0, |refused| refused.code().code()),
        error_message: refused.map(|refused| WireString::from(refused.to_string())),
    };
    (outcome.topic, result)
}

fn refused(partition: PartitionIndex, code: ErrorCode) -> PartitionResult {
    PartitionResult { partition_id: partition.0, error_code: code.code(), error_message: None }
}

fn by_topic(
    results: impl Iterator<Item = (String, PartitionResult)>,
) -> Vec<ReplicaElectionResult> {
    let mut topics: Vec<ReplicaElectionResult> = Vec::new();
    for (topic, result) in results {
        match topics.last_mut() {
            Some(last) if *last.topic == *topic => last.partition_result.push(result),
            _ => topics.push(ReplicaElectionResult {
                topic: WireString::from(topic),
                partition_result: vec![result],
            }),
        }
    }
    topics
}
