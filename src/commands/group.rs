//! `callboard group`: consumer groups, their members and how far behind they are.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use client::{Admin, GroupDescription, GroupId, GroupLag, MemberDescription, TopicPartition};
use serde::Serialize;
use serde_json::json;

use crate::commands::cluster_arguments::ClusterArguments;
use crate::output::{Output, table};

/// Look at consumer groups.
#[derive(Debug, Args)]
pub struct GroupArguments {
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(subcommand)]
    action: GroupAction,
}

#[derive(Debug, Subcommand)]
enum GroupAction {
    /// List all groups
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show members, committed offsets, and how many records are left to be read
    Describe {
        /// Its name
        group: String,
        /// As a JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Looks at groups.
pub async fn run(arguments: GroupArguments) -> anyhow::Result<ExitCode> {
    let admin = arguments.cluster.connect().await?.admin();
    match arguments.action {
        GroupAction::List { json } => list(&admin, json).await?,
        GroupAction::Describe { group, json } => {
            describe(&admin, &GroupId::new(&group), json).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(admin: &Admin, json: bool) -> anyhow::Result<()> {
    let groups = admin.list_groups().await?;
    let mut output = Output::new();
    if json {
        let groups = groups.iter().map(|group| {
            json!({
                "group": group.group.as_str(),
                "state": group.state,
                "type": group.kind,
                "protocol_type": group.protocol_type,
            })
        });
        return output.json(&groups.collect::<Vec<_>>());
    }
    let rows = groups.iter().map(|group| {
        let protocol = &group.protocol_type;
        vec![group.group.to_string(), group.state.clone(), group.kind.clone(), protocol.clone()]
    });
    Ok(output.line(table(&["GROUP", "STATE", "TYPE", "PROTOCOL"], rows))?)
}

#[derive(Serialize)]
struct DescribedGroup {
    group: String,
    state: String,
    protocol_type: String,
    assignor: String,
    members: Vec<DescribedMember>,
    partitions: Vec<DescribedPartition>,
    /// The sum over the partitions whose end is known.
    lag: i64,
}

#[derive(Serialize)]
struct DescribedMember {
    member: String,
    instance: Option<String>,
    client_id: String,
    host: String,
    partitions: usize,
}

#[derive(Serialize)]
struct DescribedPartition {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    end: Option<i64>,
    lag: Option<i64>,
    member: Option<String>,
}

async fn describe(admin: &Admin, group: &GroupId, json: bool) -> anyhow::Result<()> {
    let description = admin.describe_group(group).await?;
    let lag = admin.group_lag(group).await?;
    let described = DescribedGroup::new(&description, &lag);
    let mut output = Output::new();
    if json {
        return output.json(&described);
    }
    show(&described, &mut output)
}

impl DescribedGroup {
    fn new(group: &GroupDescription, lag: &GroupLag) -> Self {
        // partitions that were committed, and those that a member has without a commit so far
        let mut partitions: BTreeMap<&TopicPartition, Option<&MemberDescription>> =
            lag.keys().map(|partition| (partition, None)).collect();
        for member in &group.members {
            partitions.extend(member.assignment.iter().map(|partition| (partition, Some(member))));
        }
        let partitions: Vec<_> = partitions
            .into_iter()
            .map(|(partition, member)| DescribedPartition::new(partition, member, lag))
            .collect();
        Self {
            group: group.group.to_string(),
            state: group.state.clone(),
            protocol_type: group.protocol_type.clone(),
            assignor: group.assignor.clone(),
            members: group.members.iter().map(DescribedMember::from).collect(),
            lag: partitions.iter().filter_map(|partition| partition.lag).sum(),
            partitions,
        }
    }
}

impl From<&MemberDescription> for DescribedMember {
    fn from(member: &MemberDescription) -> Self {
        Self {
            member: member.member.to_string(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            host: member.client_host.clone(),
            partitions: member.assignment.len(),
        }
    }
}

impl DescribedPartition {
    fn new(partition: &TopicPartition, member: Option<&MemberDescription>, lag: &GroupLag) -> Self {
        let lag = lag.get(partition);
        Self {
            topic: partition.topic.to_string(),
            partition: partition.partition.0,
            committed: lag.map(|lag| lag.committed.offset.value()),
            end: lag.and_then(|lag| lag.end).map(client::Offset::value),
            lag: lag.and_then(client::PartitionLag::records),
            member: member.map(|member| member.member.to_string()),
        }
    }
}

fn show(group: &DescribedGroup, output: &mut Output) -> anyhow::Result<()> {
    let assignor = match group.assignor.as_str() {
        "" => String::new(),
        assignor => format!(", assignor {assignor}"),
    };
    let DescribedGroup { group: name, state, members, partitions, lag, .. } = group;
    let count = members.len();
    output.line(format_args!("{name}  {state}{assignor}, members: {count}, lag: {lag}"))?;
    if !members.is_empty() {
        let rows = members.iter().map(|member| {
            let (instance, count) = (member.instance.as_deref(), member.partitions.to_string());
            let instance = instance.unwrap_or("-").to_owned();
            vec![
                member.member.clone(),
                instance,
                member.client_id.clone(),
                member.host.clone(),
                count,
            ]
        });
        output.line("")?;
        output.line(table(&["MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS"], rows))?;
    }
    if !partitions.is_empty() {
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |it| it.to_string());
        let rows = partitions.iter().map(|row| {
            let member = row.member.clone().unwrap_or_else(|| "-".to_owned());
            let numbers = [row.committed, row.end, row.lag].map(number);
            let place = [row.topic.clone(), row.partition.to_string()];
            place.into_iter().chain(numbers).chain([member]).collect::<Vec<_>>()
        });
        output.line("")?;
        output.line(table(&["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER"], rows))?;
    }
    Ok(())
}
