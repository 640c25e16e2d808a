//! `callboard topic alter`.

use std::process::ExitCode;

use clap::Args;
use client::{Admin, ConfigOperation, ConfigResource, TopicName};

use super::{assignment, topic_name};
use crate::output::Output;

/// Change a topic's settings, or give it more partitions.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub struct AlterArguments {
    /// Its name
    #[arg(value_parser = topic_name)]
    name: TopicName,
    /// How many partitions it should have; never fewer. Keys go to other partitions from then on
    #[arg(long, short, group = "change", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Give a setting a value; may be given often
    #[arg(long = "set", group = "change", value_name = "NAME=VALUE", value_parser = assignment)]
    settings: Vec<(String, String)>,
    /// Let a setting have its default again; may be given often
    #[arg(long = "unset", group = "change", value_name = "NAME")]
    removed: Vec<String>,
    /// Only check whether the settings could be changed
    #[arg(long, conflicts_with = "partitions")]
    validate_only: bool,
}

pub async fn run(admin: &Admin, arguments: AlterArguments) -> anyhow::Result<ExitCode> {
    let AlterArguments { name, partitions, settings, removed, validate_only } = arguments;
    let set = settings.into_iter().map(|(name, value)| (name, ConfigOperation::Set(value)));
    let removed = removed.into_iter().map(|name| (name, ConfigOperation::Delete));
    let changes: Vec<_> = set.chain(removed).collect();
    let mut output = Output::new();
    if !changes.is_empty() {
        let resource = ConfigResource::Topic(name.clone());
        admin.alter_configs(&resource, &changes, validate_only).await?;
        let done = if validate_only { "could be changed" } else { "changed" };
        output.line(format_args!("settings of {name} {done}"))?;
    }
    if let Some(count) = partitions {
        admin.create_partitions(&name, count).await?;
        output.line(format_args!("{name} has {count} partitions"))?;
    }
    Ok(ExitCode::SUCCESS)
}
