//! The records of `__consumer_offsets` in Kafka's own bytes.
//!
//! ```text
//! key    i16 record type │ message, version 0            0, 1 OffsetCommitKey · 2 GroupMetadataKey
//! value  i16 version     │ message of that version       none in a tombstone
//! ```
//!
//! Written as Kafka 4.3 writes them: `OffsetCommitValue` in version 4, or 1 where the committer
//! gave a retention, which only that version can carry; `GroupMetadataValue` in version 3.
//! Every version that Kafka ever wrote is read. Other record types (KIP-848 and share groups) are
//! passed over.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::generated::group_metadata_record::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata,
};
use protocol::generated::offset_commit_record::{OffsetCommitKey, OffsetCommitValue};
use protocol::identifiers::TopicNameError;
use protocol::message::Message;
use protocol::primitives::{DecodeError, Decoder, EncodeError, WireString};
use protocol::{
    Generation, GroupId, LeaderEpoch, MemberId, Offset, PartitionIndex, TopicId, TopicName,
};
use thiserror::Error;

use crate::committed_offsets::CommittedOffset;
use crate::group_member::GroupInstanceId;
use crate::record::{GroupRecord, MemberRecord, MembershipRecord};
use crate::time::Timestamp;

/// The name of the topic.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

const LEGACY_OFFSET_COMMIT_TYPE: i16 = 0;
const OFFSET_COMMIT_TYPE: i16 = 1;
const GROUP_METADATA_TYPE: i16 = 2;
const KEY_VERSION: i16 = 0;
const OFFSET_COMMIT_VERSION: i16 = 4;
const OFFSET_COMMIT_WITH_EXPIRY_VERSION: i16 = 1;
const GROUP_METADATA_VERSION: i16 = 3;

/// A record as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRecord {
    /// What compaction goes by.
    pub key: Bytes,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// What a record of the log turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodedRecord {
    /// A record of a classic group.
    Group(GroupId, GroupRecord),
    /// A record of a type that classic groups do not have.
    Other {
        /// Kafka's number of the type.
        record_type: i16,
    },
}

/// Why a record could not be read. Reading it again does not help.
#[derive(Debug, Error)]
pub enum OffsetsTopicError {
    /// A record of this topic always has a key.
    #[error("the record has no key")]
    NoKey,
    /// The key is damaged.
    #[error("the key of a record of type {record_type} is damaged")]
    Key {
        /// Kafka's number of the type; −1 if even that is missing.
        record_type: i16,
        /// Where and how.
        source: DecodeError,
    },
    /// The value is damaged, or of a version newer than Kafka 4.3's.
    #[error("the value of a record of group {group} cannot be read, version {version}")]
    Value {
        /// Whose it is.
        group: GroupId,
        /// The version it names; −1 if even that is missing.
        version: i16,
        /// Where and how.
        source: DecodeError,
    },
    /// No topic can have this name.
    #[error("group {group} committed an offset for a topic that cannot exist")]
    Topic {
        /// Whose record it is.
        group: GroupId,
        /// What is wrong with the name.
        source: TopicNameError,
    },
}

impl OffsetsTopicError {
    /// Whether reading the same bytes again could go better: never.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NoKey | Self::Key { .. } | Self::Value { .. } | Self::Topic { .. } => false,
        }
    }
}

/// Turns a record of a group into bytes.
///
/// # Errors
/// If a text is longer than its field can be. The names of a group are short enough by the time
/// that it makes records of them.
pub fn encode(group: &GroupId, record: &GroupRecord) -> Result<EncodedRecord, EncodeError> {
    match record {
        GroupRecord::OffsetCommitted { topic, partition, committed } => Ok(EncodedRecord {
            key: offset_key(group, topic, *partition)?,
            value: Some(offset_value(committed)?),
        }),
        GroupRecord::OffsetRemoved { topic, partition } => {
            Ok(EncodedRecord { key: offset_key(group, topic, *partition)?, value: None })
        }
        GroupRecord::Membership(membership) => {
            Ok(EncodedRecord { key: group_key(group)?, value: Some(membership_value(membership)?) })
        }
        GroupRecord::GroupRemoved => Ok(EncodedRecord { key: group_key(group)?, value: None }),
    }
}

/// Reads a record of the log. What it keeps is copied, so that it does not hold on to the bytes
/// around it.
///
/// # Errors
/// If the bytes are not what Kafka or this crate writes.
pub fn decode(
    key: Option<Bytes>,
    value: Option<Bytes>,
) -> Result<DecodedRecord, OffsetsTopicError> {
    let mut key = Decoder::new(key.ok_or(OffsetsTopicError::NoKey)?);
    let damaged = |record_type, source| OffsetsTopicError::Key { record_type, source };
    let record_type = key.i16().map_err(|source| damaged(-1, source))?;
    let damaged = |source| damaged(record_type, source);
    match record_type {
        LEGACY_OFFSET_COMMIT_TYPE | OFFSET_COMMIT_TYPE => {
            let key = OffsetCommitKey::decode(&mut key, KEY_VERSION).map_err(damaged)?;
            decode_offset(&key, value)
        }
        GROUP_METADATA_TYPE => {
            let key = GroupMetadataKey::decode(&mut key, KEY_VERSION).map_err(damaged)?;
            let group = GroupId::new(&key.group);
            let record = match value {
                None => GroupRecord::GroupRemoved,
                Some(value) => {
                    GroupRecord::Membership(to_membership(decode_value::<GroupMetadataValue>(
                        &group, value,
                    )?))
                }
            };
            Ok(DecodedRecord::Group(group, record))
        }
        record_type => Ok(DecodedRecord::Other { record_type }),
    }
}

fn decode_offset(
    key: &OffsetCommitKey,
    value: Option<Bytes>,
) -> Result<DecodedRecord, OffsetsTopicError> {
    let group = GroupId::new(&key.group);
    let topic = TopicName::new(&key.topic)
        .map_err(|source| OffsetsTopicError::Topic { group: group.clone(), source })?;
    let partition = PartitionIndex(key.partition);
    let record = match value {
        None => GroupRecord::OffsetRemoved { topic, partition },
        Some(value) => {
            let committed = to_committed(&decode_value::<OffsetCommitValue>(&group, value)?);
            GroupRecord::OffsetCommitted { topic, partition, committed }
        }
    };
    Ok(DecodedRecord::Group(group, record))
}

fn decode_value<M: Message>(group: &GroupId, value: Bytes) -> Result<M, OffsetsTopicError> {
    let damaged =
        |version, source| OffsetsTopicError::Value { group: group.clone(), version, source };
    let mut value = Decoder::new(value);
    let version = value.i16().map_err(|source| damaged(-1, source))?;
    M::decode(&mut value, version).map_err(|source| damaged(version, source))
}

fn to_committed(value: &OffsetCommitValue) -> CommittedOffset {
    CommittedOffset {
        offset: Offset::new(value.offset),
        leader_epoch: LeaderEpoch::new(value.leader_epoch),
        metadata: Arc::from(value.metadata.as_str()),
        commit_timestamp: Timestamp::from_millis(value.commit_timestamp),
        expire_timestamp: known_time(value.expire_timestamp),
        topic_id: value.topic_id,
    }
}

fn to_membership(value: GroupMetadataValue) -> MembershipRecord {
    MembershipRecord {
        protocol_type: Arc::from(value.protocol_type.as_str()),
        generation: Generation::new(value.generation),
        protocol_name: value.protocol.map(|name| Arc::from(name.as_str())),
        leader: value.leader.map(|leader| MemberId::new(&leader)),
        state_since: known_time(value.current_state_timestamp),
        members: value.members.iter().map(to_member).collect(),
    }
}

fn to_member(member: &MemberMetadata) -> MemberRecord {
    let session_timeout = duration(member.session_timeout);
    let has_own = member.rebalance_timeout >= 0;
    MemberRecord {
        member_id: MemberId::new(&member.member_id),
        group_instance_id: member.group_instance_id.as_deref().map(GroupInstanceId::new),
        client_id: Arc::from(member.client_id.as_str()),
        client_host: Arc::from(member.client_host.as_str()),
        rebalance_timeout: if has_own {
            duration(member.rebalance_timeout)
        } else {
            session_timeout
        },
        session_timeout,
        subscription: Bytes::copy_from_slice(&member.subscription),
        assignment: Bytes::copy_from_slice(&member.assignment),
    }
}

fn offset_key(
    group: &GroupId,
    topic: &TopicName,
    partition: PartitionIndex,
) -> Result<Bytes, EncodeError> {
    let key = OffsetCommitKey {
        group: WireString::from(group.as_str()),
        topic: WireString::from(topic.as_str()),
        partition: partition.0,
    };
    numbered(OFFSET_COMMIT_TYPE, &key, KEY_VERSION)
}

fn group_key(group: &GroupId) -> Result<Bytes, EncodeError> {
    let key = GroupMetadataKey { group: WireString::from(group.as_str()) };
    numbered(GROUP_METADATA_TYPE, &key, KEY_VERSION)
}

fn offset_value(committed: &CommittedOffset) -> Result<Bytes, EncodeError> {
    let version = match committed.expire_timestamp {
        Some(_) => OFFSET_COMMIT_WITH_EXPIRY_VERSION,
        None => OFFSET_COMMIT_VERSION,
    };
    // version 1 has no place for epoch and topic id, and Kafka drops them there
    let is_full = version == OFFSET_COMMIT_VERSION;
    let value = OffsetCommitValue {
        offset: committed.offset.value(),
        leader_epoch: if is_full { committed.leader_epoch.value() } else { -1 },
        metadata: WireString::from(&*committed.metadata),
        commit_timestamp: committed.commit_timestamp.as_millis(),
        expire_timestamp: committed.expire_timestamp.map_or(-1, Timestamp::as_millis),
        topic_id: if is_full { committed.topic_id } else { TopicId::ZERO },
    };
    numbered(version, &value, version)
}

fn membership_value(membership: &MembershipRecord) -> Result<Bytes, EncodeError> {
    let value = GroupMetadataValue {
        protocol_type: WireString::from(&*membership.protocol_type),
        generation: membership.generation.value(),
        protocol: membership.protocol_name.as_deref().map(WireString::from),
        leader: membership.leader.as_ref().map(|leader| WireString::from(leader.as_str())),
        current_state_timestamp: membership.state_since.map_or(-1, Timestamp::as_millis),
        members: membership.members.iter().map(member_value).collect(),
    };
    numbered(GROUP_METADATA_VERSION, &value, GROUP_METADATA_VERSION)
}

fn member_value(member: &MemberRecord) -> MemberMetadata {
    let instance_id = member.group_instance_id.as_ref();
    MemberMetadata {
        member_id: WireString::from(member.member_id.as_str()),
        group_instance_id: instance_id.map(|id| WireString::from(id.as_str())),
        client_id: WireString::from(&*member.client_id),
        client_host: WireString::from(&*member.client_host),
        rebalance_timeout: millis(member.rebalance_timeout),
        session_timeout: millis(member.session_timeout),
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
    }
}

/// A message behind its two-byte number.
fn numbered(number: i16, message: &impl Message, version: i16) -> Result<Bytes, EncodeError> {
    let encoded = message.to_encoded(version)?;
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&encoded.into_bytes());
    Ok(bytes.freeze())
}

fn known_time(millis: i64) -> Option<Timestamp> {
    (millis >= 0).then(|| Timestamp::from_millis(millis))
}

fn duration(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
