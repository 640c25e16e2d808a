//! `callboard cluster leave`: a node goes for good.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use client::{Admin, BrokerId};
use protocol::ErrorCode;

use super::cluster_view::{ClusterView, NodeState};
use super::drain::drain;
use super::{if_served, node, voters};
use crate::output::Output;

/// How often the cluster is asked whether the node is gone.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Take a node out of the cluster for good: move everything away, take its vote, forget it.
///
/// When it holds nothing any more it has to be stopped; the command waits for that, since a node
/// that runs would register again. May be repeated if it was interrupted.
///
/// Delete its directory afterwards: a node that is started on it again joins again, as one that
/// holds nothing and has no vote.
#[derive(Debug, Args)]
pub struct LeaveArguments {
    /// The node's number
    #[arg(value_parser = node)]
    node: BrokerId,
    /// Where too few other nodes are left, have fewer replicas instead of refusing
    #[arg(long)]
    fewer_replicas: bool,
}

pub async fn run(admin: &Admin, arguments: &LeaveArguments) -> Result<ExitCode> {
    let node = arguments.node;
    let view = ClusterView::fetch(admin).await?;
    if view.alive().iter().all(|other| *other == node) {
        bail!("no other node is alive: the cluster would be gone");
    }
    let mut output = Output::new();
    let moved = drain(admin, node, arguments.fewer_replicas).await?;
    output.line(format_args!("node {node} holds nothing (partitions moved: {moved})"))?;
    if let Some(quorum) = if_served(admin.describe_quorum().await)?
        && voters::remove(admin, &quorum, node).await?
    {
        output.line(format_args!("node {node} votes no more"))?;
    }
    wait_until_stopped(admin, node, &mut output).await?;
    match admin.unregister_broker(node).await {
        Err(error) if error.code() != Some(ErrorCode::BrokerIdNotRegistered) => {
            return Err(error.into());
        }
        _ => {}
    }
    output.line(format_args!("node {node} has left the cluster"))?;
    Ok(ExitCode::SUCCESS)
}

async fn wait_until_stopped(admin: &Admin, node: BrokerId, output: &mut Output) -> Result<()> {
    let mut is_said = false;
    loop {
        let view = ClusterView::fetch(admin).await?;
        if view.nodes().get(&node) != Some(&NodeState::Alive) {
            return Ok(());
        }
        if view.holds_replicas(node) {
            bail!("a topic was made meanwhile and has replicas on node {node}: try again");
        }
        if !is_said {
            output.line(format_args!("stop node {node} now; waiting until it is gone"))?;
            is_said = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
