//! What is to become of the directory of a replica that a process finds at its start.
//!
//! While a node was down, its topics may have been deleted, made again under the same names, or
//! moved to other brokers. What the image says outright, the node does. What the image does not
//! know may also be a mistake: metadata that was lost, or brought back from an older copy. So records
//! of a topic that is not known are never deleted, only taken out of the way.

use protocol::{BrokerId, TopicId, TopicPartition};

use crate::broker::Incarnation;
use crate::image::ClusterImage;
use crate::partition::PartitionKey;

/// What the cluster knows of a replica's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundReplica {
    /// The broker is to hold this replica.
    Held,
    /// The partition is there, and other brokers hold it: what a running broker would have deleted.
    LeftBehind,
    /// The topic is not there, or not under this name: deleted, and perhaps made again (KIP-516).
    Stray,
    /// Nothing can be concluded, and the directory stays as it is.
    Undecided,
}

impl ClusterImage {
    /// Judges the directory called `name` that says it belongs to topic `topic_id`, found by this
    /// start of `broker`.
    ///
    /// Without a topic id, under an image that is older than this start, and under one without a
    /// single topic nothing is concluded.
    #[must_use]
    pub fn judge_found(
        &self,
        broker: BrokerId,
        incarnation: Incarnation,
        name: &TopicPartition,
        topic_id: Option<TopicId>,
    ) -> FoundReplica {
        let own = self.broker(broker).map(|state| state.registration.incarnation);
        let Some(topic_id) = topic_id else { return FoundReplica::Undecided };
        if own != Some(incarnation) || self.topic_count() == 0 {
            return FoundReplica::Undecided;
        }
        let key = PartitionKey::new(topic_id, name.partition);
        let is_so_named = self.name_of(key).as_ref() == Some(name);
        match self.partition(key).filter(|_| is_so_named) {
            Some(state) if state.is_assigned(broker) => FoundReplica::Held,
            Some(_) => FoundReplica::LeftBehind,
            None => FoundReplica::Stray,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::{BrokerEpoch, PartitionIndex, TopicName};
    use uuid::Uuid;

    use super::*;
    use crate::broker::{BrokerRegistration, DirectoryId};
    use crate::record::MetadataRecord;
    use crate::{BrokerEndpoint, HostAndPort, PartitionState, SecurityProtocol};

    const HERE: BrokerId = BrokerId(1);
    const NOW: Incarnation = Incarnation(Uuid::from_u128(11));

    fn id(bits: u128) -> TopicId {
        TopicId(Uuid::from_u128(bits))
    }

    fn name(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition::new(TopicName::new(topic).unwrap(), PartitionIndex(partition))
    }

    fn registered() -> MetadataRecord {
        MetadataRecord::BrokerRegistered(BrokerRegistration {
            broker: HERE,
            incarnation: NOW,
            broker_epoch: BrokerEpoch::new(1),
            directory: DirectoryId(Uuid::from_u128(12)),
            endpoints: vec![BrokerEndpoint {
                listener: Arc::from("PLAINTEXT"),
                address: HostAndPort::new("localhost", 9092),
                security: SecurityProtocol::Plaintext,
            }],
            cluster_address: None,
            rack: None,
            fenced: false,
        })
    }

    /// Topic 1, "orders": partition 0 is here, partition 1 elsewhere.
    fn image() -> ClusterImage {
        let topic = TopicName::new("orders").unwrap();
        // nobody is registered elsewhere, and so nobody there is in sync
        let isr = |broker| if broker == HERE { vec![broker] } else { Vec::new() };
        let partition = |index, broker| MetadataRecord::PartitionCreated {
            key: PartitionKey::new(id(1), PartitionIndex(index)),
            state: PartitionState::founded(vec![broker], isr(broker)),
        };
        let records = [
            registered(),
            MetadataRecord::TopicCreated { topic, topic_id: id(1) },
            partition(0, HERE),
            partition(1, BrokerId(2)),
        ];
        ClusterImage::empty().apply_entry(1, &records).unwrap().0
    }

    fn judge(image: &ClusterImage, name: &TopicPartition, id: Option<TopicId>) -> FoundReplica {
        image.judge_found(HERE, NOW, name, id)
    }

    #[test]
    fn what_the_image_says_outright_is_held_or_left_behind() {
        assert_eq!(judge(&image(), &name("orders", 0), Some(id(1))), FoundReplica::Held);
        assert_eq!(judge(&image(), &name("orders", 1), Some(id(1))), FoundReplica::LeftBehind);
    }

    #[test]
    fn what_it_does_not_know_is_a_stray() {
        let made_again = judge(&image(), &name("orders", 0), Some(id(7)));
        assert_eq!(made_again, FoundReplica::Stray);
        assert_eq!(judge(&image(), &name("gone", 0), Some(id(7))), FoundReplica::Stray);
        assert_eq!(judge(&image(), &name("orders", 2), Some(id(1))), FoundReplica::Stray);
        let misnamed = judge(&image(), &name("copy", 1), Some(id(1)));
        assert_eq!(misnamed, FoundReplica::Stray, "never deleted for what another one is");
    }

    #[test]
    fn nothing_is_concluded_from_too_little() {
        let gone = name("gone", 0);
        assert_eq!(judge(&image(), &gone, None), FoundReplica::Undecided);
        let empty = ClusterImage::empty();
        assert_eq!(judge(&empty, &gone, Some(id(7))), FoundReplica::Undecided);
        let (no_topics, _) = empty.apply_entry(1, &[registered()]).unwrap();
        assert_eq!(judge(&no_topics, &gone, Some(id(7))), FoundReplica::Undecided);
        let earlier = Incarnation(Uuid::from_u128(10));
        let old = image().judge_found(HERE, earlier, &gone, Some(id(7)));
        assert_eq!(old, FoundReplica::Undecided, "the image may be older than what was deleted");
    }
}
