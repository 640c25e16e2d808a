//! `callboard topic describe`.

use std::collections::HashMap;
use std::process::ExitCode;

use clap::Args;
use client::{
    Admin, BrokerId, ConfigEntry, ConfigResource, ConfigSource, Error, FoundOffset, Isolation,
    OffsetQuery, PartitionLags, ReplicaLag, Topic, TopicName, TopicPartition,
};
use serde::Serialize;

use super::{exit_code, topic_name};
use crate::output::{Output, table};

/// Show partitions, where they are, how far their followers are behind, and settings.
///
/// ELIGIBLE are replicas that may lead though they are not in sync. BEHIND are followers that lack
/// records of their leader, with how many; of a node that does not answer that is unknown.
#[derive(Debug, Args)]
pub struct DescribeArguments {
    /// Their names [default: all topics but the brokers' own]
    #[arg(value_name = "NAME", value_parser = topic_name)]
    names: Vec<TopicName>,
    /// All settings, not only those that the topic or the brokers changed
    #[arg(long)]
    all_settings: bool,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct DescribedTopic {
    name: String,
    id: String,
    internal: bool,
    partitions: Vec<DescribedPartition>,
    settings: Vec<DescribedSetting>,
}

#[derive(Serialize)]
struct DescribedPartition {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: i32,
    replicas: Vec<i32>,
    in_sync_replicas: Vec<i32>,
    /// Not in sync, but known to have every committed record, so that they may lead (KIP-966).
    /// Nothing where the brokers do not tell.
    eligible_leader_replicas: Option<Vec<i32>>,
    offline_replicas: Vec<i32>,
    /// How far each follower is behind its leader.
    followers: Vec<DescribedFollower>,
    /// The first offset that can be read.
    earliest: Option<i64>,
    /// The offset after the last record that can be read.
    latest: Option<i64>,
}

#[derive(Serialize)]
struct DescribedFollower {
    node: i32,
    /// Records that it lacks; nothing where it, or the leader, did not say.
    lag: Option<i64>,
}

impl From<&ReplicaLag> for DescribedFollower {
    fn from(lag: &ReplicaLag) -> Self {
        Self { node: lag.broker.0, lag: lag.records }
    }
}

#[derive(Serialize)]
struct DescribedSetting {
    name: String,
    value: Option<String>,
    source: String,
}

pub async fn run(admin: &Admin, arguments: &DescribeArguments) -> anyhow::Result<ExitCode> {
    let results = match arguments.names.as_slice() {
        [] => {
            let topics = admin.all_topics().await?.into_iter().filter(|topic| !topic.is_internal);
            topics.map(|topic| (topic.name.clone(), Ok(topic))).collect()
        }
        names => admin.describe_topics(names).await?,
    };
    let found = || results.iter().filter_map(|(_, result)| result.as_ref().ok());
    let lags = admin.replica_lags(found()).await;
    let mut described = Vec::new();
    for topic in found() {
        described.push(describe(admin, topic, &lags, arguments.all_settings).await?);
    }
    let mut output = Output::new();
    if arguments.json {
        output.json(&described)?;
    } else {
        for (place, topic) in described.iter().enumerate() {
            if place > 0 {
                output.line("")?;
            }
            show(topic, &mut output)?;
        }
    }
    Ok(exit_code(&results))
}

async fn describe(
    admin: &Admin,
    topic: &Topic,
    lags: &PartitionLags,
    all: bool,
) -> anyhow::Result<DescribedTopic> {
    let earliest = offsets(admin, topic, OffsetQuery::Earliest).await;
    let latest = offsets(admin, topic, OffsetQuery::Latest).await;
    let eligible = match admin.eligible_leaders(std::slice::from_ref(&topic.name)).await {
        Ok(eligible) => Some(eligible),
        Err(Error::UnsupportedApi { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let entries = admin.describe_configs(&ConfigResource::Topic(topic.name.clone())).await?;
    let settings = entries.into_iter().filter(|entry| all || entry.source != ConfigSource::Default);
    let partitions = topic.partitions.iter().map(|partition| {
        let numbers = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
        let name = TopicPartition::new(topic.name.clone(), partition.index);
        DescribedPartition {
            partition: partition.index.0,
            leader: partition.leader.map(|leader| leader.0),
            leader_epoch: partition.leader_epoch.value(),
            replicas: numbers(&partition.assigned_replicas),
            in_sync_replicas: numbers(&partition.in_sync_replicas),
            eligible_leader_replicas: eligible
                .as_ref()
                .and_then(|eligible| Some(numbers(eligible.get(&name)?))),
            offline_replicas: numbers(&partition.offline_replicas),
            followers: lags.get(&name).into_iter().flatten().map(Into::into).collect(),
            earliest: earliest.get(&partition.index.0).copied(),
            latest: latest.get(&partition.index.0).copied(),
        }
    });
    Ok(DescribedTopic {
        name: topic.name.to_string(),
        id: topic.id.to_string(),
        internal: topic.is_internal,
        partitions: partitions.collect(),
        settings: settings.map(DescribedSetting::from).collect(),
    })
}

impl From<ConfigEntry> for DescribedSetting {
    fn from(entry: ConfigEntry) -> Self {
        Self { name: entry.name, value: entry.value, source: entry.source.to_string() }
    }
}

/// One offset of each partition; of those whose leader cannot be asked, none.
async fn offsets(admin: &Admin, topic: &Topic, query: OffsetQuery) -> HashMap<i32, i64> {
    let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
    let queries =
        led.map(|partition| (TopicPartition::new(topic.name.clone(), partition.index), query));
    let found = admin.list_offsets(queries, Isolation::Uncommitted).await;
    let offset = |found: FoundOffset| Some(found.offset?.value());
    let found = found.into_iter().filter_map(|(partition, found)| {
        Some((partition.partition.0, found.ok().and_then(offset)?))
    });
    found.collect()
}

fn show(topic: &DescribedTopic, output: &mut Output) -> anyhow::Result<()> {
    output.line(format_args!("{}  (id {})", topic.name, topic.id))?;
    let rows = topic.partitions.iter().map(|partition| {
        vec![
            partition.partition.to_string(),
            partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string()),
            partition.leader_epoch.to_string(),
            list(&partition.replicas),
            list(&partition.in_sync_replicas),
            partition.eligible_leader_replicas.as_deref().map_or_else(|| "?".to_owned(), list),
            lags(&partition.followers),
            number(partition.earliest),
            number(partition.latest),
        ]
    });
    let head = [
        "PARTITION",
        "LEADER",
        "EPOCH",
        "REPLICAS",
        "IN SYNC",
        "ELIGIBLE",
        "BEHIND",
        "EARLIEST",
        "LATEST",
    ];
    output.line(table(&head, rows))?;
    let settings = topic.settings.iter().map(|setting| {
        let value = setting.value.clone().unwrap_or_default();
        vec![setting.name.clone(), value, setting.source.clone()]
    });
    match topic.settings.is_empty() {
        true => output.line(" all settings have their defaults")?,
        false => output.line(table(&["SETTING", "VALUE", "FROM"], settings))?,
    }
    Ok(())
}

fn list(numbers: &[i32]) -> String {
    if numbers.is_empty() {
        return "-".to_owned();
    }
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The followers that lack something, with how many records.
fn lags(followers: &[DescribedFollower]) -> String {
    let behind = followers.iter().filter(|follower| follower.lag != Some(0)).map(|follower| {
        let lag = follower.lag.map_or_else(|| "unknown".to_owned(), |lag| lag.to_string());
        format!("{}:{lag}", follower.node)
    });
    let behind = behind.collect::<Vec<_>>();
    if behind.is_empty() { "-".to_owned() } else { behind.join(",") }
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(|| "?".to_owned(), |number| number.to_string())
}
