//! How far each follower is behind. Kafka has no question for that, but any replica says where its own
//! log ends to a tool that asks as one (ListOffsets with replica id −2).

use std::collections::BTreeMap;

use futures_util::future::join_all;
use protocol::{BrokerId, Offset, TopicPartition};

use super::Admin;
use crate::cluster_metadata::Topic;
use crate::offset_lookup::ends_on;

/// One follower of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaLag {
    /// Who follows.
    pub broker: BrokerId,
    /// Records that its log lacks of the leader's, committed or not; `None` where one of the two did
    /// not answer, or nobody leads.
    pub records: Option<i64>,
}

/// The followers of each partition, in the order of its replicas.
pub type PartitionLags = BTreeMap<TopicPartition, Vec<ReplicaLag>>;

impl Admin {
    /// How many records each follower of these topics' partitions lacks. Every broker is asked once
    /// for all of its replicas, and all at the same time, so a follower of a busy partition may seem
    /// a little nearer or farther than it is. A broker that hangs is waited for two seconds.
    pub async fn replica_lags<'a>(
        &self,
        topics: impl IntoIterator<Item = &'a Topic>,
    ) -> PartitionLags {
        let mut partitions = BTreeMap::new();
        let mut held: BTreeMap<BrokerId, Vec<TopicPartition>> = BTreeMap::new();
        for topic in topics {
            for partition in &topic.partitions {
                let name = TopicPartition::new(topic.name.clone(), partition.index);
                for broker in &partition.assigned_replicas {
                    held.entry(*broker).or_default().push(name.clone());
                }
                partitions.insert(name, partition);
            }
        }
        let ends = self.ends(held).await;
        let lags = partitions.into_iter().map(|(name, partition)| {
            let end = |broker: BrokerId| ends.get(&(broker, name.clone())).copied();
            let leaders = partition.leader.and_then(end);
            let followers = partition.assigned_replicas.iter().copied();
            let lag = |broker: BrokerId| {
                let records = leaders
                    .zip(end(broker))
                    .map(|(leaders, own)| leaders.distance_from(own).max(0));
                ReplicaLag { broker, records }
            };
            let followers = followers.filter(|broker| Some(*broker) != partition.leader).map(lag);
            let followers = followers.collect();
            (name, followers)
        });
        lags.collect()
    }

    async fn ends(
        &self,
        held: BTreeMap<BrokerId, Vec<TopicPartition>>,
    ) -> BTreeMap<(BrokerId, TopicPartition), Offset> {
        let asked = held.into_iter().map(|(broker, partitions)| async move {
            let ends = ends_on(&self.cluster, broker, &partitions).await;
            (broker, partitions, ends)
        });
        let answered = join_all(asked).await.into_iter();
        let known = answered.flat_map(|(broker, partitions, ends)| {
            let ends = partitions.into_iter().zip(ends);
            ends.filter_map(move |(partition, end)| Some(((broker, partition), end?)))
        });
        known.collect()
    }
}
