//! `OffsetFetchRequest` and `OffsetFetchResponse`, API key 9.
//!
//! Written by `cargo xtask generate` from `schemas/offset_fetch.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 1 to 10, flexible from 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchRequest {
    /// Versions 1 to 7.
    pub group_id: WireString,
    /// Versions 1 to 7, may be null in versions 2 to 7.
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    /// Versions 8 and later.
    pub groups: Vec<OffsetFetchRequestGroup>,
    /// Versions 7 and later.
    pub require_stable: bool,
}

impl Default for OffsetFetchRequest {
    fn default() -> Self {
        Self {
            group_id: WireString::EMPTY,
            topics: Some(Vec::new()),
            groups: Vec::new(),
            require_stable: false,
        }
    }
}

impl Message for OffsetFetchRequest {
    const VERSIONS: Versions = Versions::new(1, 10);
    const FLEXIBLE_FROM: Option<i16> = Some(6);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            group_id: if layout.version <= 7 { decoder.field(layout)? } else { WireString::EMPTY },
            topics: if layout.version <= 7 {
                decoder.nullable(layout, layout.version >= 2)?
            } else {
                Some(Vec::new())
            },
            groups: if layout.version >= 8 { decoder.field(layout)? } else { Vec::new() },
            require_stable: if layout.version >= 7 { decoder.field(layout)? } else { false },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version <= 7 {
            encoder.field(&self.group_id, layout)?;
            encoder.nullable(
                &self.topics,
                layout,
                layout.version >= 2,
                "OffsetFetchRequest.topics",
            )?;
        } else {
            absent(self.group_id.is_empty(), "OffsetFetchRequest.group_id", layout)?;
            absent(self.topics == Some(Vec::new()), "OffsetFetchRequest.topics", layout)?;
        }
        if layout.version >= 8 {
            encoder.field(&self.groups, layout)?;
        } else {
            absent(self.groups.is_empty(), "OffsetFetchRequest.groups", layout)?;
        }
        if layout.version >= 7 {
            encoder.field(&self.require_stable, layout)?;
        } else {
            absent(!self.require_stable, "OffsetFetchRequest.require_stable", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetFetchRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchRequestTopic {
    pub name: WireString,
    pub partition_indexes: Vec<i32>,
}

impl Field for OffsetFetchRequestTopic {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, partition_indexes: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.partition_indexes, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetFetchRequest::groups`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchRequestGroup {
    pub group_id: WireString,
    /// Versions 9 and later, default null.
    pub member_id: Option<WireString>,
    /// Versions 9 and later, default -1.
    pub member_epoch: i32,
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
}

impl Default for OffsetFetchRequestGroup {
    fn default() -> Self {
        Self {
            group_id: WireString::EMPTY,
            member_id: None,
            member_epoch: -1,
            topics: Some(Vec::new()),
        }
    }
}

impl Field for OffsetFetchRequestGroup {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            group_id: decoder.field(layout)?,
            member_id: if layout.version >= 9 { decoder.field(layout)? } else { None },
            member_epoch: if layout.version >= 9 { decoder.field(layout)? } else { -1 },
            topics: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.group_id, layout)?;
        if layout.version >= 9 {
            encoder.field(&self.member_id, layout)?;
            encoder.field(&self.member_epoch, layout)?;
        }
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetFetchRequestGroup::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchRequestTopics {
    /// Versions 8 to 9.
    pub name: WireString,
    /// Version 10.
    pub topic_id: TopicId,
    pub partition_indexes: Vec<i32>,
}

impl Field for OffsetFetchRequestTopics {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: if layout.version <= 9 { decoder.field(layout)? } else { WireString::EMPTY },
            topic_id: if layout.version >= 10 { decoder.field(layout)? } else { TopicId::ZERO },
            partition_indexes: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        if layout.version <= 9 {
            encoder.field(&self.name, layout)?;
        }
        if layout.version >= 10 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.partition_indexes, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 1 to 10, flexible from 6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchResponse {
    /// Versions 3 and later.
    pub throttle_time_ms: i32,
    /// Versions 1 to 7.
    pub topics: Vec<OffsetFetchResponseTopic>,
    /// Versions 2 to 7.
    pub error_code: i16,
    /// Versions 8 and later.
    pub groups: Vec<OffsetFetchResponseGroup>,
}

impl Message for OffsetFetchResponse {
    const VERSIONS: Versions = Versions::new(1, 10);
    const FLEXIBLE_FROM: Option<i16> = Some(6);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 3 { decoder.field(layout)? } else { 0 },
            topics: if layout.version <= 7 { decoder.field(layout)? } else { Vec::new() },
            error_code: if (2..=7).contains(&layout.version) { decoder.field(layout)? } else { 0 },
            groups: if layout.version >= 8 { decoder.field(layout)? } else { Vec::new() },
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 3 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        if layout.version <= 7 {
            encoder.field(&self.topics, layout)?;
        } else {
            absent(self.topics.is_empty(), "OffsetFetchResponse.topics", layout)?;
        }
        if (2..=7).contains(&layout.version) {
            encoder.field(&self.error_code, layout)?;
        }
        if layout.version >= 8 {
            encoder.field(&self.groups, layout)?;
        } else {
            absent(self.groups.is_empty(), "OffsetFetchResponse.groups", layout)?;
        }
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetFetchResponse::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchResponseTopic {
    pub name: WireString,
    pub partitions: Vec<OffsetFetchResponsePartition>,
}

impl Field for OffsetFetchResponseTopic {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { name: decoder.field(layout)?, partitions: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.name, layout)?;
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetFetchResponse::groups`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchResponseGroup {
    pub group_id: WireString,
    pub topics: Vec<OffsetFetchResponseTopics>,
    pub error_code: i16,
}

impl Field for OffsetFetchResponseGroup {
    const BYTES_MIN: usize = 5;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            group_id: decoder.field(layout)?,
            topics: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.group_id, layout)?;
        encoder.field(&self.topics, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetFetchResponseTopic::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchResponsePartition {
    pub partition_index: i32,
    pub committed_offset: i64,
    /// Versions 5 and later, default -1.
    pub committed_leader_epoch: i32,
    pub metadata: Option<WireString>,
    pub error_code: i16,
}

impl Default for OffsetFetchResponsePartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(WireString::EMPTY),
            error_code: 0,
        }
    }
}

impl Field for OffsetFetchResponsePartition {
    const BYTES_MIN: usize = 16;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_index: decoder.field(layout)?,
            committed_offset: decoder.field(layout)?,
            committed_leader_epoch: if layout.version >= 5 { decoder.field(layout)? } else { -1 },
            metadata: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.committed_offset, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.committed_leader_epoch, layout)?;
        }
        encoder.field(&self.metadata, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetFetchResponseGroup::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchResponseTopics {
    /// Versions 8 to 9.
    pub name: WireString,
    /// Version 10.
    pub topic_id: TopicId,
    pub partitions: Vec<OffsetFetchResponsePartitions>,
}

impl Field for OffsetFetchResponseTopics {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            name: if layout.version <= 9 { decoder.field(layout)? } else { WireString::EMPTY },
            topic_id: if layout.version >= 10 { decoder.field(layout)? } else { TopicId::ZERO },
            partitions: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        if layout.version <= 9 {
            encoder.field(&self.name, layout)?;
        }
        if layout.version >= 10 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetFetchResponseTopics::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchResponsePartitions {
    pub partition_index: i32,
    pub committed_offset: i64,
    /// Default -1.
    pub committed_leader_epoch: i32,
    pub metadata: Option<WireString>,
    pub error_code: i16,
}

impl Default for OffsetFetchResponsePartitions {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(WireString::EMPTY),
            error_code: 0,
        }
    }
}

impl Field for OffsetFetchResponsePartitions {
    const BYTES_MIN: usize = 20;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_index: decoder.field(layout)?,
            committed_offset: decoder.field(layout)?,
            committed_leader_epoch: decoder.field(layout)?,
            metadata: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.committed_offset, layout)?;
        encoder.field(&self.committed_leader_epoch, layout)?;
        encoder.field(&self.metadata, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for OffsetFetchRequest {
    const API_KEY: ApiKey = ApiKey::OffsetFetch;
    type Response = OffsetFetchResponse;
}

const _: () = assert!(OffsetFetchRequest::API_KEY.code() == 9);
