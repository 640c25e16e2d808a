//! `LeaveGroupRequest` and `LeaveGroupResponse`, API key 13.
//!
//! Written by `cargo xtask generate` from `schemas/leave_group.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 5, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaveGroupRequest {
    pub group_id: WireString,
    /// Versions 0 to 2.
    pub member_id: WireString,
    /// Versions 3 and later.
    pub members: Vec<MemberIdentity>,
}

impl Message for LeaveGroupRequest {
    const VERSIONS: Versions = Versions::new(0, 5);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            group_id: decoder.field(layout)?,
            member_id: if layout.version <= 2 { decoder.field(layout)? } else { WireString::EMPTY },
            members: if layout.version >= 3 { decoder.field(layout)? } else { Vec::new() },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.group_id, layout)?;
        if layout.version <= 2 {
            encoder.field(&self.member_id, layout)?;
        } else {
            absent(self.member_id.is_empty(), "LeaveGroupRequest.member_id", layout)?;
        }
        if layout.version >= 3 {
            encoder.field(&self.members, layout)?;
        } else {
            absent(self.members.is_empty(), "LeaveGroupRequest.members", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`LeaveGroupRequest::members`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberIdentity {
    pub member_id: WireString,
    /// Default null.
    pub group_instance_id: Option<WireString>,
    /// Version 5, default null.
    pub reason: Option<WireString>,
}

impl Field for MemberIdentity {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            member_id: decoder.field(layout)?,
            group_instance_id: decoder.field(layout)?,
            reason: if layout.version >= 5 { decoder.field(layout)? } else { None },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.member_id, layout)?;
        encoder.field(&self.group_instance_id, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.reason, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 5, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaveGroupResponse {
    /// Versions 1 and later.
    pub throttle_time_ms: i32,
    pub error_code: i16,
    /// Versions 3 and later.
    pub members: Vec<MemberResponse>,
}

impl Message for LeaveGroupResponse {
    const VERSIONS: Versions = Versions::new(0, 5);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            error_code: decoder.field(layout)?,
            members: if layout.version >= 3 { decoder.field(layout)? } else { Vec::new() },
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
        if layout.version >= 3 {
            encoder.field(&self.members, layout)?;
        } else {
            absent(self.members.is_empty(), "LeaveGroupResponse.members", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`LeaveGroupResponse::members`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberResponse {
    pub member_id: WireString,
    pub group_instance_id: Option<WireString>,
    pub error_code: i16,
}

impl Default for MemberResponse {
    fn default() -> Self {
        Self {
            member_id: WireString::EMPTY,
            group_instance_id: Some(WireString::EMPTY),
            error_code: 0,
        }
    }
}

impl Field for MemberResponse {
    const BYTES_MIN: usize = 5;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            member_id: decoder.field(layout)?,
            group_instance_id: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.member_id, layout)?;
        encoder.field(&self.group_instance_id, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for LeaveGroupRequest {
    const API_KEY: ApiKey = ApiKey::LeaveGroup;
    type Response = LeaveGroupResponse;
}

const _: () = assert!(LeaveGroupRequest::API_KEY.code() == 13);
