//! Moving partitions to other brokers while they serve (KIP-455).
//!
//! ```text
//! assigned:  old        old + new                  new
//!            ──────►    new ones catch up ──────►  all new ones are in the ISR
//!            started                               completed by the leader's ISR change
//! ```

use protocol::{BrokerId, PartitionIndex};
use serde::{Deserialize, Serialize};

use crate::controller::Controller;
use crate::internal_topics::InternalTopic;
use crate::partition::{PartitionKey, PartitionState};
use crate::partition_transition::Transition;
use crate::placement::Ring;
use crate::refusal::{AssignmentFault, Refusal};
use crate::topic_creation::check_assignment;

/// Where a partition is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassignment {
    /// The topic's name, as the client gave it.
    pub topic: String,
    /// Its partition.
    pub partition: PartitionIndex,
    /// The replicas that it is to have; `None` cancels what is under way.
    pub replicas: Option<Vec<BrokerId>>,
}

/// A reassignment under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OngoingReassignment {
    /// The partition.
    pub key: PartitionKey,
    /// All of its replicas, old and new.
    pub replicas: Vec<BrokerId>,
    /// Those that are being added.
    pub adding: Vec<BrokerId>,
    /// Those that will be removed.
    pub removing: Vec<BrokerId>,
}

impl Controller {
    /// Starts, changes or cancels reassignments, each wholly or not at all.
    pub fn reassign(
        &mut self,
        reassignments: &[Reassignment],
        may_change_factor: bool,
    ) -> Vec<Result<(), Refusal>> {
        let reassign = |one: &Reassignment| self.reassign_partition(one, may_change_factor);
        reassignments.iter().map(reassign).collect()
    }

    /// Every reassignment under way, by topic name and partition.
    pub fn reassignments(&self) -> impl Iterator<Item = OngoingReassignment> {
        let partitions = self.image().topics().flat_map(|topic| {
            topic.indexed_partitions().map(|(index, state)| (topic.id, index, state))
        });
        partitions.filter(|(_, _, state)| state.is_being_reassigned()).map(|(id, index, state)| {
            OngoingReassignment {
                key: PartitionKey::new(id, index),
                replicas: state.assigned_replicas.clone(),
                adding: state.adding_replicas.clone(),
                removing: state.removing_replicas.clone(),
            }
        })
    }

    /// Gives internal topics the replicas that they could not have when they were created, because
    /// there were too few brokers. To be called when a broker was unfenced.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn raise_internal_replication(&mut self) -> Result<(), Refusal> {
        for internal in InternalTopic::ALL {
            let factor = internal.replication_factor(self.image(), self.given());
            let factor = usize::try_from(factor).unwrap_or(1);
            let Some(topic) = self.image().topic(internal.name()).cloned() else { continue };
            let ring = Ring::new(self.image(), topic.id);
            for (index, state) in topic.indexed_partitions() {
                if state.assigned_replicas.len() >= factor || state.is_being_reassigned() {
                    continue;
                }
                let place = usize::try_from(index.0).unwrap_or(0);
                let extra = ring.replicas(place, factor)?;
                let mut target = state.assigned_replicas.clone();
                target.extend(extra.into_iter().filter(|b| !state.is_assigned(*b)));
                target.truncate(factor);
                let key = PartitionKey::new(topic.id, index);
                self.settle(key, |transition| transition.reassign(&target))?;
            }
        }
        Ok(())
    }

    fn reassign_partition(
        &mut self,
        request: &Reassignment,
        may_change_factor: bool,
    ) -> Result<(), Refusal> {
        let partition = request.partition;
        let (topic_id, state) = self
            .image()
            .partition_by_name(&request.topic, partition)
            .ok_or(Refusal::UnknownTopicOrPartition)?;
        let key = PartitionKey::new(topic_id, partition);
        let original = original_replicas(state);
        let target = match &request.replicas {
            Some(target) => target.clone(),
            None if state.is_being_reassigned() => original.clone(),
            None => return Err(Refusal::NoReassignment),
        };
        if request.replicas.is_some() {
            check_assignment(self.image(), partition, &target, target.len())?;
            let (present, count) = (original.len(), target.len());
            if count != present && !may_change_factor {
                return Err(Refusal::ReplicationFactorChange { present, count });
            }
        }
        let survivor = |b: &BrokerId| state.is_in_sync(*b) && self.image().is_live(*b);
        let fault = Refusal::Assignment { partition, reason: AssignmentFault::NobodyAlive };
        if request.replicas.is_none() && !target.iter().any(survivor) {
            return Err(fault);
        }
        self.settle(key, |transition| transition.reassign(&target)).map(drop)
    }
}

/// What is assigned apart from a reassignment under way.
fn original_replicas(state: &PartitionState) -> Vec<BrokerId> {
    let original = state.assigned_replicas.iter().copied();
    original.filter(|broker| !state.adding_replicas.contains(broker)).collect()
}

impl Transition<'_> {
    /// The partition is to be on these brokers. What it has stays until the new ones are in sync.
    pub(crate) fn reassign(mut self, target: &[BrokerId]) -> Self {
        let original = original_replicas(&self.next);
        let next = &mut self.next;
        let old = |broker: &BrokerId| original.contains(broker);
        next.adding_replicas = target.iter().copied().filter(|broker| !old(broker)).collect();
        let leaves = |broker: &BrokerId| !target.contains(broker);
        next.removing_replicas = original.iter().copied().filter(leaves).collect();
        let mut assigned = target.to_vec();
        assigned.extend(next.removing_replicas.iter().copied());
        next.assigned_replicas = assigned;
        self.drop_unassigned();
        self.complete_reassignment()
    }

    /// Once everybody that was added is in sync, those that were to go are gone.
    pub(crate) fn complete_reassignment(mut self) -> Self {
        let next = &mut self.next;
        let stay = |broker: &BrokerId| !next.removing_replicas.contains(broker);
        let in_sync = next.adding_replicas.iter().all(|broker| next.isr.contains(broker));
        // somebody must be left that holds what is committed
        let survives = next.isr.iter().any(stay);
        if !next.is_being_reassigned() || !in_sync || !survives {
            return self;
        }
        let gone = std::mem::take(&mut next.removing_replicas);
        next.adding_replicas.clear();
        next.assigned_replicas.retain(|broker| !gone.contains(broker));
        self.drop_unassigned();
        self
    }

    fn drop_unassigned(&mut self) {
        let next = &mut self.next;
        let assigned = next.assigned_replicas.clone();
        next.isr.retain(|broker| assigned.contains(broker));
        next.elr.retain(|broker| assigned.contains(broker));
        next.offline_replicas.retain(|broker| assigned.contains(broker));
    }
}
