//! A record as a consumer hands it out.

use bytes::Bytes;
use protocol::record::{Record, RecordHeader};
use protocol::{LeaderEpoch, Offset, TopicPartition};

/// Who gave a record its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampKind {
    /// The producer, when the record was made.
    Created,
    /// The broker, when it was appended.
    Appended,
}

/// A record and where it stood. Key, value and headers share the memory of the fetch they came
/// with; whoever keeps a few of them for long copies them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// Topic and partition.
    pub partition: TopicPartition,
    /// Its number there.
    pub offset: Offset,
    /// The leadership in which it was appended.
    pub leader_epoch: LeaderEpoch,
    /// Milliseconds since 1970; −1 where there is none.
    pub timestamp: i64,
    /// Whose clock that was.
    pub timestamp_kind: TimestampKind,
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value, or null.
    pub value: Option<Bytes>,
    /// In the producer's order, duplicates kept.
    pub headers: Vec<RecordHeader>,
}

impl ConsumedRecord {
    pub(crate) fn new(
        partition: TopicPartition,
        leader_epoch: LeaderEpoch,
        timestamp_kind: TimestampKind,
        record: Record,
    ) -> Self {
        let Record { offset, timestamp, key, value, headers } = record;
        Self { partition, offset, leader_epoch, timestamp, timestamp_kind, key, value, headers }
    }

    /// The value of the first header with this key.
    #[must_use]
    pub fn header(&self, key: &str) -> Option<&Bytes> {
        let found = self.headers.iter().find(|header| header.key == key.as_bytes());
        found.and_then(|header| header.value.as_ref())
    }
}
