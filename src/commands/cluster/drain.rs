//! `callboard cluster drain`: everything that a node holds goes to the others.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use client::{Admin, BrokerId};

use super::cluster_view::ClusterView;
use super::node;
use super::placement::Placement;
use super::replica_moves::{self, Targets};
use crate::output::Output;

/// Move all leaders and replicas from a node to the others.
///
/// The node goes on as a broker that holds nothing, and gets new replicas again when topics are
/// made. To take it out for good, see `callboard cluster leave`.
#[derive(Debug, Args)]
pub struct DrainArguments {
    /// The node's number
    #[arg(value_parser = node)]
    node: BrokerId,
    /// Where too few other nodes are left, have fewer replicas instead of refusing
    #[arg(long)]
    fewer_replicas: bool,
}

pub async fn run(admin: &Admin, arguments: &DrainArguments) -> Result<ExitCode> {
    let moved = drain(admin, arguments.node, arguments.fewer_replicas).await?;
    let node = arguments.node;
    Output::new().line(format_args!("node {node} holds nothing (partitions moved: {moved})"))?;
    Ok(ExitCode::SUCCESS)
}

/// Moves everything away from a node, and gives how many partitions that were.
pub async fn drain(admin: &Admin, node: BrokerId, fewer_replicas: bool) -> Result<usize> {
    let mut moved = 0;
    // topics that are made meanwhile may put something on the node again
    loop {
        let view = ClusterView::fetch(admin).await?;
        if !view.nodes().contains_key(&node) {
            bail!("the cluster has no node {node}");
        }
        let targets = plan(&view, node, fewer_replicas)?;
        if targets.is_empty() {
            return Ok(moved);
        }
        replica_moves::start(admin, &targets).await?;
        replica_moves::watch(admin, &targets).await?;
        moved += targets.len();
    }
}

fn plan(view: &ClusterView, node: BrokerId, fewer_replicas: bool) -> Result<Targets> {
    let others = view.alive().into_iter().filter(|other| *other != node);
    let mut placement = Placement::new(view, others);
    let mut targets = Targets::new();
    for (name, partition) in view.partitions() {
        if !partition.assigned_replicas.contains(&node) {
            continue;
        }
        let mut count = partition.assigned_replicas.len();
        if fewer_replicas {
            count = count.min(placement.len()).max(1);
        }
        let target = placement.place(&name, partition, count).with_context(|| {
            format!("node {node} cannot be drained: add a node first, or say --fewer-replicas")
        })?;
        targets.insert(name, target);
    }
    Ok(targets)
}
