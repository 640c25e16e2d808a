//! `DeleteGroupsRequest` and `DeleteGroupsResponse`, API key 42.
//!
//! Written by `cargo xtask generate` from `schemas/delete_groups.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Versions 0 to 2, flexible from 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteGroupsRequest {
    pub groups_names: Vec<WireString>,
}

impl Message for DeleteGroupsRequest {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self { groups_names: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.groups_names, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 2, flexible from 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteGroupsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<DeletableGroupResult>,
}

impl Message for DeleteGroupsResponse {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read =
            Self { throttle_time_ms: decoder.field(layout)?, results: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.results, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DeleteGroupsResponse::results`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletableGroupResult {
    pub group_id: WireString,
    pub error_code: i16,
}

impl Field for DeletableGroupResult {
    const BYTES_MIN: usize = 4;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { group_id: decoder.field(layout)?, error_code: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.group_id, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for DeleteGroupsRequest {
    const API_KEY: ApiKey = ApiKey::DeleteGroups;
    type Response = DeleteGroupsResponse;
}

const _: () = assert!(DeleteGroupsRequest::API_KEY.code() == 42);
