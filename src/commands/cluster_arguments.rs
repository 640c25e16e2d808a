//! Which cluster a command talks to.

use callboard::telemetry;
use clap::Args;
use client::{Client, ClientSettings};

/// Options of every command that talks to a cluster.
#[derive(Debug, Args)]
pub struct ClusterArguments {
    /// Some brokers of the cluster, separated by commas
    #[arg(
        long,
        short,
        value_name = "HOST:PORT",
        env = "CALLBOARD_BOOTSTRAP",
        default_value = "127.0.0.1:9092",
        global = true
    )]
    bootstrap: String,
}

impl ClusterArguments {
    /// Finds the cluster.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        telemetry::start(telemetry::LogFormat::Text, telemetry::CLIENT_FILTER)?;
        Ok(Client::with_settings(ClientSettings::new(&self.bootstrap)).await?)
    }
}
