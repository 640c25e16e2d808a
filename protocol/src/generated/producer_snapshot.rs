//! `ProducerSnapshot`.
//!
//! Written by `cargo xtask generate` from `schemas/producer_snapshot.schema`.

use crate::message::{Message, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout};

/// Version 1, never flexible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerSnapshot {
    pub crc: u32,
    pub producer_entries: Vec<ProducerEntry>,
}

impl Message for ProducerSnapshot {
    const VERSIONS: Versions = Versions::new(1, 1);
    const FLEXIBLE_FROM: Option<i16> = None;

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        Ok(Self { crc: decoder.field(layout)?, producer_entries: decoder.field(layout)? })
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.crc, layout)?;
        encoder.field(&self.producer_entries, layout)?;
        Ok(())
    }
}

/// In [`ProducerSnapshot::producer_entries`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerEntry {
    pub producer_id: i64,
    pub epoch: i16,
    pub last_sequence: i32,
    pub last_offset: i64,
    pub offset_delta: i32,
    pub timestamp: i64,
    pub coordinator_epoch: i32,
    pub current_txn_first_offset: i64,
}

impl Field for ProducerEntry {
    const BYTES_MIN: usize = 46;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        Ok(Self {
            producer_id: decoder.field(layout)?,
            epoch: decoder.field(layout)?,
            last_sequence: decoder.field(layout)?,
            last_offset: decoder.field(layout)?,
            offset_delta: decoder.field(layout)?,
            timestamp: decoder.field(layout)?,
            coordinator_epoch: decoder.field(layout)?,
            current_txn_first_offset: decoder.field(layout)?,
        })
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.producer_id, layout)?;
        encoder.field(&self.epoch, layout)?;
        encoder.field(&self.last_sequence, layout)?;
        encoder.field(&self.last_offset, layout)?;
        encoder.field(&self.offset_delta, layout)?;
        encoder.field(&self.timestamp, layout)?;
        encoder.field(&self.coordinator_epoch, layout)?;
        encoder.field(&self.current_txn_first_offset, layout)?;
        Ok(())
    }
}
