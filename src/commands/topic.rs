//! `callboard topic`: topics and their settings.

mod alter;
mod create;
mod delete;
mod describe;
mod list;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use client::TopicName;

use crate::commands::cluster_arguments::ClusterArguments;
use crate::output;

/// Make, look at, change and delete topics.
#[derive(Debug, Args)]
pub struct TopicArguments {
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(subcommand)]
    action: TopicAction,
}

#[derive(Debug, Subcommand)]
enum TopicAction {
    Create(create::CreateArguments),
    List(list::ListArguments),
    Describe(describe::DescribeArguments),
    Alter(alter::AlterArguments),
    Delete(delete::DeleteArguments),
}

/// Does one thing with topics.
pub async fn run(arguments: TopicArguments) -> anyhow::Result<ExitCode> {
    let admin = arguments.cluster.connect().await?.admin();
    match arguments.action {
        TopicAction::Create(arguments) => create::run(&admin, arguments).await,
        TopicAction::List(arguments) => list::run(&admin, &arguments).await,
        TopicAction::Describe(arguments) => describe::run(&admin, &arguments).await,
        TopicAction::Alter(arguments) => alter::run(&admin, arguments).await,
        TopicAction::Delete(arguments) => delete::run(&admin, &arguments).await,
    }
}

/// A topic's name, as an argument.
pub fn topic_name(text: &str) -> Result<TopicName, String> {
    TopicName::new(text).map_err(|error| error.to_string())
}

/// `NAME=VALUE`, as an argument.
pub fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has to be NAME=VALUE")?;
    match name.trim() {
        "" => Err("the name is empty".to_owned()),
        name => Ok((name.to_owned(), value.to_owned())),
    }
}

/// Tells what went wrong with each of several topics; the command fails if anything did.
fn exit_code<'a, T: 'a>(
    results: impl IntoIterator<Item = &'a (TopicName, client::Result<T>)>,
) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for error in results.into_iter().filter_map(|(_, result)| result.as_ref().err()) {
        output::error(&anyhow::Error::from(error.clone()));
        code = ExitCode::FAILURE;
    }
    code
}
