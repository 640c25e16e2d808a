#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod acks;
pub mod effect;
pub mod epoch_history;
pub mod fetch;
mod follower;
mod follower_progress;
mod high_watermark;
mod in_sync_replicas;
mod lag_deadline;
mod leader;
pub mod moment;
mod pending_appends;
pub mod read_replica;
pub mod refusal;
mod reinjected_bug;
pub mod replica;
mod replica_log;
pub mod term;

pub use acks::Acks;
pub use effect::{Effect, Effects, InSyncProposal, ProposedMember, Ticket};
pub use epoch_history::{EpochEnd, EpochHistory, EpochStart};
pub use fetch::{
    FetchAnswer, FetchOutcome, FetchPosition, FetchVerdict, FlushProgress, FollowerFetch,
};
pub use moment::Moment;
pub use read_replica::{FollowerRead, ReadReplica, closest_replica, judge_follower_read};
pub use refusal::{InSyncRefusal, Refusal};
#[cfg(feature = "reinjected-bugs")]
pub use reinjected_bug::ReinjectedBug;
pub use replica::{Replica, Role};
pub use term::{
    FollowerTerm, LeaderTerm, LogOffsets, PartitionChange, PartitionEpoch, ReplicationSettings,
};
