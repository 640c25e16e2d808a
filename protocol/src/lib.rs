#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod api_key;
pub mod api_versions;
pub mod compression;
pub mod epoch;
pub mod error_code;
pub mod frame;
pub mod generated;
pub mod identifiers;
pub mod message;
pub mod offset;
pub mod primitives;
pub mod record;
pub mod record_batch;

pub use api_key::ApiKey;
pub use epoch::{BrokerEpoch, ControllerEpoch, Generation, LeaderEpoch};
pub use error_code::ErrorCode;
pub use identifiers::{
    BrokerId, GroupId, MemberId, PartitionIndex, ProducerEpoch, ProducerId, TopicId, TopicName,
    TopicPartition,
};
pub use message::{Message, Request, Versions};
pub use offset::Offset;
pub use primitives::WireString;
