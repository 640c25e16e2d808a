//! `InitProducerIdRequest` and `InitProducerIdResponse`, API key 22.
//!
//! Written by `cargo xtask generate` from `schemas/init_producer_id.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Layout, WireString, absent};

/// Versions 0 to 5, flexible from 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitProducerIdRequest {
    pub transactional_id: Option<WireString>,
    pub transaction_timeout_ms: i32,
    /// Versions 3 and later, default -1.
    pub producer_id: i64,
    /// Versions 3 and later, default -1.
    pub producer_epoch: i16,
}

impl Default for InitProducerIdRequest {
    fn default() -> Self {
        Self {
            transactional_id: Some(WireString::EMPTY),
            transaction_timeout_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
        }
    }
}

impl Message for InitProducerIdRequest {
    const VERSIONS: Versions = Versions::new(0, 5);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            transactional_id: decoder.field(layout)?,
            transaction_timeout_ms: decoder.field(layout)?,
            producer_id: if layout.version >= 3 { decoder.field(layout)? } else { -1 },
            producer_epoch: if layout.version >= 3 { decoder.field(layout)? } else { -1 },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.transactional_id, layout)?;
        encoder.field(&self.transaction_timeout_ms, layout)?;
        if layout.version >= 3 {
            encoder.field(&self.producer_id, layout)?;
            encoder.field(&self.producer_epoch, layout)?;
        } else {
            absent(self.producer_id == -1, "InitProducerIdRequest.producer_id", layout)?;
            absent(self.producer_epoch == -1, "InitProducerIdRequest.producer_epoch", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 5, flexible from 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitProducerIdResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    /// Default -1.
    pub producer_id: i64,
    pub producer_epoch: i16,
}

impl Default for InitProducerIdResponse {
    fn default() -> Self {
        Self { throttle_time_ms: 0, error_code: 0, producer_id: -1, producer_epoch: 0 }
    }
}

impl Message for InitProducerIdResponse {
    const VERSIONS: Versions = Versions::new(0, 5);
    const FLEXIBLE_FROM: Option<i16> = Some(2);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            producer_id: decoder.field(layout)?,
            producer_epoch: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.producer_id, layout)?;
        encoder.field(&self.producer_epoch, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for InitProducerIdRequest {
    const API_KEY: ApiKey = ApiKey::InitProducerId;
    type Response = InitProducerIdResponse;
}

const _: () = assert!(InitProducerIdRequest::API_KEY.code() == 22);
