//! `AddRaftVoterRequest` and `AddRaftVoterResponse`, API key 80.
//!
//! Written by `cargo xtask generate` from `schemas/add_raft_voter.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 1, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddRaftVoterRequest {
    pub cluster_id: Option<WireString>,
    pub timeout_ms: i32,
    pub voter_id: i32,
    pub voter_directory_id: TopicId,
    pub listeners: Vec<Listener>,
    /// Version 1, default true.
    pub ack_when_committed: bool,
}

impl Default for AddRaftVoterRequest {
    fn default() -> Self {
        Self {
            cluster_id: Some(WireString::EMPTY),
            timeout_ms: 0,
            voter_id: 0,
            voter_directory_id: TopicId::ZERO,
            listeners: Vec::new(),
            ack_when_committed: true,
        }
    }
}

impl Message for AddRaftVoterRequest {
    const VERSIONS: Versions = Versions::new(0, 1);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            cluster_id: decoder.field(layout)?,
            timeout_ms: decoder.field(layout)?,
            voter_id: decoder.field(layout)?,
            voter_directory_id: decoder.field(layout)?,
            listeners: decoder.field(layout)?,
            ack_when_committed: if layout.version >= 1 { decoder.field(layout)? } else { true },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.cluster_id, layout)?;
        encoder.field(&self.timeout_ms, layout)?;
        encoder.field(&self.voter_id, layout)?;
        encoder.field(&self.voter_directory_id, layout)?;
        encoder.field(&self.listeners, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.ack_when_committed, layout)?;
        } else {
            absent(self.ack_when_committed, "AddRaftVoterRequest.ack_when_committed", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`AddRaftVoterRequest::listeners`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    pub name: WireString,
    pub host: WireString,
    pub port: u16,
}

impl Field for Listener {
    const BYTES_MIN: usize = 5;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            host: decoder.field(layout)?,
            port: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.host, layout)?;
        encoder.field(&self.port, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 1, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddRaftVoterResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<WireString>,
}

impl Default for AddRaftVoterResponse {
    fn default() -> Self {
        Self { throttle_time_ms: 0, error_code: 0, error_message: Some(WireString::EMPTY) }
    }
}

impl Message for AddRaftVoterResponse {
    const VERSIONS: Versions = Versions::new(0, 1);
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

impl Request for AddRaftVoterRequest {
    const API_KEY: ApiKey = ApiKey::AddRaftVoter;
    type Response = AddRaftVoterResponse;
}

const _: () = assert!(AddRaftVoterRequest::API_KEY.code() == 80);
