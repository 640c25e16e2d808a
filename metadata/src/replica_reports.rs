//! What brokers say of single replicas, and elections that somebody asks for.
//!
//! Whoever stops leading never resumes that leader epoch. A replica that stopped for any reason
//! comes back as one that does not lead, and reports; the controller elects, and the new epoch is
//! agreed on before the first append under it.

use std::sync::Arc;

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch};
use serde::{Deserialize, Serialize};

use crate::controller::Controller;
use crate::partition::{PartitionKey, PartitionState};
use crate::refusal::Refusal;

/// What happened to a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaReport {
    /// It stopped and has started again.
    Restarted {
        /// The last leader epoch that it knew of.
        leader_epoch: LeaderEpoch,
        /// Whether every record that it had confirmed is still there.
        is_whole: bool,
    },
    /// It stopped and will not start again before its broker does, or somebody mends it.
    GaveUp {
        /// Whether every record that it had confirmed is still there.
        is_whole: bool,
    },
    /// It gave up, and has been mended: it may follow and, if it was whole, lead.
    Mended,
}

/// How a leader is to be elected that somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElectionKind {
    /// The first assigned replica, if it is in sync.
    Preferred,
    /// Anybody alive, where nobody leads: committed records may be lost.
    Unclean,
}

impl Controller {
    /// A broker reports on one of its replicas. The answer is the state that holds then; a report
    /// that comes twice changes nothing the second time.
    ///
    /// # Errors
    /// The sender is not the present registration of the broker, or has no such replica.
    pub fn report_replica(
        &mut self,
        broker: BrokerId,
        broker_epoch: BrokerEpoch,
        key: PartitionKey,
        report: ReplicaReport,
    ) -> Result<Arc<PartitionState>, Refusal> {
        self.registered(broker, broker_epoch)?;
        let topic_id = key.topic_id;
        self.image().topic_by_id(topic_id).ok_or(Refusal::UnknownTopicId { topic_id })?;
        let state = self.image().partition(key).filter(|state| state.is_assigned(broker));
        let present = state.ok_or(Refusal::UnknownTopicOrPartition)?.leader_epoch;
        match report {
            ReplicaReport::Restarted { leader_epoch, is_whole } => {
                // an election since then has taken the lead from it, or given it anew
                let leads_still = leader_epoch == present;
                self.settle(key, |mut transition| {
                    transition.next.offline_replicas.retain(|offline| *offline != broker);
                    if leads_still {
                        transition = transition.depose(broker);
                    }
                    if is_whole { transition } else { transition.lose(broker) }
                })
            }
            ReplicaReport::GaveUp { is_whole } => self.settle(key, |mut transition| {
                if !transition.next.offline_replicas.contains(&broker) {
                    transition.next.offline_replicas.push(broker);
                }
                let transition = transition.depose(broker);
                if is_whole { transition.leave_isr(broker) } else { transition.lose(broker) }
            }),
            ReplicaReport::Mended => self.settle(key, |mut transition| {
                transition.next.offline_replicas.retain(|offline| *offline != broker);
                transition
            }),
        }
    }

    /// Elects a leader because somebody asked for it (ElectLeaders, KIP-460). The answer is the
    /// state that holds then.
    ///
    /// # Errors
    /// There is no such partition, no election is needed, or nobody can be elected.
    pub fn elect_leader(
        &mut self,
        key: PartitionKey,
        kind: ElectionKind,
    ) -> Result<Arc<PartitionState>, Refusal> {
        let state = self.image().partition(key).ok_or(Refusal::UnknownTopicOrPartition)?;
        match kind {
            ElectionKind::Preferred => {
                let broker = self.preferred_leader(state)?;
                self.settle(key, |transition| transition.prefer(broker))
            }
            ElectionKind::Unclean => {
                if state.leader.is_some() {
                    return Err(Refusal::ElectionNotNeeded);
                }
                let may = |b: &&BrokerId| {
                    self.image().is_active(**b) && !state.offline_replicas.contains(*b)
                };
                if !state.assigned_replicas.iter().any(|broker| may(&broker)) {
                    return Err(Refusal::NoEligibleLeader);
                }
                self.settle(key, |transition| transition.allow_unclean())
            }
        }
    }

    fn preferred_leader(&self, state: &PartitionState) -> Result<BrokerId, Refusal> {
        let preferred = state.assigned_replicas.first().copied();
        let broker = preferred.ok_or(Refusal::NoEligibleLeader)?;
        if state.leader == Some(broker) {
            return Err(Refusal::ElectionNotNeeded);
        }
        match state.is_in_sync(broker) && self.image().is_active(broker) {
            true => Ok(broker),
            false => Err(Refusal::PreferredLeaderNotAvailable { broker }),
        }
    }
}
