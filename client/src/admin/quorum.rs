//! The quorum that agrees on the cluster's metadata: its voters, seen and changed (KIP-595,
//! KIP-853).

use std::collections::HashMap;

use protocol::generated::add_raft_voter::{self, AddRaftVoterRequest};
use protocol::generated::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, PartitionData, ReplicaState, RequestedPartition,
    RequestedTopic,
};
use protocol::generated::remove_raft_voter::RemoveRaftVoterRequest;
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{BrokerId, TopicId};
use uuid::Uuid;

use super::Admin;
use crate::cluster_metadata::address;
use crate::error::{Error, Result, Subject};
use crate::settings::milliseconds;

/// The log of the metadata, as the protocol names it.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// The quorum of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumDescription {
    /// Who leads it, if anybody does at present.
    pub leader: Option<BrokerId>,
    /// The number of that leadership.
    pub leader_epoch: i32,
    /// The first offset of the metadata log that is not yet committed.
    pub high_watermark: i64,
    /// Who votes, in the order of the numbers.
    pub voters: Vec<QuorumMember>,
    /// Who follows without a vote, in the order of the numbers.
    pub observers: Vec<QuorumMember>,
}

/// A member of the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumMember {
    /// The node.
    pub id: BrokerId,
    /// The identity of its disk, which tells a node from another that took its number; nil where
    /// the cluster does not say.
    pub directory_id: Uuid,
    /// The next offset of its metadata log; −1 where the leader does not know it.
    pub log_end_offset: i64,
    /// When it last asked the leader for more, in milliseconds since 1970.
    pub last_fetch: Option<i64>,
    /// When it last had everything that the leader had, in milliseconds since 1970.
    pub last_caught_up: Option<i64>,
    /// Where the other members reach it: `host:port`.
    pub addresses: Vec<String>,
}

/// A node that is to vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVoter {
    /// The node.
    pub id: BrokerId,
    /// The identity of its disk.
    pub directory_id: Uuid,
    /// Where the other members reach it: name of the listener, host, port. None where the cluster
    /// knows it already.
    pub endpoints: Vec<(String, String, u16)>,
}

impl QuorumDescription {
    /// Voters and observers.
    pub fn members(&self) -> impl Iterator<Item = &QuorumMember> {
        self.voters.iter().chain(&self.observers)
    }

    /// How many entries a member lacks of those that the leader has; `None` where either end is
    /// not known.
    #[must_use]
    pub fn lag_of(&self, member: &QuorumMember) -> Option<i64> {
        let leader = self.members().find(|other| Some(other.id) == self.leader)?;
        let known = member.log_end_offset >= 0 && leader.log_end_offset >= 0;
        known.then(|| leader.log_end_offset.saturating_sub(member.log_end_offset).max(0))
    }

    fn new(partition: &PartitionData, response: &DescribeQuorumResponse) -> Self {
        let nodes = response.nodes.iter().map(|node| {
            let listeners = node.listeners.iter();
            let addresses =
                listeners.map(|at| address(&at.host, i32::from(at.port)).to_string()).collect();
            (node.node_id, addresses)
        });
        let nodes: HashMap<i32, Vec<String>> = nodes.collect();
        let members = |states: &[ReplicaState]| {
            let mut members: Vec<_> =
                states.iter().map(|state| QuorumMember::new(state, &nodes)).collect();
            members.sort_by_key(|member| member.id);
            members
        };
        Self {
            leader: (partition.leader_id >= 0).then_some(BrokerId(partition.leader_id)),
            leader_epoch: partition.leader_epoch,
            high_watermark: partition.high_watermark,
            voters: members(&partition.current_voters),
            observers: members(&partition.observers),
        }
    }
}

impl QuorumMember {
    fn new(wire: &ReplicaState, nodes: &HashMap<i32, Vec<String>>) -> Self {
        let time = |milliseconds: i64| (milliseconds >= 0).then_some(milliseconds);
        Self {
            id: BrokerId(wire.replica_id),
            directory_id: wire.replica_directory_id.0,
            log_end_offset: wire.log_end_offset,
            last_fetch: time(wire.last_fetch_timestamp),
            last_caught_up: time(wire.last_caught_up_timestamp),
            addresses: nodes.get(&wire.replica_id).cloned().unwrap_or_default(),
        }
    }
}

impl Admin {
    /// The quorum, as its leader sees it.
    ///
    /// # Errors
    /// Where the cluster cannot be asked, or has no quorum leader at present.
    pub async fn describe_quorum(&self) -> Result<QuorumDescription> {
        let request = DescribeQuorumRequest {
            topics: vec![RequestedTopic {
                topic_name: WireString::from_static(METADATA_TOPIC),
                partitions: vec![RequestedPartition { partition_index: 0 }],
            }],
        };
        let api = DescribeQuorumRequest::API_KEY;
        let subject = || Subject::Request;
        let partition = |response: &DescribeQuorumResponse| {
            let found = response.topics.first().and_then(|topic| topic.partitions.first().cloned());
            found.ok_or_else(|| Error::NotInResponse { api, subject: subject() })
        };
        let judge = |response: &DescribeQuorumResponse| {
            let detail = response.error_message.as_deref();
            Error::check(api, subject, response.error_code, detail)?;
            let found = partition(response)?;
            Error::check(api, subject, found.error_code, found.error_message.as_deref())
        };
        let response = self.ask_controller(&request, judge).await?;
        Ok(QuorumDescription::new(&partition(&response)?, &response))
    }

    /// Gives a node a vote. It has to be running and to follow the quorum.
    ///
    /// # Errors
    /// What the quorum has against it, such as DUPLICATE_VOTER.
    pub async fn add_voter(&self, voter: &NewVoter) -> Result<()> {
        let listeners = voter.endpoints.iter().map(|(name, host, port)| add_raft_voter::Listener {
            name: WireString::from(name.as_str()),
            host: WireString::from(host.as_str()),
            port: *port,
        });
        let request = AddRaftVoterRequest {
            cluster_id: None,
            timeout_ms: milliseconds(self.cluster.settings.request_timeout),
            voter_id: voter.id.0,
            voter_directory_id: TopicId(voter.directory_id),
            listeners: listeners.collect(),
            ack_when_committed: true,
        };
        let (api, subject) = (AddRaftVoterRequest::API_KEY, || Subject::Broker(voter.id));
        let judge = |response: &<AddRaftVoterRequest as Request>::Response| {
            let detail = response.error_message.as_deref();
            Error::check(api, subject, response.error_code, detail)
        };
        self.ask_controller(&request, judge).await.map(drop)
    }

    /// Takes a node's vote away.
    ///
    /// # Errors
    /// What the quorum has against it, such as VOTER_NOT_FOUND.
    pub async fn remove_voter(&self, id: BrokerId, directory_id: Uuid) -> Result<()> {
        let request = RemoveRaftVoterRequest {
            cluster_id: None,
            voter_id: id.0,
            voter_directory_id: TopicId(directory_id),
        };
        let (api, subject) = (RemoveRaftVoterRequest::API_KEY, || Subject::Broker(id));
        let judge = |response: &<RemoveRaftVoterRequest as Request>::Response| {
            let detail = response.error_message.as_deref();
            Error::check(api, subject, response.error_code, detail)
        };
        self.ask_controller(&request, judge).await.map(drop)
    }
}
