//! Accepting or refusing what a leader says of its in-sync replicas (KIP-497).
//!
//! A leader may speak only of the leadership that it has (leader epoch) and only on the basis of
//! the state that it was told last (partition epoch). It names the broker epoch of every member,
//! so that a broker that started anew meanwhile, perhaps with an empty disk, does not get in by
//! what its predecessor had fetched (KIP-903).
//!
//! Every accepted change raises the partition epoch, also one that names the ISR as it is: so a
//! leader withdraws a change of which a copy may still be on its way.

use std::sync::Arc;

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch};
use serde::{Deserialize, Serialize};

use crate::controller::Controller;
use crate::partition::{PartitionEpoch, PartitionKey, PartitionState};
use crate::refusal::Refusal;

/// What a leader wants its ISR to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InSyncChange {
    /// Which partition.
    pub key: PartitionKey,
    /// The leadership that the sender has.
    pub leader_epoch: LeaderEpoch,
    /// The state that the sender was told last.
    pub partition_epoch: PartitionEpoch,
    /// The members of the new ISR, the leader among them, each with the registration it fetched
    /// under; `BrokerEpoch::UNKNOWN` where the sender does not know it, as of itself.
    pub isr: Vec<(BrokerId, BrokerEpoch)>,
    /// Whether the leader, elected without being in sync, has recovered what it can (KIP-704).
    pub has_recovered: bool,
}

impl Controller {
    /// A leader wants to change the in-sync replicas of partitions it leads. Each answer is the
    /// state that holds then.
    ///
    /// # Errors
    /// The sender is not the present registration of the broker. Each change may be refused by
    /// itself.
    pub fn change_in_sync_replicas(
        &mut self,
        leader: BrokerId,
        broker_epoch: BrokerEpoch,
        changes: &[InSyncChange],
    ) -> Result<Vec<Result<Arc<PartitionState>, Refusal>>, Refusal> {
        self.registered(leader, broker_epoch)?;
        let change = |change| self.change_in_sync(leader, change);
        Ok(changes.iter().map(change).collect())
    }

    fn change_in_sync(
        &mut self,
        leader: BrokerId,
        change: &InSyncChange,
    ) -> Result<Arc<PartitionState>, Refusal> {
        let present = self.led_partition(leader, change.key, change.leader_epoch)?;
        if present.partition_epoch != change.partition_epoch {
            return Err(Refusal::PartitionEpochMismatch {
                present: present.partition_epoch,
                claimed: change.partition_epoch,
            });
        }
        self.check_members(leader, present, change)?;
        let isr: Vec<BrokerId> = change.isr.iter().map(|(broker, _)| *broker).collect();
        let has_recovered = change.has_recovered;
        self.settle(change.key, move |mut transition| {
            transition.next.isr = isr;
            transition.next.leader_is_recovering &= !has_recovered;
            transition.complete_reassignment().confirm()
        })
    }

    /// A partition that a broker leads under this epoch.
    pub(crate) fn led_partition(
        &self,
        leader: BrokerId,
        key: PartitionKey,
        claimed: LeaderEpoch,
    ) -> Result<&PartitionState, Refusal> {
        let topic_id = key.topic_id;
        self.image().topic_by_id(topic_id).ok_or(Refusal::UnknownTopicId { topic_id })?;
        let state = self.image().partition(key).ok_or(Refusal::UnknownTopicOrPartition)?;
        let present = state.leader_epoch;
        if claimed < present {
            return Err(Refusal::FencedLeaderEpoch { present, claimed });
        }
        if claimed > present {
            return Err(Refusal::UnknownLeaderEpoch { present, claimed });
        }
        if state.leader != Some(leader) {
            return Err(Refusal::NotLeader { broker: leader });
        }
        Ok(state)
    }

    fn check_members(
        &self,
        leader: BrokerId,
        present: &PartitionState,
        change: &InSyncChange,
    ) -> Result<(), Refusal> {
        if change.isr.len() > present.assigned_replicas.len() {
            return Err(Refusal::InvalidInSyncReplicas);
        }
        let members = || change.isr.iter().map(|(broker, _)| *broker);
        let twice = members().enumerate().any(|(n, b)| members().take(n).any(|other| other == b));
        let assigned = members().all(|broker| present.is_assigned(broker));
        if twice || !assigned || !members().any(|broker| broker == leader) {
            return Err(Refusal::InvalidInSyncReplicas);
        }
        let recovers = present.leader_is_recovering && !change.has_recovered;
        if recovers && change.isr.len() > 1 {
            return Err(Refusal::InvalidInSyncReplicas);
        }
        for (broker, claimed) in &change.isr {
            let stays = present.is_in_sync(*broker);
            let registered = self.image().broker(*broker).map(|state| state.epoch());
            let same = !claimed.is_known() || registered == Some(*claimed);
            let offline = present.offline_replicas.contains(broker);
            let may_join = self.image().is_active(*broker) && !offline;
            if !same || (!stays && !may_join) {
                return Err(Refusal::IneligibleReplica { broker: *broker });
            }
        }
        Ok(())
    }
}
