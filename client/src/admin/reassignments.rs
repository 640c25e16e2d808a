//! Replicas: moved to other brokers while the partition serves, added and taken away (KIP-455).

use std::collections::BTreeMap;

use protocol::generated::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use protocol::generated::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{BrokerId, PartitionIndex, TopicName, TopicPartition};

use super::Admin;
use crate::error::{Error, Result, Subject};
use crate::settings::milliseconds;

/// What is to become of a partition's replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaMove {
    /// They are to be on these brokers, the preferred leader first.
    To(Vec<BrokerId>),
    /// The move under way is to be taken back.
    Cancel,
}

/// A move of replicas that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    /// The partition.
    pub partition: TopicPartition,
    /// All brokers that hold it or are to hold it at present.
    pub replicas: Vec<BrokerId>,
    /// Those of them that are to be added and are not in sync yet.
    pub adding: Vec<BrokerId>,
    /// Those of them that are to be taken away.
    pub removing: Vec<BrokerId>,
}

impl Reassignment {
    /// The brokers that will hold the partition when the move is over.
    #[must_use]
    pub fn target(&self) -> Vec<BrokerId> {
        let stays = |broker: &&BrokerId| !self.removing.contains(broker);
        self.replicas.iter().filter(stays).copied().collect()
    }
}

fn brokers(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

/// Partitions by their topic, as requests name them.
pub(super) fn by_topic<'a, T>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, T)>,
) -> BTreeMap<&'a TopicName, Vec<(i32, T)>> {
    let mut topics: BTreeMap<&TopicName, Vec<(i32, T)>> = BTreeMap::new();
    for (partition, value) in partitions {
        topics.entry(&partition.topic).or_default().push((partition.partition.0, value));
    }
    topics
}

/// A partition that a response names.
pub(super) fn named(topic: &WireString, index: i32) -> Result<TopicPartition> {
    Ok(TopicPartition::new(TopicName::new(topic)?, PartitionIndex(index)))
}

impl Admin {
    /// Starts moves of replicas, or takes them back. Each partition has its own result; the moves
    /// themselves go on in the cluster, see [`Self::list_reassignments`]. Unless
    /// `may_change_replication_factor`, a move to more or fewer brokers than now is refused, where
    /// the brokers know how (KIP-860); older ones allow it.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn reassign_partitions(
        &self,
        moves: &[(TopicPartition, ReplicaMove)],
        may_change_replication_factor: bool,
    ) -> Result<Vec<(TopicPartition, Result<()>)>> {
        let replicas = |wanted: &ReplicaMove| match wanted {
            ReplicaMove::To(brokers) => Some(brokers.iter().map(|broker| broker.0).collect()),
            ReplicaMove::Cancel => None,
        };
        let moves = moves.iter().map(|(partition, wanted)| (partition, wanted));
        let topics = by_topic(moves).into_iter().map(|(topic, partitions)| ReassignableTopic {
            name: WireString::from(topic.as_str()),
            partitions: partitions
                .into_iter()
                .map(|(partition_index, wanted)| ReassignablePartition {
                    partition_index,
                    replicas: replicas(wanted),
                })
                .collect(),
        });
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: milliseconds(self.cluster.settings.request_timeout),
            allow_replication_factor_change: may_change_replication_factor,
            topics: topics.collect(),
        };
        let api = AlterPartitionReassignmentsRequest::API_KEY;
        let judge = |response: &<AlterPartitionReassignmentsRequest as Request>::Response| {
            let detail = response.error_message.as_deref();
            Error::check(api, || Subject::Request, response.error_code, detail)
        };
        let response = self.ask_controller(&request, judge).await?;
        let topics = response.responses.iter();
        let answers =
            topics.flat_map(|topic| topic.partitions.iter().map(move |wire| (&topic.name, wire)));
        let results = answers.map(|(topic, wire)| {
            let partition = named(topic, wire.partition_index)?;
            let subject = || Subject::Partition(partition.clone());
            let result = Error::check(api, subject, wire.error_code, wire.error_message.as_deref());
            Ok((partition, result))
        });
        results.collect()
    }

    /// The moves under way of these partitions, or of all, if it is `None`.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn list_reassignments(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<Reassignment>> {
        let topics = partitions.map(|partitions| {
            let topics = by_topic(partitions.iter().map(|partition| (partition, ())));
            let topic =
                |(name, indexes): (&TopicName, Vec<(i32, ())>)| ListPartitionReassignmentsTopics {
                    name: WireString::from(name.as_str()),
                    partition_indexes: indexes.into_iter().map(|(index, ())| index).collect(),
                };
            topics.into_iter().map(topic).collect()
        });
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: milliseconds(self.cluster.settings.request_timeout),
            topics,
        };
        let api = ListPartitionReassignmentsRequest::API_KEY;
        let judge = |response: &<ListPartitionReassignmentsRequest as Request>::Response| {
            let detail = response.error_message.as_deref();
            Error::check(api, || Subject::Request, response.error_code, detail)
        };
        let response = self.ask_controller(&request, judge).await?;
        let topics = response.topics.iter();
        let ongoing =
            topics.flat_map(|topic| topic.partitions.iter().map(move |wire| (&topic.name, wire)));
        let ongoing = ongoing.map(|(topic, wire)| {
            Ok(Reassignment {
                partition: named(topic, wire.partition_index)?,
                replicas: brokers(&wire.replicas),
                adding: brokers(&wire.adding_replicas),
                removing: brokers(&wire.removing_replicas),
            })
        });
        ongoing.collect()
    }
}
