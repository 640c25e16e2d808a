//! The offsets a group has committed, durably: what stands here may be fetched, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};

use crate::time::Timestamp;

/// Where a group resumes in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next record to consume.
    pub offset: Offset,
    /// Leader epoch of the last record consumed; unknown if negative.
    pub leader_epoch: LeaderEpoch,
    /// The client's note.
    pub metadata: Arc<str>,
    /// When it was committed.
    pub commit_timestamp: Timestamp,
    /// When it ends, if the client said so (versions 2–4); the broker's retention otherwise.
    pub expire_timestamp: Option<Timestamp>,
    /// The topic's incarnation; [`TopicId::ZERO`] if the committer did not know it.
    pub topic_id: TopicId,
}

/// What an OffsetFetch asks of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchSelection {
    /// Everything the group has committed (a null list of topics).
    All,
    /// These, with an answer for each.
    Topics(Vec<FetchTopic>),
}

/// One topic of an OffsetFetch request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    /// Its name.
    pub topic: TopicName,
    /// Its id; [`TopicId::ZERO`] if the request did not say.
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// One topic of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedTopic {
    /// Its name.
    pub topic: TopicName,
    /// Its id.
    pub topic_id: TopicId,
    /// Its partitions, in the order of the request, or by number if all were asked for.
    pub partitions: Vec<FetchedPartition>,
}

/// One partition of the answer; it never carries an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedPartition {
    /// Its number.
    pub partition: PartitionIndex,
    /// Where to resume; unknown (−1) if nothing is committed.
    pub offset: Offset,
    /// Leader epoch of the last record consumed; unknown (−1) if nobody said.
    pub leader_epoch: LeaderEpoch,
    /// The client's note; empty if nothing is committed.
    pub metadata: Arc<str>,
}

impl FetchedPartition {
    fn committed(partition: PartitionIndex, committed: &CommittedOffset) -> Self {
        Self {
            partition,
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: Arc::clone(&committed.metadata),
        }
    }

    fn nothing(partition: PartitionIndex) -> Self {
        Self {
            partition,
            offset: Offset::UNKNOWN,
            leader_epoch: LeaderEpoch::UNKNOWN,
            metadata: Arc::from(""),
        }
    }
}

/// The durable committed offsets of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommittedOffsets {
    by_topic: BTreeMap<TopicName, BTreeMap<PartitionIndex, CommittedOffset>>,
}

impl CommittedOffsets {
    /// Whether the group has committed nothing, or nothing that is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_topic.is_empty()
    }

    /// How many partitions have one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_topic.values().map(BTreeMap::len).sum()
    }

    /// The one of a partition.
    #[must_use]
    pub fn get(&self, topic: &TopicName, partition: PartitionIndex) -> Option<&CommittedOffset> {
        self.by_topic.get(topic)?.get(&partition)
    }

    /// All of them, by topic and partition.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicName, PartitionIndex, &CommittedOffset)> {
        self.by_topic.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, committed)| (topic, *partition, committed))
        })
    }

    /// Answers an OffsetFetch. An offset committed for one incarnation of a topic is not given
    /// out for another one. `current_id` names the incarnation there is now, where all are asked
    /// for; `None` if the topic or its id is not known.
    pub fn fetch(
        &self,
        selection: &FetchSelection,
        current_id: impl Fn(&TopicName) -> Option<TopicId>,
    ) -> Vec<FetchedTopic> {
        match selection {
            FetchSelection::Topics(topics) => {
                topics.iter().map(|wanted| self.fetch_named(wanted)).collect()
            }
            FetchSelection::All => self
                .by_topic
                .iter()
                .map(|(topic, offsets)| {
                    let topic_id = current_id(topic).unwrap_or(TopicId::ZERO);
                    let partitions = offsets
                        .iter()
                        .filter(|(_, committed)| same_topic(committed.topic_id, topic_id))
                        .map(|(partition, committed)| {
                            FetchedPartition::committed(*partition, committed)
                        })
                        .collect();
                    FetchedTopic { topic: topic.clone(), topic_id, partitions }
                })
                .filter(|topic: &FetchedTopic| !topic.partitions.is_empty())
                .collect(),
        }
    }

    fn fetch_named(&self, wanted: &FetchTopic) -> FetchedTopic {
        let partitions = wanted
            .partitions
            .iter()
            .map(|partition| {
                self.get(&wanted.topic, *partition)
                    .filter(|committed| same_topic(committed.topic_id, wanted.topic_id))
                    .map_or_else(
                        || FetchedPartition::nothing(*partition),
                        |committed| FetchedPartition::committed(*partition, committed),
                    )
            })
            .collect();
        FetchedTopic { topic: wanted.topic.clone(), topic_id: wanted.topic_id, partitions }
    }

    pub(crate) fn insert(
        &mut self,
        topic: TopicName,
        partition: PartitionIndex,
        committed: CommittedOffset,
    ) {
        self.by_topic.entry(topic).or_default().insert(partition, committed);
    }

    pub(crate) fn remove(&mut self, partition: &TopicPartition) {
        if let Some(partitions) = self.by_topic.get_mut(&partition.topic) {
            partitions.remove(&partition.partition);
            if partitions.is_empty() {
                self.by_topic.remove(&partition.topic);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.by_topic.clear();
    }
}

/// Whether two ids may name the same incarnation: unless both are known and differ, they may.
pub(crate) fn same_topic(one: TopicId, other: TopicId) -> bool {
    one.is_zero() || other.is_zero() || one == other
}

#[cfg(test)]
mod tests {
    //! An offset given out for another incarnation of its topic would make a consumer skip records
    //! that it never saw.

    use std::sync::Arc;

    use protocol::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName};
    use uuid::Uuid;

    use super::{CommittedOffset, CommittedOffsets, FetchSelection, FetchTopic};
    use crate::time::Timestamp;

    const OLD: TopicId = TopicId(Uuid::from_u128(1));
    const NEW: TopicId = TopicId(Uuid::from_u128(2));

    fn topic() -> TopicName {
        TopicName::new("orders").unwrap()
    }

    fn offsets(topic_id: TopicId) -> CommittedOffsets {
        let mut offsets = CommittedOffsets::default();
        let committed = CommittedOffset {
            offset: Offset::new(5),
            leader_epoch: LeaderEpoch::UNKNOWN,
            metadata: Arc::from(""),
            commit_timestamp: Timestamp::from_millis(0),
            expire_timestamp: None,
            topic_id,
        };
        offsets.insert(topic(), PartitionIndex(0), committed);
        offsets
    }

    #[test]
    fn an_offset_is_for_the_incarnation_it_was_committed_for() {
        for (committed, asked, found) in
            [(OLD, OLD, 5), (OLD, NEW, -1), (OLD, TopicId::ZERO, 5), (TopicId::ZERO, NEW, 5)]
        {
            let partitions = vec![PartitionIndex(0)];
            let wanted = FetchTopic { topic: topic(), topic_id: asked, partitions };
            let offsets = offsets(committed);
            let named = offsets.fetch(&FetchSelection::Topics(vec![wanted]), |_| None);
            assert_eq!(named[0].partitions[0].offset, Offset::new(found), "{committed} {asked}");
            // asked for all, a topic without any offset is left out
            let all = offsets.fetch(&FetchSelection::All, |_| Some(asked));
            let all: Vec<Offset> =
                all.iter().flat_map(|topic| &topic.partitions).map(|found| found.offset).collect();
            let expected = if found < 0 { vec![] } else { vec![Offset::new(found)] };
            assert_eq!(all, expected, "{committed} {asked}");
        }
    }

    #[test]
    fn a_topic_without_offsets_is_forgotten() {
        let mut offsets = offsets(OLD);
        offsets.remove(&protocol::TopicPartition::new(topic(), PartitionIndex(1)));
        assert_eq!(offsets.len(), 1);
        offsets.remove(&protocol::TopicPartition::new(topic(), PartitionIndex(0)));
        assert!(offsets.is_empty());
    }
}
