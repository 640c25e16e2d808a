//! `DescribeTopicPartitionsRequest` and `DescribeTopicPartitionsResponse`, API key 75.
//!
//! Written by `cargo xtask generate` from `schemas/describe_topic_partitions.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, Nullable, WireString,
    read_nullable_struct, write_nullable_struct,
};

/// Version 0, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeTopicPartitionsRequest {
    pub topics: Vec<TopicRequest>,
    /// Default 2000.
    pub response_partition_limit: i32,
    /// Default null.
    pub cursor: Option<Cursor>,
}

impl Default for DescribeTopicPartitionsRequest {
    fn default() -> Self {
        Self { topics: Vec::new(), response_partition_limit: 2000, cursor: None }
    }
}

impl Message for DescribeTopicPartitionsRequest {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            topics: decoder.field(layout)?,
            response_partition_limit: decoder.field(layout)?,
            cursor: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.topics, layout)?;
        encoder.field(&self.response_partition_limit, layout)?;
        encoder.field(&self.cursor, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeTopicPartitionsRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicRequest {
    pub name: WireString,
}

impl Field for TopicRequest {
    const BYTES_MIN: usize = 2;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeTopicPartitionsRequest::cursor`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub topic_name: WireString,
    pub partition_index: i32,
}

impl Field for Cursor {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read =
            Self { topic_name: decoder.field(layout)?, partition_index: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.topic_name, layout)?;
        encoder.field(&self.partition_index, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Nullable for Cursor {
    fn read_nullable(decoder: &mut Decoder, layout: Layout) -> Result<Option<Self>, DecodeError> {
        read_nullable_struct(decoder, layout)
    }

    fn write_nullable(
        value: Option<&Self>,
        encoder: &mut Encoder,
        layout: Layout,
    ) -> Result<(), EncodeError> {
        write_nullable_struct(value, encoder, layout)
    }
}

/// Version 0, flexible from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeTopicPartitionsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<DescribeTopicPartitionsResponseTopic>,
    /// Default null.
    pub next_cursor: Option<Cursor>,
}

impl Message for DescribeTopicPartitionsResponse {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: decoder.field(layout)?,
            topics: decoder.field(layout)?,
            next_cursor: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.topics, layout)?;
        encoder.field(&self.next_cursor, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeTopicPartitionsResponse::topics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeTopicPartitionsResponseTopic {
    pub error_code: i16,
    pub name: Option<WireString>,
    pub topic_id: TopicId,
    pub is_internal: bool,
    pub partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    /// Default -2147483648.
    pub topic_authorized_operations: i32,
}

impl Default for DescribeTopicPartitionsResponseTopic {
    fn default() -> Self {
        Self {
            error_code: 0,
            name: Some(WireString::EMPTY),
            topic_id: TopicId::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: i32::MIN,
        }
    }
}

impl Field for DescribeTopicPartitionsResponseTopic {
    const BYTES_MIN: usize = 26;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            error_code: decoder.field(layout)?,
            name: decoder.field(layout)?,
            topic_id: decoder.field(layout)?,
            is_internal: decoder.field(layout)?,
            partitions: decoder.field(layout)?,
            topic_authorized_operations: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.name, layout)?;
        encoder.field(&self.topic_id, layout)?;
        encoder.field(&self.is_internal, layout)?;
        encoder.field(&self.partitions, layout)?;
        encoder.field(&self.topic_authorized_operations, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeTopicPartitionsResponseTopic::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeTopicPartitionsResponsePartition {
    pub error_code: i16,
    pub partition_index: i32,
    pub leader_id: i32,
    /// Default -1.
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    /// Default null.
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// Default null.
    pub last_known_elr: Option<Vec<i32>>,
    pub offline_replicas: Vec<i32>,
}

impl Default for DescribeTopicPartitionsResponsePartition {
    fn default() -> Self {
        Self {
            error_code: 0,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            eligible_leader_replicas: None,
            last_known_elr: None,
            offline_replicas: Vec::new(),
        }
    }
}

impl Field for DescribeTopicPartitionsResponsePartition {
    const BYTES_MIN: usize = 20;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            error_code: decoder.field(layout)?,
            partition_index: decoder.field(layout)?,
            leader_id: decoder.field(layout)?,
            leader_epoch: decoder.field(layout)?,
            replica_nodes: decoder.field(layout)?,
            isr_nodes: decoder.field(layout)?,
            eligible_leader_replicas: decoder.field(layout)?,
            last_known_elr: decoder.field(layout)?,
            offline_replicas: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.leader_id, layout)?;
        encoder.field(&self.leader_epoch, layout)?;
        encoder.field(&self.replica_nodes, layout)?;
        encoder.field(&self.isr_nodes, layout)?;
        encoder.field(&self.eligible_leader_replicas, layout)?;
        encoder.field(&self.last_known_elr, layout)?;
        encoder.field(&self.offline_replicas, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for DescribeTopicPartitionsRequest {
    const API_KEY: ApiKey = ApiKey::DescribeTopicPartitions;
    type Response = DescribeTopicPartitionsResponse;
}

const _: () = assert!(DescribeTopicPartitionsRequest::API_KEY.code() == 75);
