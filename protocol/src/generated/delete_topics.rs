//! `DeleteTopicsRequest` and `DeleteTopicsResponse`, API key 20.
//!
//! Written by `cargo xtask generate` from `schemas/delete_topics.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 1 to 6, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteTopicsRequest {
    /// Version 6.
    pub topics: Vec<DeleteTopicState>,
    /// Versions 1 to 5.
    pub topic_names: Vec<WireString>,
    pub timeout_ms: i32,
}

impl Message for DeleteTopicsRequest {
    const VERSIONS: Versions = Versions::new(1, 6);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            topics: if layout.version >= 6 { decoder.field(layout)? } else { Vec::new() },
            topic_names: if layout.version <= 5 { decoder.field(layout)? } else { Vec::new() },
            timeout_ms: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 6 {
            encoder.field(&self.topics, layout)?;
        } else {
            absent(self.topics.is_empty(), "DeleteTopicsRequest.topics", layout)?;
        }
        if layout.version <= 5 {
            encoder.field(&self.topic_names, layout)?;
        }
        encoder.field(&self.timeout_ms, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DeleteTopicsRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteTopicState {
    /// Default null.
    pub name: Option<WireString>,
    pub topic_id: TopicId,
}

impl Field for DeleteTopicState {
    const BYTES_MIN: usize = 18;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, topic_id: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.topic_id, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 1 to 6, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteTopicsResponse {
    pub throttle_time_ms: i32,
    pub responses: Vec<DeletableTopicResult>,
}

impl Message for DeleteTopicsResponse {
    const VERSIONS: Versions = Versions::new(1, 6);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read =
            Self { throttle_time_ms: decoder.field(layout)?, responses: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.responses, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DeleteTopicsResponse::responses`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletableTopicResult {
    /// May be null in version 6.
    pub name: Option<WireString>,
    /// Version 6.
    pub topic_id: TopicId,
    pub error_code: i16,
    /// Versions 5 and later, default null.
    pub error_message: Option<WireString>,
}

impl Default for DeletableTopicResult {
    fn default() -> Self {
        Self {
            name: Some(WireString::EMPTY),
            topic_id: TopicId::ZERO,
            error_code: 0,
            error_message: None,
        }
    }
}

impl Field for DeletableTopicResult {
    const BYTES_MIN: usize = 4;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.nullable(layout, layout.version >= 6)?,
            topic_id: if layout.version >= 6 { decoder.field(layout)? } else { TopicId::ZERO },
            error_code: decoder.field(layout)?,
            error_message: if layout.version >= 5 { decoder.field(layout)? } else { None },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.nullable(&self.name, layout, layout.version >= 6, "DeletableTopicResult.name")?;
        if layout.version >= 6 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.error_code, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.error_message, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for DeleteTopicsRequest {
    const API_KEY: ApiKey = ApiKey::DeleteTopics;
    type Response = DeleteTopicsResponse;
}

const _: () = assert!(DeleteTopicsRequest::API_KEY.code() == 20);
