//! Whether the groups of a partition can be asked: each partition of the offsets topic is read once
//! for each leadership that this node has of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::{ErrorCode, GroupId, PartitionIndex};
use tokio::time::{Instant, timeout_at};

use super::GroupDirectory;
use super::group_place::{GroupPlace, Leadership};
use super::loading::PartitionLoad;
use crate::broker::Broker;
use crate::partition_directory::PartitionPlace;

/// How long a request waits for the partition to be read before it is told to come again.
const LOAD_WAIT: Duration = Duration::from_millis(500);

/// How long a partition that could not be read is left alone.
const LOAD_BACKOFF: Duration = Duration::from_secs(1);

/// What is known of one partition of the offsets topic.
#[derive(Default)]
pub(super) struct OffsetsPartition {
    /// Under which leadership; `None` before the first.
    pub leadership: Option<Leadership>,
    /// Whether its groups can be asked.
    pub readiness: Readiness,
    /// While it is read: the groups of the leadership before, if they may not have ended yet.
    pub groups: HashMap<GroupId, Arc<GroupPlace>>,
}

/// Whether the groups of a partition can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Never read, or to be read again.
    #[default]
    Unread,
    /// Being read, by the load of this number.
    Loading(u64),
    /// All groups are up.
    Serving,
    /// It could not be read.
    Failed {
        /// When to try again.
        retry_at: Instant,
    },
}

/// Every partition that was asked about.
pub(super) type OffsetsPartitions = HashMap<PartitionIndex, OffsetsPartition>;

impl GroupDirectory {
    /// Waits, but not for long, until the groups of a partition can be asked.
    pub(super) async fn serving(
        &self,
        broker: &Arc<Broker>,
        index: PartitionIndex,
        partition: &Arc<PartitionPlace>,
    ) -> Result<Leadership, ErrorCode> {
        let deadline = Instant::now() + LOAD_WAIT;
        loop {
            let changed = self.changed.notified();
            let leadership = Leadership::of(partition).ok_or(ErrorCode::NotCoordinator)?;
            match self.load_if_unread(broker, index, partition, leadership) {
                Readiness::Serving => return Ok(leadership),
                Readiness::Failed { .. } => return Err(ErrorCode::CoordinatorNotAvailable),
                Readiness::Unread | Readiness::Loading(_) => {
                    let waited = timeout_at(deadline, changed).await;
                    waited.map_err(|_| ErrorCode::CoordinatorLoadInProgress)?;
                }
            }
        }
    }

    /// Begins to read a partition, unless it was read under this leadership or is being read.
    pub(super) fn load_if_unread(
        &self,
        broker: &Arc<Broker>,
        index: PartitionIndex,
        partition: &Arc<PartitionPlace>,
        leadership: Leadership,
    ) -> Readiness {
        let mut partitions = self.lock();
        let offsets = partitions.entry(index).or_default();
        if offsets.leadership == Some(leadership) {
            match offsets.readiness {
                Readiness::Failed { retry_at } if retry_at <= Instant::now() => {}
                Readiness::Unread => {}
                readiness => return readiness,
            }
        }
        let number = self.loads.fetch_add(1, Ordering::Relaxed);
        offsets.leadership = Some(leadership);
        offsets.readiness = Readiness::Loading(number);
        let load = PartitionLoad {
            index,
            partition: Arc::clone(partition),
            leadership,
            number,
            former: offsets.groups.values().cloned().collect(),
        };
        tokio::spawn(load.run(Arc::clone(broker)));
        offsets.readiness
    }

    /// A load ended: its groups are up, or the partition is left alone for a while, and the next
    /// load will end what this one brought up. False if a later load has taken its turn.
    pub(super) fn finish_load(
        &self,
        load: &PartitionLoad,
        groups: &HashMap<GroupId, Arc<GroupPlace>>,
        is_whole: bool,
    ) -> bool {
        let mut partitions = self.lock();
        let offsets = partitions.entry(load.index).or_default();
        let is_wanted = offsets.leadership == Some(load.leadership)
            && offsets.readiness == Readiness::Loading(load.number);
        if is_wanted && is_whole {
            offsets.groups = groups.clone();
            offsets.readiness = Readiness::Serving;
        } else if is_wanted {
            offsets.groups.extend(groups.clone());
            offsets.readiness = Readiness::Failed { retry_at: Instant::now() + LOAD_BACKOFF };
        }
        drop(partitions);
        self.changed.notify_waiters();
        is_wanted
    }

    /// The supervisor failed, and all coordinators with it: the next request has the partition
    /// read again.
    pub(super) fn read_again(&self, index: PartitionIndex, leadership: Leadership) {
        let mut partitions = self.lock();
        if let Some(offsets) = partitions.get_mut(&index)
            && offsets.leadership == Some(leadership)
            && offsets.readiness == Readiness::Serving
        {
            offsets.readiness = Readiness::Unread;
        }
    }
}
