//! A partition that is made to fail.

use std::sync::Arc;

use actors::Node;
use actors::broker::Broker;
use actors::partition_directory::PartitionPlace;
use actors::partition_replica::PartitionReplicaMessage;
use actors::segment_writer::Poison;
use anyhow::{Context, Result, anyhow};
use client::{PartitionIndex, TopicName, TopicPartition};
use supervision::{NodeState, TreeNode};

use crate::tree_watch::TreeWatch;

/// The replica of one partition.
pub struct Victim {
    place: Arc<PartitionPlace>,
    broker: Arc<Broker>,
    path: String,
}

impl Victim {
    pub fn find(node: &Node, topic: &TopicName, partition: i32) -> Result<Self> {
        let name = TopicPartition::new(topic.clone(), PartitionIndex(partition));
        let places = node.broker().partitions.places();
        let place = places.into_iter().find(|place| place.name == name);
        let place = place.with_context(|| format!("the node does not hold {name}"))?;
        let path = format!("partitions/{name}");
        Ok(Self { place, broker: Arc::clone(node.broker()), path })
    }

    /// Where it is in the tree.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Makes the partition's segment writer fail; the replica ends with its writer.
    pub fn poison(&self, poison: Poison) -> Result<()> {
        self.send(poison, true)
    }

    /// Makes the replica itself fail.
    pub fn poison_replica(&self, poison: Poison) -> Result<()> {
        self.send(poison, false)
    }

    fn send(&self, poison: Poison, in_writer: bool) -> Result<()> {
        let sent = self.place.replica.send(PartitionReplicaMessage::Poison { poison, in_writer });
        sent.map_err(|_| anyhow!("{} is not there to be poisoned", self.path))
    }

    /// Lets the disk fail whenever the replica has come back and leads, until its supervisor has
    /// put it into quarantine.
    pub async fn poison_until_quarantine(&self, watch: &TreeWatch) -> Result<TreeNode> {
        let mut restarts = watch.at(&self.path)?.restarts;
        loop {
            self.broker.partitions.serving(&[self.place.key]).await;
            self.poison(Poison::StorageError)?;
            let is_quarantined = |it: &TreeNode| it.state == NodeState::Quarantined;
            let is_back = |it: &TreeNode| it.restarts > restarts && it.state == NodeState::Running;
            let node = watch.until(&self.path, |it| is_quarantined(it) || is_back(it)).await?;
            if is_quarantined(&node) {
                return Ok(node);
            }
            restarts = node.restarts;
        }
    }
}
