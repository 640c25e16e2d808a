//! `DescribeQuorumRequest` and `DescribeQuorumResponse`, API key 55.
//!
//! Written by `cargo xtask generate` from `schemas/describe_quorum.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 2, flexible from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeQuorumRequest {
    pub topics: Vec<RequestedTopic>,
}

impl Message for DescribeQuorumRequest {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self { topics: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeQuorumRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedTopic {
    pub topic_name: WireString,
    pub partitions: Vec<RequestedPartition>,
}

impl Field for RequestedTopic {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { topic_name: decoder.field(layout)?, partitions: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.topic_name, layout)?;
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`RequestedTopic::partitions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedPartition {
    pub partition_index: i32,
}

impl Field for RequestedPartition {
    const BYTES_MIN: usize = 5;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { partition_index: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 2, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeQuorumResponse {
    pub error_code: i16,
    /// Version 2.
    pub error_message: Option<WireString>,
    pub topics: Vec<TopicData>,
    /// Version 2.
    pub nodes: Vec<Node>,
}

impl Default for DescribeQuorumResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(WireString::EMPTY),
            topics: Vec::new(),
            nodes: Vec::new(),
        }
    }
}

impl Message for DescribeQuorumResponse {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            error_code: decoder.field(layout)?,
            error_message: if layout.version >= 2 {
                decoder.field(layout)?
            } else {
                Some(WireString::EMPTY)
            },
            topics: decoder.field(layout)?,
            nodes: if layout.version >= 2 { decoder.field(layout)? } else { Vec::new() },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.error_code, layout)?;
        if layout.version >= 2 {
            encoder.field(&self.error_message, layout)?;
        }
        encoder.field(&self.topics, layout)?;
        if layout.version >= 2 {
            encoder.field(&self.nodes, layout)?;
        } else {
            absent(self.nodes.is_empty(), "DescribeQuorumResponse.nodes", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeQuorumResponse::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicData {
    pub topic_name: WireString,
    pub partitions: Vec<PartitionData>,
}

impl Field for TopicData {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { topic_name: decoder.field(layout)?, partitions: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.topic_name, layout)?;
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeQuorumResponse::nodes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    pub node_id: i32,
    pub listeners: Vec<Listener>,
}

impl Field for Node {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { node_id: decoder.field(layout)?, listeners: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.node_id, layout)?;
        encoder.field(&self.listeners, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`TopicData::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    /// Version 2.
    pub error_message: Option<WireString>,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub high_watermark: i64,
    pub current_voters: Vec<ReplicaState>,
    pub observers: Vec<ReplicaState>,
}

impl Default for PartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            error_message: Some(WireString::EMPTY),
            leader_id: 0,
            leader_epoch: 0,
            high_watermark: 0,
            current_voters: Vec::new(),
            observers: Vec::new(),
        }
    }
}

impl Field for PartitionData {
    const BYTES_MIN: usize = 25;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_index: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            error_message: if layout.version >= 2 {
                decoder.field(layout)?
            } else {
                Some(WireString::EMPTY)
            },
            leader_id: decoder.field(layout)?,
            leader_epoch: decoder.field(layout)?,
            high_watermark: decoder.field(layout)?,
            current_voters: decoder.field(layout)?,
            observers: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.error_code, layout)?;
        if layout.version >= 2 {
            encoder.field(&self.error_message, layout)?;
        }
        encoder.field(&self.leader_id, layout)?;
        encoder.field(&self.leader_epoch, layout)?;
        encoder.field(&self.high_watermark, layout)?;
        encoder.field(&self.current_voters, layout)?;
        encoder.field(&self.observers, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`Node::listeners`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    pub name: WireString,
    pub host: WireString,
    pub port: u16,
}

impl Field for Listener {
    const BYTES_MIN: usize = 5;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            host: decoder.field(layout)?,
            port: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.host, layout)?;
        encoder.field(&self.port, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`PartitionData::current_voters`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    pub replica_id: i32,
    /// Version 2.
    pub replica_directory_id: TopicId,
    pub log_end_offset: i64,
    /// Versions 1 and later, default -1.
    pub last_fetch_timestamp: i64,
    /// Versions 1 and later, default -1.
    pub last_caught_up_timestamp: i64,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self {
            replica_id: 0,
            replica_directory_id: TopicId::ZERO,
            log_end_offset: 0,
            last_fetch_timestamp: -1,
            last_caught_up_timestamp: -1,
        }
    }
}

impl Field for ReplicaState {
    const BYTES_MIN: usize = 13;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            replica_id: decoder.field(layout)?,
            replica_directory_id: if layout.version >= 2 {
                decoder.field(layout)?
            } else {
                TopicId::ZERO
            },
            log_end_offset: decoder.field(layout)?,
            last_fetch_timestamp: if layout.version >= 1 { decoder.field(layout)? } else { -1 },
            last_caught_up_timestamp: if layout.version >= 1 { decoder.field(layout)? } else { -1 },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.replica_id, layout)?;
        if layout.version >= 2 {
            encoder.field(&self.replica_directory_id, layout)?;
        } else {
            absent(
                self.replica_directory_id.is_zero(),
                "ReplicaState.replica_directory_id",
                layout,
            )?;
        }
        encoder.field(&self.log_end_offset, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.last_fetch_timestamp, layout)?;
            encoder.field(&self.last_caught_up_timestamp, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for DescribeQuorumRequest {
    const API_KEY: ApiKey = ApiKey::DescribeQuorum;
    type Response = DescribeQuorumResponse;
}

const _: () = assert!(DescribeQuorumRequest::API_KEY.code() == 55);
