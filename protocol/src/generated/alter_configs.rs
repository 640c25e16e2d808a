//! `AlterConfigsRequest` and `AlterConfigsResponse`, API key 33.
//!
//! Written by `cargo xtask generate` from `schemas/alter_configs.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Versions 0 to 2, flexible from 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlterConfigsRequest {
    pub resources: Vec<AlterConfigsResource>,
    pub validate_only: bool,
}

impl Message for AlterConfigsRequest {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read =
            Self { resources: decoder.field(layout)?, validate_only: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.resources, layout)?;
        encoder.field(&self.validate_only, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`AlterConfigsRequest::resources`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlterConfigsResource {
    pub resource_type: i8,
    pub resource_name: WireString,
    pub configs: Vec<AlterableConfig>,
}

impl Field for AlterConfigsResource {
    const BYTES_MIN: usize = 4;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            resource_type: decoder.field(layout)?,
            resource_name: decoder.field(layout)?,
            configs: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.resource_type, layout)?;
        encoder.field(&self.resource_name, layout)?;
        encoder.field(&self.configs, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`AlterConfigsResource::configs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterableConfig {
    pub name: WireString,
    pub value: Option<WireString>,
}

impl Default for AlterableConfig {
    fn default() -> Self {
        Self { name: WireString::EMPTY, value: Some(WireString::EMPTY) }
    }
}

impl Field for AlterableConfig {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, value: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.value, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 2, flexible from 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlterConfigsResponse {
    pub throttle_time_ms: i32,
    pub responses: Vec<AlterConfigsResourceResponse>,
}

impl Message for AlterConfigsResponse {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read =
            Self { throttle_time_ms: decoder.field(layout)?, responses: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.responses, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`AlterConfigsResponse::responses`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterConfigsResourceResponse {
    pub error_code: i16,
    pub error_message: Option<WireString>,
    pub resource_type: i8,
    pub resource_name: WireString,
}

impl Default for AlterConfigsResourceResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(WireString::EMPTY),
            resource_type: 0,
            resource_name: WireString::EMPTY,
        }
    }
}

impl Field for AlterConfigsResourceResponse {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
            resource_type: decoder.field(layout)?,
            resource_name: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.field(&self.resource_type, layout)?;
        encoder.field(&self.resource_name, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for AlterConfigsRequest {
    const API_KEY: ApiKey = ApiKey::AlterConfigs;
    type Response = AlterConfigsResponse;
}

const _: () = assert!(AlterConfigsRequest::API_KEY.code() == 33);
