//! `OffsetForLeaderEpochRequest` and `OffsetForLeaderEpochResponse`, API key 23.
//!
//! Written by `cargo xtask generate` from `schemas/offset_for_leader_epoch.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Versions 2 to 4, flexible from 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetForLeaderEpochRequest {
    /// Versions 3 and later, default -2.
    pub replica_id: i32,
    pub topics: Vec<OffsetForLeaderTopic>,
}

impl Default for OffsetForLeaderEpochRequest {
    fn default() -> Self {
        Self { replica_id: -2, topics: Vec::new() }
    }
}

impl Message for OffsetForLeaderEpochRequest {
    const VERSIONS: Versions = Versions::new(2, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            replica_id: if layout.version >= 3 { decoder.field(layout)? } else { -2 },
            topics: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 3 {
            encoder.field(&self.replica_id, layout)?;
        }
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetForLeaderEpochRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetForLeaderTopic {
    pub topic: WireString,
    pub partitions: Vec<OffsetForLeaderPartition>,
}

impl Field for OffsetForLeaderTopic {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { topic: decoder.field(layout)?, partitions: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.topic, layout)?;
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetForLeaderTopic::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetForLeaderPartition {
    pub partition: i32,
    /// Default -1.
    pub current_leader_epoch: i32,
    pub leader_epoch: i32,
}

impl Default for OffsetForLeaderPartition {
    fn default() -> Self {
        Self { partition: 0, current_leader_epoch: -1, leader_epoch: 0 }
    }
}

impl Field for OffsetForLeaderPartition {
    const BYTES_MIN: usize = 12;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition: decoder.field(layout)?,
            current_leader_epoch: decoder.field(layout)?,
            leader_epoch: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition, layout)?;
        encoder.field(&self.current_leader_epoch, layout)?;
        encoder.field(&self.leader_epoch, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 2 to 4, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetForLeaderEpochResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetForLeaderTopicResult>,
}

impl Message for OffsetForLeaderEpochResponse {
    const VERSIONS: Versions = Versions::new(2, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

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

/// In [`OffsetForLeaderEpochResponse::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetForLeaderTopicResult {
    pub topic: WireString,
    pub partitions: Vec<EpochEndOffset>,
}

impl Field for OffsetForLeaderTopicResult {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { topic: decoder.field(layout)?, partitions: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.topic, layout)?;
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetForLeaderTopicResult::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    pub error_code: i16,
    pub partition: i32,
    /// Default -1.
    pub leader_epoch: i32,
    /// Default -1.
    pub end_offset: i64,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        Self { error_code: 0, partition: 0, leader_epoch: -1, end_offset: -1 }
    }
}

impl Field for EpochEndOffset {
    const BYTES_MIN: usize = 18;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            error_code: decoder.field(layout)?,
            partition: decoder.field(layout)?,
            leader_epoch: decoder.field(layout)?,
            end_offset: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.partition, layout)?;
        encoder.field(&self.leader_epoch, layout)?;
        encoder.field(&self.end_offset, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for OffsetForLeaderEpochRequest {
    const API_KEY: ApiKey = ApiKey::OffsetForLeaderEpoch;
    type Response = OffsetForLeaderEpochResponse;
}

const _: () = assert!(OffsetForLeaderEpochRequest::API_KEY.code() == 23);
