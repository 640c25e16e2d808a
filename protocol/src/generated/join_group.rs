//! `JoinGroupRequest` and `JoinGroupResponse`, API key 11.
//!
//! Written by `cargo xtask generate` from `schemas/join_group.schema`.

use bytes::Bytes;

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 9, flexible from 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinGroupRequest {
    pub group_id: WireString,
    pub session_timeout_ms: i32,
    /// Versions 1 and later, default -1.
    pub rebalance_timeout_ms: i32,
    pub member_id: WireString,
    /// Versions 5 and later, default null.
    pub group_instance_id: Option<WireString>,
    pub protocol_type: WireString,
    pub protocols: Vec<JoinGroupRequestProtocol>,
    /// Versions 8 and later, default null.
    pub reason: Option<WireString>,
}

impl Default for JoinGroupRequest {
    fn default() -> Self {
        Self {
            group_id: WireString::EMPTY,
            session_timeout_ms: 0,
            rebalance_timeout_ms: -1,
            member_id: WireString::EMPTY,
            group_instance_id: None,
            protocol_type: WireString::EMPTY,
            protocols: Vec::new(),
            reason: None,
        }
    }
}

impl Message for JoinGroupRequest {
    const VERSIONS: Versions = Versions::new(0, 9);
    const FLEXIBLE_FROM: Option<i16> = Some(6);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            group_id: decoder.field(layout)?,
            session_timeout_ms: decoder.field(layout)?,
            rebalance_timeout_ms: if layout.version >= 1 { decoder.field(layout)? } else { -1 },
            member_id: decoder.field(layout)?,
            group_instance_id: if layout.version >= 5 { decoder.field(layout)? } else { None },
            protocol_type: decoder.field(layout)?,
            protocols: decoder.field(layout)?,
            reason: if layout.version >= 8 { decoder.field(layout)? } else { None },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.group_id, layout)?;
        encoder.field(&self.session_timeout_ms, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.rebalance_timeout_ms, layout)?;
        }
        encoder.field(&self.member_id, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.group_instance_id, layout)?;
        } else {
            absent(self.group_instance_id.is_none(), "JoinGroupRequest.group_instance_id", layout)?;
        }
        encoder.field(&self.protocol_type, layout)?;
        encoder.field(&self.protocols, layout)?;
        if layout.version >= 8 {
            encoder.field(&self.reason, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`JoinGroupRequest::protocols`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinGroupRequestProtocol {
    pub name: WireString,
    pub metadata: Bytes,
}

impl Field for JoinGroupRequestProtocol {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, metadata: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.metadata, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 9, flexible from 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinGroupResponse {
    /// Versions 2 and later.
    pub throttle_time_ms: i32,
    pub error_code: i16,
    /// Default -1.
    pub generation_id: i32,
    /// Versions 7 and later, default null.
    pub protocol_type: Option<WireString>,
    /// May be null in versions 7 and later.
    pub protocol_name: Option<WireString>,
    pub leader: WireString,
    /// Version 9.
    pub skip_assignment: bool,
    pub member_id: WireString,
    pub members: Vec<JoinGroupResponseMember>,
}

impl Default for JoinGroupResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            generation_id: -1,
            protocol_type: None,
            protocol_name: Some(WireString::EMPTY),
            leader: WireString::EMPTY,
            skip_assignment: false,
            member_id: WireString::EMPTY,
            members: Vec::new(),
        }
    }
}

impl Message for JoinGroupResponse {
    const VERSIONS: Versions = Versions::new(0, 9);
    const FLEXIBLE_FROM: Option<i16> = Some(6);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 2 { decoder.field(layout)? } else { 0 },
            error_code: decoder.field(layout)?,
            generation_id: decoder.field(layout)?,
            protocol_type: if layout.version >= 7 { decoder.field(layout)? } else { None },
            protocol_name: decoder.nullable(layout, layout.version >= 7)?,
            leader: decoder.field(layout)?,
            skip_assignment: if layout.version >= 9 { decoder.field(layout)? } else { false },
            member_id: decoder.field(layout)?,
            members: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 2 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.generation_id, layout)?;
        if layout.version >= 7 {
            encoder.field(&self.protocol_type, layout)?;
        }
        encoder.nullable(
            &self.protocol_name,
            layout,
            layout.version >= 7,
            "JoinGroupResponse.protocol_name",
        )?;
        encoder.field(&self.leader, layout)?;
        if layout.version >= 9 {
            encoder.field(&self.skip_assignment, layout)?;
        } else {
            absent(!self.skip_assignment, "JoinGroupResponse.skip_assignment", layout)?;
        }
        encoder.field(&self.member_id, layout)?;
        encoder.field(&self.members, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`JoinGroupResponse::members`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinGroupResponseMember {
    pub member_id: WireString,
    /// Versions 5 and later, default null.
    pub group_instance_id: Option<WireString>,
    pub metadata: Bytes,
}

impl Field for JoinGroupResponseMember {
    const BYTES_MIN: usize = 4;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            member_id: decoder.field(layout)?,
            group_instance_id: if layout.version >= 5 { decoder.field(layout)? } else { None },
            metadata: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.member_id, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.group_instance_id, layout)?;
        }
        encoder.field(&self.metadata, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for JoinGroupRequest {
    const API_KEY: ApiKey = ApiKey::JoinGroup;
    type Response = JoinGroupResponse;
}

const _: () = assert!(JoinGroupRequest::API_KEY.code() == 11);
