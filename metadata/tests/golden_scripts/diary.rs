//! How records, states and refusals read in a diary.

use metadata::record::{MetadataRecord, SettingResource};
use metadata::{ClusterImage, PartitionKey, PartitionState, Refusal};
use protocol::BrokerId;

pub fn refusal(refusal: &Refusal) -> String {
    format!("{}: {refusal}", refusal.code())
}

pub fn record(image: &ClusterImage, record: &MetadataRecord) -> String {
    match record {
        MetadataRecord::ClusterFounded { .. } => "cluster founded".to_owned(),
        MetadataRecord::BrokerRegistered(registration) => format!(
            "broker {} registered, epoch {}{}",
            registration.broker,
            registration.broker_epoch,
            if registration.fenced { ", fenced" } else { "" }
        ),
        MetadataRecord::BrokerFenced { broker, .. } => format!("broker {broker} fenced"),
        MetadataRecord::BrokerUnfenced { broker, .. } => format!("broker {broker} unfenced"),
        MetadataRecord::BrokerShuttingDown { broker, .. } => format!("broker {broker} stopping"),
        MetadataRecord::BrokerDiskHung { broker, .. } => format!("broker {broker}'s disk hung"),
        MetadataRecord::BrokerDiskAnswered { broker, .. } => {
            format!("broker {broker}'s disk answered")
        }
        MetadataRecord::BrokerUnregistered { broker, .. } => format!("broker {broker} gone"),
        MetadataRecord::TopicCreated { topic, .. } => format!("topic {topic} created"),
        MetadataRecord::TopicDeleted { .. } => "topic deleted".to_owned(),
        MetadataRecord::PartitionCreated { key, state: new }
        | MetadataRecord::PartitionChanged { key, state: new } => {
            format!("{} {}", name(image, *key), state(new))
        }
        MetadataRecord::SettingChanged { resource, key, value } => {
            let value = value.as_deref().unwrap_or("its default");
            format!("{}: {key} = {value}", resource_name(resource))
        }
        MetadataRecord::ProducerIdsAllocated { broker, next_producer_id, .. } => {
            format!("producer ids below {next_producer_id} to broker {broker}")
        }
        MetadataRecord::ProducerIdsReached { .. }
        | MetadataRecord::BrokerEpochsReached { .. }
        | MetadataRecord::FeatureLevelChanged { .. } => format!("{record:?}"),
    }
}

fn resource_name(resource: &SettingResource) -> String {
    match resource {
        SettingResource::Topic(topic) => format!("topic {topic}"),
        SettingResource::Broker(broker) => format!("broker {broker}"),
        SettingResource::ClusterDefault => "all brokers".to_owned(),
    }
}

fn name(image: &ClusterImage, key: PartitionKey) -> String {
    image.name_of(key).map_or_else(|| "?".to_owned(), |name| name.to_string())
}

/// `replicas [1 2 3] leader 1 epoch 4.7 isr [1 2]`: leader epoch, then partition epoch.
pub fn state(state: &PartitionState) -> String {
    let leader = state.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
    let mut text = format!(
        "{} leader {leader} epoch {}.{} isr {}",
        list(&state.assigned_replicas),
        state.leader_epoch,
        state.partition_epoch,
        list(&state.isr)
    );
    let rest = [
        ("elr", &state.elr),
        ("offline", &state.offline_replicas),
        ("adding", &state.adding_replicas),
        ("removing", &state.removing_replicas),
    ];
    for (what, brokers) in rest {
        if !brokers.is_empty() {
            text.push_str(&format!(" {what} {}", list(brokers)));
        }
    }
    if let Some(leader) = state.last_known_leader {
        text.push_str(&format!(" last led by {leader}"));
    }
    if state.leader_is_recovering {
        text.push_str(" recovering");
    }
    text
}

pub fn list(brokers: &[BrokerId]) -> String {
    let brokers: Vec<_> = brokers.iter().map(ToString::to_string).collect();
    format!("[{}]", brokers.join(" "))
}
