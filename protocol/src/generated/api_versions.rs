//! `ApiVersionsRequest` and `ApiVersionsResponse`, API key 18.
//!
//! Written by `cargo xtask generate` from `schemas/api_versions.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, TaggedFields, WireString,
};

/// Versions 0 to 4, flexible from 3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersionsRequest {
    /// Versions 3 and later.
    pub client_software_name: WireString,
    /// Versions 3 and later.
    pub client_software_version: WireString,
}

impl Message for ApiVersionsRequest {
    const VERSIONS: Versions = Versions::new(0, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(3);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            client_software_name: if layout.version >= 3 {
                decoder.field(layout)?
            } else {
                WireString::EMPTY
            },
            client_software_version: if layout.version >= 3 {
                decoder.field(layout)?
            } else {
                WireString::EMPTY
            },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 3 {
            encoder.field(&self.client_software_name, layout)?;
            encoder.field(&self.client_software_version, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 4, flexible from 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersionsResponse {
    pub error_code: i16,
    pub api_keys: Vec<ApiVersion>,
    /// Versions 1 and later.
    pub throttle_time_ms: i32,
    /// Versions 3 and later, tag 0.
    pub supported_features: Vec<SupportedFeatureKey>,
    /// Versions 3 and later, tag 1, default -1.
    pub finalized_features_epoch: i64,
    /// Versions 3 and later, tag 2.
    pub finalized_features: Vec<FinalizedFeatureKey>,
    /// Versions 3 and later, tag 3.
    pub zk_migration_ready: bool,
}

impl Default for ApiVersionsResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            api_keys: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        }
    }
}

impl Message for ApiVersionsResponse {
    const VERSIONS: Versions = Versions::new(0, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(3);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let mut read = Self {
            error_code: decoder.field(layout)?,
            api_keys: decoder.field(layout)?,
            throttle_time_ms: if layout.version >= 1 { decoder.field(layout)? } else { 0 },
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 => read.supported_features = decoder.field(layout)?,
                1 => read.finalized_features_epoch = decoder.field(layout)?,
                2 => read.finalized_features = decoder.field(layout)?,
                3 => read.zk_migration_ready = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.api_keys, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 3 {
            if !self.supported_features.is_empty() {
                tagged.add(0, &self.supported_features)?;
            }
            if self.finalized_features_epoch != -1 {
                tagged.add(1, &self.finalized_features_epoch)?;
            }
            if !self.finalized_features.is_empty() {
                tagged.add(2, &self.finalized_features)?;
            }
            if self.zk_migration_ready {
                tagged.add(3, &self.zk_migration_ready)?;
            }
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}

/// In [`ApiVersionsResponse::api_keys`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersion {
    pub api_key: i16,
    pub min_version: i16,
    pub max_version: i16,
}

impl Field for ApiVersion {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            api_key: decoder.field(layout)?,
            min_version: decoder.field(layout)?,
            max_version: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.api_key, layout)?;
        encoder.field(&self.min_version, layout)?;
        encoder.field(&self.max_version, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ApiVersionsResponse::supported_features`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SupportedFeatureKey {
    pub name: WireString,
    pub min_version: i16,
    pub max_version: i16,
}

impl Field for SupportedFeatureKey {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            min_version: decoder.field(layout)?,
            max_version: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.min_version, layout)?;
        encoder.field(&self.max_version, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`ApiVersionsResponse::finalized_features`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalizedFeatureKey {
    pub name: WireString,
    pub max_version_level: i16,
    pub min_version_level: i16,
}

impl Field for FinalizedFeatureKey {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: decoder.field(layout)?,
            max_version_level: decoder.field(layout)?,
            min_version_level: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.max_version_level, layout)?;
        encoder.field(&self.min_version_level, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for ApiVersionsRequest {
    const API_KEY: ApiKey = ApiKey::ApiVersions;
    type Response = ApiVersionsResponse;
}

const _: () = assert!(ApiVersionsRequest::API_KEY.code() == 18);
