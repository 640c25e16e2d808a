//! Which partition a record goes to, as Kafka's Java client decides it: by the key's hash, and
//! without a key to one partition for a batch's worth of bytes, then to another (KIP-480,
//! KIP-794).

use protocol::PartitionIndex;
use rand::seq::IndexedRandom;

use crate::cluster_metadata::Topic;

/// Murmur2 with 32 bits and Kafka's seed.
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    let (words, tail) = bytes.as_chunks::<4>();
    let mut hash = SEED ^ (bytes.len() as u32);
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let mut word = [0; 4];
        word[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u32::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// The partition that every Java client, and most others, send a key to; `partitions` is at least
/// 1. It changes when partitions are added to the topic.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: usize) -> PartitionIndex {
    let positive = murmur2(key) & 0x7fff_ffff;
    let partitions = u32::try_from(partitions.max(1)).unwrap_or(u32::MAX);
    PartitionIndex((positive % partitions) as i32)
}

/// Where the records of a topic go that have no key.
#[derive(Clone, Debug)]
pub(crate) struct StickyPartition {
    partition: PartitionIndex,
    bytes_left: usize,
}

impl StickyPartition {
    /// A partition for a record of `bytes`: that of the records before it, or another one after
    /// `batch_bytes`, or when its leader is gone.
    pub(crate) fn choose(
        current: &mut Option<Self>,
        topic: &Topic,
        bytes: usize,
        batch_bytes: usize,
    ) -> PartitionIndex {
        let has_leader = |index| topic.partition(index).is_ok_and(|found| found.leader.is_some());
        if let Some(sticky) = current.as_mut().filter(|sticky| has_leader(sticky.partition)) {
            let enough = sticky.bytes_left >= bytes;
            sticky.bytes_left = sticky.bytes_left.saturating_sub(bytes);
            if enough {
                return sticky.partition;
            }
        }
        let available: Vec<_> =
            topic.partitions.iter().filter(|partition| partition.leader.is_some()).collect();
        let chosen = match available.choose(&mut rand::rng()) {
            Some(partition) => partition.index,
            // nobody leads: the record waits in any partition's batch
            None => PartitionIndex(rand::random_range(0..topic.partitions.len().max(1)) as i32),
        };
        let bytes_left = batch_bytes.saturating_sub(bytes);
        *current = Some(Self { partition: chosen, bytes_left });
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use protocol::{BrokerId, LeaderEpoch, PartitionIndex, TopicId, TopicName};

    use super::{StickyPartition, murmur2, partition_for_key};
    use crate::cluster_metadata::{Partition, Topic};

    #[test]
    fn hashes_are_those_of_kafkas_java_client() {
        // the vectors of the Java client's own test of Utils.murmur2
        let vectors: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key) as i32, hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn negative_hashes_still_give_a_partition() {
        assert_eq!(partition_for_key(b"21", 1000).0, (-973_932_308 & i32::MAX) % 1000);
        assert_eq!(partition_for_key(b"", 1), PartitionIndex(0));
    }

    fn topic(leaders: &[bool]) -> Topic {
        let partition = |(index, leader): (i32, &bool)| Partition {
            index: PartitionIndex(index),
            leader: leader.then_some(BrokerId(1)),
            leader_epoch: LeaderEpoch::ZERO,
            assigned_replicas: Vec::new(),
            in_sync_replicas: Vec::new(),
            offline_replicas: Vec::new(),
        };
        Topic {
            name: TopicName::new("t").unwrap(),
            id: TopicId::ZERO,
            is_internal: false,
            partitions: (0..).zip(leaders).map(partition).collect(),
        }
    }

    #[test]
    fn records_without_a_key_stay_on_a_partition_for_a_batch() {
        let topic = topic(&[true; 50]);
        let mut current = None;
        let mut choose = || StickyPartition::choose(&mut current, &topic, 100, 1000);
        for _ in 0..5 {
            let batch: HashSet<_> = (0..10).map(|_| choose()).collect();
            assert_eq!(batch.len(), 1);
        }
        let all: HashSet<_> = (0..2000).map(|_| choose()).collect();
        assert!(all.len() > 30, "200 batches reached {} of 50 partitions", all.len());
    }

    #[test]
    fn partitions_without_a_leader_are_avoided_while_there_are_others() {
        let mut current = None;
        for _ in 0..20 {
            let topic = topic(&[false, true, false]);
            let chosen = StickyPartition::choose(&mut current, &topic, 100, 50);
            assert_eq!(chosen, PartitionIndex(1));
        }
        let chosen = StickyPartition::choose(&mut current, &topic(&[false; 3]), 1, 50);
        assert!((0..3).contains(&chosen.0));
    }
}
