//! What the client knows about the cluster: brokers, topics, and who leads which partition.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::generated::metadata::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::{BrokerId, ErrorCode, LeaderEpoch, PartitionIndex, TopicId, TopicName};
use tokio::time::Instant;

use crate::error::{Error, Result, Subject};
use crate::leader_watch::LeaderHint;
use protocol::api_key::ApiKey;

/// A broker of the cluster, as clients reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: BrokerId,
    /// `host:port`.
    pub address: Arc<str>,
    /// Where it stands, if it says so.
    pub rack: Option<String>,
}

/// A topic and its partitions, as the cluster describes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Its identity; zero from brokers before Kafka 2.8.
    pub id: TopicId,
    /// Whether it belongs to the brokers themselves.
    pub is_internal: bool,
    /// In the order of their numbers, without gaps.
    pub partitions: Vec<Partition>,
}

/// A partition and its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number in the topic.
    pub index: PartitionIndex,
    /// Who leads it, if anybody does at present.
    pub leader: Option<BrokerId>,
    /// The number of that leadership.
    pub leader_epoch: LeaderEpoch,
    /// The brokers that should hold it.
    pub assigned_replicas: Vec<BrokerId>,
    /// Those of them that are in sync.
    pub in_sync_replicas: Vec<BrokerId>,
    /// Those of them whose copy is not available.
    pub offline_replicas: Vec<BrokerId>,
}

/// `host:port`; an IPv6 address needs brackets before a port.
pub(crate) fn address(host: &str, port: i32) -> Arc<str> {
    let address = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    Arc::from(address)
}

fn brokers(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

impl Partition {
    fn from_wire(wire: &MetadataResponsePartition) -> Self {
        Self {
            index: PartitionIndex(wire.partition_index),
            leader: (wire.leader_id >= 0).then_some(BrokerId(wire.leader_id)),
            leader_epoch: LeaderEpoch::new(wire.leader_epoch),
            assigned_replicas: brokers(&wire.replica_nodes),
            in_sync_replicas: brokers(&wire.isr_nodes),
            offline_replicas: brokers(&wire.offline_replicas),
        }
    }
}

impl Topic {
    /// The topic of a response, or the broker's refusal. Topics without a readable name are
    /// nobody's question and give `None`.
    pub(crate) fn from_wire(wire: &MetadataResponseTopic) -> Option<(TopicName, Result<Self>)> {
        let name = TopicName::new(wire.name.as_deref()?).ok()?;
        let subject = || Subject::Topic(name.clone());
        let checked = Error::check(ApiKey::Metadata, subject, wire.error_code, None);
        let topic = checked.and_then(|()| {
            let mut partitions: Vec<_> = wire.partitions.iter().map(Partition::from_wire).collect();
            partitions.sort_by_key(|partition| partition.index);
            let dense = (0..).zip(&partitions).all(|(index, partition)| partition.index.0 == index);
            if !dense || partitions.is_empty() {
                let (api, subject) = (ApiKey::Metadata, Subject::Topic(name.clone()));
                return Err(Error::NotInResponse { api, subject });
            }
            let (id, is_internal) = (wire.topic_id, wire.is_internal);
            Ok(Self { name: name.clone(), id, is_internal, partitions })
        });
        Some((name, topic))
    }

    /// One of its partitions.
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`].
    pub fn partition(&self, index: PartitionIndex) -> Result<&Partition> {
        let found = usize::try_from(index.0).ok().and_then(|place| self.partitions.get(place));
        found.ok_or_else(|| Error::NoSuchPartition {
            topic: self.name.clone(),
            partition: index.0,
            partitions: self.partitions.len(),
        })
    }

    /// Keeps what was known of a partition where it is newer than what has just been heard, as
    /// happens when a broker answers that has not heard of an election yet (KIP-320).
    fn keep_newer_leaders(&mut self, known: &Self) {
        if self.id != known.id {
            return;
        }
        for (heard, known) in self.partitions.iter_mut().zip(&known.partitions) {
            if heard.leader_epoch.is_known() && known.leader_epoch > heard.leader_epoch {
                heard.leader = known.leader;
                heard.leader_epoch = known.leader_epoch;
            }
        }
    }
}

/// An unchanging picture of the cluster.
#[derive(Clone, Debug)]
pub(crate) struct ClusterMetadata {
    /// Counts the pictures, so that whoever finds one wrong can say which.
    pub(crate) version: u64,
    pub(crate) fetched_at: Instant,
    pub(crate) cluster_id: Option<String>,
    pub(crate) controller: Option<BrokerId>,
    pub(crate) brokers: HashMap<BrokerId, Broker>,
    pub(crate) topics: HashMap<TopicName, Arc<Topic>>,
    /// Topics that were asked for and not given.
    pub(crate) refused: HashMap<TopicName, Error>,
}

impl ClusterMetadata {
    pub(crate) fn empty() -> Self {
        Self {
            version: 0,
            fetched_at: Instant::now(),
            cluster_id: None,
            controller: None,
            brokers: HashMap::new(),
            topics: HashMap::new(),
            refused: HashMap::new(),
        }
    }

    /// The picture after a response. Topics that it does not name are kept.
    pub(crate) fn after(&self, response: &MetadataResponse) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next.fetched_at = Instant::now();
        next.cluster_id = response.cluster_id.as_ref().map(ToString::to_string);
        next.controller = (response.controller_id >= 0).then_some(BrokerId(response.controller_id));
        let broker = |id, host: &str, port: i32, rack: Option<&str>| Broker {
            id,
            address: address(host, port),
            rack: rack.map(str::to_owned),
        };
        next.brokers = response
            .brokers
            .iter()
            .map(|wire| (BrokerId(wire.node_id), wire))
            .map(|(id, wire)| (id, broker(id, &wire.host, wire.port, wire.rack.as_deref())))
            .collect();
        for (name, topic) in response.topics.iter().filter_map(Topic::from_wire) {
            next.refused.remove(&name);
            match topic {
                Ok(mut topic) => {
                    if let Some(known) = self.topics.get(&name) {
                        topic.keep_newer_leaders(known);
                    }
                    next.topics.insert(name, Arc::new(topic));
                }
                Err(error) => {
                    if error.code() == Some(ErrorCode::UnknownTopicOrPartition) {
                        next.topics.remove(&name);
                    }
                    next.refused.insert(name, error);
                }
            }
        }
        next
    }

    /// The picture with a newer leader of one partition; `None` where the hint is no news, or names
    /// a broker that is nowhere to be found.
    pub(crate) fn with_leader(&self, hint: &LeaderHint) -> Option<Self> {
        let topic = self.topics.get(&hint.partition.topic)?;
        let known = topic.partition(hint.partition.partition).ok()?;
        let is_news = hint.leader_epoch > known.leader_epoch;
        let is_reachable = hint.broker.is_some() || self.brokers.contains_key(&hint.leader);
        if !is_news || !is_reachable {
            return None;
        }
        let mut topic = Topic::clone(topic);
        let place = usize::try_from(hint.partition.partition.0).ok()?;
        let partition = topic.partitions.get_mut(place)?;
        partition.leader = Some(hint.leader);
        partition.leader_epoch = hint.leader_epoch;
        let mut next = self.clone();
        next.topics.insert(topic.name.clone(), Arc::new(topic));
        if let Some(broker) = &hint.broker {
            next.brokers.insert(broker.id, broker.clone());
        }
        Some(next)
    }

    /// Who leads a partition, and since which election.
    pub(crate) fn leader(
        &self,
        topic: &TopicName,
        index: PartitionIndex,
    ) -> Option<(BrokerId, LeaderEpoch)> {
        let partition = self.topics.get(topic)?.partition(index).ok()?;
        Some((partition.leader?, partition.leader_epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::{ClusterMetadata, Topic};
    use crate::error::Error;
    use protocol::generated::metadata::{
        MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };
    use protocol::primitives::WireString;
    use protocol::{BrokerId, LeaderEpoch, PartitionIndex, TopicName};

    fn topic(error_code: i16, partitions: &[(i32, i32, i32)]) -> MetadataResponse {
        let partition =
            |(index, leader_id, leader_epoch): &(i32, i32, i32)| MetadataResponsePartition {
                partition_index: *index,
                leader_id: *leader_id,
                leader_epoch: *leader_epoch,
                ..MetadataResponsePartition::default()
            };
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: WireString::from("::1"),
                port: 9092,
                rack: None,
            }],
            topics: vec![MetadataResponseTopic {
                error_code,
                name: Some(WireString::from("t")),
                partitions: partitions.iter().map(partition).collect(),
                ..MetadataResponseTopic::default()
            }],
            ..MetadataResponse::default()
        }
    }

    fn leader_of(metadata: &ClusterMetadata) -> Option<(BrokerId, LeaderEpoch)> {
        metadata.leader(&TopicName::new("t").unwrap(), PartitionIndex(0))
    }

    #[test]
    fn an_answer_from_before_an_election_does_not_bring_the_old_leader_back() {
        let metadata = ClusterMetadata::empty().after(&topic(0, &[(0, 2, 7)]));
        let later = metadata.after(&topic(0, &[(0, 1, 6)]));
        assert_eq!(leader_of(&later), Some((BrokerId(2), LeaderEpoch::new(7))));
        let newest = later.after(&topic(0, &[(0, 3, 8)]));
        assert_eq!(leader_of(&newest), Some((BrokerId(3), LeaderEpoch::new(8))));
    }

    #[test]
    fn a_deleted_topic_is_forgotten_and_the_refusal_remembered() {
        let metadata = ClusterMetadata::empty().after(&topic(0, &[(0, 2, 7)]));
        let gone = metadata.after(&topic(3, &[]));
        assert!(gone.topics.is_empty() && gone.refused.len() == 1);
        let back = gone.after(&topic(0, &[(0, -1, 8)]));
        assert!(back.refused.is_empty());
        assert_eq!(leader_of(&back), None, "a partition may have no leader");
        assert_eq!(&*back.brokers[&BrokerId(1)].address, "[::1]:9092");
    }

    #[test]
    fn partitions_with_gaps_in_their_numbers_are_refused() {
        let response = topic(0, &[(0, 1, 1), (2, 1, 1)]);
        let (_, read) = Topic::from_wire(&response.topics[0]).unwrap();
        assert!(matches!(read, Err(Error::NotInResponse { .. })));
    }
}
