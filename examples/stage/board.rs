//! A board for one demonstration: a node in this process, over a directory that goes with it.

use std::time::Duration;

use actors::{Node, StaticSettings};
use anyhow::{Context, Result, ensure};
use client::{Client, ClientSettings, NewTopic, TopicName};
use supervision::ExitReason;
use tempfile::TempDir;

/// How long an orderly stop may take.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// A node with its directory.
pub struct Board {
    node: Node,
    directory: TempDir,
    bootstrap: String,
}

impl Board {
    /// Starts a node on ports that the system chooses. Groups form at once, since nobody waits for
    /// a demonstration.
    pub async fn open() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().to_str().context("the temporary directory has an odd name")?;
        let settings = StaticSettings::parse([
            ("log.dirs", path),
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("callboard.admin.listener", "127.0.0.1:0"),
            ("offsets.topic.num.partitions", "4"),
            ("group.initial.rebalance.delay.ms", "100"),
            ("group.min.session.timeout.ms", "500"),
        ])?;
        let node = Node::start(settings).await?;
        let bootstrap = node.bootstrap().context("the node listens nowhere")?.to_string();
        Ok(Self { node, directory, bootstrap })
    }

    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Where clients find the node.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A client under a name of its own, by which its sessions are found in the tree.
    pub async fn client(&self, name: &str) -> Result<Client> {
        let settings =
            ClientSettings { client_id: name.to_owned(), ..ClientSettings::new(&self.bootstrap) };
        Ok(Client::with_settings(settings).await?)
    }

    /// A client that never tries a request again: its first pause is longer than anything that
    /// waits for it, so one refused request fails its records.
    pub async fn impatient_client(&self, name: &str) -> Result<Client> {
        let never = Duration::from_secs(300);
        let settings = ClientSettings {
            client_id: name.to_owned(),
            retry_pause: never,
            retry_pause_max: never,
            ..ClientSettings::new(&self.bootstrap)
        };
        Ok(Client::with_settings(settings).await?)
    }

    /// Makes a topic; all its partitions serve when this returns.
    pub async fn topic(&self, name: &str, partitions: i32) -> Result<TopicName> {
        let topic = TopicName::new(name)?;
        let admin = self.client("setting the stage").await?.admin();
        admin.create_topic(NewTopic::new(&topic).partitions(partitions)).await?;
        Ok(topic)
    }

    /// Stops the node in order and takes its directory away.
    pub async fn close(self) -> Result<()> {
        let reason = self.node.stop(STOP_DEADLINE).await;
        let in_order = matches!(reason, ExitReason::Normal | ExitReason::Shutdown(_));
        ensure!(in_order, "the node did not stop in order: it {reason}");
        Ok(self.directory.close()?)
    }
}
