//! `OffsetCommitRequest` and `OffsetCommitResponse`, API key 8.
//!
//! Written by `cargo xtask generate` from `schemas/offset_commit.schema`.

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString, absent,
};

/// Versions 2 to 10, flexible from 8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommitRequest {
    pub group_id: WireString,
    /// Default -1.
    pub generation_id_or_member_epoch: i32,
    pub member_id: WireString,
    /// Versions 7 and later, default null.
    pub group_instance_id: Option<WireString>,
    /// Versions 2 to 4, default -1.
    pub retention_time_ms: i64,
    pub topics: Vec<OffsetCommitRequestTopic>,
}

impl Default for OffsetCommitRequest {
    fn default() -> Self {
        Self {
            group_id: WireString::EMPTY,
            generation_id_or_member_epoch: -1,
            member_id: WireString::EMPTY,
            group_instance_id: None,
            retention_time_ms: -1,
            topics: Vec::new(),
        }
    }
}

impl Message for OffsetCommitRequest {
    const VERSIONS: Versions = Versions::new(2, 10);
    const FLEXIBLE_FROM: Option<i16> = Some(8);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            group_id: decoder.field(layout)?,
            generation_id_or_member_epoch: decoder.field(layout)?,
            member_id: decoder.field(layout)?,
            group_instance_id: if layout.version >= 7 { decoder.field(layout)? } else { None },
            retention_time_ms: if layout.version <= 4 { decoder.field(layout)? } else { -1 },
            topics: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.group_id, layout)?;
        encoder.field(&self.generation_id_or_member_epoch, layout)?;
        encoder.field(&self.member_id, layout)?;
        if layout.version >= 7 {
            encoder.field(&self.group_instance_id, layout)?;
        } else {
            absent(
                self.group_instance_id.is_none(),
                "OffsetCommitRequest.group_instance_id",
                layout,
            )?;
        }
        if layout.version <= 4 {
            encoder.field(&self.retention_time_ms, layout)?;
        }
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetCommitRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitRequestTopic {
    /// Versions 2 to 9.
    pub name: WireString,
    /// Version 10.
    pub topic_id: TopicId,
    pub partitions: Vec<OffsetCommitRequestPartition>,
}

impl Field for OffsetCommitRequestTopic {
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

/// In [`OffsetCommitRequestTopic::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommitRequestPartition {
    pub partition_index: i32,
    pub committed_offset: i64,
    /// Versions 6 and later, default -1.
    pub committed_leader_epoch: i32,
    pub committed_metadata: Option<WireString>,
}

impl Default for OffsetCommitRequestPartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            committed_metadata: Some(WireString::EMPTY),
        }
    }
}

impl Field for OffsetCommitRequestPartition {
    const BYTES_MIN: usize = 14;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            partition_index: decoder.field(layout)?,
            committed_offset: decoder.field(layout)?,
            committed_leader_epoch: if layout.version >= 6 { decoder.field(layout)? } else { -1 },
            committed_metadata: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.committed_offset, layout)?;
        if layout.version >= 6 {
            encoder.field(&self.committed_leader_epoch, layout)?;
        }
        encoder.field(&self.committed_metadata, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// Versions 2 to 10, flexible from 8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitResponse {
    /// Versions 3 and later.
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetCommitResponseTopic>,
}

impl Message for OffsetCommitResponse {
    const VERSIONS: Versions = Versions::new(2, 10);
    const FLEXIBLE_FROM: Option<i16> = Some(8);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            throttle_time_ms: if layout.version >= 3 { decoder.field(layout)? } else { 0 },
            topics: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version >= 3 {
            encoder.field(&self.throttle_time_ms, layout)?;
        }
        encoder.field(&self.topics, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`OffsetCommitResponse::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitResponseTopic {
    /// Versions 2 to 9.
    pub name: WireString,
    /// Version 10.
    pub topic_id: TopicId,
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

impl Field for OffsetCommitResponseTopic {
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

/// In [`OffsetCommitResponseTopic::partitions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitResponsePartition {
    pub partition_index: i32,
    pub error_code: i16,
}

impl Field for OffsetCommitResponsePartition {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read =
            Self { partition_index: decoder.field(layout)?, error_code: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for OffsetCommitRequest {
    const API_KEY: ApiKey = ApiKey::OffsetCommit;
    type Response = OffsetCommitResponse;
}

const _: () = assert!(OffsetCommitRequest::API_KEY.code() == 8);
