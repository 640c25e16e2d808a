//! `DescribeClusterRequest` and `DescribeClusterResponse`, API key 60.
//!
//! Written by `cargo xtask generate` from `schemas/describe_cluster.schema`.

use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 2, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeClusterRequest {
    pub include_cluster_authorized_operations: bool,
    /// Versions 1 and later, default 1.
    pub endpoint_type: i8,
    /// Version 2.
    pub include_fenced_brokers: bool,
}

impl Default for DescribeClusterRequest {
    fn default() -> Self {
        Self {
            include_cluster_authorized_operations: false,
            endpoint_type: 1,
            include_fenced_brokers: false,
        }
    }
}

impl Message for DescribeClusterRequest {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            include_cluster_authorized_operations: decoder.field(layout)?,
            endpoint_type: if layout.version >= 1 { decoder.field(layout)? } else { 1 },
            include_fenced_brokers: if layout.version >= 2 {
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
        encoder.field(&self.include_cluster_authorized_operations, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.endpoint_type, layout)?;
        } else {
            absent(self.endpoint_type == 1, "DescribeClusterRequest.endpoint_type", layout)?;
        }
        if layout.version >= 2 {
            encoder.field(&self.include_fenced_brokers, layout)?;
        } else {
            absent(
                !self.include_fenced_brokers,
                "DescribeClusterRequest.include_fenced_brokers",
                layout,
            )?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 2, flexible from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeClusterResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    /// Default null.
    pub error_message: Option<WireString>,
    /// Versions 1 and later, default 1.
    pub endpoint_type: i8,
    pub cluster_id: WireString,
    /// Default -1.
    pub controller_id: i32,
    pub brokers: Vec<DescribeClusterBroker>,
    /// Default -2147483648.
    pub cluster_authorized_operations: i32,
}

impl Default for DescribeClusterResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: None,
            endpoint_type: 1,
            cluster_id: WireString::EMPTY,
            controller_id: -1,
            brokers: Vec::new(),
            cluster_authorized_operations: i32::MIN,
        }
    }
}

impl Message for DescribeClusterResponse {
    const VERSIONS: Versions = Versions::new(0, 2);
    const FLEXIBLE_FROM: Option<i16> = Some(0);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            error_message: decoder.field(layout)?,
            endpoint_type: if layout.version >= 1 { decoder.field(layout)? } else { 1 },
            cluster_id: decoder.field(layout)?,
            controller_id: decoder.field(layout)?,
            brokers: decoder.field(layout)?,
            cluster_authorized_operations: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.error_message, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.endpoint_type, layout)?;
        } else {
            absent(self.endpoint_type == 1, "DescribeClusterResponse.endpoint_type", layout)?;
        }
        encoder.field(&self.cluster_id, layout)?;
        encoder.field(&self.controller_id, layout)?;
        encoder.field(&self.brokers, layout)?;
        encoder.field(&self.cluster_authorized_operations, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`DescribeClusterResponse::brokers`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeClusterBroker {
    pub broker_id: i32,
    pub host: WireString,
    pub port: i32,
    /// Default null.
    pub rack: Option<WireString>,
    /// Version 2.
    pub is_fenced: bool,
}

impl Field for DescribeClusterBroker {
    const BYTES_MIN: usize = 11;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            broker_id: decoder.field(layout)?,
            host: decoder.field(layout)?,
            port: decoder.field(layout)?,
            rack: decoder.field(layout)?,
            is_fenced: if layout.version >= 2 { decoder.field(layout)? } else { false },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.broker_id, layout)?;
        encoder.field(&self.host, layout)?;
        encoder.field(&self.port, layout)?;
        encoder.field(&self.rack, layout)?;
        if layout.version >= 2 {
            encoder.field(&self.is_fenced, layout)?;
        } else {
            absent(!self.is_fenced, "DescribeClusterBroker.is_fenced", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for DescribeClusterRequest {
    const API_KEY: ApiKey = ApiKey::DescribeCluster;
    type Response = DescribeClusterResponse;
}

const _: () = assert!(DescribeClusterRequest::API_KEY.code() == 60);
