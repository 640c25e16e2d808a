//! `HeartbeatRequest` and `HeartbeatResponse`, API key 12.
//!
//! Written by `cargo xtask generate` from `schemas/heartbeat.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Layout, WireString, absent};

/// Versions 0 to 4, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatRequest {
    pub group_id: WireString,
    pub generation_id: i32,
    pub member_id: WireString,
    /// Versions 3 and later, default null.
    pub group_instance_id: Option<WireString>,
}

impl Message for HeartbeatRequest {
    const VERSIONS: Versions = Versions::new(0, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            group_id: decoder.field(layout)?,
            generation_id: decoder.field(layout)?,
            member_id: decoder.field(layout)?,
            group_instance_id: if layout.version >= 3 { decoder.field(layout)? } else { None },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.group_id, layout)?;
        encoder.field(&self.generation_id, layout)?;
        encoder.field(&self.member_id, layout)?;
        if layout.version >= 3 {
            encoder.field(&self.group_instance_id, layout)?;
        } else {
            absent(self.group_instance_id.is_none(), "HeartbeatRequest.group_instance_id", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 4, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatResponse {
    /// Versions 1 and later.
    pub throttle_time_ms: i32,
    pub error_code: i16,
}

impl Message for HeartbeatResponse {
    const VERSIONS: Versions = Versions::new(0, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            error_code: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 1 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        encoder.field(&self.error_code, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for HeartbeatRequest {
    const API_KEY: ApiKey = ApiKey::Heartbeat;
    type Response = HeartbeatResponse;
}

const _: () = assert!(HeartbeatRequest::API_KEY.code() == 12);
