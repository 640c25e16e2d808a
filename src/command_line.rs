//! What can be asked of the program.

use clap::{Parser, Subcommand};

use crate::commands::cluster::ClusterCommandArguments;
use crate::commands::consume::ConsumeArguments;
use crate::commands::group::GroupArguments;
use crate::commands::log::LogArguments;
use crate::commands::produce::ProduceArguments;
use crate::commands::serve::ServeArguments;
use crate::commands::settings::SettingsArguments;
use crate::commands::topic::TopicArguments;
use crate::commands::tree::TreeArguments;

/// A distributed commit log that Kafka's clients use: the broker, and what it takes to work with
/// one from a shell.
#[derive(Debug, Parser)]
#[command(name = "callboard", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Start with:
  callboard serve                                a broker on 127.0.0.1:9092
  callboard topic create orders --partitions 3
  echo 'two tickets' | callboard produce orders
  callboard consume orders --from-beginning
  callboard tree                                 who runs in the cluster
  callboard cluster up                           three brokers, for a trial of a cluster

The commands of clients find the broker by --bootstrap or CALLBOARD_BOOTSTRAP, and work with
Apache Kafka too. `callboard help COMMAND` explains each.")]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(Box<ServeArguments>),
    Settings(SettingsArguments),
    Topic(TopicArguments),
    Produce(Box<ProduceArguments>),
    Consume(Box<ConsumeArguments>),
    Group(GroupArguments),
    Cluster(Box<ClusterCommandArguments>),
    Tree(TreeArguments),
    Log(LogArguments),
}
