//! A company for one demonstration: three nodes in this process, as `callboard::testing` gives them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use callboard::testing::{Cluster, ClusterPlan};
use client::{Client, ClientSettings, NewTopic, Partition, PartitionIndex, TopicName};
use tokio::time::{Instant, sleep};

/// How long anything of a cluster may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// Three nodes.
pub struct Company {
    pub cluster: Cluster,
}

impl Company {
    /// Starts three nodes; every topic gets three replicas, two of which must have a record.
    pub async fn open() -> Result<Self> {
        let plan = ClusterPlan::new(3).setting("group.min.session.timeout.ms", "500");
        Ok(Self { cluster: plan.start().await? })
    }

    /// A client that knows all nodes, and does not wait long for one that does not answer.
    pub async fn client(&self, name: &str) -> Result<Client> {
        let settings = ClientSettings {
            client_id: name.to_owned(),
            request_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(1),
            retry_pause: Duration::from_millis(10),
            retry_pause_max: Duration::from_millis(100),
            ..ClientSettings::new(&self.cluster.bootstrap())
        };
        Ok(Client::with_settings(settings).await?)
    }

    /// Makes a topic of three replicas, all in sync when this returns.
    pub async fn topic(&self, name: &str, partitions: i32) -> Result<TopicName> {
        let topic = TopicName::new(name)?;
        let client = self.client("setting the stage").await?;
        let request = NewTopic::new(&topic).partitions(partitions).replication_factor(3);
        client.admin().create_topic(request).await?;
        self.until_all_in_sync(&client, &topic).await?;
        Ok(topic)
    }

    /// Waits until every replica of the topic is in sync.
    pub async fn until_all_in_sync(&self, client: &Client, topic: &TopicName) -> Result<()> {
        self.until(client, topic, "three replicas in sync", |partitions| {
            partitions.iter().all(|partition| partition.in_sync_replicas.len() == 3)
        })
        .await
        .map(drop)
    }

    /// Waits until the topic's partitions are as they should be; gives them.
    pub async fn until(
        &self,
        client: &Client,
        topic: &TopicName,
        what: &str,
        condition: impl Fn(&[Partition]) -> bool,
    ) -> Result<Vec<Partition>> {
        let began = Instant::now();
        loop {
            let described = client.admin().describe_topic(topic).await;
            if let Ok(topic) = &described
                && condition(&topic.partitions)
            {
                return Ok(topic.partitions.clone());
            }
            ensure!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}: {described:?}");
            sleep(LOOK).await;
        }
    }

    /// Who leads a partition.
    pub async fn leader(&self, client: &Client, topic: &TopicName, index: i32) -> Result<i32> {
        let described = client.admin().describe_topic(topic).await?;
        let leader = described.partition(PartitionIndex(index))?.leader;
        Ok(leader.context("nobody leads")?.0)
    }
}
