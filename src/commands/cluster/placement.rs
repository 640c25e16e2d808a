//! Where replicas go when they are moved: what can stay stays, what comes goes to the nodes with
//! the least and to racks that have none yet. Pure.

use std::collections::BTreeMap;

use client::{BrokerId, Partition, TopicPartition};
use thiserror::Error;

use super::cluster_view::ClusterView;

/// There are fewer nodes than a partition is to have replicas.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{partition} is to have {replicas} replicas and there are only {nodes} nodes for it")]
pub struct TooFewNodes {
    partition: TopicPartition,
    replicas: usize,
    nodes: usize,
}

/// Nodes that may hold replicas, with what they hold already.
pub struct Placement {
    nodes: BTreeMap<BrokerId, Load>,
}

#[derive(Debug, Default)]
struct Load {
    rack: Option<String>,
    replicas: usize,
    /// Partitions that it is the preferred leader of.
    preferred: usize,
}

impl Placement {
    /// Over these nodes, which hold what the view says.
    pub fn new(view: &ClusterView, nodes: impl IntoIterator<Item = BrokerId>) -> Self {
        let load =
            |node| (node, Load { rack: view.rack_of(node).map(str::to_owned), ..Load::default() });
        let mut placement = Self { nodes: nodes.into_iter().map(load).collect() };
        for (_, partition) in view.partitions() {
            placement.count(&partition.assigned_replicas, 1);
        }
        placement
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    fn count(&mut self, replicas: &[BrokerId], change: isize) {
        for (place, node) in replicas.iter().enumerate() {
            let Some(load) = self.nodes.get_mut(node) else { continue };
            load.replicas = load.replicas.saturating_add_signed(change);
            if place == 0 {
                load.preferred = load.preferred.saturating_add_signed(change);
            }
        }
    }

    /// The nodes of a partition that is to have so many replicas, the preferred leader first.
    ///
    /// # Errors
    /// There are not enough.
    pub fn place(
        &mut self,
        name: &TopicPartition,
        partition: &Partition,
        replicas: usize,
    ) -> Result<Vec<BrokerId>, TooFewNodes> {
        if self.nodes.len() < replicas {
            let (partition, nodes) = (name.clone(), self.nodes.len());
            return Err(TooFewNodes { partition, replicas, nodes });
        }
        self.count(&partition.assigned_replicas, -1);
        let mut chosen = self.staying(partition, replicas);
        while chosen.len() < replicas {
            let Some(next) = self.next_beside(&chosen) else { break };
            chosen.push(next);
        }
        self.put_leader_first(&mut chosen, partition);
        self.count(&chosen, 1);
        Ok(chosen)
    }

    /// Replicas that stay: those in sync before the others, else in their order.
    fn staying(&self, partition: &Partition, replicas: usize) -> Vec<BrokerId> {
        let allowed = |node: &&BrokerId| self.nodes.contains_key(node);
        let mut staying: Vec<_> =
            partition.assigned_replicas.iter().filter(allowed).copied().collect();
        if staying.len() > replicas {
            staying.sort_by_key(|node| !partition.in_sync_replicas.contains(node));
            staying.truncate(replicas);
        }
        staying
    }

    /// The node to be added: of a rack that has none of the replicas, with the least of them.
    fn next_beside(&self, chosen: &[BrokerId]) -> Option<BrokerId> {
        let rack = |node: &BrokerId| self.nodes.get(node)?.rack.as_deref();
        let has_rack = |load: &Load| {
            load.rack.is_some() && chosen.iter().any(|node| rack(node) == load.rack.as_deref())
        };
        let free = self.nodes.iter().filter(|(node, _)| !chosen.contains(node));
        free.min_by_key(|(node, load)| (has_rack(load), load.replicas, **node))
            .map(|(node, _)| *node)
    }

    /// The preferred leader stays where it is. Where it cannot, it is the one that is preferred
    /// least often, of those one that has the records already.
    fn put_leader_first(&self, chosen: &mut [BrokerId], partition: &Partition) {
        let first = partition.assigned_replicas.first();
        let preferred = |node: &BrokerId| self.nodes.get(node).map_or(0, |load| load.preferred);
        let rank = |node: &BrokerId| {
            let has_records = partition.in_sync_replicas.contains(node);
            (Some(node) != first, preferred(node), !has_records, *node)
        };
        if let Some(place) = (0..chosen.len()).min_by_key(|place| rank(&chosen[*place])) {
            chosen[..=place].rotate_right(1);
        }
    }
}

#[cfg(test)]
mod tests;
