//! `ProduceRequest` and `ProduceResponse`, API key 0.
//!
//! Written by `cargo xtask generate` from `schemas/produce.schema`.

use bytes::Bytes;

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, TaggedFields, WireString, absent,
};

/// Versions 3 to 13, flexible from 9.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceRequest {
    /// Default null.
    pub transactional_id: Option<WireString>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub topic_data: Vec<TopicProduceData>,
}

impl Message for ProduceRequest {
    const VERSIONS: Versions = Versions::new(3, 13);
    const FLEXIBLE_FROM: Option<i16> = Some(9);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            transactional_id: decoder.field(layout)?,
            acks: decoder.field(layout)?,
            timeout_ms: decoder.field(layout)?,
            topic_data: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.transactional_id, layout)?;
        encoder.field(&self.acks, layout)?;
        encoder.field(&self.timeout_ms, layout)?;
        encoder.field(&self.topic_data, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ProduceRequest::topic_data`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicProduceData {
    /// Versions 3 to 12.
    pub name: WireString,
    /// Version 13.
    pub topic_id: TopicId,
    pub partition_data: Vec<PartitionProduceData>,
}

impl Field for TopicProduceData {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: if layout.version <= 12 { decoder.field(layout)? } else { WireString::EMPTY },
            topic_id: if layout.version >= 13 { decoder.field(layout)? } else { TopicId::ZERO },
            partition_data: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        if layout.version <= 12 {
            encoder.field(&self.name, layout)?;
        }
        if layout.version >= 13 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.partition_data, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`TopicProduceData::partition_data`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionProduceData {
    pub index: i32,
    /// Default null.
    pub records: Option<Bytes>,
}

impl Field for PartitionProduceData {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { index: decoder.field(layout)?, records: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.index, layout)?;
        encoder.field(&self.records, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 3 to 13, flexible from 9.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceResponse {
    pub responses: Vec<TopicProduceResponse>,
    pub throttle_time_ms: i32,
    /// Versions 10 and later, tag 0.
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl Message for ProduceResponse {
    const VERSIONS: Versions = Versions::new(3, 13);
    const FLEXIBLE_FROM: Option<i16> = Some(9);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let mut read = Self {
            responses: decoder.field(layout)?,
            throttle_time_ms: decoder.field(layout)?,
            node_endpoints: Vec::new(),
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 if layout.version >= 10 => read.node_endpoints = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.responses, layout)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 10 {
            if !self.node_endpoints.is_empty() {
                tagged.add(0, &self.node_endpoints)?;
            }
        } else {
            absent(self.node_endpoints.is_empty(), "ProduceResponse.node_endpoints", layout)?;
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}

/// In [`ProduceResponse::responses`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicProduceResponse {
    /// Versions 3 to 12.
    pub name: WireString,
    /// Version 13.
    pub topic_id: TopicId,
    pub partition_responses: Vec<PartitionProduceResponse>,
}

impl Field for TopicProduceResponse {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: if layout.version <= 12 { decoder.field(layout)? } else { WireString::EMPTY },
            topic_id: if layout.version >= 13 { decoder.field(layout)? } else { TopicId::ZERO },
            partition_responses: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        if layout.version <= 12 {
            encoder.field(&self.name, layout)?;
        }
        if layout.version >= 13 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.partition_responses, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ProduceResponse::node_endpoints`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: WireString,
    pub port: i32,
    /// Default null.
    pub rack: Option<WireString>,
}

impl Field for NodeEndpoint {
    const BYTES_MIN: usize = 11;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            node_id: decoder.field(layout)?,
            host: decoder.field(layout)?,
            port: decoder.field(layout)?,
            rack: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.node_id, layout)?;
        encoder.field(&self.host, layout)?;
        encoder.field(&self.port, layout)?;
        encoder.field(&self.rack, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`TopicProduceResponse::partition_responses`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionProduceResponse {
    pub index: i32,
    pub error_code: i16,
    pub base_offset: i64,
    /// Default -1.
    pub log_append_time_ms: i64,
    /// Versions 5 and later, default -1.
    pub log_start_offset: i64,
    /// Versions 8 and later.
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    /// Versions 8 and later, default null.
    pub error_message: Option<WireString>,
    /// Versions 10 and later, tag 0.
    pub current_leader: LeaderIdAndEpoch,
}

impl Default for PartitionProduceResponse {
    fn default() -> Self {
        Self {
            index: 0,
            error_code: 0,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: LeaderIdAndEpoch::default(),
        }
    }
}

impl Field for PartitionProduceResponse {
    const BYTES_MIN: usize = 22;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let mut read = Self {
            index: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            base_offset: decoder.field(layout)?,
            log_append_time_ms: decoder.field(layout)?,
            log_start_offset: if layout.version >= 5 { decoder.field(layout)? } else { -1 },
            record_errors: if layout.version >= 8 { decoder.field(layout)? } else { Vec::new() },
            error_message: if layout.version >= 8 { decoder.field(layout)? } else { None },
            current_leader: LeaderIdAndEpoch::default(),
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 if layout.version >= 10 => read.current_leader = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.index, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.base_offset, layout)?;
        encoder.field(&self.log_append_time_ms, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.log_start_offset, layout)?;
        }
        if layout.version >= 8 {
            encoder.field(&self.record_errors, layout)?;
            encoder.field(&self.error_message, layout)?;
        }
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 10 {
            if self.current_leader != LeaderIdAndEpoch::default() {
                tagged.add(0, &self.current_leader)?;
            }
        } else {
            absent(
                self.current_leader == LeaderIdAndEpoch::default(),
                "PartitionProduceResponse.current_leader",
                layout,
            )?;
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}

/// In [`PartitionProduceResponse::record_errors`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchIndexAndErrorMessage {
    pub batch_index: i32,
    /// Default null.
    pub batch_index_error_message: Option<WireString>,
}

impl Field for BatchIndexAndErrorMessage {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            batch_index: decoder.field(layout)?,
            batch_index_error_message: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.batch_index, layout)?;
        encoder.field(&self.batch_index_error_message, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`PartitionProduceResponse::current_leader`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderIdAndEpoch {
    /// Default -1.
    pub leader_id: i32,
    /// Default -1.
    pub leader_epoch: i32,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1 }
    }
}

impl Field for LeaderIdAndEpoch {
    const BYTES_MIN: usize = 9;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { leader_id: decoder.field(layout)?, leader_epoch: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.leader_id, layout)?;
        encoder.field(&self.leader_epoch, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for ProduceRequest {
    const API_KEY: ApiKey = ApiKey::Produce;
    type Response = ProduceResponse;
}

const _: () = assert!(ProduceRequest::API_KEY.code() == 0);
