//! `SyncGroupRequest` and `SyncGroupResponse`, API key 14.
//!
//! Written by `cargo xtask generate` from `schemas/sync_group.schema`.

use bytes::Bytes;

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 5, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncGroupRequest {
    pub group_id: WireString,
    pub generation_id: i32,
    pub member_id: WireString,
    /// Versions 3 and later, default null.
    pub group_instance_id: Option<WireString>,
    /// Version 5, default null.
    pub protocol_type: Option<WireString>,
    /// Version 5, default null.
    pub protocol_name: Option<WireString>,
    pub assignments: Vec<SyncGroupRequestAssignment>,
}

impl Message for SyncGroupRequest {
    const VERSIONS: Versions = Versions::new(0, 5);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            group_id: decoder.field(layout)?,
            generation_id: decoder.field(layout)?,
            member_id: decoder.field(layout)?,
            group_instance_id: if layout.version >= 3 { decoder.field(layout)? } else { None },
            protocol_type: if layout.version >= 5 { decoder.field(layout)? } else { None },
            protocol_name: if layout.version >= 5 { decoder.field(layout)? } else { None },
            assignments: decoder.field(layout)?,
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
            absent(self.group_instance_id.is_none(), "SyncGroupRequest.group_instance_id", layout)?;
        }
        if layout.version >= 5 {
            encoder.field(&self.protocol_type, layout)?;
            encoder.field(&self.protocol_name, layout)?;
        }
        encoder.field(&self.assignments, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`SyncGroupRequest::assignments`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncGroupRequestAssignment {
    pub member_id: WireString,
    pub assignment: Bytes,
}

impl Field for SyncGroupRequestAssignment {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { member_id: decoder.field(layout)?, assignment: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.member_id, layout)?;
        encoder.field(&self.assignment, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 5, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncGroupResponse {
    /// Versions 1 and later.
    pub throttle_time_ms: i32,
    pub error_code: i16,
    /// Version 5, default null.
    pub protocol_type: Option<WireString>,
    /// Version 5, default null.
    pub protocol_name: Option<WireString>,
    pub assignment: Bytes,
}

impl Message for SyncGroupResponse {
    const VERSIONS: Versions = Versions::new(0, 5);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            error_code: decoder.field(layout)?,
            protocol_type: if layout.version >= 5 { decoder.field(layout)? } else { None },
            protocol_name: if layout.version >= 5 { decoder.field(layout)? } else { None },
            assignment: decoder.field(layout)?,
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
        if layout.version >= 5 {
            encoder.field(&self.protocol_type, layout)?;
            encoder.field(&self.protocol_name, layout)?;
        }
        encoder.field(&self.assignment, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for SyncGroupRequest {
    const API_KEY: ApiKey = ApiKey::SyncGroup;
    type Response = SyncGroupResponse;
}

const _: () = assert!(SyncGroupRequest::API_KEY.code() == 14);
