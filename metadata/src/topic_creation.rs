//! Creating topics and adding partitions to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::{BrokerId, PartitionIndex, TopicId, TopicName};
use serde::{Deserialize, Serialize};

use crate::controller::{Controller, PARTITIONS_PER_REQUEST_MAX};
use crate::image::ClusterImage;
use crate::partition::{PartitionKey, PartitionState};
use crate::placement::Ring;
use crate::record::{MetadataRecord, SettingResource};
use crate::refusal::{AssignmentFault, Refusal};
use crate::setting_changes::{GivenSetting, check_topic_settings};
use crate::settings::resolution::{DescribedSetting, describe_topic};

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicToCreate {
    /// Its name, as the client gave it.
    pub name: String,
    /// How many partitions; −1 for `num.partitions`, or beside assignments.
    pub partitions: i32,
    /// How many replicas of each; −1 for `default.replication.factor`, or beside assignments.
    pub replication_factor: i16,
    /// The replicas of each partition, if the client chose them; empty if not.
    pub assignments: Vec<(PartitionIndex, Vec<BrokerId>)>,
    /// Its settings; a name without a value is refused.
    pub settings: Vec<GivenSetting>,
}

impl TopicToCreate {
    /// A topic with the defaults in everything.
    #[must_use]
    pub fn with_defaults(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            settings: Vec::new(),
        }
    }
}

/// A topic that was created, or would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its name.
    pub name: TopicName,
    /// The identity of the incarnation; of no meaning if the request was a rehearsal.
    pub topic_id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i16,
    /// The settings in force.
    pub settings: Vec<DescribedSetting>,
}

/// Partitions to be added to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionsToAdd {
    /// The topic's name, as the client gave it.
    pub topic: String,
    /// How many partitions it is to have.
    pub count: i32,
    /// The replicas of each new partition, if the client chose them.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

impl Controller {
    /// Creates topics: each wholly or not at all, in the order of the request. `new_id` gives
    /// identities that were never used. With `validate_only` nothing happens, and the answer says
    /// what would.
    pub fn create_topics(
        &mut self,
        topics: &[TopicToCreate],
        validate_only: bool,
        mut new_id: impl FnMut() -> TopicId,
    ) -> Vec<Result<CreatedTopic, Refusal>> {
        let asked: i64 = topics.iter().map(|topic| self.partitions_asked(topic)).sum();
        let twice = named_twice(topics.iter().map(|topic| topic.name.as_str()));
        let mut create_all = |controller: &mut Self| {
            let create = |topic: &TopicToCreate| {
                if twice.contains(topic.name.as_str()) {
                    return Err(Refusal::NamedTwice);
                }
                if asked > PARTITIONS_PER_REQUEST_MAX {
                    let maximum = PARTITIONS_PER_REQUEST_MAX;
                    return Err(Refusal::TooManyPartitions { count: asked, maximum });
                }
                controller.attempt(|controller| controller.create_topic(topic, new_id()))
            };
            topics.iter().map(create).collect()
        };
        if validate_only { self.rehearse(create_all) } else { create_all(self) }
    }

    /// Adds partitions to topics: to each all of them or none. `validate_only` as above.
    pub fn create_partitions(
        &mut self,
        topics: &[PartitionsToAdd],
        validate_only: bool,
    ) -> Vec<Result<(), Refusal>> {
        let twice = named_twice(topics.iter().map(|topic| topic.topic.as_str()));
        let mut room = PARTITIONS_PER_REQUEST_MAX;
        let mut add_all = |controller: &mut Self| {
            let add = |topic: &PartitionsToAdd| {
                if twice.contains(topic.topic.as_str()) {
                    return Err(Refusal::NamedTwice);
                }
                let added =
                    controller.attempt(|controller| controller.add_partitions(topic, room))?;
                room -= added;
                Ok(())
            };
            topics.iter().map(add).collect()
        };
        if validate_only { self.rehearse(add_all) } else { add_all(self) }
    }

    fn partitions_asked(&self, topic: &TopicToCreate) -> i64 {
        if topic.assignments.is_empty() {
            let default = || self.given().number("num.partitions");
            let count = if topic.partitions == -1 { default() } else { topic.partitions };
            // one that is wrong counts too, so that requests are bounded
            i64::from(count.max(1))
        } else {
            topic.assignments.len() as i64
        }
    }

    fn create_topic(
        &mut self,
        request: &TopicToCreate,
        topic_id: TopicId,
    ) -> Result<CreatedTopic, Refusal> {
        let name = self.free_name(&request.name)?;
        let settings = check_topic_settings(&request.settings)?;
        let assignments = match request.assignments.is_empty() {
            true => self.placed(request, topic_id)?,
            false => self.chosen(request)?,
        };
        self.decide(MetadataRecord::TopicCreated { topic: name.clone(), topic_id })?;
        for (index, assigned) in (0..).zip(&assignments) {
            self.create_partition(PartitionKey::new(topic_id, PartitionIndex(index)), assigned)?;
        }
        for (key, value) in settings {
            let resource = SettingResource::Topic(name.clone());
            let (key, value) = (Arc::from(key), Some(Arc::from(value)));
            self.decide(MetadataRecord::SettingChanged { resource, key, value })?;
        }
        let factor = assignments.first().map_or(0, Vec::len);
        Ok(CreatedTopic {
            settings: describe_topic(self.image(), self.given(), &name),
            name,
            topic_id,
            partitions: i32::try_from(assignments.len()).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
        })
    }

    fn free_name(&self, name: &str) -> Result<TopicName, Refusal> {
        let name = TopicName::new(name)?;
        if self.image().topic(name.as_str()).is_some() {
            return Err(Refusal::TopicExists { topic: name });
        }
        match self.image().colliding_topic(&name) {
            Some(existing) => {
                let existing = existing.clone();
                Err(Refusal::TopicCollides { topic: name, existing })
            }
            None => Ok(name),
        }
    }

    fn placed(
        &self,
        request: &TopicToCreate,
        topic_id: TopicId,
    ) -> Result<Vec<Vec<BrokerId>>, Refusal> {
        let partitions = match request.partitions {
            -1 => self.given().number("num.partitions"),
            count if count <= 0 => return Err(Refusal::PartitionCount { count }),
            count => count,
        };
        let factor = match request.replication_factor {
            -1 => self.given().number("default.replication.factor"),
            factor if factor <= 0 => return Err(Refusal::ReplicationFactor { factor }),
            factor => factor,
        };
        let ring = Ring::new(self.image(), topic_id);
        let factor = usize::try_from(factor).unwrap_or(0);
        (0..usize::try_from(partitions).unwrap_or(0))
            .map(|partition| ring.replicas(partition, factor))
            .collect()
    }

    fn chosen(&self, request: &TopicToCreate) -> Result<Vec<Vec<BrokerId>>, Refusal> {
        if request.partitions != -1 || request.replication_factor != -1 {
            return Err(Refusal::NumberBesideAssignment);
        }
        let mut sorted: Vec<_> = request.assignments.iter().collect();
        sorted.sort_by_key(|(partition, _)| *partition);
        let expected = sorted.first().map_or(0, |(_, brokers)| brokers.len());
        let mut chosen = Vec::new();
        for (index, (partition, brokers)) in (0..).zip(sorted) {
            if partition.0 != index {
                let reason = AssignmentFault::OutOfOrder;
                return Err(Refusal::Assignment { partition: *partition, reason });
            }
            check_assignment(self.image(), *partition, brokers, expected)?;
            chosen.push(brokers.clone());
        }
        Ok(chosen)
    }

    fn create_partition(
        &mut self,
        key: PartitionKey,
        assigned: &[BrokerId],
    ) -> Result<(), Refusal> {
        let image = self.image();
        let isr: Vec<_> = assigned.iter().copied().filter(|b| image.is_active(*b)).collect();
        if isr.is_empty() {
            let reason = AssignmentFault::NobodyAlive;
            return Err(Refusal::Assignment { partition: key.partition, reason });
        }
        let state = PartitionState::founded(assigned.to_vec(), isr);
        self.decide(MetadataRecord::PartitionCreated { key, state })
    }

    fn add_partitions(&mut self, request: &PartitionsToAdd, room: i64) -> Result<i64, Refusal> {
        let topic = self.image().topic(&request.topic).ok_or(Refusal::UnknownTopicOrPartition)?;
        let (topic_id, present, count) = (topic.id, topic.partition_count(), request.count);
        if count <= present {
            return Err(Refusal::PartitionsNotMore { present, count });
        }
        let added = i64::from(count) - i64::from(present);
        if added > room {
            let maximum = PARTITIONS_PER_REQUEST_MAX;
            return Err(Refusal::TooManyPartitions { count: added, maximum });
        }
        let factor = topic.partitions.front().map_or(0, |first| first.assigned_replicas.len());
        let ring = Ring::new(self.image(), topic_id);
        let chosen = request.assignments.as_ref();
        if let Some(assignments) = chosen.map(Vec::len).filter(|given| *given as i64 != added) {
            let count = count - present;
            return Err(Refusal::AssignmentCount { count, assignments });
        }
        for (place, index) in (present..count).enumerate() {
            let partition = PartitionIndex(index);
            let assigned = match chosen.and_then(|chosen| chosen.get(place)) {
                Some(brokers) => {
                    check_assignment(self.image(), partition, brokers, factor)?;
                    brokers.clone()
                }
                None => ring.replicas(usize::try_from(index).unwrap_or(0), factor)?,
            };
            self.create_partition(PartitionKey::new(topic_id, partition), &assigned)?;
        }
        Ok(added)
    }
}

/// Whether brokers that a client chose can hold a partition.
pub(crate) fn check_assignment(
    image: &ClusterImage,
    partition: PartitionIndex,
    brokers: &[BrokerId],
    expected: usize,
) -> Result<(), Refusal> {
    let fault = |reason| Err(Refusal::Assignment { partition, reason });
    if brokers.is_empty() {
        return fault(AssignmentFault::Empty);
    }
    let mut seen = BTreeSet::new();
    for broker in brokers {
        if !seen.insert(broker) {
            return fault(AssignmentFault::Twice(*broker));
        }
        if image.broker(*broker).is_none() {
            return fault(AssignmentFault::Unregistered(*broker));
        }
    }
    match brokers.len() == expected {
        true => Ok(()),
        false => fault(AssignmentFault::OtherFactor { count: brokers.len(), expected }),
    }
}

/// The names that stand more than once in a request.
pub(crate) fn named_twice<Name: Ord + Copy>(names: impl Iterator<Item = Name>) -> BTreeSet<Name> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}
