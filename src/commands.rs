//! The commands, one a file.

pub mod serve;

use std::process::ExitCode;

use crate::command_line::{Command, CommandLine};
use crate::output;

/// Runs a command to its end.
pub async fn run(command_line: CommandLine) -> ExitCode {
    let done = match command_line.command {
        Command::Serve(arguments) => serve::run(*arguments).await,
    };
    done.unwrap_or_else(|error| failed(&error))
}

/// Tells why a command failed.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    if output::reader_is_gone(error) {
        return ExitCode::SUCCESS;
    }
    output::error(error);
    match error.is::<callboard::config::ConfigurationError>() {
        true => ExitCode::from(2),
        false => ExitCode::FAILURE,
    }
}
