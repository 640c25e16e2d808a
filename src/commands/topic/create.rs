//! `callboard topic create`.

use std::process::ExitCode;

use clap::Args;
use client::{Admin, CreatedTopic, NewTopic, TopicName};
use protocol::ErrorCode;
use serde::Serialize;

use super::{assignment, exit_code, topic_name};
use crate::output::Output;

/// Make topics.
#[derive(Debug, Args)]
pub struct CreateArguments {
    /// Their names
    #[arg(required = true, value_name = "NAME", value_parser = topic_name)]
    names: Vec<TopicName>,
    /// How many partitions [default: the brokers' num.partitions]
    #[arg(long, short, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many replicas of each [default: the brokers' default.replication.factor]
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting of the topics, such as retention.ms=3600000; may be given often
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    settings: Vec<(String, String)>,
    /// Leave topics alone that exist already
    #[arg(long)]
    if_not_exists: bool,
    /// Only check whether they could be made
    #[arg(long)]
    validate_only: bool,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made {
    name: String,
    id: String,
    partitions: i32,
    replication_factor: i16,
}

impl Made {
    fn new(name: &TopicName, topic: &CreatedTopic) -> Self {
        Self {
            name: name.to_string(),
            id: topic.id.to_string(),
            partitions: topic.partitions,
            replication_factor: topic.replication_factor,
        }
    }
}

pub async fn run(admin: &Admin, arguments: CreateArguments) -> anyhow::Result<ExitCode> {
    let topics = arguments.names.iter().map(|name| NewTopic {
        partitions: arguments.partitions,
        replication_factor: arguments.replication_factor,
        configs: arguments.settings.clone(),
        ..NewTopic::new(name)
    });
    let topics: Vec<_> = topics.collect();
    let mut results = admin.create_topics(&topics, arguments.validate_only).await?;
    if arguments.if_not_exists {
        results.retain(|(_, result)| {
            let code = result.as_ref().err().and_then(client::Error::code);
            code != Some(ErrorCode::TopicAlreadyExists)
        });
    }
    let made = results.iter().filter_map(|(name, result)| Some((name, result.as_ref().ok()?)));
    let mut output = Output::new();
    if arguments.json {
        output.json(&made.map(|(name, topic)| Made::new(name, topic)).collect::<Vec<_>>())?;
    } else {
        let done = if arguments.validate_only { "could be created" } else { "created" };
        for (name, topic) in made {
            let (partitions, factor) = (topic.partitions, topic.replication_factor);
            let counts = format!("partitions: {partitions}, replication factor: {factor}");
            output.line(format_args!("{name} {done} ({counts})"))?;
        }
    }
    Ok(exit_code(&results))
}
