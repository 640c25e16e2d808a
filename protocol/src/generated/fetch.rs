//! `FetchRequest` and `FetchResponse`, API key 1.
//!
//! Written by `cargo xtask generate` from `schemas/fetch.schema`.

use bytes::Bytes;

use crate::TopicId;
use crate::api_key::ApiKey;
use crate::message::{Message, Request, Versions};
use crate::primitives::{
    DecodeError, Decoder, EncodeError, Encoder, Field, Layout, TaggedFields, WireString, absent,
};

/// Versions 4 to 18, flexible from 12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// Versions 12 and later, tag 0, default null.
    pub cluster_id: Option<WireString>,
    /// Versions 4 to 14, default -1.
    pub replica_id: i32,
    /// Versions 15 and later, tag 1.
    pub replica_state: ReplicaState,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    /// Default 2147483647.
    pub max_bytes: i32,
    pub isolation_level: i8,
    /// Versions 7 and later.
    pub session_id: i32,
    /// Versions 7 and later, default -1.
    pub session_epoch: i32,
    pub topics: Vec<FetchTopic>,
    /// Versions 7 and later.
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    /// Versions 11 and later.
    pub rack_id: WireString,
}

impl Default for FetchRequest {
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: -1,
            replica_state: ReplicaState::default(),
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            rack_id: WireString::EMPTY,
        }
    }
}

impl Message for FetchRequest {
    const VERSIONS: Versions = Versions::new(4, 18);
    const FLEXIBLE_FROM: Option<i16> = Some(12);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let mut read = Self {
            cluster_id: None,
            replica_id: if layout.version <= 14 { decoder.field(layout)? } else { -1 },
            replica_state: ReplicaState::default(),
            max_wait_ms: decoder.field(layout)?,
            min_bytes: decoder.field(layout)?,
            max_bytes: decoder.field(layout)?,
            isolation_level: decoder.field(layout)?,
            session_id: if layout.version >= 7 { decoder.field(layout)? } else { 0 },
            session_epoch: if layout.version >= 7 { decoder.field(layout)? } else { -1 },
            topics: decoder.field(layout)?,
            forgotten_topics_data: if layout.version >= 7 {
                decoder.field(layout)?
            } else {
                Vec::new()
            },
            rack_id: if layout.version >= 11 { decoder.field(layout)? } else { WireString::EMPTY },
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 => read.cluster_id = decoder.field(layout)?,
                1 if layout.version >= 15 => read.replica_state = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        if layout.version <= 14 {
            encoder.field(&self.replica_id, layout)?;
        } else {
            absent(self.replica_id == -1, "FetchRequest.replica_id", layout)?;
        }
        encoder.field(&self.max_wait_ms, layout)?;
        encoder.field(&self.min_bytes, layout)?;
        encoder.field(&self.max_bytes, layout)?;
        encoder.field(&self.isolation_level, layout)?;
        if layout.version >= 7 {
            encoder.field(&self.session_id, layout)?;
            encoder.field(&self.session_epoch, layout)?;
        }
        encoder.field(&self.topics, layout)?;
        if layout.version >= 7 {
            encoder.field(&self.forgotten_topics_data, layout)?;
        } else {
            absent(
                self.forgotten_topics_data.is_empty(),
                "FetchRequest.forgotten_topics_data",
                layout,
            )?;
        }
        if layout.version >= 11 {
            encoder.field(&self.rack_id, layout)?;
        }
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 12 && self.cluster_id.is_some() {
            tagged.add(0, &self.cluster_id)?;
        }
        if layout.version >= 15 {
            if self.replica_state != ReplicaState::default() {
                tagged.add(1, &self.replica_state)?;
            }
        } else {
            absent(
                self.replica_state == ReplicaState::default(),
                "FetchRequest.replica_state",
                layout,
            )?;
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}

/// In [`FetchRequest::replica_state`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// Default -1.
    pub replica_id: i32,
    /// Default -1.
    pub replica_epoch: i64,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self { replica_id: -1, replica_epoch: -1 }
    }
}

impl Field for ReplicaState {
    const BYTES_MIN: usize = 13;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read =
            Self { replica_id: decoder.field(layout)?, replica_epoch: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.replica_id, layout)?;
        encoder.field(&self.replica_epoch, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`FetchRequest::topics`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchTopic {
    /// Versions 4 to 12.
    pub topic: WireString,
    /// Versions 13 and later.
    pub topic_id: TopicId,
    pub partitions: Vec<FetchPartition>,
}

impl Field for FetchTopic {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            topic: if layout.version <= 12 { decoder.field(layout)? } else { WireString::EMPTY },
            topic_id: if layout.version >= 13 { decoder.field(layout)? } else { TopicId::ZERO },
            partitions: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        if layout.version <= 12 {
            encoder.field(&self.topic, layout)?;
        }
        if layout.version >= 13 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`FetchRequest::forgotten_topics_data`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgottenTopic {
    /// Versions 7 to 12.
    pub topic: WireString,
    /// Versions 13 and later.
    pub topic_id: TopicId,
    pub partitions: Vec<i32>,
}

impl Field for ForgottenTopic {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            topic: if layout.version <= 12 { decoder.field(layout)? } else { WireString::EMPTY },
            topic_id: if layout.version >= 13 { decoder.field(layout)? } else { TopicId::ZERO },
            partitions: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        if layout.version <= 12 {
            encoder.field(&self.topic, layout)?;
        }
        if layout.version >= 13 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`FetchTopic::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    pub partition: i32,
    /// Versions 9 and later, default -1.
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    /// Versions 12 and later, default -1.
    pub last_fetched_epoch: i32,
    /// Versions 5 and later, default -1.
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
    /// Versions 17 and later, tag 0.
    pub replica_directory_id: TopicId,
    /// Version 18, tag 1, default 9223372036854775807.
    pub high_watermark: i64,
}

impl Default for FetchPartition {
    fn default() -> Self {
        Self {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
            replica_directory_id: TopicId::ZERO,
            high_watermark: i64::MAX,
        }
    }
}

impl Field for FetchPartition {
    const BYTES_MIN: usize = 16;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let mut read = Self {
            partition: decoder.field(layout)?,
            current_leader_epoch: if layout.version >= 9 { decoder.field(layout)? } else { -1 },
            fetch_offset: decoder.field(layout)?,
            last_fetched_epoch: if layout.version >= 12 { decoder.field(layout)? } else { -1 },
            log_start_offset: if layout.version >= 5 { decoder.field(layout)? } else { -1 },
            partition_max_bytes: decoder.field(layout)?,
            replica_directory_id: TopicId::ZERO,
            high_watermark: i64::MAX,
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 if layout.version >= 17 => read.replica_directory_id = decoder.field(layout)?,
                1 if layout.version >= 18 => read.high_watermark = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition, layout)?;
        if layout.version >= 9 {
            encoder.field(&self.current_leader_epoch, layout)?;
        }
        encoder.field(&self.fetch_offset, layout)?;
        if layout.version >= 12 {
            encoder.field(&self.last_fetched_epoch, layout)?;
        } else {
            absent(self.last_fetched_epoch == -1, "FetchPartition.last_fetched_epoch", layout)?;
        }
        if layout.version >= 5 {
            encoder.field(&self.log_start_offset, layout)?;
        }
        encoder.field(&self.partition_max_bytes, layout)?;
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 17 && !self.replica_directory_id.is_zero() {
            tagged.add(0, &self.replica_directory_id)?;
        }
        if layout.version >= 18 && self.high_watermark != i64::MAX {
            tagged.add(1, &self.high_watermark)?;
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}

/// Versions 4 to 18, flexible from 12.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchResponse {
    pub throttle_time_ms: i32,
    /// Versions 7 and later.
    pub error_code: i16,
    /// Versions 7 and later.
    pub session_id: i32,
    pub responses: Vec<FetchableTopicResponse>,
    /// Versions 16 and later, tag 0.
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl Message for FetchResponse {
    const VERSIONS: Versions = Versions::new(4, 18);
    const FLEXIBLE_FROM: Option<i16> = Some(12);

    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let layout = Layout::for_decoding::<Self>(decoder, version)?;
        let mut read = Self {
            throttle_time_ms: decoder.field(layout)?,
            error_code: if layout.version >= 7 { decoder.field(layout)? } else { 0 },
            session_id: if layout.version >= 7 { decoder.field(layout)? } else { 0 },
            responses: decoder.field(layout)?,
            node_endpoints: Vec::new(),
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 if layout.version >= 16 => read.node_endpoints = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let layout = Layout::for_encoding::<Self>(version)?;
        encoder.field(&self.throttle_time_ms, layout)?;
        if layout.version >= 7 {
            encoder.field(&self.error_code, layout)?;
            encoder.field(&self.session_id, layout)?;
        } else {
            absent(self.session_id == 0, "FetchResponse.session_id", layout)?;
        }
        encoder.field(&self.responses, layout)?;
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 16 {
            if !self.node_endpoints.is_empty() {
                tagged.add(0, &self.node_endpoints)?;
            }
        } else {
            absent(self.node_endpoints.is_empty(), "FetchResponse.node_endpoints", layout)?;
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}

/// In [`FetchResponse::responses`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchableTopicResponse {
    /// Versions 4 to 12.
    pub topic: WireString,
    /// Versions 13 and later.
    pub topic_id: TopicId,
    pub partitions: Vec<PartitionData>,
}

impl Field for FetchableTopicResponse {
    const BYTES_MIN: usize = 3;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            topic: if layout.version <= 12 { decoder.field(layout)? } else { WireString::EMPTY },
            topic_id: if layout.version >= 13 { decoder.field(layout)? } else { TopicId::ZERO },
            partitions: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        if layout.version <= 12 {
            encoder.field(&self.topic, layout)?;
        }
        if layout.version >= 13 {
            encoder.field(&self.topic_id, layout)?;
        }
        encoder.field(&self.partitions, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`FetchResponse::node_endpoints`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: WireString,
    pub port: i32,
    /// Default null.
    pub rack: Option<WireString>,
}

impl Field for NodeEndpoint {
    const BYTES_MIN: usize = 11;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self {
            node_id: decoder.field(layout)?,
            host: decoder.field(layout)?,
            port: decoder.field(layout)?,
            rack: decoder.field(layout)?,
        };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.node_id, layout)?;
        encoder.field(&self.host, layout)?;
        encoder.field(&self.port, layout)?;
        encoder.field(&self.rack, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`FetchableTopicResponse::partitions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    pub high_watermark: i64,
    /// Default -1.
    pub last_stable_offset: i64,
    /// Versions 5 and later, default -1.
    pub log_start_offset: i64,
    /// Versions 12 and later, tag 0.
    pub diverging_epoch: EpochEndOffset,
    /// Versions 12 and later, tag 1.
    pub current_leader: LeaderIdAndEpoch,
    /// Versions 12 and later, tag 2.
    pub snapshot_id: SnapshotId,
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// Versions 11 and later, default -1.
    pub preferred_read_replica: i32,
    /// Default null.
    pub records: Option<Bytes>,
}

impl Default for PartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: Some(Vec::new()),
            preferred_read_replica: -1,
            records: None,
        }
    }
}

impl Field for PartitionData {
    const BYTES_MIN: usize = 30;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let mut read = Self {
            partition_index: decoder.field(layout)?,
            error_code: decoder.field(layout)?,
            high_watermark: decoder.field(layout)?,
            last_stable_offset: decoder.field(layout)?,
            log_start_offset: if layout.version >= 5 { decoder.field(layout)? } else { -1 },
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: decoder.field(layout)?,
            preferred_read_replica: if layout.version >= 11 { decoder.field(layout)? } else { -1 },
            records: decoder.field(layout)?,
        };
        decoder.tagged_fields(layout, |tag, decoder| {
            match tag {
                0 => read.diverging_epoch = decoder.field(layout)?,
                1 => read.current_leader = decoder.field(layout)?,
                2 => read.snapshot_id = decoder.field(layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.partition_index, layout)?;
        encoder.field(&self.error_code, layout)?;
        encoder.field(&self.high_watermark, layout)?;
        encoder.field(&self.last_stable_offset, layout)?;
        if layout.version >= 5 {
            encoder.field(&self.log_start_offset, layout)?;
        }
        encoder.field(&self.aborted_transactions, layout)?;
        if layout.version >= 11 {
            encoder.field(&self.preferred_read_replica, layout)?;
        } else {
            absent(
                self.preferred_read_replica == -1,
                "PartitionData.preferred_read_replica",
                layout,
            )?;
        }
        encoder.field(&self.records, layout)?;
        let mut tagged = TaggedFields::new(layout);
        if layout.version >= 12 {
            if self.diverging_epoch != EpochEndOffset::default() {
                tagged.add(0, &self.diverging_epoch)?;
            }
            if self.current_leader != LeaderIdAndEpoch::default() {
                tagged.add(1, &self.current_leader)?;
            }
            if self.snapshot_id != SnapshotId::default() {
                tagged.add(2, &self.snapshot_id)?;
            }
        } else {
            absent(
                self.diverging_epoch == EpochEndOffset::default(),
                "PartitionData.diverging_epoch",
                layout,
            )?;
            absent(
                self.current_leader == LeaderIdAndEpoch::default(),
                "PartitionData.current_leader",
                layout,
            )?;
            absent(self.snapshot_id == SnapshotId::default(), "PartitionData.snapshot_id", layout)?;
        }
        encoder.tagged_fields(tagged);
        Ok(())
    }
}

/// In [`PartitionData::diverging_epoch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// Default -1.
    pub epoch: i32,
    /// Default -1.
    pub end_offset: i64,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        Self { epoch: -1, end_offset: -1 }
    }
}

impl Field for EpochEndOffset {
    const BYTES_MIN: usize = 13;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { epoch: decoder.field(layout)?, end_offset: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.epoch, layout)?;
        encoder.field(&self.end_offset, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`PartitionData::current_leader`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderIdAndEpoch {
    /// Default -1.
    pub leader_id: i32,
    /// Default -1.
    pub leader_epoch: i32,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1 }
    }
}

impl Field for LeaderIdAndEpoch {
    const BYTES_MIN: usize = 9;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { leader_id: decoder.field(layout)?, leader_epoch: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.leader_id, layout)?;
        encoder.field(&self.leader_epoch, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`PartitionData::snapshot_id`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotId {
    /// Default -1.
    pub end_offset: i64,
    /// Default -1.
    pub epoch: i32,
}

impl Default for SnapshotId {
    fn default() -> Self {
        Self { end_offset: -1, epoch: -1 }
    }
}

impl Field for SnapshotId {
    const BYTES_MIN: usize = 13;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read = Self { end_offset: decoder.field(layout)?, epoch: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.end_offset, layout)?;
        encoder.field(&self.epoch, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

/// In [`PartitionData::aborted_transactions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
}

impl Field for AbortedTransaction {
    const BYTES_MIN: usize = 16;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        let read =
            Self { producer_id: decoder.field(layout)?, first_offset: decoder.field(layout)? };
        decoder.skip_tagged_fields(layout)?;
        Ok(read)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        encoder.field(&self.producer_id, layout)?;
        encoder.field(&self.first_offset, layout)?;
        encoder.no_tagged_fields(layout);
        Ok(())
    }
}

impl Request for FetchRequest {
    const API_KEY: ApiKey = ApiKey::Fetch;
    type Response = FetchResponse;
}

const _: () = assert!(FetchRequest::API_KEY.code() == 1);
