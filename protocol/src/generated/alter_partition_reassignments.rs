//! `AlterPartitionReassignmentsRequest` and `AlterPartitionReassignmentsResponse`, API key 45.
//!
//! Written by `cargo xtask generate` from `schemas/alter_partition_reassignments.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 1, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterPartitionReassignmentsRequest {
    /// Default 60000.
    pub timeout_ms: i32,
    /// Version 1, default true.
    pub allow_replication_factor_change: bool,
    pub topics: Vec<ReassignableTopic>,
}

impl Default for AlterPartitionReassignmentsRequest {
    fn default() -> Self {
        Self { timeout_ms: 60000, allow_replication_factor_change: true, topics: Vec::new() }
    }
}

impl Message for AlterPartitionReassignmentsRequest {
    const VERSIONS: Versions = Versions::new(0, 1);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            timeout_ms: decoder.field(layout)?,
            allow_replication_factor_change: if layout.version >= 1 {
                decoder.field(layout)?
            } else {
                true
            },
            topics: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.timeout_ms, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.allow_replication_factor_change, layout)?;
        } else {
            absent(
                self.allow_replication_factor_change,
                "AlterPartitionReassignmentsRequest.allow_replication_factor_change",
                layout,
            )?;
        }
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`AlterPartitionReassignmentsRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReassignableTopic {
    pub name: WireString,
    pub partitions: Vec<ReassignablePartition>,
}

impl Field for ReassignableTopic {
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

/// In [`ReassignableTopic::partitions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReassignablePartition {
    pub partition_index: i32,
    /// Default null.
    pub replicas: Option<Vec<i32>>,
}

impl Field for ReassignablePartition {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read =
            Self { partition_index: decoder.field(layout)?, replicas: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.replicas, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 1, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterPartitionReassignmentsResponse {
    pub throttle_time_ms: i32,
    /// Version 1, default true.
    pub allow_replication_factor_change: bool,
    pub error_code: i16,
    pub error_message: Option<WireString>,
    pub responses: Vec<ReassignableTopicResponse>,
}

impl Default for AlterPartitionReassignmentsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            allow_replication_factor_change: true,
            error_code: 0,
            error_message: Some(WireString::EMPTY),
            responses: Vec::new(),
        }
    }
}

impl Message for AlterPartitionReassignmentsResponse {
    const VERSIONS: Versions = Versions::new(0, 1);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: decoder.field(layout)?,
            allow_replication_factor_change: if layout.version >= 1 {
                decoder.field(layout)?
            } else {
                true
            },
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
            responses: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.allow_replication_factor_change, layout)?;
        }
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.field(&self.responses, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`AlterPartitionReassignmentsResponse::responses`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReassignableTopicResponse {
    pub name: WireString,
    pub partitions: Vec<ReassignablePartitionResponse>,
}

impl Field for ReassignableTopicResponse {
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

/// In [`ReassignableTopicResponse::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReassignablePartitionResponse {
    pub partition_index: i32,
    pub error_code: i16,
    pub error_message: Option<WireString>,
}

impl Default for ReassignablePartitionResponse {
    fn default() -> Self {
        Self { partition_index: 0, error_code: 0, error_message: Some(WireString::EMPTY) }
    }
}

impl Field for ReassignablePartitionResponse {
    const BYTES_MIN: usize = 8;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_index: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for AlterPartitionReassignmentsRequest {
    const API_KEY: ApiKey = ApiKey::AlterPartitionReassignments;
    type Response = AlterPartitionReassignmentsResponse;
}

const _: () = assert!(AlterPartitionReassignmentsRequest::API_KEY.code() == 45);
