//! The records of `__consumer_offsets` that classic groups write, before they are bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{Generation, MemberId, PartitionIndex, TopicName};

use crate::committed_offsets::CommittedOffset;
use crate::group_member::GroupInstanceId;
use crate::time::Timestamp;

/// One record of one group. Compaction keeps the last for each key: the partition, or the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRecord {
    /// The group resumes here.
    OffsetCommitted {
        /// The topic.
        topic: TopicName,
        /// Its partition.
        partition: PartitionIndex,
        /// Where, and when that was said.
        committed: CommittedOffset,
    },
    /// The group has no offset there any more (a tombstone).
    OffsetRemoved {
        /// The topic.
        topic: TopicName,
        /// Its partition.
        partition: PartitionIndex,
    },
    /// Who belongs to the group and has what.
    Membership(MembershipRecord),
    /// The group is no more (a tombstone).
    GroupRemoved,
}

/// A generation of a group, complete with assignments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipRecord {
    /// `consumer`, `connect`, …; empty if the group has none.
    pub protocol_type: Arc<str>,
    /// The generation's number.
    pub generation: Generation,
    /// The protocol chosen; absent in an empty generation.
    pub protocol_name: Option<Arc<str>>,
    /// The leader; absent in an empty generation.
    pub leader: Option<MemberId>,
    /// When the group entered the state it was in.
    pub state_since: Option<Timestamp>,
    /// By member id.
    pub members: Vec<MemberRecord>,
}

/// A member of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// Its id.
    pub member_id: MemberId,
    /// Its instance id, if it is static.
    pub group_instance_id: Option<GroupInstanceId>,
    /// The client's name for itself.
    pub client_id: Arc<str>,
    /// Where it connects from.
    pub client_host: Arc<str>,
    /// How long a rebalance waits for it.
    pub rebalance_timeout: Duration,
    /// How long it may be silent.
    pub session_timeout: Duration,
    /// What it brought for the chosen protocol.
    pub subscription: Bytes,
    /// What the leader gave it.
    pub assignment: Bytes,
}
