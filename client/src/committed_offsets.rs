//! The offsets that a group has committed: written and read at its coordinator.

use std::collections::HashMap;

use protocol::generated::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::generated::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{
    ErrorCode, Generation, LeaderEpoch, MemberId, Offset, PartitionIndex, TopicName, TopicPartition,
};

use crate::error::{Error, Result, Subject};
use crate::group_membership::coordinator::Coordinator;

/// The newest version that names topics; from 10 on they are given by id.
const NEWEST_COMMIT_VERSION: i16 = 9;
/// The newest version that asks for one group at a time.
const NEWEST_FETCH_VERSION: i16 = 7;

/// Where a group resumes in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The offset of the next record to be worked on.
    pub offset: Offset,
    /// The leadership in which the record before it was written, where it is known.
    pub leader_epoch: LeaderEpoch,
    /// What the member wrote beside it.
    pub metadata: String,
}

impl From<Offset> for CommittedOffset {
    fn from(offset: Offset) -> Self {
        Self { offset, leader_epoch: LeaderEpoch::UNKNOWN, metadata: String::new() }
    }
}

/// Committed offsets by partition.
pub type CommittedOffsets = HashMap<TopicPartition, CommittedOffset>;

/// Who commits: a member of a generation, or somebody from outside (generation −1).
#[derive(Clone, Debug)]
pub(crate) struct Committer {
    pub(crate) member: MemberId,
    pub(crate) instance: Option<String>,
    pub(crate) generation: Generation,
}

impl Committer {
    /// Somebody from outside, who may commit only while the group has no members.
    pub(crate) fn outsider() -> Self {
        Self { member: MemberId::new(""), instance: None, generation: Generation::UNKNOWN }
    }
}

impl Coordinator {
    /// Commits offsets, again where the coordinator has moved, until the operation timeout.
    pub(crate) async fn commit(
        &self,
        committer: &Committer,
        offsets: &CommittedOffsets,
    ) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let request = self.commit_request(committer, offsets);
        let _turn = self.commit_turn.lock().await;
        let mut attempts = self.cluster.attempts();
        loop {
            match self.commit_once(&request).await {
                Ok(()) => return Ok(()),
                Err(error) if is_expelled(error.code()) => return Err(Error::AssignmentLost),
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    fn commit_request(
        &self,
        committer: &Committer,
        offsets: &CommittedOffsets,
    ) -> OffsetCommitRequest {
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        for (partition, committed) in offsets {
            let wire = OffsetCommitRequestPartition {
                partition_index: partition.partition.0,
                committed_offset: committed.offset.value(),
                committed_leader_epoch: committed.leader_epoch.value(),
                committed_metadata: Some(WireString::from(committed.metadata.as_str())),
            };
            let name = partition.topic.as_str();
            match topics.iter_mut().find(|topic| topic.name == name) {
                Some(topic) => topic.partitions.push(wire),
                None => topics.push(OffsetCommitRequestTopic {
                    name: WireString::from(name),
                    partitions: vec![wire],
                    ..OffsetCommitRequestTopic::default()
                }),
            }
        }
        OffsetCommitRequest {
            group_id: self.group_name(),
            generation_id_or_member_epoch: committer.generation.value(),
            member_id: WireString::from(committer.member.as_str()),
            group_instance_id: committer.instance.as_deref().map(WireString::from),
            topics,
            ..OffsetCommitRequest::default()
        }
    }

    async fn commit_once(&self, request: &OffsetCommitRequest) -> Result<()> {
        let timeout = self.cluster.settings.request_timeout;
        let response = self.request(request, NEWEST_COMMIT_VERSION, timeout).await?;
        for topic in &response.topics {
            for partition in &topic.partitions {
                self.check::<OffsetCommitRequest>(partition.error_code)?;
            }
        }
        Ok(())
    }

    /// The committed offsets of these partitions, or of all that have one. Partitions without one
    /// are left out.
    pub(crate) async fn committed(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<CommittedOffsets> {
        let request = OffsetFetchRequest {
            group_id: self.group_name(),
            topics: partitions.map(topics_of),
            require_stable: true,
            ..OffsetFetchRequest::default()
        };
        let mut attempts = self.cluster.attempts();
        loop {
            match self.committed_once(&request).await {
                Err(error) => attempts.pause(error).await?,
                committed => return committed,
            }
        }
    }

    async fn committed_once(&self, request: &OffsetFetchRequest) -> Result<CommittedOffsets> {
        let timeout = self.cluster.settings.request_timeout;
        let response = self.request(request, NEWEST_FETCH_VERSION, timeout).await?;
        self.check::<OffsetFetchRequest>(response.error_code)?;
        let mut committed = CommittedOffsets::new();
        for topic in &response.topics {
            let name = TopicName::new(&topic.name)?;
            for wire in &topic.partitions {
                let index = PartitionIndex(wire.partition_index);
                let partition = TopicPartition::new(name.clone(), index);
                let subject = || Subject::Partition(partition.clone());
                Error::check(OffsetFetchRequest::API_KEY, subject, wire.error_code, None)?;
                let offset = Offset::new(wire.committed_offset);
                if offset.is_valid() {
                    let leader_epoch = LeaderEpoch::new(wire.committed_leader_epoch);
                    let metadata = wire.metadata.as_deref().unwrap_or_default().to_owned();
                    committed.insert(partition, CommittedOffset { offset, leader_epoch, metadata });
                }
            }
        }
        Ok(committed)
    }
}

fn topics_of(partitions: &[TopicPartition]) -> Vec<OffsetFetchRequestTopic> {
    let mut topics: Vec<OffsetFetchRequestTopic> = Vec::new();
    for partition in partitions {
        let name = partition.topic.as_str();
        match topics.iter_mut().find(|topic| topic.name == name) {
            Some(topic) => topic.partition_indexes.push(partition.partition.0),
            None => topics.push(OffsetFetchRequestTopic {
                name: WireString::from(name),
                partition_indexes: vec![partition.partition.0],
            }),
        }
    }
    topics
}

/// Whether the group has gone on without the member.
fn is_expelled(code: Option<ErrorCode>) -> bool {
    matches!(code, Some(ErrorCode::IllegalGeneration | ErrorCode::UnknownMemberId))
}
