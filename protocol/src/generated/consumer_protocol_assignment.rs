//! `ConsumerProtocolAssignment`.
//!
//! Written by `cargo xtask generate` from `schemas/consumer_protocol_assignment.schema`.

use bytes::Bytes;

use crate::message::{Message, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Versions 0 to 3, never flexible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerProtocolAssignment {
    pub assigned_partitions: Vec<TopicPartition>,
    /// Default null.
    pub user_data: Option<Bytes>,
}

impl Message for ConsumerProtocolAssignment {
    const VERSIONS: Versions = Versions::new(0, 3);
    const FLEXIBLE_FROM: Option<i16> = None;

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        Ok(Self { assigned_partitions: decoder.field(layout)?, user_data: decoder.field(layout)? })
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.assigned_partitions, layout)?;
        encoder.field(&self.user_data, layout)?;
        Ok(())
    }
}

/// In [`ConsumerProtocolAssignment::assigned_partitions`].
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
