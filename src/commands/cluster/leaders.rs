//! `callboard cluster leaders`: who leads how much, and elections on request.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use client::{Admin, BrokerId, ElectionKind, TopicPartition};
use protocol::ErrorCode;
use serde::Serialize;
use serde_json::json;

use super::cluster_view::ClusterView;
use super::partition_choice::{PartitionChoice, chosen};
use crate::output::{self, Output, table};

/// Show how many partitions each node leads and how many it is to lead, or elect leaders.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  callboard cluster leaders
  callboard cluster leaders --elect preferred          all back where they belong
  callboard cluster leaders orders:3 --elect unclean   records may be lost")]
pub struct LeadersArguments {
    /// Topics or single partitions [default: all]
    #[arg(value_name = "TOPIC[:PARTITION]")]
    partitions: Vec<PartitionChoice>,
    /// Elect leaders
    #[arg(long, value_enum, value_name = "KIND")]
    elect: Option<Election>,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Election {
    /// The first of the assigned replicas, where it is in sync
    Preferred,
    /// Any live replica of a partition without a leader: what it does not have is lost
    Unclean,
}

#[derive(Default, Serialize)]
struct Leads {
    /// Partitions that the node leads.
    leads: usize,
    /// Partitions of which it is the preferred leader.
    preferred: usize,
}

pub async fn run(admin: &Admin, arguments: &LeadersArguments) -> anyhow::Result<ExitCode> {
    let view = ClusterView::fetch(admin).await?;
    let partitions: Vec<_> = match arguments.partitions.as_slice() {
        [] => view.partitions().collect(),
        choices => chosen(choices, &view)?,
    };
    if let Some(election) = arguments.elect {
        let names: Vec<_> = partitions.into_iter().map(|(name, _)| name).collect();
        return elect(admin, election, &names, arguments.json).await;
    }
    let mut nodes: BTreeMap<Option<BrokerId>, Leads> =
        view.nodes().into_keys().map(|node| (Some(node), Leads::default())).collect();
    for (_, partition) in partitions {
        nodes.entry(partition.leader).or_default().leads += 1;
        if let Some(preferred) = partition.assigned_replicas.first() {
            nodes.entry(Some(*preferred)).or_default().preferred += 1;
        }
    }
    let mut output = Output::new();
    if arguments.json {
        let row = |(node, leads): (&Option<BrokerId>, &Leads)| {
            let node = node.map(|node| node.0);
            json!({ "node": node, "leads": leads.leads, "preferred": leads.preferred })
        };
        output.json(&nodes.iter().map(row).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = nodes.iter().map(|(node, leads)| {
        let node = node.map_or_else(|| "none".to_owned(), |node| node.to_string());
        vec![node, leads.leads.to_string(), leads.preferred.to_string()]
    });
    output.line(table(&["NODE", "LEADS", "IS TO LEAD"], rows))?;
    Ok(ExitCode::SUCCESS)
}

async fn elect(
    admin: &Admin,
    election: Election,
    partitions: &[TopicPartition],
    json: bool,
) -> anyhow::Result<ExitCode> {
    let kind = match election {
        Election::Preferred => ElectionKind::Preferred,
        Election::Unclean => ElectionKind::Unclean,
    };
    let results = match partitions {
        // an election of nothing would be one of everything
        [] => Vec::new(),
        partitions => admin.elect_leaders(kind, Some(partitions)).await?,
    };
    let is_needless = |result: &client::Result<()>| {
        result.as_ref().err().and_then(client::Error::code) == Some(ErrorCode::ElectionNotNeeded)
    };
    let elected: Vec<_> =
        results.iter().filter(|(_, result)| result.is_ok()).map(|(name, _)| name).collect();
    let mut output = Output::new();
    if json {
        let row = |name: &&TopicPartition| json!({ "topic": name.topic.as_str(), "partition": name.partition.0 });
        output.json(&elected.iter().map(row).collect::<Vec<_>>())?;
    } else {
        for name in &elected {
            output.line(format_args!("{name} has another leader"))?;
        }
    }
    let mut code = ExitCode::SUCCESS;
    for (_, result) in results.iter().filter(|(_, result)| !is_needless(result)) {
        if let Err(error) = result {
            output::error(&error.clone().into());
            code = ExitCode::FAILURE;
        }
    }
    if !json && elected.is_empty() && code == ExitCode::SUCCESS {
        output.line("no partition needs another leader")?;
    }
    Ok(code)
}
