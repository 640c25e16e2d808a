//! What the cluster has agreed on about one partition.

use std::fmt;

use protocol::{BrokerId, LeaderEpoch, PartitionIndex, TopicId};
use serde::{Deserialize, Serialize};

/// The number of the last change to one partition's state (KIP-497): raised by every record that
/// changes the partition, so that a change asked for on the basis of an older state is refused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PartitionEpoch(i32);

impl PartitionEpoch {
    /// The number of a new partition.
    pub const ZERO: Self = Self(0);

    /// The number as the wire gives it.
    #[must_use]
    pub const fn new(value: i32) -> Self {
        Self(value)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> i32 {
        self.0
    }

    /// The number of the change after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for PartitionEpoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A partition of one incarnation of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionKey {
    /// The incarnation of the topic.
    pub topic_id: TopicId,
    /// Its partition.
    pub partition: PartitionIndex,
}

impl PartitionKey {
    /// The pair.
    #[must_use]
    pub const fn new(topic_id: TopicId, partition: PartitionIndex) -> Self {
        Self { topic_id, partition }
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic_id, self.partition)
    }
}

/// The whole state of a partition. A record carries it whole, so that a reader of the log sees
/// what holds after each change, without the changes before. Its fields are never changed: what is
/// to be added comes with a record of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// Every broker that should hold a replica, the preferred leader first. Never empty, no
    /// broker twice. During a reassignment: the old replicas and the new ones.
    pub assigned_replicas: Vec<BrokerId>,
    /// Those whose confirmation a commit waits for. May be empty: then there is no leader.
    pub isr: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966): out of the ISR, but known to hold every committed
    /// record, because nothing can have been committed since they left. Disjoint from the ISR.
    pub elr: Vec<BrokerId>,
    /// The last leader, once ISR and ELR are both empty (KIP-966's last known ELR).
    pub last_known_leader: Option<BrokerId>,
    /// Replicas whose log was given up (quarantined) until their broker starts again or says that
    /// the log is whole; neither in the ISR nor electable.
    pub offline_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment adds; in `assigned_replicas` already.
    pub adding_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment will take away; in `assigned_replicas` still.
    pub removing_replicas: Vec<BrokerId>,
    /// Who leads; in the ISR, or nobody.
    pub leader: Option<BrokerId>,
    /// The number of the leadership; raised by every election, also when the leader stays.
    pub leader_epoch: LeaderEpoch,
    /// The number of this state.
    pub partition_epoch: PartitionEpoch,
    /// Whether the leader was elected from outside ISR and ELR and has not yet said that it has
    /// recovered (KIP-704): committed records may be gone.
    pub leader_is_recovering: bool,
}

impl PartitionState {
    /// A new partition whose in-sync replicas are `isr`; its first leads.
    #[must_use]
    pub fn founded(assigned_replicas: Vec<BrokerId>, isr: Vec<BrokerId>) -> Self {
        Self {
            leader: isr.first().copied(),
            assigned_replicas,
            isr,
            elr: Vec::new(),
            last_known_leader: None,
            offline_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            removing_replicas: Vec::new(),
            leader_epoch: LeaderEpoch::ZERO,
            partition_epoch: PartitionEpoch::ZERO,
            leader_is_recovering: false,
        }
    }

    /// Whether the broker should hold a replica.
    #[must_use]
    pub fn is_assigned(&self, broker: BrokerId) -> bool {
        self.assigned_replicas.contains(&broker)
    }

    /// Whether the broker counts for commits.
    #[must_use]
    pub fn is_in_sync(&self, broker: BrokerId) -> bool {
        self.isr.contains(&broker)
    }

    /// Whether the preferred leader, the first of those assigned, is in sync and does not lead.
    #[must_use]
    pub fn awaits_preferred_leader(&self) -> bool {
        let preferred = self.assigned_replicas.first().copied();
        preferred.is_some_and(|broker| self.is_in_sync(broker) && self.leader != preferred)
    }

    /// Whether a reassignment is under way.
    #[must_use]
    pub fn is_being_reassigned(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }
}
