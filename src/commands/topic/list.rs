//! `callboard topic list`.

use std::process::ExitCode;

use clap::Args;
use client::Admin;
use serde_json::json;

use crate::output::Output;

/// List the names of all topics.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Those of the brokers themselves, too
    #[arg(long)]
    internal: bool,
    /// As a JSON array, with ids and numbers of partitions
    #[arg(long)]
    json: bool,
}

pub async fn run(admin: &Admin, arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let topics = admin.all_topics().await?;
    let topics = topics.iter().filter(|topic| arguments.internal || !topic.is_internal);
    let mut output = Output::new();
    if arguments.json {
        let topics = topics.map(|topic| {
            json!({
                "name": topic.name.as_str(),
                "id": topic.id.to_string(),
                "internal": topic.is_internal,
                "partitions": topic.partitions.len(),
            })
        });
        output.json(&topics.collect::<Vec<_>>())?;
    } else {
        for topic in topics {
            output.line(&topic.name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
