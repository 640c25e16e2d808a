//! `DescribeConfigsRequest` and `DescribeConfigsResponse`, API key 32.
//!
//! Written by `cargo xtask generate` from `schemas/describe_configs.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 1 to 4, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeConfigsRequest {
    pub resources: Vec<DescribeConfigsResource>,
    pub include_synonyms: bool,
    /// Versions 3 and later.
    pub include_documentation: bool,
}

impl Message for DescribeConfigsRequest {
    const VERSIONS: Versions = Versions::new(1, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            resources: decoder.field(layout)?,
            include_synonyms: decoder.field(layout)?,
            include_documentation: if layout.version >= 3 { decoder.field(layout)? } else { false },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.resources, layout)?;
        encoder.field(&self.include_synonyms, layout)?;
        if layout.version >= 3 {
            encoder.field(&self.include_documentation, layout)?;
        } else {
            absent(
                !self.include_documentation,
                "DescribeConfigsRequest.include_documentation",
                layout,
            )?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeConfigsRequest::resources`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeConfigsResource {
    pub resource_type: i8,
    pub resource_name: WireString,
    pub configuration_keys: Option<Vec<WireString>>,
}

impl Default for DescribeConfigsResource {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: WireString::EMPTY,
            configuration_keys: Some(Vec::new()),
        }
    }
}

impl Field for DescribeConfigsResource {
    const BYTES_MIN: usize = 4;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            resource_type: decoder.field(layout)?,
            resource_name: decoder.field(layout)?,
            configuration_keys: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.resource_type, layout)?;
        encoder.field(&self.resource_name, layout)?;
        encoder.field(&self.configuration_keys, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 1 to 4, flexible from 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeConfigsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<DescribeConfigsResult>,
}

impl Message for DescribeConfigsResponse {
    const VERSIONS: Versions = Versions::new(1, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

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

/// In [`DescribeConfigsResponse::results`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeConfigsResult {
    pub error_code: i16,
    pub error_message: Option<WireString>,
    pub resource_type: i8,
    pub resource_name: WireString,
    pub configs: Vec<DescribeConfigsResourceResult>,
}

impl Default for DescribeConfigsResult {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(WireString::EMPTY),
            resource_type: 0,
            resource_name: WireString::EMPTY,
            configs: Vec::new(),
        }
    }
}

impl Field for DescribeConfigsResult {
    const BYTES_MIN: usize = 7;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
            resource_type: decoder.field(layout)?,
            resource_name: decoder.field(layout)?,
            configs: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        encoder.field(&self.resource_type, layout)?;
        encoder.field(&self.resource_name, layout)?;
        encoder.field(&self.configs, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeConfigsResult::configs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeConfigsResourceResult {
    pub name: WireString,
    pub value: Option<WireString>,
    pub read_only: bool,
    /// Default -1.
    pub config_source: i8,
    pub is_sensitive: bool,
    pub synonyms: Vec<DescribeConfigsSynonym>,
    /// Versions 3 and later.
    pub config_type: i8,
    /// Versions 3 and later.
    pub documentation: Option<WireString>,
}

impl Default for DescribeConfigsResourceResult {
    fn default() -> Self {
        Self {
            name: WireString::EMPTY,
            value: Some(WireString::EMPTY),
            read_only: false,
            config_source: -1,
            is_sensitive: false,
            synonyms: Vec::new(),
            config_type: 0,
            documentation: Some(WireString::EMPTY),
        }
    }
}

impl Field for DescribeConfigsResourceResult {
    const BYTES_MIN: usize = 9;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            value: decoder.field(layout)?,
            read_only: decoder.field(layout)?,
            config_source: decoder.field(layout)?,
            is_sensitive: decoder.field(layout)?,
            synonyms: decoder.field(layout)?,
            config_type: if layout.version >= 3 { decoder.field(layout)? } else { 0 },
            documentation: if layout.version >= 3 {
                decoder.field(layout)?
            } else {
                Some(WireString::EMPTY)
            },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.value, layout)?;
        encoder.field(&self.read_only, layout)?;
        encoder.field(&self.config_source, layout)?;
        encoder.field(&self.is_sensitive, layout)?;
        encoder.field(&self.synonyms, layout)?;
        if layout.version >= 3 {
            encoder.field(&self.config_type, layout)?;
            encoder.field(&self.documentation, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeConfigsResourceResult::synonyms`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeConfigsSynonym {
    pub name: WireString,
    pub value: Option<WireString>,
    pub source: i8,
}

impl Default for DescribeConfigsSynonym {
    fn default() -> Self {
        Self { name: WireString::EMPTY, value: Some(WireString::EMPTY), source: 0 }
    }
}

impl Field for DescribeConfigsSynonym {
    const BYTES_MIN: usize = 4;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            value: decoder.field(layout)?,
            source: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.value, layout)?;
        encoder.field(&self.source, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for DescribeConfigsRequest {
    const API_KEY: ApiKey = ApiKey::DescribeConfigs;
    type Response = DescribeConfigsResponse;
}

const _: () = assert!(DescribeConfigsRequest::API_KEY.code() == 32);
