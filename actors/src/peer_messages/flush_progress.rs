//! How far a follower's logs are on its disk: a message of its own, because it must not wait behind
//! a fetch that has nothing to ask.

use bytes::Bytes;
use metadata::PartitionKey;
use protocol::{BrokerEpoch, LeaderEpoch, Offset};
use serde::{Deserialize, Serialize};

use super::{BodyError, MessageKind, PeerBody, PeerMessage, decode_body, encode_body};
use crate::ports::peers::Lane;

/// How far one partition is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushReport {
    /// Which.
    pub key: PartitionKey,
    /// The leadership that the follower follows.
    pub leader_epoch: LeaderEpoch,
    /// Everything below it is on disk.
    pub flushed_offset: Offset,
}

/// A follower's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushProgressMessage {
    /// Which of the pair's fetchers reports.
    pub shard: u8,
    /// The follower's registration.
    pub broker_epoch: BrokerEpoch,
    /// The partitions.
    pub reports: Vec<FlushReport>,
}

/// What became of each report, in their order: a Kafka error code, 0 for "heard".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushProgressAnswer {
    /// The codes.
    pub codes: Vec<i16>,
}

impl PeerBody for FlushProgressMessage {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        encode_body(self)
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        decode_body(&bytes)
    }
}

impl PeerBody for FlushProgressAnswer {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        encode_body(self)
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        decode_body(&bytes)
    }
}

impl PeerMessage for FlushProgressMessage {
    const KIND: MessageKind = MessageKind::FlushProgress;
    type Answer = FlushProgressAnswer;

    fn lane(&self) -> Lane {
        Lane::Bulk(self.shard)
    }
}
