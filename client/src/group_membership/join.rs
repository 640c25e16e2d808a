//! Joining a group: JoinGroup until a generation is formed, the leader's division of the
//! partitions, SyncGroup for the member's share.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::generated::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use protocol::generated::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use protocol::primitives::WireString;
use protocol::{ErrorCode, Generation, MemberId, TopicName, TopicPartition};

use super::consumer_protocol::{
    read_assignment, read_subscription, write_assignment, write_subscription,
};
use super::{Member, MembershipTask};
use crate::assignor::{Assignor, JoinedMember};
use crate::backoff::Backoff;
use crate::cluster::{Cluster, Topics};
use crate::committed_offsets::Committer;
use crate::error::{Error, Result};
use crate::settings::milliseconds;

/// What an answer may take beyond the time that the coordinator waits for the other members.
const JOIN_ANSWER_TIME: Duration = Duration::from_secs(5);
const PROTOCOL_TYPE: &str = "consumer";

/// The topics that a group has subscribed to, and their partitions as the leader divided them.
#[derive(Clone, Debug)]
pub(crate) struct GroupTopics(BTreeMap<TopicName, usize>);

impl GroupTopics {
    /// Learns the partition counts; topics that do not exist have none.
    async fn learn(cluster: &Cluster, names: BTreeSet<TopicName>) -> Result<Self> {
        let names: Vec<_> = names.into_iter().collect();
        cluster.use_topics(&names);
        cluster.ask(Topics::Named(&names)).await?;
        Ok(Self::known(cluster, names))
    }

    fn known(cluster: &Cluster, names: impl IntoIterator<Item = TopicName>) -> Self {
        let metadata = cluster.metadata();
        let count =
            |name: &TopicName| metadata.topics.get(name).map_or(0, |topic| topic.partitions.len());
        Self(names.into_iter().map(|name| (name.clone(), count(&name))).collect())
    }

    /// Whether partitions or topics have come or gone since.
    pub(super) async fn have_changed(&self, cluster: &Cluster) -> bool {
        if let Err(error) = cluster.refresh_if_old().await {
            tracing::debug!(%error, "metadata could not be refreshed");
        }
        self.0 != Self::known(cluster, self.0.keys().cloned()).0
    }
}

impl MembershipTask {
    /// Joins until it is a member or is refused for good.
    pub(super) async fn join(&mut self, topics: &[TopicName]) -> Result<Member> {
        let mut backoff = self.coordinator.cluster.settings.backoff();
        loop {
            match self.join_once(topics).await {
                Err(error) => self.after_refusal(error, &mut backoff).await?,
                joined => return joined,
            }
        }
    }

    /// Prepares the next attempt.
    ///
    /// # Errors
    /// `error` itself where no attempt will help.
    async fn after_refusal(&mut self, error: Error, backoff: &mut Backoff) -> Result<()> {
        match error.code() {
            // the id to come back with was taken from the response
            Some(ErrorCode::MemberIdRequired) => return Ok(()),
            Some(ErrorCode::UnknownMemberId) => self.member_id = MemberId::new(""),
            Some(ErrorCode::IllegalGeneration | ErrorCode::RebalanceInProgress) => {}
            _ if error.is_retryable() => {}
            _ => return Err(error),
        }
        tracing::debug!(group = %self.coordinator.group, %error, "joining again");
        tokio::time::sleep(backoff.next_pause()).await;
        Ok(())
    }

    async fn join_once(&mut self, topics: &[TopicName]) -> Result<Member> {
        let joined = self.send_join(topics).await?;
        let name = joined.protocol_name.as_deref().unwrap_or_default();
        let assignor = Assignor::from_name(name)
            .ok_or_else(|| Error::UnknownAssignor { name: name.to_owned() })?;
        let is_leader = joined.leader == joined.member_id && !joined.skip_assignment;
        let (divided, assignments) = match is_leader {
            true => {
                let (topics, assignments) = self.divide(&joined, assignor).await?;
                (Some(topics), assignments)
            }
            false => (None, Vec::new()),
        };
        let assignment = self.sync(&joined, assignments).await?;
        let committer = Committer {
            member: self.member_id.clone(),
            instance: self.settings.instance.clone(),
            generation: Generation::new(joined.generation_id),
        };
        tracing::info!(
            group = %self.coordinator.group,
            generation = joined.generation_id,
            partitions = assignment.len(),
            "joined"
        );
        Ok(Member { committer, assignment, topics: divided })
    }

    async fn send_join(&mut self, topics: &[TopicName]) -> Result<JoinGroupResponse> {
        let subscription = write_subscription(topics)?;
        let protocol = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: WireString::from_static(assignor.name()),
            metadata: subscription.clone(),
        };
        let request = JoinGroupRequest {
            group_id: self.coordinator.group_name(),
            session_timeout_ms: milliseconds(self.settings.session_timeout),
            rebalance_timeout_ms: milliseconds(self.settings.processing_time_max),
            member_id: WireString::from(self.member_id.as_str()),
            group_instance_id: self.instance(),
            protocol_type: WireString::from_static(PROTOCOL_TYPE),
            protocols: self.settings.assignors.iter().map(protocol).collect(),
            reason: None,
        };
        let timeout = self.settings.processing_time_max + JOIN_ANSWER_TIME;
        let response = self.coordinator.request(&request, i16::MAX, timeout).await?;
        let required = response.error_code == ErrorCode::MemberIdRequired.code();
        if response.error_code == 0 || required {
            self.member_id = MemberId::new(&response.member_id);
        }
        self.coordinator.check::<JoinGroupRequest>(response.error_code)?;
        Ok(response)
    }

    /// The leader's work.
    async fn divide(
        &self,
        joined: &JoinGroupResponse,
        assignor: Assignor,
    ) -> Result<(GroupTopics, Vec<SyncGroupRequestAssignment>)> {
        let mut members = Vec::new();
        for wire in &joined.members {
            members.push(JoinedMember {
                member: MemberId::new(&wire.member_id),
                instance: wire.group_instance_id.as_ref().map(ToString::to_string),
                topics: read_subscription(wire.metadata.clone())?,
            });
        }
        let names = members.iter().flat_map(|member| member.topics.iter().cloned()).collect();
        let topics = GroupTopics::learn(&self.coordinator.cluster, names).await?;
        let assignments = assignor.assign(members, &topics.0);
        let wire = assignments.iter().map(|(member, partitions)| {
            Ok(SyncGroupRequestAssignment {
                member_id: WireString::from(member.as_str()),
                assignment: write_assignment(partitions)?,
            })
        });
        let wire = wire.collect::<Result<Vec<_>>>()?;
        Ok((topics, wire))
    }

    async fn sync(
        &self,
        joined: &JoinGroupResponse,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> Result<Vec<TopicPartition>> {
        let request = SyncGroupRequest {
            group_id: self.coordinator.group_name(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: self.instance(),
            protocol_type: Some(WireString::from_static(PROTOCOL_TYPE)),
            protocol_name: joined.protocol_name.clone(),
            assignments,
        };
        // the coordinator answers when the leader has divided, at the latest when it gives up on it
        let timeout = self.settings.processing_time_max + JOIN_ANSWER_TIME;
        let response = self.coordinator.request(&request, i16::MAX, timeout).await?;
        self.coordinator.check::<SyncGroupRequest>(response.error_code)?;
        read_assignment(response.assignment)
    }
}
