//! The directories of replicas that this node finds at its start and is to hold no more: their
//! topics were deleted, perhaps made again, or moved to other brokers while it was down. No actor.
//!
//! ```text
//! listed before anything runs ─▶ registered: the image is current ─▶ what does it say of each?
//!      assigned elsewhere ─▶ deleted, as a running node would have done it
//!      topic not known    ─▶ set aside under a name of its own, kept, counted and told loudly
//!      anything else      ─▶ left as it is
//! ```
//!
//! A replica that is to be held looks at its directory itself when it opens its log, so the names
//! of such replicas are no business of this file.

use std::sync::Arc;

use commit_log::{LogDirectory, LogError};
use metadata::FoundReplica;
use protocol::{TopicId, TopicPartition};
use tracing::{error, info, warn};

use crate::broker::Broker;
use crate::log_maintenance::write_checkpoints;
use crate::partition_house::PartitionHouse;
use crate::ports::storage_executor::run_blocking;
use crate::segment_writer::LogLease;

/// A directory, which nobody else touches meanwhile.
struct Found {
    partition: TopicPartition,
    _lease: LogLease,
}

/// Sorts out the directories that stood there before this process held a replica, once its image
/// knows of this start.
pub async fn sort_out(
    broker: Arc<Broker>,
    house: Arc<PartitionHouse>,
    listed: Vec<TopicPartition>,
) {
    let (id, incarnation) = (broker.id, broker.incarnation);
    let is_current = |image: &metadata::ClusterImage| {
        image.broker(id).is_some_and(|own| own.registration.incarnation == incarnation)
    };
    broker.image.until(is_current).await;
    let found = unclaimed(&broker, &house, listed);
    let executor = Arc::clone(&house.ports.executor);
    let sorting = move || match Sorting::of(&broker, &house, found) {
        sorting if sorting.is_empty() => Ok(()),
        sorting => sorting.carry_out(&broker, &house),
    };
    if let Some(Err(error)) = run_blocking(&*executor, sorting).await {
        error!(%error, "directories of the past stay in their places until the next start");
    }
}

/// Those that no replica of this node lives in or is about to.
fn unclaimed(broker: &Broker, house: &PartitionHouse, listed: Vec<TopicPartition>) -> Vec<Found> {
    let image = broker.image.load();
    let is_held = |partition: &TopicPartition| {
        let known = image.partition_by_name(partition.topic.as_str(), partition.partition);
        known.is_some_and(|(_, state)| state.is_assigned(broker.id))
    };
    let unclaimed = listed.into_iter().filter(|partition| !is_held(partition));
    let take = |partition: TopicPartition| {
        let path = house.directory.partition_path(&partition);
        let lease = house.leases.try_acquire(path)?;
        Some(Found { partition, _lease: lease })
    };
    unclaimed.filter_map(take).collect()
}

/// What is to be done, and the leases under which it may be.
#[derive(Default)]
struct Sorting {
    left_behind: Vec<(Found, TopicId)>,
    strays: Vec<(Found, TopicId)>,
}

impl Sorting {
    /// Reads whose each directory is, and judges it by the image as it is now.
    fn of(broker: &Broker, house: &PartitionHouse, found: Vec<Found>) -> Self {
        let mut sorting = Self::default();
        for found in found {
            let topic_id = house.directory.topic_id_of(&found.partition).unwrap_or_else(|error| {
                warn!(partition = %found.partition, %error, "a directory does not say whose it is");
                None
            });
            let image = broker.image.load();
            let (id, incarnation) = (broker.id, broker.incarnation);
            match (image.judge_found(id, incarnation, &found.partition, topic_id), topic_id) {
                (FoundReplica::LeftBehind, Some(id)) => sorting.left_behind.push((found, id)),
                (FoundReplica::Stray, Some(id)) => sorting.strays.push((found, id)),
                (FoundReplica::Held, _) => {}
                (FoundReplica::Undecided | FoundReplica::LeftBehind | FoundReplica::Stray, _) => {
                    let partition = &found.partition;
                    warn!(%partition, "a directory of no known partition is left alone");
                }
            }
        }
        sorting
    }

    fn is_empty(&self) -> bool {
        self.left_behind.is_empty() && self.strays.is_empty()
    }

    /// First out of the checkpoints: a new log of such a name must not be measured by them.
    fn carry_out(self, broker: &Broker, house: &Arc<PartitionHouse>) -> Result<(), LogError> {
        for (found, _) in self.left_behind.iter().chain(&self.strays) {
            house.checkpoints.forget(&found.partition);
        }
        house.checkpoints.write_changed(|all| write_checkpoints(&house.directory, all))?;
        let stays = |partition: &TopicPartition, error: LogError| {
            error!(%partition, %error, "a directory of the past stays in its place");
        };
        for (Found { partition, .. }, topic_id) in &self.left_behind {
            match house.directory.delete_partition(partition, *topic_id) {
                Ok(deleted) => {
                    info!(%partition, "deletes a replica that only other brokers are to hold");
                    house.remove_later(deleted);
                }
                Err(error) => stays(partition, error),
            }
        }
        for (Found { partition, .. }, topic_id) in &self.strays {
            if let Err(error) = set_aside(broker, &house.directory, partition, *topic_id) {
                stays(partition, error);
            }
        }
        Ok(())
    }
}

/// Takes the directory of a topic that the cluster does not know out of the way. Nobody else may
/// touch it, and the checkpoints must not name it any more. Blocks.
///
/// # Errors
/// The disk's.
pub fn set_aside(
    broker: &Broker,
    directory: &LogDirectory,
    partition: &TopicPartition,
    topic_id: TopicId,
) -> Result<(), LogError> {
    let kept = directory.set_partition_aside(partition, topic_id)?;
    broker.metrics.stray_directories.inc();
    let kept = kept.display();
    warn!(%partition, %topic_id, %kept, "set aside: the cluster does not know this topic any more");
    Ok(())
}
