//! Topics that the cluster makes for itself, and topics that come into being when a client asks
//! for them.

use protocol::{PartitionIndex, TopicId, TopicName};

use crate::controller::Controller;
use crate::image::ClusterImage;
use crate::refusal::Refusal;
use crate::settings::StaticSettings;
use crate::topic_creation::{CreatedTopic, TopicToCreate};

/// A topic that the cluster keeps for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InternalTopic {
    /// Where consumer groups keep their offsets.
    ConsumerOffsets,
}

impl InternalTopic {
    /// Every internal topic.
    pub const ALL: &[Self] = &[Self::ConsumerOffsets];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsumerOffsets => "__consumer_offsets",
        }
    }

    /// The internal topic of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|topic| topic.name() == name)
    }

    fn to_create(self, image: &ClusterImage, given: &StaticSettings) -> TopicToCreate {
        match self {
            Self::ConsumerOffsets => {
                let segment_bytes = given.value("offsets.topic.segment.bytes").unwrap_or_default();
                // the check of the topic setting is stricter than that of the broker's
                let segment_bytes = segment_bytes.parse::<i64>().unwrap_or(0).max(1 << 20);
                let settings = [
                    ("cleanup.policy", "compact".to_owned()),
                    ("compression.type", "producer".to_owned()),
                    ("segment.bytes", segment_bytes.to_string()),
                ];
                TopicToCreate {
                    name: self.name().to_owned(),
                    partitions: given.number("offsets.topic.num.partitions"),
                    replication_factor: self.replication_factor(image, given),
                    assignments: Vec::new(),
                    settings: settings.map(|(name, value)| (name.to_owned(), Some(value))).to_vec(),
                }
            }
        }
    }

    /// As many replicas as the setting says, as far as there are brokers alive.
    pub(crate) fn replication_factor(self, image: &ClusterImage, given: &StaticSettings) -> i16 {
        let wanted: i16 = match self {
            Self::ConsumerOffsets => given.number("offsets.topic.replication.factor"),
        };
        let alive = i16::try_from(image.active_brokers().count()).unwrap_or(i16::MAX);
        wanted.min(alive).max(1)
    }
}

/// What to do about a topic that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoCreation {
    /// It exists.
    Exists,
    /// It is to be created; until then the client is told to ask again.
    Create,
    /// It does not exist and will not.
    Refused(Refusal),
}

/// What to do about a topic that a client asked for; `allowed` says whether the client let the
/// broker create it.
#[must_use]
pub fn auto_creation(
    image: &ClusterImage,
    given: &StaticSettings,
    name: &str,
    allowed: bool,
) -> AutoCreation {
    if image.topic(name).is_some() {
        return AutoCreation::Exists;
    }
    if let Err(error) = TopicName::new(name) {
        return AutoCreation::Refused(Refusal::TopicName(error));
    }
    let enabled = given.value("auto.create.topics.enable") != Some("false");
    if allowed && (enabled || InternalTopic::named(name).is_some()) {
        AutoCreation::Create
    } else {
        AutoCreation::Refused(Refusal::NoAutoCreation)
    }
}

impl Controller {
    /// Creates topics that clients asked for, with the defaults in everything; internal ones as
    /// the cluster wants them.
    pub fn auto_create_topics(
        &mut self,
        names: &[&str],
        new_id: impl FnMut() -> TopicId,
    ) -> Vec<Result<CreatedTopic, Refusal>> {
        let topics: Vec<_> = names
            .iter()
            .map(|name| match InternalTopic::named(name) {
                Some(internal) => internal.to_create(self.image(), self.given()),
                None => TopicToCreate::with_defaults(name),
            })
            .collect();
        self.create_topics(&topics, false, new_id)
    }

    /// Creates an internal topic, unless it exists.
    ///
    /// # Errors
    /// No broker is registered, or none is alive.
    pub fn create_internal_topic(
        &mut self,
        topic: InternalTopic,
        new_id: impl FnMut() -> TopicId,
    ) -> Result<(), Refusal> {
        if self.image().topic(topic.name()).is_some() {
            return Ok(());
        }
        let created = self.auto_create_topics(&[topic.name()], new_id);
        created.into_iter().try_for_each(|result| result.map(drop))
    }
}

/// The partition of the offsets topic that a group's offsets are kept in: Java's hash of the
/// group's name, as Kafka computes it, so that either can read the other's log.
#[must_use]
pub fn offsets_partition(group: &str, partitions: i32) -> PartitionIndex {
    let step = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    let hash = group.encode_utf16().fold(0i32, step);
    // Kafka's absolute value takes the smallest number to 0
    let positive = if hash == i32::MIN { 0 } else { hash.abs() };
    PartitionIndex(positive % partitions.max(1))
}
