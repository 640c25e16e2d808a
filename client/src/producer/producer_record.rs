//! A record on its way to a topic.

use bytes::Bytes;
use protocol::record::{RecordContent, RecordHeader};
use protocol::{PartitionIndex, TopicName};

/// A record to be produced. Only the topic has to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerRecord {
    /// Where it goes.
    pub topic: TopicName,
    /// The partition; chosen by the key, or evenly without one, if it is not given.
    pub partition: Option<PartitionIndex>,
    /// Milliseconds since 1970; the time of `send` if it is not given.
    pub timestamp: Option<i64>,
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value, or null.
    pub value: Option<Bytes>,
    /// In this order, duplicates kept.
    pub headers: Vec<RecordHeader>,
}

impl ProducerRecord {
    /// A record without key and value.
    #[must_use]
    pub fn to(topic: &TopicName) -> Self {
        Self {
            topic: topic.clone(),
            partition: None,
            timestamp: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// With this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With this value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Bytes>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.headers.push(RecordHeader::new(key, value));
        self
    }

    /// To this partition, whatever the key.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(PartitionIndex(partition));
        self
    }

    /// With this timestamp, in milliseconds since 1970.
    #[must_use]
    pub const fn timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    pub(crate) fn content(&self) -> RecordContent<'_> {
        RecordContent {
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
        }
    }
}
