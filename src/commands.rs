//! The commands, one a file.

pub mod cluster;
mod cluster_arguments;
pub mod consume;
pub mod group;
pub mod log;
pub mod produce;
pub mod serve;
pub mod settings;
pub mod topic;
pub mod tree;

use std::process::ExitCode;

use callboard::config::ConfigurationError;

use crate::command_line::{Command, CommandLine};
use crate::output;

/// Runs a command to its end.
pub async fn run(command_line: CommandLine) -> ExitCode {
    let done = match command_line.command {
        Command::Serve(arguments) => Box::pin(serve::run(*arguments)).await,
        Command::Settings(arguments) => settings::run(&arguments),
        Command::Topic(arguments) => Box::pin(topic::run(arguments)).await,
        Command::Produce(arguments) => Box::pin(produce::run(*arguments)).await,
        Command::Consume(arguments) => Box::pin(consume::run(*arguments)).await,
        Command::Group(arguments) => Box::pin(group::run(arguments)).await,
        Command::Cluster(arguments) => Box::pin(cluster::run(*arguments)).await,
        Command::Tree(arguments) => tree::run(arguments).await,
        Command::Log(arguments) => log::run(&arguments),
    };
    done.unwrap_or_else(|error| failed(&error))
}

/// Tells why a command failed.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    if output::reader_is_gone(error) {
        return ExitCode::SUCCESS;
    }
    output::error(error);
    match error.is::<ConfigurationError>() {
        true => ExitCode::from(2),
        false => ExitCode::FAILURE,
    }
}
