//! `CreateTopicsRequest` and `CreateTopicsResponse`, API key 19.
//!
//! Written by `cargo xtask generate` from `schemas/create_topics.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, TaggedFields, WireString,
};

/// Versions 2 to 7, flexible from 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopicsRequest {
    pub topics: Vec<CreatableTopic>,
    /// Default 60000.
    pub timeout_ms: i32,
    pub validate_only: bool,
}

impl Default for CreateTopicsRequest {
    fn default() -> Self {
        Self { topics: Vec::new(), timeout_ms: 60000, validate_only: false }
    }
}

impl Message for CreateTopicsRequest {
    const VERSIONS: Versions = Versions::new(2, 7);
    const FLEXIBLE_FROM: Option<i16> = Some(5);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            topics: decoder.field(layout)?,
            timeout_ms: decoder.field(layout)?,
            validate_only: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.topics, layout)?;
        encoder.field(&self.timeout_ms, layout)?;
        encoder.field(&self.validate_only, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`CreateTopicsRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatableTopic {
    pub name: WireString,
    pub num_partitions: i32,
    pub replication_factor: i16,
    pub assignments: Vec<CreatableReplicaAssignment>,
    pub configs: Vec<CreatableTopicConfig>,
}

impl Field for CreatableTopic {
    const BYTES_MIN: usize = 10;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            num_partitions: decoder.field(layout)?,
            replication_factor: decoder.field(layout)?,
            assignments: decoder.field(layout)?,
            configs: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.num_partitions, layout)?;
        encoder.field(&self.replication_factor, layout)?;
        encoder.field(&self.assignments, layout)?;
        encoder.field(&self.configs, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`CreatableTopic::assignments`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatableReplicaAssignment {
    pub partition_index: i32,
    pub broker_ids: Vec<i32>,
}

impl Field for CreatableReplicaAssignment {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read =
            Self { partition_index: decoder.field(layout)?, broker_ids: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.broker_ids, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`CreatableTopic::configs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatableTopicConfig {
    pub name: WireString,
    pub value: Option<WireString>,
}

impl Default for CreatableTopicConfig {
    fn default() -> Self {
        Self { name: WireString::EMPTY, value: Some(WireString::EMPTY) }
    }
}

impl Field for CreatableTopicConfig {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, value: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.value, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 2 to 7, flexible from 5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateTopicsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<CreatableTopicResult>,
}

impl Message for CreateTopicsResponse {
    const VERSIONS: Versions = Versions::new(2, 7);
    const FLEXIBLE_FROM: Option<i16> = Some(5);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read =
            Self { throttle_time_ms: decoder.field(layout)?, topics: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`CreateTopicsResponse::topics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatableTopicResult {
    pub name: WireString,
    /// Version 7.
    pub topic_id: TopicId,
    pub error_code: i16,
    pub error_message: Option<WireString>,
    /// Versions 5 and later, tag 0.
    pub topic_config_error_code: i16,
    /// Versions 5 and later, default -1.
    pub num_partitions: i32,
    /// Versions 5 and later, default -1.
    pub replication_factor: i16,
    /// Versions 5 and later.
    pub configs: Option<Vec<CreatableTopicConfigs>>,
}

impl Default for CreatableTopicResult {
    fn default() -> Self {
        Self {
            name: WireString::EMPTY,
            topic_id: TopicId::ZERO,
            error_code: 0,
            error_message: Some(WireString::EMPTY),
            topic_config_error_code: 0,
            num_partitions: -1,
            replication_factor: -1,
            configs: Some(Vec::new()),
        }
    }
}

impl Field for CreatableTopicResult {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let mut read = Self {
            name: decoder.field(layout)?,
            topic_id: if layout.version >= 7 { decoder.field(layout)? } else { TopicId::ZERO },
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
            topic_config_error_code: 0,
            num_partitions: if layout.version >= 5 { decoder.field(layout)? } else { -1 },
            replication_factor: if layout.version >= 5 { decoder.field(layout)? } else { -1 },
            configs: if layout.version >= 5 { decoder.field(layout)? } else { Some(Vec::new()) },
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 => read.topic_config_error_code = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        if layout.version >= 7 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.num_partitions, layout)?;
            encoder.field(&self.replication_factor, layout)?;
            encoder.field(&self.configs, layout)?;
        }
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 5 && self.topic_config_error_code != 0 {
            tagged.add(0, &self.topic_config_error_code)?;
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}

/// In [`CreatableTopicResult::configs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatableTopicConfigs {
    pub name: WireString,
    pub value: Option<WireString>,
    pub read_only: bool,
    /// Default -1.
    pub config_source: i8,
    pub is_sensitive: bool,
}

impl Default for CreatableTopicConfigs {
    fn default() -> Self {
        Self {
            name: WireString::EMPTY,
            value: Some(WireString::EMPTY),
            read_only: false,
            config_source: -1,
            is_sensitive: false,
        }
    }
}

impl Field for CreatableTopicConfigs {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            value: decoder.field(layout)?,
            read_only: decoder.field(layout)?,
            config_source: decoder.field(layout)?,
            is_sensitive: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.value, layout)?;
        encoder.field(&self.read_only, layout)?;
        encoder.field(&self.config_source, layout)?;
        encoder.field(&self.is_sensitive, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for CreateTopicsRequest {
    const API_KEY: ApiKey = ApiKey::CreateTopics;
    type Response = CreateTopicsResponse;
}

const _: () = assert!(CreateTopicsRequest::API_KEY.code() == 19);
