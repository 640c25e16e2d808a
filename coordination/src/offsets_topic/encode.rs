//! Records into bytes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::generated::group_metadata_record::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata,
};
use protocol::generated::offset_commit_record::{OffsetCommitKey, OffsetCommitValue};
use protocol::message::Message;
use protocol::primitives::{EncodeError, WireString};
use protocol::{GroupId, PartitionIndex, TopicId, TopicName};

use super::{EncodedRecord, GROUP_METADATA_TYPE, KEY_VERSION, OFFSET_COMMIT_TYPE};
use crate::committed_offsets::CommittedOffset;
use crate::record::{GroupRecord, MemberRecord, MembershipRecord};
use crate::time::Timestamp;

const OFFSET_COMMIT_VERSION: i16 = 4;
const OFFSET_COMMIT_WITH_EXPIRY_VERSION: i16 = 1;
const GROUP_METADATA_VERSION: i16 = 3;

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

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
