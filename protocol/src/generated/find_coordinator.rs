//! `FindCoordinatorRequest` and `FindCoordinatorResponse`, API key 10.
//!
//! Written by `cargo xtask generate` from `schemas/find_coordinator.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 6, flexible from 3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindCoordinatorRequest {
    /// Versions 0 to 3.
    pub key: WireString,
    /// Versions 1 and later.
    pub key_type: i8,
    /// Versions 4 and later.
    pub coordinator_keys: Vec<WireString>,
}

impl Message for FindCoordinatorRequest {
    const VERSIONS: Versions = Versions::new(0, 6);
    const FLEXIBLE_FROM: Option<i16> = Some(3);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            key: if layout.version <= 3 { decoder.field(layout)? } else { WireString::EMPTY },
            key_type: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            coordinator_keys: if layout.version >= 4 { decoder.field(layout)? } else { Vec::new() },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version <= 3 {
            encoder.field(&self.key, layout)?;
        } else {
            absent(self.key.is_empty(), "FindCoordinatorRequest.key", layout)?;
        }
        if layout.version >= 1 {
            encoder.field(&self.key_type, layout)?;
        } else {
            absent(self.key_type == 0, "FindCoordinatorRequest.key_type", layout)?;
        }
        if layout.version >= 4 {
            encoder.field(&self.coordinator_keys, layout)?;
        } else {
            absent(
                self.coordinator_keys.is_empty(),
                "FindCoordinatorRequest.coordinator_keys",
                layout,
            )?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 6, flexible from 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindCoordinatorResponse {
    /// Versions 1 and later.
    pub throttle_time_ms: i32,
    /// Versions 0 to 3.
    pub error_code: i16,
    /// Versions 1 to 3.
    pub error_message: Option<WireString>,
    /// Versions 0 to 3.
    pub node_id: i32,
    /// Versions 0 to 3.
    pub host: WireString,
    /// Versions 0 to 3.
    pub port: i32,
    /// Versions 4 and later.
    pub coordinators: Vec<Coordinator>,
}

impl Default for FindCoordinatorResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(WireString::EMPTY),
            node_id: 0,
            host: WireString::EMPTY,
            port: 0,
            coordinators: Vec::new(),
        }
    }
}

impl Message for FindCoordinatorResponse {
    const VERSIONS: Versions = Versions::new(0, 6);
    const FLEXIBLE_FROM: Option<i16> = Some(3);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            error_code: if layout.version <= 3 { decoder.field(layout)? } else { 0 },
            error_message: if (1..=3).contains(&layout.version) {
                decoder.field(layout)?
            } else {
                Some(WireString::EMPTY)
            },
            node_id: if layout.version <= 3 { decoder.field(layout)? } else { 0 },
            host: if layout.version <= 3 { decoder.field(layout)? } else { WireString::EMPTY },
            port: if layout.version <= 3 { decoder.field(layout)? } else { 0 },
            coordinators: if layout.version >= 4 { decoder.field(layout)? } else { Vec::new() },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 1 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        if layout.version <= 3 {
            encoder.field(&self.error_code, layout)?;
        } else {
            absent(self.error_code == 0, "FindCoordinatorResponse.error_code", layout)?;
        }
        if (1..=3).contains(&layout.version) {
            encoder.field(&self.error_message, layout)?;
        }
        if layout.version <= 3 {
            encoder.field(&self.node_id, layout)?;
            encoder.field(&self.host, layout)?;
            encoder.field(&self.port, layout)?;
        } else {
            absent(self.node_id == 0, "FindCoordinatorResponse.node_id", layout)?;
            absent(self.host.is_empty(), "FindCoordinatorResponse.host", layout)?;
            absent(self.port == 0, "FindCoordinatorResponse.port", layout)?;
        }
        if layout.version >= 4 {
            encoder.field(&self.coordinators, layout)?;
        } else {
            absent(self.coordinators.is_empty(), "FindCoordinatorResponse.coordinators", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`FindCoordinatorResponse::coordinators`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinator {
    pub key: WireString,
    pub node_id: i32,
    pub host: WireString,
    pub port: i32,
    pub error_code: i16,
    pub error_message: Option<WireString>,
}

impl Default for Coordinator {
    fn default() -> Self {
        Self {
            key: WireString::EMPTY,
            node_id: 0,
            host: WireString::EMPTY,
            port: 0,
            error_code: 0,
            error_message: Some(WireString::EMPTY),
        }
    }
}

impl Field for Coordinator {
    const BYTES_MIN: usize = 14;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            key: decoder.field(layout)?,
            node_id: decoder.field(layout)?,
            host: decoder.field(layout)?,
            port: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.key, layout)?;
        encoder.field(&self.node_id, layout)?;
        encoder.field(&self.host, layout)?;
        encoder.field(&self.port, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for FindCoordinatorRequest {
    const API_KEY: ApiKey = ApiKey::FindCoordinator;
    type Response = FindCoordinatorResponse;
}

const _: () = assert!(FindCoordinatorRequest::API_KEY.code() == 10);
