//! `callboard topic delete`.

use std::process::ExitCode;

use clap::Args;
use client::{Admin, TopicName};
use protocol::ErrorCode;

use super::{exit_code, topic_name};
use crate::output::Output;

/// Delete topics with all their records. There is no way back.
#[derive(Debug, Args)]
pub struct DeleteArguments {
    /// Their names
    #[arg(required = true, value_name = "NAME", value_parser = topic_name)]
    names: Vec<TopicName>,
    /// Say nothing of topics that do not exist
    #[arg(long)]
    if_exists: bool,
}

pub async fn run(admin: &Admin, arguments: &DeleteArguments) -> anyhow::Result<ExitCode> {
    let mut results = admin.delete_topics(&arguments.names).await?;
    if arguments.if_exists {
        results.retain(|(_, result)| {
            let code = result.as_ref().err().and_then(client::Error::code);
            code != Some(ErrorCode::UnknownTopicOrPartition)
        });
    }
    let mut output = Output::new();
    for (name, _) in results.iter().filter(|(_, result)| result.is_ok()) {
        output.line(format_args!("{name} deleted"))?;
    }
    Ok(exit_code(&results))
}
