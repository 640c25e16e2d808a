//! `RequestHeader` and `ResponseHeader`.
//!
//! Written by `cargo xtask generate` from `schemas/headers.schema`.

use crate::message::{Message, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Layout, WireString};

/// Versions 1 to 2, flexible from 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    pub request_api_key: i16,
    pub request_api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<WireString>,
}

impl Default for RequestHeader {
    fn default() -> Self {
        Self {
            request_api_key: 0,
            request_api_version: 0,
            correlation_id: 0,
            client_id: Some(WireString::EMPTY),
        }
    }
}

impl Message for RequestHeader {
    const VERSIONS: Versions = Versions::new(1, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            request_api_key: decoder.field(layout)?,
            request_api_version: decoder.field(layout)?,
            correlation_id: decoder.field(layout)?,
            client_id: decoder.field(layout.inflexible())?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.request_api_key, layout)?;
        encoder.field(&self.request_api_version, layout)?;
        encoder.field(&self.correlation_id, layout)?;
        encoder.field(&self.client_id, layout.inflexible())?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 1, flexible from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeader {
    pub correlation_id: i32,
}

impl Message for ResponseHeader {
    const VERSIONS: Versions = Versions::new(0, 1);
    const FLEXIBLE_FROM: Option<i16> = Some(1);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self { correlation_id: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.correlation_id, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}
