//! What holds of every image, numbered as in the crate's README.

use protocol::{BrokerId, TopicId, TopicName};
use thiserror::Error;

use crate::broker::BrokerRegistration;
use crate::image::{ClusterImage, ImageDelta};
use crate::partition::{PartitionKey, PartitionState};
use crate::record::SettingResource;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{rule} does not hold of {subject}")]
pub struct Violation {
    /// Which invariant.
    pub rule: Rule,
    /// Of what.
    pub subject: Subject,
}

/// What an invariant is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Subject {
    /// One partition.
    #[error("partition {0}")]
    Partition(PartitionKey),
    /// One broker.
    #[error("broker {0}")]
    Broker(BrokerId),
    /// The image as a whole.
    #[error("the image")]
    Image,
}

/// The invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rule {
    /// Assigned replicas.
    #[error("M1: a partition has assigned replicas, none twice, none negative")]
    ReplicasAreAssigned,
    /// Subsets of the assigned replicas.
    #[error("M2: ISR, ELR, offline, adding and removing replicas are assigned, none twice")]
    ReplicaSetsAreAssigned,
    /// Leader and ISR.
    #[error("M3: the leader is in the ISR, and there is one exactly if the ISR is not empty")]
    LeaderIsInSync,
    /// ISR against ELR and offline replicas.
    #[error("M4: no replica is in the ISR and also in the ELR or offline")]
    InSyncIsNeitherEligibleNorOffline,
    /// ISR and fencing. A broker that is being fenced in several entries may be in an ISR until the
    /// last of them.
    #[error("M5: every member of an ISR is registered and not fenced")]
    InSyncIsLive,
    /// Broker registrations.
    #[error("M6: a broker has a listener, none twice, and an epoch that was given out once")]
    RegistrationsAreWhole,
    /// Topics by name and by id.
    #[error("M7: names and ids of topics belong together one to one, and no two names collide")]
    TopicNamesAreUnique,
    /// The index of replicas.
    #[error("M8: the partitions of a broker are those that are assigned to it")]
    ReplicasAreIndexed,
    /// Settings.
    #[error("M9: settings of topics belong to topics that exist")]
    SettingsHaveOwners,
}

impl Rule {
    const fn broken_by(self, subject: Subject) -> Violation {
        Violation { rule: self, subject }
    }
}

/// The most replicas of one partition. No cluster comes near it; it bounds the work that a damaged
/// record can cause.
pub const REPLICAS_MAX: usize = 1000;

/// The most listeners of one broker, and the longest name of a listener, a host or a rack.
const ENDPOINTS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 255;

/// M6, as far as one registration shows it.
pub(crate) fn check_registration(registration: &BrokerRegistration) -> Result<(), Violation> {
    let names = || registration.endpoints.iter().map(|endpoint| &endpoint.listener);
    let whole = registration.broker.0 >= 0
        && registration.broker_epoch.is_known()
        && !registration.endpoints.is_empty()
        && registration.endpoints.len() <= ENDPOINTS_MAX
        && names_are_short(registration)
        && names().enumerate().all(|(place, name)| !names().take(place).any(|n| n == name));
    let subject = Subject::Broker(registration.broker);
    if whole { Ok(()) } else { Err(Rule::RegistrationsAreWhole.broken_by(subject)) }
}

fn names_are_short(registration: &BrokerRegistration) -> bool {
    let endpoints = registration.endpoints.iter();
    let listeners = endpoints.flat_map(|endpoint| [&endpoint.listener, &endpoint.address.host]);
    let cluster = registration.cluster_address.iter().map(|address| &address.host);
    let mut names = listeners.chain(cluster).chain(&registration.rack);
    names.all(|name| name.len() <= NAME_BYTES_MAX)
}

/// M1 to M4.
pub(crate) fn check_partition(key: PartitionKey, state: &PartitionState) -> Result<(), Violation> {
    let broken = |rule: Rule| Err(rule.broken_by(Subject::Partition(key)));
    let assigned = &state.assigned_replicas;
    if assigned.is_empty()
        || assigned.len() > REPLICAS_MAX
        || has_duplicate(assigned)
        || assigned.iter().any(|b| b.0 < 0)
    {
        return broken(Rule::ReplicasAreAssigned);
    }
    let sets = [
        &state.isr,
        &state.elr,
        &state.offline_replicas,
        &state.adding_replicas,
        &state.removing_replicas,
    ];
    let too_long = |set: &[BrokerId]| set.len() > assigned.len();
    if sets
        .iter()
        .any(|set| too_long(set) || has_duplicate(set) || set.iter().any(|b| !assigned.contains(b)))
    {
        return broken(Rule::ReplicaSetsAreAssigned);
    }
    let leader_fits = match state.leader {
        Some(leader) => state.isr.contains(&leader),
        None => state.isr.is_empty(),
    };
    if !leader_fits {
        return broken(Rule::LeaderIsInSync);
    }
    if state.isr.iter().any(|b| state.elr.contains(b) || state.offline_replicas.contains(b)) {
        return broken(Rule::InSyncIsNeitherEligibleNorOffline);
    }
    Ok(())
}

fn has_duplicate(brokers: &[BrokerId]) -> bool {
    brokers.iter().enumerate().any(|(place, broker)| brokers[..place].contains(broker))
}

/// The first invariant that does not hold where the delta says something changed.
pub(crate) fn first_violation_near(image: &ClusterImage, delta: &ImageDelta) -> Option<Violation> {
    let of_brokers = delta.brokers.iter().flat_map(|broker| image.replicas_of(*broker));
    let keys = delta.partitions.iter().copied().chain(of_brokers);
    keys.filter_map(|key| Some((key, image.partition(key)?)))
        .find_map(|(key, state)| in_sync_is_registered(image, key, state))
}

/// M5 as it holds after every entry, also within a decision that takes several.
fn in_sync_is_registered(
    image: &ClusterImage,
    key: PartitionKey,
    state: &PartitionState,
) -> Option<Violation> {
    let unknown = state.isr.iter().any(|broker| image.broker(*broker).is_none());
    unknown.then(|| Rule::InSyncIsLive.broken_by(Subject::Partition(key)))
}

/// Every invariant that does not hold; costs a walk through the whole image.
#[must_use]
pub fn violations(image: &ClusterImage) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut replicas = 0;
    for topic in image.topics.values() {
        for (partition, state) in topic.indexed_partitions() {
            let key = PartitionKey::new(topic.id, partition);
            found.extend(check_partition(key, state).err());
            found.extend(in_sync_is_live(image, key, state));
            found.extend(replicas_are_indexed(image, key, state));
            replicas += state.assigned_replicas.len();
        }
    }
    if replicas != image.replicas.values().map(imbl::OrdSet::len).sum::<usize>() {
        found.push(Rule::ReplicasAreIndexed.broken_by(Subject::Image));
    }
    for broker in image.brokers() {
        found.extend(check_registration(&broker.registration).err());
        if broker.epoch() >= image.next_broker_epoch {
            found.push(Rule::RegistrationsAreWhole.broken_by(Subject::Broker(broker.id())));
        }
    }
    found.extend(topic_names_are_unique(image));
    found.extend(settings_have_owners(image));
    found
}

fn in_sync_is_live(
    image: &ClusterImage,
    key: PartitionKey,
    state: &PartitionState,
) -> Option<Violation> {
    let dead = state.isr.iter().any(|broker| !image.is_live(*broker));
    dead.then(|| Rule::InSyncIsLive.broken_by(Subject::Partition(key)))
}

fn replicas_are_indexed(
    image: &ClusterImage,
    key: PartitionKey,
    state: &PartitionState,
) -> Option<Violation> {
    let indexed = |b: &BrokerId| image.replicas.get(b).is_some_and(|keys| keys.contains(&key));
    let all = state.assigned_replicas.iter().all(indexed);
    (!all).then(|| Rule::ReplicasAreIndexed.broken_by(Subject::Partition(key)))
}

fn topic_names_are_unique(image: &ClusterImage) -> Option<Violation> {
    let named = |id: &TopicId, name: &TopicName| {
        image.topics.get(id).is_some_and(|topic| topic.name == *name)
    };
    let colliding = image.topic_ids.keys().filter(|name| name.as_str().contains(['.', '_']));
    let unique = image.topic_ids.len() == image.topics.len()
        && image.topic_ids.iter().all(|(name, id)| named(id, name))
        && colliding.count() == image.collision_keys.len();
    (!unique).then(|| Rule::TopicNamesAreUnique.broken_by(Subject::Image))
}

fn settings_have_owners(image: &ClusterImage) -> Option<Violation> {
    let owned = |resource: &SettingResource| match resource {
        SettingResource::Topic(topic) => image.topic_ids.contains_key(topic),
        SettingResource::Broker(_) | SettingResource::ClusterDefault => true,
    };
    let all = image.settings.keys().all(owned);
    (!all).then(|| Rule::SettingsHaveOwners.broken_by(Subject::Image))
}
