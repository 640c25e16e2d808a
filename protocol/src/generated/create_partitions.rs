//! `CreatePartitionsRequest` and `CreatePartitionsResponse`, API key 37.
//!
//! Written by `cargo xtask generate` from `schemas/create_partitions.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Versions 0 to 3, flexible from 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatePartitionsRequest {
    pub topics: Vec<CreatePartitionsTopic>,
    pub timeout_ms: i32,
    pub validate_only: bool,
}

impl Message for CreatePartitionsRequest {
    const VERSIONS: Versions = Versions::new(0, 3);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

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

/// In [`CreatePartitionsRequest::topics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePartitionsTopic {
    pub name: WireString,
    pub count: i32,
    pub assignments: Option<Vec<CreatePartitionsAssignment>>,
}

impl Default for CreatePartitionsTopic {
    fn default() -> Self {
        Self { name: WireString::EMPTY, count: 0, assignments: Some(Vec::new()) }
    }
}

impl Field for CreatePartitionsTopic {
    const BYTES_MIN: usize = 7;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            count: decoder.field(layout)?,
            assignments: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.count, layout)?;
        encoder.field(&self.assignments, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`CreatePartitionsTopic::assignments`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatePartitionsAssignment {
    pub broker_ids: Vec<i32>,
}

impl Field for CreatePartitionsAssignment {
    const BYTES_MIN: usize = 2;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { broker_ids: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.broker_ids, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 3, flexible from 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatePartitionsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<CreatePartitionsTopicResult>,
}

impl Message for CreatePartitionsResponse {
    const VERSIONS: Versions = Versions::new(0, 3);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read =
            Self { throttle_time_ms: decoder.field(layout)?, results: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.results, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`CreatePartitionsResponse::results`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatePartitionsTopicResult {
    pub name: WireString,
    pub error_code: i16,
    /// Default null.
    pub error_message: Option<WireString>,
}

impl Field for CreatePartitionsTopicResult {
    const BYTES_MIN: usize = 5;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for CreatePartitionsRequest {
    const API_KEY: ApiKey = ApiKey::CreatePartitions;
    type Response = CreatePartitionsResponse;
}

const _: () = assert!(CreatePartitionsRequest::API_KEY.code() == 37);
