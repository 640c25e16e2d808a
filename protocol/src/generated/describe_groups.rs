//! `DescribeGroupsRequest` and `DescribeGroupsResponse`, API key 15.
//!
//! Written by `cargo xtask generate` from `schemas/describe_groups.schema`.

use bytes::Bytes;

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 6, flexible from 5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeGroupsRequest {
    pub groups: Vec<WireString>,
    /// Versions 3 and later.
    pub include_authorized_operations: bool,
}

impl Message for DescribeGroupsRequest {
    const VERSIONS: Versions = Versions::new(0, 6);
    const FLEXIBLE_FROM: Option<i16> = Some(5);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            groups: decoder.field(layout)?,
            include_authorized_operations: if layout.version >= 3 {
                decoder.field(layout)?
            } else {
                false
            },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.groups, layout)?;
        if layout.version >= 3 {
            encoder.field(&self.include_authorized_operations, layout)?;
        } else {
            absent(
                !self.include_authorized_operations,
                "DescribeGroupsRequest.include_authorized_operations",
                layout,
            )?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 6, flexible from 5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeGroupsResponse {
    /// Versions 1 and later.
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup>,
}

impl Message for DescribeGroupsResponse {
    const VERSIONS: Versions = Versions::new(0, 6);
    const FLEXIBLE_FROM: Option<i16> = Some(5);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            groups: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 1 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        encoder.field(&self.groups, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeGroupsResponse::groups`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    pub error_code: i16,
    /// Version 6, default null.
    pub error_message: Option<WireString>,
    pub group_id: WireString,
    pub group_state: WireString,
    pub protocol_type: WireString,
    pub protocol_data: WireString,
    pub members: Vec<DescribedGroupMember>,
    /// Versions 3 and later, default -2147483648.
    pub authorized_operations: i32,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: None,
            group_id: WireString::EMPTY,
            group_state: WireString::EMPTY,
            protocol_type: WireString::EMPTY,
            protocol_data: WireString::EMPTY,
            members: Vec::new(),
            authorized_operations: i32::MIN,
        }
    }
}

impl Field for DescribedGroup {
    const BYTES_MIN: usize = 12;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            error_code: decoder.field(layout)?,
            error_message: if layout.version >= 6 { decoder.field(layout)? } else { None },
            group_id: decoder.field(layout)?,
            group_state: decoder.field(layout)?,
            protocol_type: decoder.field(layout)?,
            protocol_data: decoder.field(layout)?,
            members: decoder.field(layout)?,
            authorized_operations: if layout.version >= 3 {
                decoder.field(layout)?
            } else {
                i32::MIN
            },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.error_code, layout)?;
        if layout.version >= 6 {
            encoder.field(&self.error_message, layout)?;
        } else {
            absent(self.error_message.is_none(), "DescribedGroup.error_message", layout)?;
        }
        encoder.field(&self.group_id, layout)?;
        encoder.field(&self.group_state, layout)?;
        encoder.field(&self.protocol_type, layout)?;
        encoder.field(&self.protocol_data, layout)?;
        encoder.field(&self.members, layout)?;
        if layout.version >= 3 {
            encoder.field(&self.authorized_operations, layout)?;
        } else {
            absent(
                self.authorized_operations == i32::MIN,
                "DescribedGroup.authorized_operations",
                layout,
            )?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribedGroup::members`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedGroupMember {
    pub member_id: WireString,
    /// Versions 4 and later, default null.
    pub group_instance_id: Option<WireString>,
    pub client_id: WireString,
    pub client_host: WireString,
    pub member_metadata: Bytes,
    pub member_assignment: Bytes,
}

impl Field for DescribedGroupMember {
    const BYTES_MIN: usize = 7;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            member_id: decoder.field(layout)?,
            group_instance_id: if layout.version >= 4 { decoder.field(layout)? } else { None },
            client_id: decoder.field(layout)?,
            client_host: decoder.field(layout)?,
            member_metadata: decoder.field(layout)?,
            member_assignment: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.member_id, layout)?;
        if layout.version >= 4 {
            encoder.field(&self.group_instance_id, layout)?;
        }
        encoder.field(&self.client_id, layout)?;
        encoder.field(&self.client_host, layout)?;
        encoder.field(&self.member_metadata, layout)?;
        encoder.field(&self.member_assignment, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for DescribeGroupsRequest {
    const API_KEY: ApiKey = ApiKey::DescribeGroups;
    type Response = DescribeGroupsResponse;
}

const _: () = assert!(DescribeGroupsRequest::API_KEY.code() == 15);
