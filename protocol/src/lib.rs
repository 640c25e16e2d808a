#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod compression;
pub mod epoch;
pub mod error_code;
pub mod identifiers;
pub mod offset;
pub mod record;
pub mod record_batch;

pub use epoch::{BrokerEpoch, ControllerEpoch, Generation, LeaderEpoch};
pub use error_code::ErrorCode;
pub use identifiers::{
    BrokerId, GroupId, MemberId, PartitionIndex, ProducerEpoch, ProducerId, TopicId, TopicName,
    TopicPartition,
};
pub use offset::Offset;
