//! `callboard cluster voters`: who agrees on the cluster's metadata.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use client::{Admin, BrokerId, NewVoter, QuorumDescription, QuorumMember};
use serde::Serialize;

use super::node;
use crate::output::{Output, table};
use crate::timestamp_text::format_timestamp;

/// Show who votes on the cluster's metadata, and change it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct VotersArguments {
    #[command(subcommand)]
    change: Option<VoterChange>,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum VoterChange {
    /// Give a node a vote; it has to be running and to belong to the cluster
    Add {
        /// The node's number
        #[arg(value_parser = node)]
        node: BrokerId,
    },
    /// Take a node's vote away; it goes on as a broker
    Remove {
        /// The node's number
        #[arg(value_parser = node)]
        node: BrokerId,
    },
}

/// The quorum as it is shown.
#[derive(Serialize)]
pub struct Quorum {
    leader: Option<i32>,
    leader_epoch: i32,
    high_watermark: i64,
    voters: Vec<Member>,
    observers: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    node: i32,
    directory_id: String,
    addresses: Vec<String>,
    log_end_offset: i64,
    /// Entries that it lacks.
    lag: Option<i64>,
    /// Milliseconds since 1970.
    last_caught_up: Option<i64>,
}

impl From<&QuorumDescription> for Quorum {
    fn from(quorum: &QuorumDescription) -> Self {
        let member = |member: &QuorumMember| Member {
            node: member.id.0,
            directory_id: member.directory_id.to_string(),
            addresses: member.addresses.clone(),
            log_end_offset: member.log_end_offset,
            lag: quorum.lag_of(member),
            last_caught_up: member.last_caught_up,
        };
        Self {
            leader: quorum.leader.map(|leader| leader.0),
            leader_epoch: quorum.leader_epoch,
            high_watermark: quorum.high_watermark,
            voters: quorum.voters.iter().map(member).collect(),
            observers: quorum.observers.iter().map(member).collect(),
        }
    }
}

impl Quorum {
    /// Writes it for people.
    pub fn show(&self, output: &mut Output) -> anyhow::Result<()> {
        let leader = self.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
        let (epoch, voters) = (self.leader_epoch, self.voters.len());
        output.line(format_args!("quorum leader: {leader}, epoch: {epoch}, voters: {voters}"))?;
        // Kafka's brokers tell, ours do not
        let mut all = self.voters.iter().chain(&self.observers);
        let tells_times = all.any(|member| member.last_caught_up.is_some());
        let members = self.voters.iter().map(|member| (member, true));
        let members = members.chain(self.observers.iter().map(|member| (member, false)));
        let rows = members.map(|(member, votes)| {
            let role = match (votes, Some(member.node) == self.leader) {
                (true, true) => "leader",
                (true, false) => "voter",
                (false, _) => "observer",
            };
            let unknown = || "?".to_owned();
            let mut row = vec![
                member.node.to_string(),
                role.to_owned(),
                member.lag.map_or_else(unknown, |lag| lag.to_string()),
                member.addresses.join(","),
            ];
            if tells_times {
                row.push(member.last_caught_up.map_or_else(unknown, format_timestamp));
            }
            row
        });
        let mut head = vec!["NODE", "ROLE", "LAG", "REACHED AT"];
        if tells_times {
            head.push("CAUGHT UP");
        }
        Ok(output.line(table(&head, rows))?)
    }
}

pub async fn run(admin: &Admin, arguments: &VotersArguments) -> anyhow::Result<ExitCode> {
    let quorum = admin.describe_quorum().await?;
    let mut output = Output::new();
    match &arguments.change {
        None if arguments.json => output.json(&Quorum::from(&quorum))?,
        None => Quorum::from(&quorum).show(&mut output)?,
        Some(VoterChange::Add { node }) => add(admin, &quorum, *node, &mut output).await?,
        Some(VoterChange::Remove { node }) => {
            if !remove(admin, &quorum, *node).await? {
                bail!("node {node} has no vote");
            }
            output.line(format_args!("node {node} votes no more"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(
    admin: &Admin,
    quorum: &QuorumDescription,
    node: BrokerId,
    output: &mut Output,
) -> anyhow::Result<()> {
    if quorum.voters.iter().any(|voter| voter.id == node) {
        bail!("node {node} votes already");
    }
    let Some(observer) = quorum.observers.iter().find(|observer| observer.id == node) else {
        bail!("node {node} does not follow the quorum: is it running?");
    };
    let endpoints = observer.addresses.iter().filter_map(|address| {
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(("CLUSTER".to_owned(), host.to_owned(), port.parse().ok()?))
    });
    let voter =
        NewVoter { id: node, directory_id: observer.directory_id, endpoints: endpoints.collect() };
    admin.add_voter(&voter).await?;
    Ok(output.line(format_args!("node {node} votes"))?)
}

/// Takes a node's vote away. Says whether it had one.
pub async fn remove(
    admin: &Admin,
    quorum: &QuorumDescription,
    node: BrokerId,
) -> anyhow::Result<bool> {
    let Some(voter) = quorum.voters.iter().find(|voter| voter.id == node) else {
        return Ok(false);
    };
    if quorum.voters.len() == 1 {
        bail!("node {node} is the only one that votes: give another node a vote first");
    }
    admin.remove_voter(node, voter.directory_id).await?;
    Ok(true)
}
