//! Leaders: elected on request (KIP-183, KIP-460).

use protocol::TopicPartition;
use protocol::generated::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use protocol::message::Request;
use protocol::primitives::WireString;

use super::Admin;
use super::reassignments::{by_topic, named};
use crate::error::{Error, Result, Subject};
use crate::settings::milliseconds;

/// Who may be elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionKind {
    /// The first of the assigned replicas, if it is in sync: leaders are evenly spread again.
    Preferred,
    /// Any live replica of a partition that has no leader, in sync or not: acknowledged records
    /// that it does not have are lost.
    Unclean,
}

impl ElectionKind {
    const fn to_wire(self) -> i8 {
        match self {
            Self::Preferred => 0,
            Self::Unclean => 1,
        }
    }
}

impl Admin {
    /// Elects leaders of these partitions, or of all for which that is possible, if it is `None`.
    /// Each has its own result; of all, the cluster may leave out those that need no election.
    ///
    /// A partition that is led as wished already has the error
    /// [`ElectionNotNeeded`](protocol::ErrorCode::ElectionNotNeeded).
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn elect_leaders(
        &self,
        kind: ElectionKind,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Result<()>)>> {
        let topic_partitions = partitions.map(|partitions| {
            let topics = by_topic(partitions.iter().map(|partition| (partition, ())));
            let topic = |(name, indexes): (&protocol::TopicName, Vec<(i32, ())>)| TopicPartitions {
                topic: WireString::from(name.as_str()),
                partitions: indexes.into_iter().map(|(index, ())| index).collect(),
            };
            topics.into_iter().map(topic).collect()
        });
        let request = ElectLeadersRequest {
            election_type: kind.to_wire(),
            topic_partitions,
            timeout_ms: milliseconds(self.cluster.settings.request_timeout),
        };
        let api = ElectLeadersRequest::API_KEY;
        let judge = |response: &<ElectLeadersRequest as Request>::Response| {
            Error::check(api, || Subject::Request, response.error_code, None)
        };
        let response = self.ask_controller(&request, judge).await?;
        let topics = response.replica_election_results.iter();
        let answers = topics
            .flat_map(|topic| topic.partition_result.iter().map(move |wire| (&topic.topic, wire)));
        let results = answers.map(|(topic, wire)| {
            let partition = named(topic, wire.partition_id)?;
            let subject = || Subject::Partition(partition.clone());
            let result = Error::check(api, subject, wire.error_code, wire.error_message.as_deref());
            Ok((partition, result))
        });
        results.collect()
    }
}
