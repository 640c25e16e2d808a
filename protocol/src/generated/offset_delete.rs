//! `OffsetDeleteRequest` and `OffsetDeleteResponse`, API key 47.
//!
//! Written by `cargo xtask generate` from `schemas/offset_delete.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Version 0, never flexible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteRequest {
    pub group_id: WireString,
    pub topics: Vec<OffsetDeleteRequestTopic>,
}

impl Message for OffsetDeleteRequest {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = None;

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        Ok(Self { group_id: decoder.field(layout)?, topics: decoder.field(layout)? })
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.group_id, layout)?;
        encoder.field(&self.topics, layout)?;
        Ok(())
    }
}

/// In [`OffsetDeleteRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteRequestTopic {
    pub name: WireString,
    pub partitions: Vec<OffsetDeleteRequestPartition>,
}

impl Field for OffsetDeleteRequestTopic {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        Ok(Self { name: decoder.field(layout)?, partitions: decoder.field(layout)? })
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.partitions, layout)?;
        Ok(())
    }
}

/// In [`OffsetDeleteRequestTopic::partitions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteRequestPartition {
    pub partition_index: i32,
}

impl Field for OffsetDeleteRequestPartition {
    const BYTES_MIN: usize = 4;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        Ok(Self { partition_index: decoder.field(layout)? })
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        Ok(())
    }
}

/// Version 0, never flexible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteResponse {
    pub error_code: i16,
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetDeleteResponseTopic>,
}

impl Message for OffsetDeleteResponse {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = None;

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        Ok(Self {
            error_code: decoder.field(layout)?,
            throttle_time_ms: decoder.field(layout)?,
            topics: decoder.field(layout)?,
        })
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.topics, layout)?;
        Ok(())
    }
}

/// In [`OffsetDeleteResponse::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteResponseTopic {
    pub name: WireString,
    pub partitions: Vec<OffsetDeleteResponsePartition>,
}

impl Field for OffsetDeleteResponseTopic {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        Ok(Self { name: decoder.field(layout)?, partitions: decoder.field(layout)? })
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.partitions, layout)?;
        Ok(())
    }
}

/// In [`OffsetDeleteResponseTopic::partitions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteResponsePartition {
    pub partition_index: i32,
    pub error_code: i16,
}

impl Field for OffsetDeleteResponsePartition {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        Ok(Self { partition_index: decoder.field(layout)?, error_code: decoder.field(layout)? })
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.error_code, layout)?;
        Ok(())
    }
}

impl Request for OffsetDeleteRequest {
    const API_KEY: ApiKey = ApiKey::OffsetDelete;
    type Response = OffsetDeleteResponse;
}

const _: () = assert!(OffsetDeleteRequest::API_KEY.code() == 47);
