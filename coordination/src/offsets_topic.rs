//! The records of `__consumer_offsets` in Kafka's own bytes.
//!
//! ```text
//! key    i16 record type │ message, version 0            0, 1 OffsetCommitKey · 2 GroupMetadataKey
//! value  i16 version     │ message of that version       none in a tombstone
//! ```
//!
//! Written as Kafka 4.3 writes them: `OffsetCommitValue` in version 4, or 1 where the committer
//! gave a retention, which only that version can carry; `GroupMetadataValue` in version 3.
//! Every version that Kafka ever wrote is read. Other record types (KIP-848 and share groups) are
//! passed over.

mod decode;
mod encode;

use bytes::Bytes;
use protocol::GroupId;
use protocol::identifiers::TopicNameError;
use protocol::primitives::DecodeError;
use thiserror::Error;

use crate::record::GroupRecord;

pub use decode::decode;
pub use encode::encode;

/// The name of the topic.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The two-byte number before a key.
const LEGACY_OFFSET_COMMIT_TYPE: i16 = 0;
const OFFSET_COMMIT_TYPE: i16 = 1;
const GROUP_METADATA_TYPE: i16 = 2;
/// The layout of a key, whatever its type.
const KEY_VERSION: i16 = 0;

/// A record as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRecord {
    /// What compaction goes by.
    pub key: Bytes,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// What a record of the log turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodedRecord {
    /// A record of a classic group.
    Group(GroupId, GroupRecord),
    /// A record of a type that classic groups do not have.
    Other {
        /// Kafka's number of the type.
        record_type: i16,
    },
}

/// Why a record could not be read. Reading it again does not help.
#[derive(Debug, Error)]
pub enum OffsetsTopicError {
    /// A record of this topic always has a key.
    #[error("the record has no key")]
    NoKey,
    /// The key is damaged.
    #[error("the key of a record of type {record_type} is damaged")]
    Key {
        /// Kafka's number of the type; −1 if even that is missing.
        record_type: i16,
        /// Where and how.
        source: DecodeError,
    },
    /// The value is damaged, or of a version newer than Kafka 4.3's.
    #[error("the value of a record of group {group} cannot be read, version {version}")]
    Value {
        /// Whose it is.
        group: GroupId,
        /// The version it names; −1 if even that is missing.
        version: i16,
        /// Where and how.
        source: DecodeError,
    },
    /// No topic can have this name.
    #[error("group {group} committed an offset for a topic that cannot exist")]
    Topic {
        /// Whose record it is.
        group: GroupId,
        /// What is wrong with the name.
        source: TopicNameError,
    },
}

impl OffsetsTopicError {
    /// Whether reading the same bytes again could go better: never.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NoKey | Self::Key { .. } | Self::Value { .. } | Self::Topic { .. } => false,
        }
    }
}
