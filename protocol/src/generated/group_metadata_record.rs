//! `GroupMetadataKey` and `GroupMetadataValue`.
//!
//! Written by `cargo xtask generate` from `schemas/group_metadata_record.schema`.

use bytes::Bytes;

use crate::message::{Message, Versions};
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoder, Field, Layout, WireString};

/// Version 0, never flexible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMetadataKey {
    pub group: WireString,
}

impl Message for GroupMetadataKey {
    const VERSIONS: Versions = Versions::new(0, 0);
    const FLEXIBLE_FROM: Option<i16> = None;

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        Ok(Self { group: decoder.field(layout)? })
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.group, layout)?;
        Ok(())
    }
}

/// Versions 0 to 4, flexible from 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadataValue {
    pub protocol_type: WireString,
    pub generation: i32,
    pub protocol: Option<WireString>,
    pub leader: Option<WireString>,
    /// Versions 2 and later, default -1.
    pub current_state_timestamp: i64,
    pub members: Vec<MemberMetadata>,
}

impl Default for GroupMetadataValue {
    fn default() -> Self {
        Self {
            protocol_type: WireString::EMPTY,
            generation: 0,
            protocol: Some(WireString::EMPTY),
            leader: Some(WireString::EMPTY),
            current_state_timestamp: -1,
            members: Vec::new(),
        }
    }
}

impl Message for GroupMetadataValue {
    const VERSIONS: Versions = Versions::new(0, 4);
    const FLEXIBLE_FROM: Option<i16> = Some(4);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let read = Self {
            protocol_type: decoder.field(layout)?,
            generation: decoder.field(layout)?,
            protocol: decoder.field(layout)?,
            leader: decoder.field(layout)?,
            current_state_timestamp: if layout.version >= 2 { decoder.field(layout)? } else { -1 },
            members: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.protocol_type, layout)?;
        encoder.field(&self.generation, layout)?;
        encoder.field(&self.protocol, layout)?;
        encoder.field(&self.leader, layout)?;
        if layout.version >= 2 {
            encoder.field(&self.current_state_timestamp, layout)?;
        }
        encoder.field(&self.members, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`GroupMetadataValue::members`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberMetadata {
    pub member_id: WireString,
    /// Versions 3 and later, default null.
    pub group_instance_id: Option<WireString>,
    pub client_id: WireString,
    pub client_host: WireString,
    /// Versions 1 and later, default -1.
    pub rebalance_timeout: i32,
    pub session_timeout: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

impl Default for MemberMetadata {
    fn default() -> Self {
        Self {
            member_id: WireString::EMPTY,
            group_instance_id: None,
            client_id: WireString::EMPTY,
            client_host: WireString::EMPTY,
            rebalance_timeout: -1,
            session_timeout: 0,
            subscription: Bytes::new(),
            assignment: Bytes::new(),
        }
    }
}

impl Field for MemberMetadata {
    const BYTES_MIN: usize = 15;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            member_id: decoder.field(layout)?,
            group_instance_id: if layout.version >= 3 { decoder.field(layout)? } else { None },
            client_id: decoder.field(layout)?,
            client_host: decoder.field(layout)?,
            rebalance_timeout: if layout.version >= 1 { decoder.field(layout)? } else { -1 },
            session_timeout: decoder.field(layout)?,
            subscription: decoder.field(layout)?,
            assignment: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.member_id, layout)?;
        if layout.version >= 3 {
            encoder.field(&self.group_instance_id, layout)?;
        }
        encoder.field(&self.client_id, layout)?;
        encoder.field(&self.client_host, layout)?;
        if layout.version >= 1 {
            encoder.field(&self.rebalance_timeout, layout)?;
        }
        encoder.field(&self.session_timeout, layout)?;
        encoder.field(&self.subscription, layout)?;
        encoder.field(&self.assignment, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}
