//! `ListOffsetsRequest` and `ListOffsetsResponse`, API key 2.
//!
//! Written by `cargo xtask generate` from `schemas/list_offsets.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 1 to 11, flexible from 6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsRequest {
    pub replica_id: i32,
    /// Versions 2 and later.
    pub isolation_level: i8,
    pub topics: Vec<ListOffsetsTopic>,
    /// Versions 10 and later.
    pub timeout_ms: i32,
}

impl Message for ListOffsetsRequest {
    const VERSIONS: Versions = Versions::new(1, 11);
    const FLEXIBLE_FROM: Option<i16> = Some(6);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            replica_id: decoder.field(layout)?,
            isolation_level: if layout.version >= 2 { decoder.field(layout)? } else { 0 },
            topics: decoder.field(layout)?,
            timeout_ms: if layout.version >= 10 { decoder.field(layout)? } else { 0 },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.replica_id, layout)?;
        if layout.version >= 2 {
            encoder.field(&self.isolation_level, layout)?;
        } else {
            absent(self.isolation_level == 0, "ListOffsetsRequest.isolation_level", layout)?;
        }
        encoder.field(&self.topics, layout)?;
        if layout.version >= 10 {
            encoder.field(&self.timeout_ms, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ListOffsetsRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsTopic {
    pub name: WireString,
    pub partitions: Vec<ListOffsetsPartition>,
}

impl Field for ListOffsetsTopic {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, partitions: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ListOffsetsTopic::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsPartition {
    pub partition_index: i32,
    /// Versions 4 and later, default -1.
    pub current_leader_epoch: i32,
    pub timestamp: i64,
}

impl Default for ListOffsetsPartition {
    fn default() -> Self {
        Self { partition_index: 0, current_leader_epoch: -1, timestamp: 0 }
    }
}

impl Field for ListOffsetsPartition {
    const BYTES_MIN: usize = 12;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_index: decoder.field(layout)?,
            current_leader_epoch: if layout.version >= 4 { decoder.field(layout)? } else { -1 },
            timestamp: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        if layout.version >= 4 {
            encoder.field(&self.current_leader_epoch, layout)?;
        }
        encoder.field(&self.timestamp, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 1 to 11, flexible from 6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsResponse {
    /// Versions 2 and later.
    pub throttle_time_ms: i32,
    pub topics: Vec<ListOffsetsTopicResponse>,
}

impl Message for ListOffsetsResponse {
    const VERSIONS: Versions = Versions::new(1, 11);
    const FLEXIBLE_FROM: Option<i16> = Some(6);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 2 { decoder.field(layout)? } else { 0 },
            topics: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 2 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ListOffsetsResponse::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsTopicResponse {
    pub name: WireString,
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

impl Field for ListOffsetsTopicResponse {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, partitions: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ListOffsetsTopicResponse::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsPartitionResponse {
    pub partition_index: i32,
    pub error_code: i16,
    /// Default -1.
    pub timestamp: i64,
    /// Default -1.
    pub offset: i64,
    /// Versions 4 and later, default -1.
    pub leader_epoch: i32,
}

impl Default for ListOffsetsPartitionResponse {
    fn default() -> Self {
        Self { partition_index: 0, error_code: 0, timestamp: -1, offset: -1, leader_epoch: -1 }
    }
}

impl Field for ListOffsetsPartitionResponse {
    const BYTES_MIN: usize = 22;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_index: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            timestamp: decoder.field(layout)?,
            offset: decoder.field(layout)?,
            leader_epoch: if layout.version >= 4 { decoder.field(layout)? } else { -1 },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.timestamp, layout)?;
        encoder.field(&self.offset, layout)?;
        if layout.version >= 4 {
            encoder.field(&self.leader_epoch, layout)?;
        } else {
            absent(self.leader_epoch == -1, "ListOffsetsPartitionResponse.leader_epoch", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for ListOffsetsRequest {
    const API_KEY: ApiKey = ApiKey::ListOffsets;
    type Response = ListOffsetsResponse;
}

const _: () = assert!(ListOffsetsRequest::API_KEY.code() == 2);
