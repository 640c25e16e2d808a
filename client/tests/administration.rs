//! What the administration changes, the cluster shows. Runs against the broker that
//! CALLBOARD_BOOTSTRAP names, Apache Kafka or Callboard; without it, it says so and passes.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::time::Duration;

use client::{
    Client, CommittedOffset, CommittedOffsets, ConfigOperation, ConfigResource, ConfigSource,
    GroupId, Isolation, NewTopic, Offset, OffsetQuery, PartitionIndex, ProducerRecord,
    ProducerSettings, TopicName, TopicPartition,
};
use protocol::ErrorCode;

async fn broker() -> Option<Client> {
    let Ok(bootstrap) = std::env::var("CALLBOARD_BOOTSTRAP") else {
        eprintln!("SKIPPED: CALLBOARD_BOOTSTRAP names no broker to test against");
        return None;
    };
    Some(Client::connect(&bootstrap).await.unwrap())
}

fn new_topic() -> NewTopic {
    let name = format!("client-admin-{}", uuid::Uuid::new_v4());
    NewTopic::new(&TopicName::new(&name).unwrap()).partitions(2)
}

/// Brokers hear of a change a moment after the controller has made it.
async fn eventually(condition: impl AsyncFn() -> bool) {
    let becomes_true = async { while !condition().await {} };
    tokio::time::timeout(Duration::from_secs(10), becomes_true).await.expect("it never happened");
}

async fn produce(client: &Client, partition: &TopicPartition, records: i64) {
    let producer = client.producer(ProducerSettings::default()).unwrap();
    for number in 0..records {
        let record = ProducerRecord::to(&partition.topic)
            .partition(partition.partition.0)
            .timestamp(1000 + number)
            .value(number.to_string());
        let _ = producer.send(record).await.unwrap();
    }
    producer.close().await.unwrap();
}

#[tokio::test]
async fn a_topic_is_made_described_enlarged_and_deleted() {
    let Some(client) = broker().await else { return };
    let admin = client.admin();
    let topic = new_topic().config("retention.ms", "123456");
    let checked = admin.create_topics(std::slice::from_ref(&topic), true).await.unwrap();
    checked[0].1.as_ref().unwrap();
    let missing = admin.describe_topic(&topic.name).await.unwrap_err();
    assert_eq!(missing.code(), Some(ErrorCode::UnknownTopicOrPartition), "only validated");
    let created = admin.create_topic(topic.clone()).await.unwrap();
    assert_eq!(created.partitions, 2);
    let again = admin.create_topic(topic.clone()).await.unwrap_err();
    assert_eq!(again.code(), Some(ErrorCode::TopicAlreadyExists));
    eventually(async || admin.list_topics(false).await.unwrap().contains(&topic.name)).await;
    let described = admin.describe_topic(&topic.name).await.unwrap();
    assert_eq!(described.id, created.id);
    assert_eq!(described.partitions.len(), 2);
    assert!(described.partitions.iter().all(|partition| partition.leader.is_some()));
    let fewer = admin.create_partitions(&topic.name, 1).await.unwrap_err();
    assert_eq!(fewer.code(), Some(ErrorCode::InvalidPartitions));
    admin.create_partitions(&topic.name, 5).await.unwrap();
    let is_larger = async || {
        admin.describe_topic(&topic.name).await.is_ok_and(|found| found.partitions.len() == 5)
    };
    eventually(is_larger).await;
    admin.delete_topic(&topic.name).await.unwrap();
    eventually(async || !admin.list_topics(true).await.unwrap().contains(&topic.name)).await;
    let gone = admin.delete_topic(&topic.name).await.unwrap_err();
    assert_eq!(gone.code(), Some(ErrorCode::UnknownTopicOrPartition));
}

#[tokio::test]
async fn settings_are_changed_one_by_one_and_taken_back() {
    let Some(client) = broker().await else { return };
    let admin = client.admin();
    let topic = new_topic();
    admin.create_topic(topic.clone()).await.unwrap();
    let resource = ConfigResource::Topic(topic.name.clone());
    let retention = async || {
        let entries = admin.describe_configs(&resource).await.unwrap();
        let entry = entries.into_iter().find(|entry| entry.name == "retention.ms").unwrap();
        (entry.value.unwrap(), entry.source)
    };
    let (default, source) = retention().await;
    assert_ne!(source, ConfigSource::Topic);
    let set = |value: &str| [("retention.ms".to_owned(), ConfigOperation::Set(value.to_owned()))];
    admin.alter_configs(&resource, &set("5000"), true).await.unwrap();
    assert_eq!(retention().await.0, default, "only validated");
    admin.alter_configs(&resource, &set("5000"), false).await.unwrap();
    assert_eq!(retention().await, ("5000".to_owned(), ConfigSource::Topic));
    let refused = admin.alter_configs(&resource, &set("soon"), false).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::InvalidConfig));
    let delete = [("retention.ms".to_owned(), ConfigOperation::Delete)];
    admin.alter_configs(&resource, &delete, false).await.unwrap();
    assert_eq!(retention().await.0, default);
    admin.delete_topic(&topic.name).await.unwrap();
}

#[tokio::test]
async fn records_are_deleted_from_the_start_and_offsets_say_so() {
    let Some(client) = broker().await else { return };
    let admin = client.admin();
    let topic = new_topic();
    admin.create_topic(topic.clone()).await.unwrap();
    let partition = TopicPartition::new(topic.name.clone(), PartitionIndex(1));
    produce(&client, &partition, 20).await;
    let offset = async |query| {
        let found = admin.list_offset(&partition, query).await.unwrap();
        found.offset.map(Offset::value)
    };
    assert_eq!(offset(OffsetQuery::Earliest).await, Some(0));
    assert_eq!(offset(OffsetQuery::Latest).await, Some(20));
    assert_eq!(offset(OffsetQuery::Timestamp(1005)).await, Some(5));
    assert_eq!(offset(OffsetQuery::Timestamp(5000)).await, None);
    assert_eq!(offset(OffsetQuery::MaxTimestamp).await, Some(19));
    let start = admin.delete_records(&partition, Some(Offset::new(7))).await.unwrap();
    assert_eq!(start, Offset::new(7));
    assert_eq!(offset(OffsetQuery::Earliest).await, Some(7));
    let beyond = admin.delete_records(&partition, Some(Offset::new(99))).await.unwrap_err();
    assert_eq!(beyond.code(), Some(ErrorCode::OffsetOutOfRange));
    assert_eq!(admin.delete_records(&partition, None).await.unwrap(), Offset::new(20));
    let nowhere = TopicPartition::new(topic.name.clone(), PartitionIndex(9));
    let queries = [(nowhere.clone(), OffsetQuery::Latest), (partition, OffsetQuery::Latest)];
    let found = admin.list_offsets(queries, Isolation::Committed).await;
    assert!(found[&nowhere].is_err() && found.values().filter(|found| found.is_ok()).count() == 1);
    admin.delete_topic(&topic.name).await.unwrap();
}

#[tokio::test]
async fn offsets_of_a_group_without_members_are_set_measured_and_deleted() {
    let Some(client) = broker().await else { return };
    let admin = client.admin();
    let topic = new_topic();
    admin.create_topic(topic.clone()).await.unwrap();
    let partition = TopicPartition::new(topic.name.clone(), PartitionIndex(0));
    produce(&client, &partition, 20).await;
    let group = GroupId::new(topic.name.as_str());
    let offsets =
        CommittedOffsets::from([(partition.clone(), CommittedOffset::from(Offset::new(5)))]);
    admin.alter_group_offsets(&group, &offsets).await.unwrap();
    let lag = admin.group_lag(&group).await.unwrap();
    assert_eq!(lag[&partition].records(), Some(15));
    let described = admin.describe_group(&group).await.unwrap();
    assert_eq!((described.state.as_str(), described.members.len()), ("Empty", 0));
    let listed = admin.list_groups().await.unwrap();
    assert!(listed.iter().any(|listing| listing.group == group));
    admin.delete_group_offsets(&group, std::slice::from_ref(&partition)).await.unwrap();
    assert!(admin.group_offsets(&group).await.unwrap().is_empty());
    admin.alter_group_offsets(&group, &offsets).await.unwrap();
    admin.delete_group(&group).await.unwrap();
    let gone = admin.delete_group(&group).await.unwrap_err();
    assert_eq!(gone.code(), Some(ErrorCode::GroupIdNotFound));
    admin.delete_topic(&topic.name).await.unwrap();
}

#[tokio::test]
async fn the_cluster_describes_itself() {
    let Some(client) = broker().await else { return };
    let cluster = client.admin().describe_cluster().await.unwrap();
    assert!(!cluster.cluster_id.is_empty());
    assert_eq!(client.cluster_id().as_deref(), Some(cluster.cluster_id.as_str()));
    assert!(!cluster.brokers.is_empty());
    assert_eq!(cluster.brokers, client.brokers());
    let resource = ConfigResource::Broker(cluster.brokers[0].id);
    assert!(!client.admin().describe_configs(&resource).await.unwrap().is_empty());
}
