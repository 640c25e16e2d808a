//! One per node: takes what the quorum has agreed on and tells whoever must act on it.
//!
//! Supervised by `cluster`, rest_for_one behind the quorum. Sent to by the quorum's state machine
//! (many pokes may stand for one change: the applied image itself is read). Starts and stops the
//! partition replicas of this node, tells them of new leaders and settings, and publishes the image
//! that every request reads.
//!
//! The order within one change: places of new partitions, then the image, then the replicas, so
//! that who finds a topic finds its partitions. A restart loses nothing: it compares the published
//! image with the applied one and goes on from there. Its mailbox holds at most one useful poke. It
//! decides nothing.

use std::collections::HashMap;
use std::sync::Arc;

use metadata::{
    BrokerSettings, ClusterImage, ImageDelta, PartitionKey, PartitionState, ReplicaChange,
    SettingResource, TopicSettings,
};
use protocol::{BrokerId, TopicId, TopicPartition};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;

use crate::broker::Broker;
use crate::metadata_quorum::AppliedImage;
use crate::partition_directory::PartitionPlace;
use crate::partition_house::PartitionHouse;
use crate::partition_replica::{LeadingMessage, PartitionReplicaMessage};
use crate::partition_settings::PartitionSettings;

/// What the publisher is told.
pub enum PublisherMessage {
    /// The state machine: the applied image is newer.
    Applied,
}

impl ractor::Message for PublisherMessage {}

/// Everything the publisher is born with.
#[derive(Clone)]
pub struct PublisherArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// The applied image.
    pub applied: AppliedImage,
    /// Where replicas live.
    pub house: Arc<PartitionHouse>,
}

/// See the head of this file.
pub struct MetadataPublisher;

/// What the publisher knows.
pub struct PublisherState {
    arguments: PublisherArguments,
    /// Deletions under way: a topic made again under the same name waits for its directory.
    deletions: HashMap<TopicPartition, watch::Receiver<bool>>,
}

impl Actor for MetadataPublisher {
    type Msg = PublisherMessage;
    type State = PublisherState;
    type Arguments = PublisherArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let mut state = PublisherState { arguments, deletions: HashMap::new() };
        state.on_applied();
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PublisherMessage::Applied => state.on_applied(),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }
}

impl PublisherState {
    fn on_applied(&mut self) {
        let broker = Arc::clone(&self.arguments.broker);
        let (older, newer) = (broker.image.load(), self.arguments.applied.load_full());
        if older.version() == newer.version() || !self.is_registered_in(&newer) {
            return;
        }
        let delta = ImageDelta::between(&older, &newer);
        self.publish_settings(&delta, &newer);
        let changes = delta.replica_changes(broker.id, &older, &newer);
        self.deletions.retain(|_, done| !*done.borrow());
        let births = self.take_changes(changes, &newer);
        self.note_departures(&delta, &older, &newer);
        broker.image.publish(Arc::clone(&newer));
        for (place, state) in births {
            self.start(place, state);
        }
        self.tell_of_lifted_fences(&delta, &older, &newer);
        let deleted: Vec<_> = delta.topics_deleted.keys().copied().collect();
        if !deleted.is_empty() {
            broker.groups.on_topics_deleted(&broker, delta.topics_deleted.values());
        }
    }

    /// Whether the image knows this start of the process. An older one names epochs that the
    /// process before led, and this one must not: its logs may have lost what was written last.
    fn is_registered_in(&self, image: &ClusterImage) -> bool {
        let broker = &self.arguments.broker;
        let own = image.broker(broker.id);
        own.is_some_and(|state| state.registration.incarnation == broker.incarnation)
    }

    /// Removes what is to be removed, tells who is there already, and gives the places that are new.
    fn take_changes(
        &mut self,
        changes: Vec<ReplicaChange>,
        image: &ClusterImage,
    ) -> Vec<(Arc<PartitionPlace>, Arc<PartitionState>)> {
        let mut births = Vec::new();
        for change in changes {
            match change {
                ReplicaChange::Remove { partition, topic_id } => self.remove(partition, topic_id),
                ReplicaChange::Lead { partition, topic_id, state }
                | ReplicaChange::Follow { partition, topic_id, state } => {
                    births.extend(self.take_change(partition, topic_id, state, image));
                }
            }
        }
        births
    }

    fn take_change(
        &self,
        partition: TopicPartition,
        topic_id: TopicId,
        state: Arc<PartitionState>,
        image: &ClusterImage,
    ) -> Option<(Arc<PartitionPlace>, Arc<PartitionState>)> {
        let broker = &self.arguments.broker;
        let key = PartitionKey::new(topic_id, partition.partition);
        if let Some(place) = broker.partitions.find(key) {
            place.set_decided(Arc::clone(&state));
            let _ = place.replica.send(PartitionReplicaMessage::Decided(state));
            return None;
        }
        let settings = self.settings_of(&partition, image);
        let place = Arc::new(PartitionPlace::new(key, partition, settings, Arc::clone(&state)));
        broker.partitions.add(&place);
        Some((place, state))
    }

    fn settings_of(
        &self,
        partition: &TopicPartition,
        image: &ClusterImage,
    ) -> Arc<PartitionSettings> {
        let broker = &self.arguments.broker;
        let topic = TopicSettings::resolve(image, &broker.given, &partition.topic);
        Arc::new(PartitionSettings::new(&topic, &broker.settings.load()))
    }

    fn start(&self, place: Arc<PartitionPlace>, _state: Arc<PartitionState>) {
        let house = Arc::clone(&self.arguments.house);
        match self.deletions.get(&place.name).cloned() {
            None => house.start(&place),
            Some(mut deleted) => drop(tokio::spawn(async move {
                // an error means that the deletion's task is gone, and with it the obstacle
                let _ = deleted.wait_for(|done| *done).await;
                house.start(&place);
            })),
        }
    }

    fn remove(&mut self, partition: TopicPartition, topic_id: TopicId) {
        let broker = &self.arguments.broker;
        let key = PartitionKey::new(topic_id, partition.partition);
        let Some(place) = broker.partitions.remove(key) else { return };
        let (done, deleted) = watch::channel(false);
        self.deletions.insert(partition, deleted);
        let house = Arc::clone(&self.arguments.house);
        tokio::spawn(async move {
            house.delete(&place).await;
            done.send_replace(true);
        });
    }

    fn note_departures(&self, delta: &ImageDelta, older: &ClusterImage, newer: &ClusterImage) {
        let changed = |id: &&BrokerId| newer.is_live(**id) != older.is_live(**id);
        for id in delta.brokers.iter().filter(changed) {
            self.arguments.broker.departures.note(*id, newer.is_live(*id));
        }
    }

    /// A follower in sync with an idle partition has nothing to say by which its leader could
    /// notice that it may join again.
    fn tell_of_lifted_fences(
        &self,
        delta: &ImageDelta,
        older: &ClusterImage,
        newer: &ClusterImage,
    ) {
        let broker = &self.arguments.broker;
        for (key, follower) in delta.taken_out_and_active(broker.id, older, newer) {
            if let Some(place) = broker.partitions.find(key) {
                tell_of_lifted_fence(&place, follower);
            }
        }
        let lifted = |id: &&BrokerId| newer.is_active(**id) && !older.is_active(**id);
        let lifted: Vec<_> = delta.brokers.iter().filter(lifted).copied().collect();
        if lifted.is_empty() {
            return;
        }
        for place in broker.partitions.places() {
            let decided = place.decided();
            if decided.leader != Some(broker.id) {
                continue;
            }
            for follower in lifted.iter().filter(|follower| decided.is_assigned(**follower)) {
                tell_of_lifted_fence(&place, *follower);
            }
        }
    }

    /// Settings first: what is started or told next reads them.
    fn publish_settings(&self, delta: &ImageDelta, image: &ClusterImage) {
        let broker = &self.arguments.broker;
        let of_brokers = |resource: &SettingResource| {
            matches!(resource, SettingResource::Broker(_) | SettingResource::ClusterDefault)
        };
        let everywhere = delta.settings.iter().any(of_brokers);
        if everywhere {
            broker.settings.store(Arc::new(BrokerSettings::resolve(image, &broker.given)));
        }
        if delta.settings.is_empty() {
            return;
        }
        for place in broker.partitions.places() {
            let own = SettingResource::Topic(place.name.topic.clone());
            if everywhere || delta.settings.contains(&own) {
                place.set_settings(self.settings_of(&place.name, image));
                let _ = place.replica.send(PartitionReplicaMessage::SettingsChanged);
            }
        }
    }
}

fn tell_of_lifted_fence(place: &PartitionPlace, follower: BrokerId) {
    let message = LeadingMessage::FollowerUnfenced(follower);
    let _ = place.replica.send(PartitionReplicaMessage::Leading(message));
}
