//! `ElectLeadersRequest` and `ElectLeadersResponse`, API key 43.
//!
//! Written by `cargo xtask generate` from `schemas/elect_leaders.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 2, flexible from 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectLeadersRequest {
    /// Versions 1 and later.
    pub election_type: i8,
    pub topic_partitions: Option<Vec<TopicPartitions>>,
    /// Default 60000.
    pub timeout_ms: i32,
}

impl Default for ElectLeadersRequest {
    fn default() -> Self {
        Self { election_type: 0, topic_partitions: Some(Vec::new()), timeout_ms: 60000 }
    }
}

impl Message for ElectLeadersRequest {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            election_type: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            topic_partitions: decoder.field(layout)?,
            timeout_ms: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 1 {
            encoder.field(&self.election_type, layout)?;
        } else {
            absent(self.election_type == 0, "ElectLeadersRequest.election_type", layout)?;
        }
        encoder.field(&self.topic_partitions, layout)?;
        encoder.field(&self.timeout_ms, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ElectLeadersRequest::topic_partitions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPartitions {
    pub topic: WireString,
    pub partitions: Vec<i32>,
}

impl Field for TopicPartitions {
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

/// Versions 0 to 2, flexible from 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElectLeadersResponse {
    pub throttle_time_ms: i32,
    /// Versions 1 and later.
    pub error_code: i16,
    pub replica_election_results: Vec<ReplicaElectionResult>,
}

impl Message for ElectLeadersResponse {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: decoder.field(layout)?,
            error_code: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            replica_election_results: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.error_code, layout)?;
        } else {
            absent(self.error_code == 0, "ElectLeadersResponse.error_code", layout)?;
        }
        encoder.field(&self.replica_election_results, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ElectLeadersResponse::replica_election_results`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaElectionResult {
    pub topic: WireString,
    pub partition_result: Vec<PartitionResult>,
}

impl Field for ReplicaElectionResult {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { topic: decoder.field(layout)?, partition_result: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.topic, layout)?;
        encoder.field(&self.partition_result, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ReplicaElectionResult::partition_result`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionResult {
    pub partition_id: i32,
    pub error_code: i16,
    pub error_message: Option<WireString>,
}

impl Default for PartitionResult {
    fn default() -> Self {
        Self { partition_id: 0, error_code: 0, error_message: Some(WireString::EMPTY) }
    }
}

impl Field for PartitionResult {
    const BYTES_MIN: usize = 8;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_id: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_id, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for ElectLeadersRequest {
    const API_KEY: ApiKey = ApiKey::ElectLeaders;
    type Response = ElectLeadersResponse;
}

const _: () = assert!(ElectLeadersRequest::API_KEY.code() == 43);
