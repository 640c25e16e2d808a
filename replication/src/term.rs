//! What the controller and the log tell a replica when it takes a role.

use std::fmt;
use std::time::Duration;

use protocol::{BrokerId, LeaderEpoch, Offset};

use crate::epoch_history::EpochStart;

/// The number of a change of one partition's leader, in-sync or assigned replicas (KIP-497):
/// raised with each of them, while the leader epoch is raised at elections only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionEpoch(pub i32);

impl fmt::Display for PartitionEpoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The topic's settings that replication obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicationSettings {
    /// `min.insync.replicas`, in replicas, at least 1. The replication factor caps it.
    pub min_in_sync_replicas: usize,
    /// `callboard.flush.before.ack`: whether an offset counts for the high watermark when it is
    /// flushed (true) or when it is written (false, as in Kafka).
    pub flush_before_ack: bool,
    /// `replica.lag.time.max.ms`: how long a member may be behind before it is dropped.
    pub replica_lag_time_max: Duration,
}

impl Default for ReplicationSettings {
    fn default() -> Self {
        Self {
            min_in_sync_replicas: 1,
            flush_before_ack: true,
            replica_lag_time_max: Duration::from_secs(2),
        }
    }
}

/// One leadership of one partition, as the controller gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderTerm {
    /// The epoch of this leadership; durable in the metadata before this is told.
    pub leader_epoch: LeaderEpoch,
    /// The partition epoch that the replicas below were read at.
    pub partition_epoch: PartitionEpoch,
    /// Who counts for commit; contains `this_broker`.
    pub in_sync_replicas: Vec<BrokerId>,
    /// Who should hold the partition; contains `this_broker`. Its length is the replication
    /// factor.
    pub assigned_replicas: Vec<BrokerId>,
    /// The broker whose replica this is.
    pub this_broker: BrokerId,
    /// The topic's settings.
    pub settings: ReplicationSettings,
}

/// The leadership of another broker, as the controller gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerTerm {
    /// The epoch of that leadership.
    pub leader_epoch: LeaderEpoch,
    /// Who leads; not `this_broker`.
    pub leader: BrokerId,
    /// The broker whose replica this is.
    pub this_broker: BrokerId,
    /// The topic's settings.
    pub settings: ReplicationSettings,
}

/// A newer state of a partition whose leadership did not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionChange {
    /// The leadership that it belongs to.
    pub leader_epoch: LeaderEpoch,
    /// Its number; ignored unless higher than the one known.
    pub partition_epoch: PartitionEpoch,
    /// Who counts for commit from now on.
    pub in_sync_replicas: Vec<BrokerId>,
    /// Who should hold the partition from now on.
    pub assigned_replicas: Vec<BrokerId>,
}

/// Where the log of this replica stands, read when nothing is being written: the writer has
/// drained what an earlier role gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOffsets {
    /// The first offset still readable.
    pub log_start: Offset,
    /// The next offset to be written.
    pub log_end: Offset,
    /// The log end offset at the last successful flush; at most `log_end`.
    pub flushed: Offset,
    /// Where each leader epoch of the log starts, in increasing order.
    pub epochs: Vec<EpochStart>,
}
