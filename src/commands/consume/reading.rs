//! What is read from: given partitions, or a group's share.

use std::collections::HashMap;
use std::time::Duration;

use client::{
    Client, ConsumedRecord, Consumer, GroupConsumer, GroupSettings, Isolation, Offset, OffsetQuery,
    TopicPartition,
};

use super::{ConsumeArguments, assignment};

/// How often a member of a group that waits for records looks whether its share is at its end.
const END_CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// How often a group's progress is committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// See the head of this file.
pub enum Reading {
    /// Given partitions.
    Partitions(Box<Consumer>),
    /// A group's share.
    Group(Box<GroupReading>),
}

pub struct GroupReading {
    consumer: GroupConsumer,
    commits: bool,
    /// Where each partition ended at the start, if that is where reading ends.
    ends: Option<HashMap<TopicPartition, Offset>>,
}

impl Reading {
    /// Reads partitions.
    pub async fn of_partitions(
        client: &Client,
        arguments: &ConsumeArguments,
    ) -> anyhow::Result<Self> {
        let assignment = assignment(client, arguments).await?;
        let mut consumer = client.consumer(assignment, arguments.settings())?;
        if arguments.until_end {
            consumer.stop_at_end().await?;
        }
        Ok(Self::Partitions(Box::new(consumer)))
    }

    /// Reads as a member of a group.
    pub async fn of_group(
        client: &Client,
        arguments: &ConsumeArguments,
        group: &str,
    ) -> anyhow::Result<Self> {
        let settings = arguments.settings();
        let ends = match arguments.until_end {
            true => Some(ends(client, arguments, settings.isolation).await?),
            false => None,
        };
        let commits = !arguments.no_commit;
        let group = GroupSettings {
            auto_commit: commits.then_some(COMMIT_INTERVAL),
            ..GroupSettings::new(group)
        };
        let consumer = client.group_consumer(arguments.topics.clone(), group, settings)?;
        Ok(Self::Group(Box::new(GroupReading { consumer, commits, ends })))
    }

    /// The next record; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> anyhow::Result<Option<ConsumedRecord>> {
        match self {
            Self::Partitions(consumer) => Ok(consumer.next().await?),
            Self::Group(reading) => reading.next().await,
        }
    }

    /// Commits what has been shown, and leaves the group.
    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Partitions(_) => Ok(()),
            Self::Group(mut reading) => {
                let committed = match reading.commits && !reading.consumer.assignment().is_empty() {
                    true => reading.consumer.commit().await,
                    false => Ok(()),
                };
                reading.consumer.close().await?;
                Ok(committed?)
            }
        }
    }
}

impl GroupReading {
    async fn next(&mut self) -> anyhow::Result<Option<ConsumedRecord>> {
        loop {
            if self.is_at_end() {
                return Ok(None);
            }
            match tokio::time::timeout(END_CHECK_INTERVAL, self.consumer.next()).await {
                Ok(next) => return Ok(next?),
                // time to look again; the partitions may have been given meanwhile
                Err(_elapsed) => {}
            }
        }
    }

    /// Whether every partition of this member has been read up to where it ended at the start.
    fn is_at_end(&mut self) -> bool {
        let Some(ends) = &self.ends else { return false };
        let share = self.consumer.assignment();
        let partitions = self.consumer.partitions();
        let is_read = |partition: &TopicPartition| {
            let end = ends.get(partition).copied().unwrap_or(Offset::ZERO);
            end == Offset::ZERO || partitions.position(partition).is_some_and(|at| at >= end)
        };
        !share.is_empty() && share.iter().all(is_read)
    }
}

/// Where every partition of the topics ends now.
async fn ends(
    client: &Client,
    arguments: &ConsumeArguments,
    isolation: Isolation,
) -> anyhow::Result<HashMap<TopicPartition, Offset>> {
    let assignment = assignment(client, arguments).await?;
    let queries = assignment.into_iter().map(|(partition, _)| (partition, OffsetQuery::Latest));
    let mut ends = HashMap::new();
    for (partition, found) in client.admin().list_offsets(queries, isolation).await {
        ends.insert(partition, found?.offset.unwrap_or(Offset::ZERO));
    }
    Ok(ends)
}
