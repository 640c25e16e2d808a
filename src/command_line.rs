//! What can be asked of the program.

use clap::{Parser, Subcommand};

use crate::commands::serve::ServeArguments;

/// A distributed commit log that Kafka's clients use: the broker, and what it takes to work with
/// one from a shell.
#[derive(Debug, Parser)]
#[command(name = "callboard", version, propagate_version = true, arg_required_else_help = true)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(Box<ServeArguments>),
}
