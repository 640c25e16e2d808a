//! `ListPartitionReassignmentsRequest` and `ListPartitionReassignmentsResponse`, API key 46.
//!
//! Written by `cargo xtask generate` from `schemas/list_partition_reassignments.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Version 0, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPartitionReassignmentsRequest {
    /// Default 60000.
    pub timeout_ms: i32,
    /// Default null.
    pub topics: Option<Vec<ListPartitionReassignmentsTopics>>,
}

impl Default for ListPartitionReassignmentsRequest {
    fn default() -> Self {
        Self { timeout_ms: 60000, topics: None }
    }
}

impl Message for ListPartitionReassignmentsRequest {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self { timeout_ms: decoder.field(layout)?, topics: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.timeout_ms, layout)?;
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ListPartitionReassignmentsRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPartitionReassignmentsTopics {
    pub name: WireString,
    pub partition_indexes: Vec<i32>,
}

impl Field for ListPartitionReassignmentsTopics {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, partition_indexes: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.partition_indexes, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Version 0, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPartitionReassignmentsResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<WireString>,
    pub topics: Vec<OngoingTopicReassignment>,
}

impl Default for ListPartitionReassignmentsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(WireString::EMPTY),
            topics: Vec::new(),
        }
    }
}

impl Message for ListPartitionReassignmentsResponse {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
            topics: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ListPartitionReassignmentsResponse::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OngoingTopicReassignment {
    pub name: WireString,
    pub partitions: Vec<OngoingPartitionReassignment>,
}

impl Field for OngoingTopicReassignment {
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

/// In [`OngoingTopicReassignment::partitions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OngoingPartitionReassignment {
    pub partition_index: i32,
    pub replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    pub removing_replicas: Vec<i32>,
}

impl Field for OngoingPartitionReassignment {
    const BYTES_MIN: usize = 8;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_index: decoder.field(layout)?,
            replicas: decoder.field(layout)?,
            adding_replicas: decoder.field(layout)?,
            removing_replicas: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.replicas, layout)?;
        encoder.field(&self.adding_replicas, layout)?;
        encoder.field(&self.removing_replicas, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for ListPartitionReassignmentsRequest {
    const API_KEY: ApiKey = ApiKey::ListPartitionReassignments;
    type Response = ListPartitionReassignmentsResponse;
}

const _: () = assert!(ListPartitionReassignmentsRequest::API_KEY.code() == 46);
