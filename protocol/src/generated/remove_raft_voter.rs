//! `RemoveRaftVoterRequest` and `RemoveRaftVoterResponse`, API key 81.
//!
//! Written by `cargo xtask generate` from `schemas/remove_raft_voter.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Layout, WireString};

/// Version 0, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveRaftVoterRequest {
    pub cluster_id: Option<WireString>,
    pub voter_id: i32,
    pub voter_directory_id: TopicId,
}

impl Default for RemoveRaftVoterRequest {
    fn default() -> Self {
        Self { cluster_id: Some(WireString::EMPTY), voter_id: 0, voter_directory_id: TopicId::ZERO }
    }
}

impl Message for RemoveRaftVoterRequest {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            cluster_id: decoder.field(layout)?,
            voter_id: decoder.field(layout)?,
            voter_directory_id: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.cluster_id, layout)?;
        encoder.field(&self.voter_id, layout)?;
        encoder.field(&self.voter_directory_id, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Version 0, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveRaftVoterResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<WireString>,
}

impl Default for RemoveRaftVoterResponse {
    fn default() -> Self {
        Self { throttle_time_ms: 0, error_code: 0, error_message: Some(WireString::EMPTY) }
    }
}

impl Message for RemoveRaftVoterResponse {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for RemoveRaftVoterRequest {
    const API_KEY: ApiKey = ApiKey::RemoveRaftVoter;
    type Response = RemoveRaftVoterResponse;
}

const _: () = assert!(RemoveRaftVoterRequest::API_KEY.code() == 81);
