//! `callboard cluster status`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use client::{Admin, BrokerId, Partition, TopicPartition};
use serde::Serialize;

use super::cluster_view::{ClusterView, NodeState};
use super::replica_moves::ShownMove;
use super::voters::Quorum;
use super::{if_served, numbers};
use crate::output::{Output, table};

/// Show the nodes, who decides, and what is not as it should be.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Status {
    cluster_id: String,
    nodes: Vec<Node>,
    /// Nothing where the brokers do not tell.
    quorum: Option<Quorum>,
    partitions: usize,
    /// With a leader, but not every replica in sync.
    under_replicated: Vec<Trouble>,
    /// Without a leader: they can neither be written nor read.
    offline: Vec<Trouble>,
    /// Nothing where the brokers do not tell.
    reassignments: Option<Vec<ShownMove>>,
}

#[derive(Serialize)]
struct Node {
    node: i32,
    address: Option<String>,
    rack: Option<String>,
    state: &'static str,
    leaders: usize,
    replicas: usize,
}

#[derive(Serialize)]
struct Trouble {
    topic: String,
    partition: i32,
    leader: Option<i32>,
    replicas: Vec<i32>,
    in_sync_replicas: Vec<i32>,
}

impl Trouble {
    fn new(name: &TopicPartition, partition: &Partition) -> Self {
        Self {
            topic: name.topic.to_string(),
            partition: name.partition.0,
            leader: partition.leader.map(|leader| leader.0),
            replicas: numbers(&partition.assigned_replicas),
            in_sync_replicas: numbers(&partition.in_sync_replicas),
        }
    }
}

pub async fn run(admin: &Admin, arguments: &StatusArguments) -> anyhow::Result<ExitCode> {
    let view = ClusterView::fetch(admin).await?;
    let quorum = if_served(admin.describe_quorum().await)?;
    let moves = if_served(admin.list_reassignments(None).await)?;
    let trouble = |is_wanted: fn(&Partition) -> bool| {
        let found = view.partitions().filter(|(_, partition)| is_wanted(partition));
        found.map(|(name, partition)| Trouble::new(&name, partition)).collect()
    };
    let status = Status {
        cluster_id: view.cluster.cluster_id.clone(),
        nodes: nodes(&view),
        quorum: quorum.as_ref().map(Quorum::from),
        partitions: view.partitions().count(),
        under_replicated: trouble(|partition| {
            let (replicas, isr) = (&partition.assigned_replicas, &partition.in_sync_replicas);
            partition.leader.is_some() && isr.len() < replicas.len()
        }),
        offline: trouble(|partition| partition.leader.is_none()),
        reassignments: moves.map(|moves| moves.iter().map(ShownMove::from).collect()),
    };
    let mut output = Output::new();
    match arguments.json {
        true => output.json(&status)?,
        false => status.show(&mut output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn nodes(view: &ClusterView) -> Vec<Node> {
    let mut held: BTreeMap<BrokerId, (usize, usize)> = BTreeMap::new();
    for (_, partition) in view.partitions() {
        for node in &partition.assigned_replicas {
            held.entry(*node).or_default().1 += 1;
        }
        if let Some(leader) = partition.leader {
            held.entry(leader).or_default().0 += 1;
        }
    }
    let node = |(id, state): (BrokerId, NodeState)| {
        let broker = view.cluster.brokers.iter().find(|broker| broker.id == id);
        let (leaders, replicas) = held.get(&id).copied().unwrap_or_default();
        Node {
            node: id.0,
            address: broker.map(|broker| broker.address.to_string()),
            rack: broker.and_then(|broker| broker.rack.clone()),
            state: state.name(),
            leaders,
            replicas,
        }
    };
    view.nodes().into_iter().map(node).collect()
}

impl Status {
    fn show(&self, output: &mut Output) -> anyhow::Result<()> {
        output.line(format_args!("cluster {}", self.cluster_id))?;
        let rows = self.nodes.iter().map(|node| {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let (leaders, replicas) = (node.leaders.to_string(), node.replicas.to_string());
            let texts = [text(&node.address), text(&node.rack), node.state.to_owned()];
            let number = [node.node.to_string()];
            number.into_iter().chain(texts).chain([leaders, replicas]).collect::<Vec<_>>()
        });
        let head = ["NODE", "ADDRESS", "RACK", "STATE", "LEADERS", "REPLICAS"];
        output.line(table(&head, rows))?;
        output.line("")?;
        match &self.quorum {
            Some(quorum) => quorum.show(output)?,
            None => output.line("the brokers do not tell who votes")?,
        }
        output.line("")?;
        let (under, offline) = (self.under_replicated.len(), self.offline.len());
        let count = self.partitions;
        output.line(format_args!(
            "partitions: {count}, under-replicated: {under}, offline: {offline}"
        ))?;
        self.show_trouble(output)?;
        if let Some(moves) = self.reassignments.as_ref().filter(|moves| !moves.is_empty()) {
            output.line(format_args!("\nmoves under way: {}", moves.len()))?;
            output.line(ShownMove::table(moves))?;
        }
        Ok(())
    }

    fn show_trouble(&self, output: &mut Output) -> anyhow::Result<()> {
        let text =
            |ids: &[i32]| super::list(&ids.iter().copied().map(BrokerId).collect::<Vec<_>>());
        let rows: Vec<_> = self
            .offline
            .iter()
            .chain(&self.under_replicated)
            .map(|row| {
                let leader = row.leader.map_or_else(|| "none".to_owned(), |id| id.to_string());
                let lists = [&row.replicas, &row.in_sync_replicas].map(|ids| text(ids));
                let name = [row.topic.clone(), row.partition.to_string(), leader];
                name.into_iter().chain(lists).collect::<Vec<_>>()
            })
            .collect();
        if !rows.is_empty() {
            let head = ["TOPIC", "PARTITION", "LEADER", "REPLICAS", "IN SYNC"];
            output.line(table(&head, rows))?;
        }
        Ok(())
    }
}
