//! `OffsetCommitKey` and `OffsetCommitValue`.
//!
//! Written by `cargo xtask generate` from `schemas/offset_commit_record.schema`.

use crate::TopicId;
use crate::message::{Message, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Layout, TaggedFields, WireString,
};

/// Version 0, never flexible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitKey {
    pub group: WireString,
    pub topic: WireString,
    pub partition: i32,
}

impl Message for OffsetCommitKey {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = None;

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        Ok(Self {
            group: decoder.field(layout)?,
            topic: decoder.field(layout)?,
            partition: decoder.field(layout)?,
        })
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.group, layout)?;
        encoder.field(&self.topic, layout)?;
        encoder.field(&self.partition, layout)?;
        Ok(())
    }
}

/// Versions 0 to 4, flexible from 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommitValue {
    pub offset: i64,
    /// Versions 3 and later, default -1.
    pub leader_epoch: i32,
    pub metadata: WireString,
    pub commit_timestamp: i64,
    /// Version 1, default -1.
    pub expire_timestamp: i64,
    /// Version 4, tag 0.
    pub topic_id: TopicId,
}

impl Default for OffsetCommitValue {
    fn default() -> Self {
        Self {
            offset: 0,
            leader_epoch: -1,
            metadata: WireString::EMPTY,
            commit_timestamp: 0,
            expire_timestamp: -1,
            topic_id: TopicId::ZERO,
        }
    }
}

impl Message for OffsetCommitValue {
    const VERSIONS: Versions = Versions::new(0, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let mut read = Self {
            offset: decoder.field(layout)?,
            leader_epoch: if layout.version >= 3 { decoder.field(layout)? } else { -1 },
            metadata: decoder.field(layout)?,
            commit_timestamp: decoder.field(layout)?,
            expire_timestamp: if (1..=1).contains(&layout.version) {
                decoder.field(layout)?
            } else {
                -1
            },
            topic_id: TopicId::ZERO,
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 => read.topic_id = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.offset, layout)?;
        if layout.version >= 3 {
            encoder.field(&self.leader_epoch, layout)?;
        }
        encoder.field(&self.metadata, layout)?;
        encoder.field(&self.commit_timestamp, layout)?;
        if (1..=1).contains(&layout.version) {
            encoder.field(&self.expire_timestamp, layout)?;
        }
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 4 && !self.topic_id.is_zero() {
            tagged.add(0, &self.topic_id)?;
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}
