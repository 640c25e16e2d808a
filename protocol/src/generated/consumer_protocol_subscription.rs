//! `ConsumerProtocolSubscription`.
//!
//! Written by `cargo xtask generate` from `schemas/consumer_protocol_subscription.schema`.

use bytes::Bytes;

use crate::message::{Message, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Versions 0 to 3, never flexible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerProtocolSubscription {
    pub topics: Vec<WireString>,
    /// Default null.
    pub user_data: Option<Bytes>,
    /// Versions 1 and later.
    pub owned_partitions: Vec<TopicPartition>,
    /// Versions 2 and later, default -1.
    pub generation_id: i32,
    /// Version 3, default null.
    pub rack_id: Option<WireString>,
}

impl Default for ConsumerProtocolSubscription {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            user_data: None,
            owned_partitions: Vec::new(),
            generation_id: -1,
            rack_id: None,
        }
    }
}

impl Message for ConsumerProtocolSubscription {
    const VERSIONS: Versions = Versions::new(0, 3);
    const FLEXIBLE_FROM: Option<i16> = None;

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        Ok(Self {
            topics: decoder.field(layout)?,
            user_data: decoder.field(layout)?,
            owned_partitions: if layout.version >= 1 { decoder.field(layout)? } else { Vec::new() },
            generation_id: if layout.version >= 2 { decoder.field(layout)? } else { -1 },
            rack_id: if layout.version >= 3 { decoder.field(layout)? } else { None },
        })
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.topics, layout)?;
        encoder.field(&self.user_data, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.owned_partitions, layout)?;
        }
        if layout.version >= 2 {
            encoder.field(&self.generation_id, layout)?;
        }
        if layout.version >= 3 {
            encoder.field(&self.rack_id, layout)?;
        }
        Ok(())
    }
}

/// In [`ConsumerProtocolSubscription::owned_partitions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPartition {
    pub topic: WireString,
    pub partitions: Vec<i32>,
}

impl Field for TopicPartition {
    const BYTES_MIN: usize = 6;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        Ok(Self { topic: decoder.field(layout)?, partitions: decoder.field(layout)? })
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.topic, layout)?;
        encoder.field(&self.partitions, layout)?;
        Ok(())
    }
}
