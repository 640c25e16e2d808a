//! `callboard log`: the files of a log, without a broker.

mod dump;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Look at the files of a log. No broker is needed, and none is disturbed.
#[derive(Debug, Args)]
pub struct LogArguments {
    #[command(subcommand)]
    action: LogAction,
}

#[derive(Debug, Subcommand)]
enum LogAction {
    Dump(DumpArguments),
}

/// Show the record batches of segments, with a verdict on each.
///
/// A batch is good if its format, its length, its offsets and its checksum are; with --records
/// its records have to be readable too. Ends with 1 if anything is damaged. The end of a segment
/// that is being written may look damaged: its last batch may not be there yet.
#[derive(Debug, Args)]
pub struct DumpArguments {
    /// A .log file, the directory of a partition, or a whole data directory
    path: PathBuf,
    /// The records of each batch too
    #[arg(long, short)]
    records: bool,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

/// Looks at files.
pub fn run(arguments: &LogArguments) -> anyhow::Result<ExitCode> {
    match &arguments.action {
        LogAction::Dump(arguments) => dump::run(arguments),
    }
}
