//! `ListGroupsRequest` and `ListGroupsResponse`, API key 16.
//!
//! Written by `cargo xtask generate` from `schemas/list_groups.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 5, flexible from 3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListGroupsRequest {
    /// Versions 4 and later.
    pub states_filter: Vec<WireString>,
    /// Version 5.
    pub types_filter: Vec<WireString>,
}

impl Message for ListGroupsRequest {
    const VERSIONS: Versions = Versions::new(0, 5);
    const FLEXIBLE_FROM: Option<i16> = Some(3);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            states_filter: if layout.version >= 4 { decoder.field(layout)? } else { Vec::new() },
            types_filter: if layout.version >= 5 { decoder.field(layout)? } else { Vec::new() },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 4 {
            encoder.field(&self.states_filter, layout)?;
        } else {
            absent(self.states_filter.is_empty(), "ListGroupsRequest.states_filter", layout)?;
        }
        if layout.version >= 5 {
            encoder.field(&self.types_filter, layout)?;
        } else {
            absent(self.types_filter.is_empty(), "ListGroupsRequest.types_filter", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 5, flexible from 3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListGroupsResponse {
    /// Versions 1 and later.
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub groups: Vec<ListedGroup>,
}

impl Message for ListGroupsResponse {
    const VERSIONS: Versions = Versions::new(0, 5);
    const FLEXIBLE_FROM: Option<i16> = Some(3);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            error_code: decoder.field(layout)?,
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
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.groups, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ListGroupsResponse::groups`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedGroup {
    pub group_id: WireString,
    pub protocol_type: WireString,
    /// Versions 4 and later.
    pub group_state: WireString,
    /// Version 5.
    pub group_type: WireString,
}

impl Field for ListedGroup {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            group_id: decoder.field(layout)?,
            protocol_type: decoder.field(layout)?,
            group_state: if layout.version >= 4 {
                decoder.field(layout)?
            } else {
                WireString::EMPTY
            },
            group_type: if layout.version >= 5 {
                decoder.field(layout)?
            } else {
                WireString::EMPTY
            },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.group_id, layout)?;
        encoder.field(&self.protocol_type, layout)?;
        if layout.version >= 4 {
            encoder.field(&self.group_state, layout)?;
        }
        if layout.version >= 5 {
            encoder.field(&self.group_type, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for ListGroupsRequest {
    const API_KEY: ApiKey = ApiKey::ListGroups;
    type Response = ListGroupsResponse;
}

const _: () = assert!(ListGroupsRequest::API_KEY.code() == 16);
