//! `MetadataRequest` and `MetadataResponse`, API key 3.
//!
//! Written by `cargo xtask generate` from `schemas/metadata.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 0 to 13, flexible from 9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRequest {
    /// May be null in versions 1 and later.
    pub topics: Option<Vec<MetadataRequestTopic>>,
    /// Versions 4 and later, default true.
    pub allow_auto_topic_creation: bool,
    /// Versions 8 to 10.
    pub include_cluster_authorized_operations: bool,
    /// Versions 8 and later.
    pub include_topic_authorized_operations: bool,
}

impl Default for MetadataRequest {
    fn default() -> Self {
        Self {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
        }
    }
}

impl Message for MetadataRequest {
    const VERSIONS: Versions = Versions::new(0, 13);
    const FLEXIBLE_FROM: Option<i16> = Some(9);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            topics: decoder.nullable(layout, layout.version >= 1)?,
            allow_auto_topic_creation: if layout.version >= 4 {
                decoder.field(layout)?
            } else {
                true
            },
            include_cluster_authorized_operations: if (8..=10).contains(&layout.version) {
                decoder.field(layout)?
            } else {
                false
            },
            include_topic_authorized_operations: if layout.version >= 8 {
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
        encoder.nullable(&self.topics, layout, layout.version >= 1, "MetadataRequest.topics")?;
        if layout.version >= 4 {
            encoder.field(&self.allow_auto_topic_creation, layout)?;
        } else {
            absent(
                self.allow_auto_topic_creation,
                "MetadataRequest.allow_auto_topic_creation",
                layout,
            )?;
        }
        if (8..=10).contains(&layout.version) {
            encoder.field(&self.include_cluster_authorized_operations, layout)?;
        } else {
            absent(
                !self.include_cluster_authorized_operations,
                "MetadataRequest.include_cluster_authorized_operations",
                layout,
            )?;
        }
        if layout.version >= 8 {
            encoder.field(&self.include_topic_authorized_operations, layout)?;
        } else {
            absent(
                !self.include_topic_authorized_operations,
                "MetadataRequest.include_topic_authorized_operations",
                layout,
            )?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`MetadataRequest::topics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRequestTopic {
    /// Versions 10 and later.
    pub topic_id: TopicId,
    /// May be null in versions 10 and later.
    pub name: Option<WireString>,
}

impl Default for MetadataRequestTopic {
    fn default() -> Self {
        Self { topic_id: TopicId::ZERO, name: Some(WireString::EMPTY) }
    }
}

impl Field for MetadataRequestTopic {
    const BYTES_MIN: usize = 2;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            topic_id: if layout.version >= 10 { decoder.field(layout)? } else { TopicId::ZERO },
            name: decoder.nullable(layout, layout.version >= 10)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        if layout.version >= 10 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.nullable(&self.name, layout, layout.version >= 10, "MetadataRequestTopic.name")?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 0 to 13, flexible from 9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataResponse {
    /// Versions 3 and later.
    pub throttle_time_ms: i32,
    pub brokers: Vec<MetadataResponseBroker>,
    /// Versions 2 and later, default null.
    pub cluster_id: Option<WireString>,
    /// Versions 1 and later, default -1.
    pub controller_id: i32,
    pub topics: Vec<MetadataResponseTopic>,
    /// Versions 8 to 10, default -2147483648.
    pub cluster_authorized_operations: i32,
    /// Version 13.
    pub error_code: i16,
}

impl Default for MetadataResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller_id: -1,
            topics: Vec::new(),
            cluster_authorized_operations: i32::MIN,
            error_code: 0,
        }
    }
}

impl Message for MetadataResponse {
    const VERSIONS: Versions = Versions::new(0, 13);
    const FLEXIBLE_FROM: Option<i16> = Some(9);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 3 { decoder.field(layout)? } else { 0 },
            brokers: decoder.field(layout)?,
            cluster_id: if layout.version >= 2 { decoder.field(layout)? } else { None },
            controller_id: if layout.version >= 1 { decoder.field(layout)? } else { -1 },
            topics: decoder.field(layout)?,
            cluster_authorized_operations: if (8..=10).contains(&layout.version) {
                decoder.field(layout)?
            } else {
                i32::MIN
            },
            error_code: if layout.version >= 13 { decoder.field(layout)? } else { 0 },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 3 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        encoder.field(&self.brokers, layout)?;
        if layout.version >= 2 {
            encoder.field(&self.cluster_id, layout)?;
        }
        if layout.version >= 1 {
            encoder.field(&self.controller_id, layout)?;
        }
        encoder.field(&self.topics, layout)?;
        if (8..=10).contains(&layout.version) {
            encoder.field(&self.cluster_authorized_operations, layout)?;
        } else {
            absent(
                self.cluster_authorized_operations == i32::MIN,
                "MetadataResponse.cluster_authorized_operations",
                layout,
            )?;
        }
        if layout.version >= 13 {
            encoder.field(&self.error_code, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`MetadataResponse::brokers`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataResponseBroker {
    pub node_id: i32,
    pub host: WireString,
    pub port: i32,
    /// Versions 1 and later, default null.
    pub rack: Option<WireString>,
}

impl Field for MetadataResponseBroker {
    const BYTES_MIN: usize = 10;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            node_id: decoder.field(layout)?,
            host: decoder.field(layout)?,
            port: decoder.field(layout)?,
            rack: if layout.version >= 1 { decoder.field(layout)? } else { None },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.node_id, layout)?;
        encoder.field(&self.host, layout)?;
        encoder.field(&self.port, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.rack, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`MetadataResponse::topics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataResponseTopic {
    pub error_code: i16,
    /// May be null in versions 12 and later.
    pub name: Option<WireString>,
    /// Versions 10 and later.
    pub topic_id: TopicId,
    /// Versions 1 and later.
    pub is_internal: bool,
    pub partitions: Vec<MetadataResponsePartition>,
    /// Versions 8 and later, default -2147483648.
    pub topic_authorized_operations: i32,
}

impl Default for MetadataResponseTopic {
    fn default() -> Self {
        Self {
            error_code: 0,
            name: Some(WireString::EMPTY),
            topic_id: TopicId::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: i32::MIN,
        }
    }
}

impl Field for MetadataResponseTopic {
    const BYTES_MIN: usize = 8;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            error_code: decoder.field(layout)?,
            name: decoder.nullable(layout, layout.version >= 12)?,
            topic_id: if layout.version >= 10 { decoder.field(layout)? } else { TopicId::ZERO },
            is_internal: if layout.version >= 1 { decoder.field(layout)? } else { false },
            partitions: decoder.field(layout)?,
            topic_authorized_operations: if layout.version >= 8 {
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
        encoder.nullable(&self.name, layout, layout.version >= 12, "MetadataResponseTopic.name")?;
        if layout.version >= 10 {
            encoder.field(&self.topic_id, layout)?;
        }
        if layout.version >= 1 {
            encoder.field(&self.is_internal, layout)?;
        }
        encoder.field(&self.partitions, layout)?;
        if layout.version >= 8 {
            encoder.field(&self.topic_authorized_operations, layout)?;
        } else {
            absent(
                self.topic_authorized_operations == i32::MIN,
                "MetadataResponseTopic.topic_authorized_operations",
                layout,
            )?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`MetadataResponseTopic::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataResponsePartition {
    pub error_code: i16,
    pub partition_index: i32,
    pub leader_id: i32,
    /// Versions 7 and later, default -1.
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    /// Versions 5 and later.
    pub offline_replicas: Vec<i32>,
}

impl Default for MetadataResponsePartition {
    fn default() -> Self {
        Self {
            error_code: 0,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            offline_replicas: Vec::new(),
        }
    }
}

impl Field for MetadataResponsePartition {
    const BYTES_MIN: usize = 18;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            error_code: decoder.field(layout)?,
            partition_index: decoder.field(layout)?,
            leader_id: decoder.field(layout)?,
            leader_epoch: if layout.version >= 7 { decoder.field(layout)? } else { -1 },
            replica_nodes: decoder.field(layout)?,
            isr_nodes: decoder.field(layout)?,
            offline_replicas: if layout.version >= 5 { decoder.field(layout)? } else { Vec::new() },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.leader_id, layout)?;
        if layout.version >= 7 {
            encoder.field(&self.leader_epoch, layout)?;
        }
        encoder.field(&self.replica_nodes, layout)?;
        encoder.field(&self.isr_nodes, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.offline_replicas, layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for MetadataRequest {
    const API_KEY: ApiKey = ApiKey::Metadata;
    type Response = MetadataResponse;
}

const _: () = assert!(MetadataRequest::API_KEY.code() == 3);
