//! What clients ask of a group: the requests of the wire, with names and numbers already checked
//! for form, but not for meaning.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Generation, LeaderEpoch, MemberId, Offset, PartitionIndex, TopicId, TopicName};

use crate::effect::Ticket;
use crate::group_member::{GroupInstanceId, MemberProtocol};

/// JoinGroup 0–9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// Names the request in its one answer.
    pub ticket: Ticket,
    /// The request's version: from 4 on a dynamic member must first take an id, from 9 on a
    /// returning static leader is told to skip the assignment.
    pub version: i16,
    /// The member's id; empty if it has none yet.
    pub member_id: MemberId,
    /// The id it would be given now, unique for ever: see
    /// [`candidate_member_id`](crate::candidate_member_id).
    pub candidate_member_id: MemberId,
    /// Set by static members (KIP-345).
    pub group_instance_id: Option<GroupInstanceId>,
    /// The client's name for itself.
    pub client_id: Arc<str>,
    /// Where it connects from, as Kafka shows it: `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// Milliseconds, checked here against the bounds.
    pub session_timeout_ms: i32,
    /// Milliseconds; negative (version 0) means as long as the session timeout.
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect`, …
    pub protocol_type: Arc<str>,
    /// What the member can do, best first. Of several with one name the first counts.
    pub protocols: Vec<MemberProtocol>,
}

/// SyncGroup 0–5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    /// Names the request in its one answer.
    pub ticket: Ticket,
    /// The request's version: from 5 on protocol type and name must be given.
    pub version: i16,
    /// The generation the member believes to be in.
    pub generation: Generation,
    /// The member's id.
    pub member_id: MemberId,
    /// Set by static members.
    pub group_instance_id: Option<GroupInstanceId>,
    /// Checked against the group's, if given.
    pub protocol_type: Option<Arc<str>>,
    /// Checked against the chosen protocol, if given.
    pub protocol_name: Option<Arc<str>>,
    /// From the leader: each member's assignment. Opaque.
    pub assignments: Vec<(MemberId, Bytes)>,
}

/// Heartbeat 0–4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatRequest {
    /// Names the request in its one answer.
    pub ticket: Ticket,
    /// The generation the member believes to be in.
    pub generation: Generation,
    /// The member's id.
    pub member_id: MemberId,
    /// Set by static members.
    pub group_instance_id: Option<GroupInstanceId>,
}

/// LeaveGroup 0–5; the versions below 3 name one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveRequest {
    /// Names the request in its one answer.
    pub ticket: Ticket,
    /// Who shall go.
    pub members: Vec<LeavingMember>,
}

/// One member of a LeaveGroup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavingMember {
    /// Its id; empty where an operator names a static member by its instance id alone.
    pub member_id: MemberId,
    /// Its instance id, if it is static.
    pub group_instance_id: Option<GroupInstanceId>,
}

/// OffsetCommit 2–10, for topics that exist: the caller answers the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// Names the request in its one answer.
    pub ticket: Ticket,
    /// The request's version: it decides how a group that does not exist is told.
    pub version: i16,
    /// The committer's generation; negative for one outside the membership.
    pub generation: Generation,
    /// The member's id; empty for a simple consumer.
    pub member_id: MemberId,
    /// Set by static members.
    pub group_instance_id: Option<GroupInstanceId>,
    /// Milliseconds to keep these offsets (versions 2–4); −1 for the broker's setting.
    pub retention_time_ms: i64,
    /// What to commit.
    pub topics: Vec<CommitTopic>,
}

/// One topic of an OffsetCommit request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTopic {
    /// Its name.
    pub topic: TopicName,
    /// Its id, [`TopicId::ZERO`] if nobody knows it; kept with the offset.
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<CommitPartition>,
}

/// One partition of an OffsetCommit request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPartition {
    /// Its number.
    pub partition: PartitionIndex,
    /// Where the group shall resume.
    pub offset: Offset,
    /// Leader epoch of the last record consumed; unknown if negative.
    pub leader_epoch: LeaderEpoch,
    /// A note of the client; `None` counts as empty.
    pub metadata: Option<Arc<str>>,
}

/// OffsetDelete 0, for topics that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteOffsetsRequest {
    /// Names the request in its one answer.
    pub ticket: Ticket,
    /// What to forget.
    pub topics: Vec<DeleteOffsetsTopic>,
}

/// One topic of an OffsetDelete request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteOffsetsTopic {
    /// Its name.
    pub topic: TopicName,
    /// Its partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// A topic that is no more. Offsets committed for another incarnation of the name are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name.
    pub topic: TopicName,
    /// The id of the incarnation that went; [`TopicId::ZERO`] means whichever.
    pub topic_id: TopicId,
}
