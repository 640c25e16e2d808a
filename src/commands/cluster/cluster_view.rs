//! What the commands need to know of a cluster: its nodes, and every partition.

use std::collections::BTreeMap;

use client::{Admin, BrokerId, ClusterDescription, Partition, Topic, TopicPartition};

/// A cluster at one moment.
pub struct ClusterView {
    pub cluster: ClusterDescription,
    /// All topics, those of the brokers themselves too.
    pub topics: Vec<Topic>,
}

/// What a node can do at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It takes part.
    Alive,
    /// It is registered, and down, cut off or stopping.
    Fenced,
    /// It has replicas, and the cluster does not say where it is.
    Unknown,
}

impl NodeState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Fenced => "fenced",
            Self::Unknown => "unknown",
        }
    }
}

impl ClusterView {
    pub async fn fetch(admin: &Admin) -> client::Result<Self> {
        let (cluster, topics) = (admin.describe_cluster().await?, admin.all_topics().await?);
        Ok(Self { cluster, topics })
    }

    /// Every partition with its name.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicPartition, &Partition)> {
        self.topics.iter().flat_map(|topic| {
            let name =
                |partition: &Partition| TopicPartition::new(topic.name.clone(), partition.index);
            topic.partitions.iter().map(move |partition| (name(partition), partition))
        })
    }

    /// Every node that is registered or has a replica, in the order of the numbers.
    pub fn nodes(&self) -> BTreeMap<BrokerId, NodeState> {
        let assigned = self.partitions().flat_map(|(_, partition)| &partition.assigned_replicas);
        let mut nodes: BTreeMap<_, _> =
            assigned.map(|broker| (*broker, NodeState::Unknown)).collect();
        for broker in &self.cluster.brokers {
            let is_fenced = self.cluster.fenced.contains(&broker.id);
            nodes.insert(broker.id, if is_fenced { NodeState::Fenced } else { NodeState::Alive });
        }
        nodes
    }

    /// The nodes that may get replicas.
    pub fn alive(&self) -> Vec<BrokerId> {
        let nodes = self.nodes().into_iter();
        nodes.filter(|(_, state)| *state == NodeState::Alive).map(|(id, _)| id).collect()
    }

    pub fn rack_of(&self, node: BrokerId) -> Option<&str> {
        let mut brokers = self.cluster.brokers.iter();
        brokers.find(|broker| broker.id == node)?.rack.as_deref()
    }

    /// Whether any partition has a replica on the node.
    pub fn holds_replicas(&self, node: BrokerId) -> bool {
        self.partitions().any(|(_, partition)| partition.assigned_replicas.contains(&node))
    }
}
