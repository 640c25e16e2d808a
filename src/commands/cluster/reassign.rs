//! `callboard cluster reassign`: replicas go to other nodes, become more or fewer.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use client::{Admin, BrokerId, Partition, ReplicaMove, TopicPartition};

use super::cluster_view::ClusterView;
use super::node;
use super::partition_choice::{PartitionChoice, chosen};
use super::placement::Placement;
use super::replica_moves::{self, ShownMove, Targets};
use crate::output::Output;

/// Move replicas to other nodes, or change how many there are, while partitions serve.
///
/// Without any option it shows the moves under way. What can stay stays; the rest goes to the
/// nodes with the least, and to racks that have none.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  callboard cluster reassign                                  what is under way
  callboard cluster reassign orders --replication-factor 3
  callboard cluster reassign orders --to 2,3,4 --dry-run
  callboard cluster reassign orders:0 --replicas 3,1          exactly so
  callboard cluster reassign orders --cancel")]
pub struct ReassignArguments {
    /// Topics or single partitions
    #[arg(value_name = "TOPIC[:PARTITION]")]
    partitions: Vec<PartitionChoice>,
    /// Spread the replicas over these nodes [default: all that are alive]
    #[arg(long, value_name = "NODES", value_delimiter = ',', value_parser = node,
          requires = "partitions")]
    to: Vec<BrokerId>,
    /// How many replicas each partition should have [default: as many as now]
    #[arg(long, value_name = "COUNT", requires = "partitions",
          value_parser = clap::value_parser!(u16).range(1..))]
    replication_factor: Option<u16>,
    /// Exactly these nodes for each partition, the preferred leader first
    #[arg(long, value_name = "NODES", value_delimiter = ',', value_parser = node,
          requires = "partitions", conflicts_with_all = ["to", "replication_factor"])]
    replicas: Vec<BrokerId>,
    /// Take back the moves under way: replicas stay where they were
    #[arg(long, conflicts_with_all = ["to", "replication_factor", "replicas"])]
    cancel: bool,
    /// Only show what would be moved
    #[arg(long, conflicts_with = "cancel")]
    dry_run: bool,
    /// Start the moves and do not wait for them
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

impl ReassignArguments {
    fn is_a_change(&self) -> bool {
        !self.to.is_empty() || !self.replicas.is_empty() || self.replication_factor.is_some()
    }
}

pub async fn run(admin: &Admin, arguments: &ReassignArguments) -> Result<ExitCode> {
    if arguments.cancel {
        return cancel(admin, arguments).await;
    }
    if !arguments.is_a_change() {
        if arguments.dry_run || arguments.no_wait {
            bail!("say what to change: --to, --replication-factor or --replicas");
        }
        return show_under_way(admin, arguments).await;
    }
    let view = ClusterView::fetch(admin).await?;
    let partitions = chosen(&arguments.partitions, &view)?;
    let targets = plan(arguments, &view, &partitions)?;
    let planned: Vec<_> = partitions
        .iter()
        .filter_map(|(name, partition)| {
            Some(ShownMove::planned(name, &partition.assigned_replicas, targets.get(name)?))
        })
        .collect();
    let mut output = Output::new();
    match (arguments.json, planned.as_slice()) {
        (true, planned) => output.json(&planned)?,
        (false, []) => output.line("everything is there already")?,
        (false, planned) => output.line(ShownMove::table(planned))?,
    }
    drop(output);
    if !arguments.dry_run && !targets.is_empty() {
        replica_moves::start(admin, &targets).await?;
        let is_awaited = !arguments.no_wait;
        if is_awaited {
            replica_moves::watch(admin, &targets).await?;
        }
        if !arguments.json {
            let what = if is_awaited { "partitions moved" } else { "moves started" };
            Output::new().line(format_args!("{what}: {}", targets.len()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where everything is to be that is elsewhere now.
fn plan(
    arguments: &ReassignArguments,
    view: &ClusterView,
    partitions: &[(TopicPartition, &Partition)],
) -> Result<Targets> {
    let alive: BTreeSet<_> = view.alive().into_iter().collect();
    for node in arguments.to.iter().chain(&arguments.replicas) {
        if !alive.contains(node) {
            bail!("node {node} is not alive, see `callboard cluster status`");
        }
    }
    let nodes =
        if arguments.to.is_empty() { alive } else { arguments.to.iter().copied().collect() };
    let mut placement = Placement::new(view, nodes);
    let mut targets = Targets::new();
    for (name, partition) in partitions {
        let count = arguments.replication_factor.map(usize::from);
        let target = match arguments.replicas.as_slice() {
            [] => {
                let count = count.unwrap_or(partition.assigned_replicas.len());
                placement.place(name, partition, count)?
            }
            exactly => exactly.to_vec(),
        };
        if target != partition.assigned_replicas {
            targets.insert(name.clone(), target);
        }
    }
    Ok(targets)
}

async fn under_way(
    admin: &Admin,
    arguments: &ReassignArguments,
) -> Result<Vec<client::Reassignment>> {
    let names = match arguments.partitions.as_slice() {
        [] => None,
        choices => {
            let view = ClusterView::fetch(admin).await?;
            let partitions = chosen(choices, &view)?;
            Some(partitions.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        }
    };
    let mut moves = admin.list_reassignments(names.as_deref()).await?;
    moves.sort_by(|left, right| left.partition.cmp(&right.partition));
    Ok(moves)
}

async fn show_under_way(admin: &Admin, arguments: &ReassignArguments) -> Result<ExitCode> {
    let moves = under_way(admin, arguments).await?;
    let moves: Vec<_> = moves.iter().map(ShownMove::from).collect();
    let mut output = Output::new();
    match (arguments.json, moves.as_slice()) {
        (true, moves) => output.json(&moves)?,
        (false, []) => output.line("nothing is under way")?,
        (false, moves) => output.line(ShownMove::table(moves))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn cancel(admin: &Admin, arguments: &ReassignArguments) -> Result<ExitCode> {
    let moves = under_way(admin, arguments).await?;
    let count = moves.len();
    let cancelled = moves.into_iter().map(|moving| (moving.partition, ReplicaMove::Cancel));
    replica_moves::change(admin, cancelled.collect()).await?;
    Output::new().line(format_args!("moves taken back: {count}"))?;
    Ok(ExitCode::SUCCESS)
}
