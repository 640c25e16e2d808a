//! Leaders that move: what a refusing broker says about its successor (KIP-951), and looking for a
//! successor while a leader is silent.
//!
//! A broker that was killed closes its connections, and that is noticed at once. One that is frozen
//! or cut off only falls silent. Then the other brokers are asked, and if they say that somebody
//! else leads by now, nothing is waited for any longer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use protocol::{BrokerId, LeaderEpoch, TopicPartition};
use tokio::time::sleep;

use crate::broker_connections::BrokerConnections;
use crate::cluster::Cluster;
use crate::cluster_metadata::{Broker, address};
use crate::error::{Error, Result};
use crate::settings::ClientSettings;

/// How often somebody is looked for every `silence_max` before that becomes less often.
const LOOKS_IN_A_HURRY: u32 = 10;

/// The pauses between looks for a successor of a broker that is silent.
pub(crate) struct Looks {
    silence_max: Duration,
    expected: Duration,
    count: u32,
}

impl Looks {
    /// Of an answer that may take `expected` when all is well.
    pub(crate) const fn new(settings: &ClientSettings, expected: Duration) -> Self {
        Self { silence_max: settings.silence_max, expected, count: 0 }
    }

    /// Waits until it is time to look.
    pub(crate) async fn next(&mut self) {
        let pause = match self.count {
            0 => self.expected + self.silence_max,
            1..LOOKS_IN_A_HURRY => self.silence_max,
            _ => self.silence_max * LOOKS_IN_A_HURRY,
        };
        self.count = self.count.saturating_add(1);
        sleep(pause).await;
    }
}

/// What a refusal says about who leads now.
#[derive(Clone, Debug)]
pub(crate) struct LeaderHint {
    pub(crate) partition: TopicPartition,
    pub(crate) leader: BrokerId,
    pub(crate) leader_epoch: LeaderEpoch,
    /// Where that broker is, if the refusal says so.
    pub(crate) broker: Option<Broker>,
}

impl LeaderHint {
    /// A hint, unless the fields say that there is none.
    pub(crate) fn new(
        partition: &TopicPartition,
        leader_id: i32,
        leader_epoch: i32,
        broker: Option<Broker>,
    ) -> Option<Self> {
        (leader_id >= 0 && leader_epoch >= 0).then(|| Self {
            partition: partition.clone(),
            leader: BrokerId(leader_id),
            leader_epoch: LeaderEpoch::new(leader_epoch),
            broker,
        })
    }
}

/// A broker as the endpoints of a response name it.
pub(crate) fn endpoint(id: i32, host: &str, port: i32, rack: Option<&str>) -> Broker {
    Broker { id: BrokerId(id), address: address(host, port), rack: rack.map(str::to_owned) }
}

impl Cluster {
    /// Waits for the answer of a leader, but only for as long as it leads these partitions. Where
    /// it is silent for longer than is `expected` and somebody else leads one of them, its
    /// connection is given up.
    ///
    /// # Errors
    /// Those of the answer, and [`Error::LeaderMoved`].
    pub(crate) async fn unless_moved<T>(
        &self,
        connections: &BrokerConnections,
        leader: BrokerId,
        partitions: &[TopicPartition],
        expected: Duration,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let (partition, successor) = tokio::select! {
            answered = answer => return answered,
            moved = self.leader_has_moved(leader, partitions, expected) => moved,
        };
        let error = Error::LeaderMoved { partition, silent: leader, successor };
        if let Ok(address) = self.address_of(leader) {
            connections.give_up(&address, &error);
        }
        Err(error)
    }

    /// Ends when somebody else is known to lead one of the partitions.
    async fn leader_has_moved(
        &self,
        leader: BrokerId,
        partitions: &[TopicPartition],
        expected: Duration,
    ) -> (TopicPartition, BrokerId) {
        let mut looks = Looks::new(&self.settings, expected);
        loop {
            looks.next().await;
            let version = self.metadata().version;
            if let Err(error) = self.refresh_after(version).await {
                tracing::debug!(%error, "metadata could not be refreshed");
                continue;
            }
            let metadata = self.metadata();
            let successor = partitions.iter().find_map(|partition| {
                let (known, _) = metadata.leader(&partition.topic, partition.partition)?;
                (known != leader).then(|| (partition.clone(), known))
            });
            if let Some(successor) = successor {
                return successor;
            }
        }
    }

    /// Whether somebody else than `broker` is known to lead the partition.
    pub(crate) fn is_led_by_another(&self, partition: &TopicPartition, broker: BrokerId) -> bool {
        let leader = self.leader(&partition.topic, partition.partition);
        leader.is_ok_and(|leader| leader != broker)
    }

    /// Takes in hints that are newer than what is known.
    pub(crate) fn learn_leaders(&self, hints: impl IntoIterator<Item = LeaderHint>) {
        for hint in hints {
            self.change_metadata(|metadata| {
                metadata.with_leader(&hint).map(Arc::new).inspect(|_| {
                    tracing::debug!(partition = %hint.partition, leader = %hint.leader, "moved");
                })
            });
        }
    }
}
