//! Offsets: of partitions, and those that groups have committed.

use std::collections::{BTreeMap, HashMap};

use protocol::api_key::ApiKey;
use protocol::generated::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::{GroupId, Offset, TopicPartition};

use super::Admin;
use crate::committed_offsets::{CommittedOffset, CommittedOffsets, Committer};
use crate::consumer::Isolation;
use crate::error::{Error, Result, Subject};
use crate::offset_lookup::{FoundOffset, OffsetQuery, find_offset, find_offsets};

/// How far behind a group is in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// Where the group resumes.
    pub committed: CommittedOffset,
    /// The end of the partition; `None` where it cannot be had, because the topic is gone.
    pub end: Option<Offset>,
}

impl PartitionLag {
    /// Records between the committed offset and the end.
    #[must_use]
    pub fn records(&self) -> Option<i64> {
        Some(self.end?.distance_from(self.committed.offset).max(0))
    }
}

/// How far behind a group is, by partition.
pub type GroupLag = BTreeMap<TopicPartition, PartitionLag>;

impl Admin {
    /// One offset of each partition. Each has its own result.
    pub async fn list_offsets(
        &self,
        queries: impl IntoIterator<Item = (TopicPartition, OffsetQuery)>,
        isolation: Isolation,
    ) -> HashMap<TopicPartition, Result<FoundOffset>> {
        find_offsets(&self.cluster, isolation, queries.into_iter().collect()).await
    }

    /// One offset of one partition.
    ///
    /// # Errors
    /// What its leader has against it.
    pub async fn list_offset(
        &self,
        partition: &TopicPartition,
        query: OffsetQuery,
    ) -> Result<FoundOffset> {
        find_offset(&self.cluster, Isolation::Uncommitted, partition, query).await
    }

    /// All offsets that a group has committed.
    ///
    /// # Errors
    /// Where its coordinator cannot be asked.
    pub async fn group_offsets(&self, group: &GroupId) -> Result<CommittedOffsets> {
        self.coordinator(group).committed(None).await
    }

    /// How far behind a group is in every partition that it has committed an offset for.
    ///
    /// # Errors
    /// Where its coordinator cannot be asked.
    pub async fn group_lag(&self, group: &GroupId) -> Result<GroupLag> {
        let committed = self.group_offsets(group).await?;
        let queries = committed.keys().map(|partition| (partition.clone(), OffsetQuery::Latest));
        let ends = self.list_offsets(queries, Isolation::Uncommitted).await;
        let end = |partition: &TopicPartition| ends.get(partition)?.as_ref().ok()?.offset;
        let lags = committed.into_iter().map(|(partition, committed)| {
            let end = end(&partition);
            (partition, PartitionLag { committed, end })
        });
        Ok(lags.collect())
    }

    /// Sets offsets of a group that has no members.
    ///
    /// # Errors
    /// [`Error::AssignmentLost`] where the group has members, and what its coordinator has against
    /// it.
    pub async fn alter_group_offsets(
        &self,
        group: &GroupId,
        offsets: &CommittedOffsets,
    ) -> Result<()> {
        self.coordinator(group).commit(&Committer::outsider(), offsets).await
    }

    /// Deletes offsets of a group; of a topic that it does not read at present.
    ///
    /// # Errors
    /// What its coordinator has against it, such as GROUP_SUBSCRIBED_TO_TOPIC.
    pub async fn delete_group_offsets(
        &self,
        group: &GroupId,
        partitions: &[TopicPartition],
    ) -> Result<()> {
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for partition in partitions {
            let wire = OffsetDeleteRequestPartition { partition_index: partition.partition.0 };
            topics.entry(partition.topic.as_str()).or_default().push(wire);
        }
        let topic = |(name, partitions): (&str, Vec<OffsetDeleteRequestPartition>)| {
            OffsetDeleteRequestTopic { name: name.into(), partitions }
        };
        let request = OffsetDeleteRequest {
            group_id: group.as_str().into(),
            topics: topics.into_iter().map(topic).collect(),
        };
        let response =
            self.ask_coordinator(group, &request, |response| response.error_code).await?;
        let answers = response.topics.iter().flat_map(|topic| &topic.partitions);
        for answer in answers {
            let subject = || Subject::Group(group.clone());
            Error::check(ApiKey::OffsetDelete, subject, answer.error_code, None)?;
        }
        Ok(())
    }
}
