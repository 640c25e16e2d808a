//! Which brokers hold a new partition's replicas.
//!
//! The brokers stand in a ring in which neighbours are of different racks. Each partition's first
//! replica, its preferred leader, is the next broker of the ring, and its other replicas are those
//! that follow, racks that have none yet before racks that have one; with every turn of the ring
//! they start one place further on, so that a failed broker's load is taken over by many. The
//! place where a topic begins comes from its id, so that topics of one partition spread as well.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{BrokerId, TopicId};

use crate::broker::BrokerState;
use crate::image::ClusterImage;
use crate::refusal::Refusal;

/// The ring of brokers that may be given replicas.
pub(crate) struct Ring {
    brokers: Vec<Arc<BrokerState>>,
    start: usize,
}

impl Ring {
    /// The ring for one topic. Brokers that are about to stop are left out; those that are fenced, or
    /// whose disk hangs, may hold replicas, since they are expected back, but are asked last.
    pub(crate) fn new(image: &ClusterImage, topic_id: TopicId) -> Self {
        let mut racks: BTreeMap<Option<&Arc<str>>, Vec<&Arc<BrokerState>>> = BTreeMap::new();
        for broker in image.brokers().filter(|broker| !broker.is_shutting_down) {
            racks.entry(broker.registration.rack.as_ref()).or_default().push(broker);
        }
        let deepest = racks.values().map(Vec::len).max().unwrap_or(0);
        let mut brokers = Vec::new();
        for depth in 0..deepest {
            let layer = racks.values().filter_map(|rack| rack.get(depth));
            brokers.extend(layer.map(|broker| Arc::clone(broker)));
        }
        let seed = topic_id.0.as_u128();
        let folded = (seed >> 64) ^ (seed & u128::from(u64::MAX));
        let start = folded % brokers.len().max(1) as u128;
        Self { start: usize::try_from(start).unwrap_or(0), brokers }
    }

    /// The replicas of a topic's partition, the preferred leader first.
    pub(crate) fn replicas(
        &self,
        partition: usize,
        factor: usize,
    ) -> Result<Vec<BrokerId>, Refusal> {
        let count = self.brokers.len();
        let Some(leader) = self.leader(partition).filter(|_| factor <= count) else {
            return Err(Refusal::TooFewBrokers { factor, brokers: count });
        };
        let mut chosen = vec![leader];
        let mut others: Vec<_> = self.from(partition).filter(|b| b.id() != leader.id()).collect();
        let turn = partition / count;
        let shift = turn.checked_rem(others.len()).unwrap_or(0);
        others.rotate_left(shift);
        while chosen.len() < factor {
            let next = others
                .iter()
                .filter(|broker| !chosen.iter().any(|taken| taken.id() == broker.id()))
                .min_by_key(|broker| {
                    let rack = &broker.registration.rack;
                    let same = chosen.iter().filter(|b| b.registration.rack == *rack).count();
                    (!broker.is_active(), same)
                });
            match next {
                Some(broker) => chosen.push(broker),
                None => return Err(Refusal::TooFewBrokers { factor, brokers: count }),
            }
        }
        Ok(chosen.iter().map(|broker| broker.id()).collect())
    }

    /// The next broker of the ring that is alive, or the next one if none is.
    fn leader(&self, partition: usize) -> Option<&Arc<BrokerState>> {
        let active = self.from(partition).find(|broker| broker.is_active());
        active.or_else(|| self.from(partition).next())
    }

    /// The ring once round, from a partition's place on.
    fn from(&self, partition: usize) -> impl Iterator<Item = &Arc<BrokerState>> {
        let count = self.brokers.len();
        (0..count).filter_map(move |step| self.brokers.get((self.start + partition + step) % count))
    }
}
