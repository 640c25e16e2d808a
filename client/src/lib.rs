#![doc = include_str!("../README.md")]

mod backoff;
mod broker_connections;
mod client;
mod cluster;
mod cluster_metadata;
mod connection;
mod consumer;
mod error;
mod fetcher;
mod offset_lookup;
mod partitioner;
mod producer;
mod record_accumulator;
mod settings;

pub use client::Client;
pub use cluster_metadata::{Broker, Partition, Topic};
pub use consumer::{
    ConsumedRecord, Consumer, ConsumerSettings, Isolation, ResetTo, StartAt, TimestampKind,
};
pub use error::{Error, Result, Subject};
pub use offset_lookup::{FoundOffset, OffsetQuery};
pub use partitioner::partition_for_key;
pub use producer::{Acks, Delivery, Producer, ProducerRecord, ProducerSettings, RecordPlace};
pub use protocol::compression::Compression;
pub use protocol::record::RecordHeader;
pub use protocol::{
    BrokerId, GroupId, LeaderEpoch, Offset, PartitionIndex, TopicName, TopicPartition,
};
pub use settings::ClientSettings;
