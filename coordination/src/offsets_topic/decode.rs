//! Bytes into records.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::generated::group_metadata_record::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata,
};
use protocol::generated::offset_commit_record::{OffsetCommitKey, OffsetCommitValue};
use protocol::message::Message;
use protocol::primitives::Decoder;
use protocol::{Generation, GroupId, LeaderEpoch, MemberId, Offset, PartitionIndex, TopicName};

use super::{
    DecodedRecord, GROUP_METADATA_TYPE, KEY_VERSION, LEGACY_OFFSET_COMMIT_TYPE, OFFSET_COMMIT_TYPE,
    OffsetsTopicError,
};
use crate::committed_offsets::CommittedOffset;
use crate::group_member::GroupInstanceId;
use crate::record::{GroupRecord, MemberRecord, MembershipRecord};
use crate::time::Timestamp;

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

fn known_time(millis: i64) -> Option<Timestamp> {
    (millis >= 0).then(|| Timestamp::from_millis(millis))
}

fn duration(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
