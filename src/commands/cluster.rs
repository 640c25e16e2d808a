//! `callboard cluster`: the nodes of a cluster, what they hold, and who decides.

mod certificates;
mod cluster_view;
mod drain;
mod leaders;
mod leave;
mod partition_choice;
mod placement;
mod reassign;
mod replica_moves;
mod status;
mod up;
mod voters;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::commands::cluster_arguments::ClusterArguments;

/// Look at the nodes of a cluster, move what they hold, and change who decides.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  callboard cluster up                            three nodes on this machine, for a trial
  callboard cluster status
  callboard cluster reassign orders --replication-factor 3
  callboard cluster drain 2                       before work on its machine
  callboard cluster leave 3                       for good")]
pub struct ClusterCommandArguments {
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(subcommand)]
    action: ClusterAction,
}

#[derive(Debug, Subcommand)]
enum ClusterAction {
    Status(status::StatusArguments),
    Voters(voters::VotersArguments),
    Leaders(leaders::LeadersArguments),
    Reassign(reassign::ReassignArguments),
    Drain(drain::DrainArguments),
    Leave(leave::LeaveArguments),
    Certificates(certificates::CertificatesArguments),
    Up(up::UpArguments),
}

/// Does one thing with a cluster.
pub async fn run(arguments: ClusterCommandArguments) -> anyhow::Result<ExitCode> {
    let cluster = arguments.cluster;
    match arguments.action {
        ClusterAction::Certificates(arguments) => certificates::run(&arguments),
        ClusterAction::Up(arguments) => Box::pin(up::run(&arguments)).await,
        ClusterAction::Status(arguments) => {
            status::run(&cluster.connect().await?.admin(), &arguments).await
        }
        ClusterAction::Voters(arguments) => {
            voters::run(&cluster.connect().await?.admin(), &arguments).await
        }
        ClusterAction::Leaders(arguments) => {
            leaders::run(&cluster.connect().await?.admin(), &arguments).await
        }
        ClusterAction::Reassign(arguments) => {
            Box::pin(reassign::run(&cluster.connect().await?.admin(), &arguments)).await
        }
        ClusterAction::Drain(arguments) => {
            Box::pin(drain::run(&cluster.connect().await?.admin(), &arguments)).await
        }
        ClusterAction::Leave(arguments) => {
            Box::pin(leave::run(&cluster.connect().await?.admin(), &arguments)).await
        }
    }
}

/// What the cluster says, or nothing where its brokers do not serve the question.
fn if_served<T>(answer: client::Result<T>) -> client::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(client::Error::UnsupportedApi { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Numbers with commas between them.
fn list(brokers: &[client::BrokerId]) -> String {
    match brokers {
        [] => "-".to_owned(),
        brokers => brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    }
}

/// The numbers, as JSON has them.
fn numbers(brokers: &[client::BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

/// A node's number, as an argument.
fn node(text: &str) -> Result<client::BrokerId, String> {
    match text.parse() {
        Ok(number) if number >= 0 => Ok(client::BrokerId(number)),
        _ => Err("it has to be the number of a node".to_owned()),
    }
}
