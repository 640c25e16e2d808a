#![doc = include_str!("../README.md")]

mod admin;
mod any_broker;
mod assignor;
mod backoff;
mod broker_connections;
mod client;
mod cluster;
mod cluster_metadata;
mod committed_offsets;
mod connection;
mod consumer;
mod dialer;
mod error;
mod fetcher;
mod group_consumer;
mod group_membership;
mod leader_watch;
mod offset_lookup;
mod partitioner;
mod producer;
mod record_accumulator;
mod settings;

pub use admin::{
    Admin, ClusterDescription, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource,
    CreatedTopic, ElectionKind, EligibleLeaders, GroupDescription, GroupLag, GroupListing,
    MemberDescription, NewTopic, NewVoter, PartitionLag, PartitionLags, QuorumDescription,
    QuorumMember, Reassignment, ReplicaLag, ReplicaMove,
};
pub use assignor::Assignor;
pub use client::Client;
pub use cluster_metadata::{Broker, Partition, Topic};
pub use committed_offsets::{CommittedOffset, CommittedOffsets};
pub use consumer::{
    ConsumedRecord, Consumer, ConsumerSettings, Isolation, ResetTo, StartAt, TimestampKind,
};
pub use dialer::{BrokerStream, Dialer, Dialing, TcpDialer};
pub use error::{Error, Result, Subject};
pub use group_consumer::{GroupConsumer, GroupSettings, PendingCommit};
pub use offset_lookup::{FoundOffset, OffsetQuery};
pub use partitioner::partition_for_key;
pub use producer::{Acks, Delivery, Producer, ProducerRecord, ProducerSettings, RecordPlace};
pub use protocol::compression::Compression;
pub use protocol::record::RecordHeader;
pub use protocol::{
    BrokerId, Generation, GroupId, LeaderEpoch, Offset, PartitionIndex, TopicName, TopicPartition,
};
pub use settings::ClientSettings;
