//! A cluster of three nodes inside of a test's own process, as a user of one would have it. If its
//! faults did not do what they say, tests built on it would prove nothing.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io::Write;
use std::time::{Duration, Instant};

use callboard::testing::{Cluster, ClusterPlan};
use client::{
    BrokerId, Client, ClientSettings, ConsumerSettings, NewTopic, Partition, PartitionIndex,
    ProducerRecord, ProducerSettings, StartAt, TopicName,
};
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(30);

async fn client_of(cluster: &Cluster) -> Client {
    let settings = ClientSettings {
        request_timeout: Duration::from_secs(2),
        retry_pause: Duration::from_millis(10),
        retry_pause_max: Duration::from_millis(100),
        ..ClientSettings::new(&cluster.bootstrap())
    };
    Client::with_settings(settings).await.unwrap()
}

async fn topic(client: &Client, name: &str) -> TopicName {
    let topic = TopicName::new(name).unwrap();
    let request = NewTopic::new(&topic).partitions(1).replication_factor(3);
    client.admin().create_topic(request).await.unwrap();
    topic
}

async fn produce(client: &Client, topic: &TopicName, values: std::ops::Range<u32>) {
    let settings =
        ProducerSettings { request_timeout: Duration::from_secs(1), ..ProducerSettings::default() };
    let producer = client.producer(settings).unwrap();
    for value in values {
        let record = ProducerRecord::to(topic).value(value.to_string());
        producer.send(record).await.unwrap().await.unwrap();
    }
}

async fn values(client: &Client, topic: &TopicName) -> Vec<u32> {
    let settings = ConsumerSettings::default();
    let mut consumer = client.topic_consumer(topic, StartAt::Earliest, settings).await.unwrap();
    consumer.stop_at_end().await.unwrap();
    let mut values = Vec::new();
    while let Some(record) = consumer.next().await.unwrap() {
        values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap().parse().unwrap());
    }
    values
}

async fn until(client: &Client, topic: &TopicName, condition: impl Fn(&Partition) -> bool) {
    let (began, mut last) = (Instant::now(), None);
    while began.elapsed() < PATIENCE {
        if let Ok(described) = client.admin().describe_topic(topic).await {
            let partition = described.partition(PartitionIndex(0)).unwrap().clone();
            if condition(&partition) {
                return;
            }
            last = Some(partition);
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("still {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_survive_each_node_being_killed_in_turn() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let client = client_of(&cluster).await;
    let orders = topic(&client, "orders").await;
    let in_sync = |partition: &Partition| partition.in_sync_replicas.len() == 3;
    for node in 1..=3 {
        let from = u32::try_from(node - 1).unwrap() * 20;
        produce(&client, &orders, from..from + 10).await;
        cluster.kill(node).await;
        produce(&client, &orders, from + 10..from + 20).await;
        cluster.restart(node).await.unwrap();
        until(&client, &orders, in_sync).await;
    }
    assert_eq!(values(&client, &orders).await, (0..60).collect::<Vec<_>>());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_leads_nothing_and_returns() {
    let cluster = Cluster::start(3).await.unwrap();
    let client = client_of(&cluster).await;
    let orders = topic(&client, "orders").await;
    produce(&client, &orders, 0..10).await;
    let described = client.admin().describe_topic(&orders).await.unwrap();
    let leader = described.partition(PartitionIndex(0)).unwrap().leader.unwrap();
    cluster.cut_off(leader.0);
    produce(&client, &orders, 10..20).await;
    cluster.heal();
    until(&client, &orders, |partition| {
        partition.leader.is_some_and(|now| now != leader) && partition.in_sync_replicas.len() == 3
            || partition.in_sync_replicas.contains(&leader) && partition.in_sync_replicas.len() == 3
    })
    .await;
    assert_eq!(values(&client, &orders).await, (0..20).collect::<Vec<_>>());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_of_all_nodes_loses_nothing_that_was_acknowledged() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let client = client_of(&cluster).await;
    let orders = topic(&client, "orders").await;
    produce(&client, &orders, 0..20).await;
    for node in 1..=3 {
        cluster.cut_power(node).await;
    }
    cluster.restart_all().await.unwrap();
    produce(&client, &orders, 20..40).await;
    assert_eq!(values(&client, &orders).await, (0..40).collect::<Vec<_>>());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_new_disk_fetches_everything_again() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let client = client_of(&cluster).await;
    let orders = topic(&client, "orders").await;
    produce(&client, &orders, 0..20).await;
    cluster.kill(3).await;
    cluster.replace_disk(3);
    cluster.restart(3).await.unwrap();
    until(&client, &orders, |partition| {
        partition.in_sync_replicas.contains(&BrokerId(3)) && partition.in_sync_replicas.len() == 3
    })
    .await;
    // only the new disk is left to read from
    cluster.stop_node(1).await;
    assert_eq!(values(&client, &orders).await, (0..20).collect::<Vec<_>>());
    cluster.stop().await;
}

/// The figures are printed: `cargo test --test embedded_cluster soon -- --nocapture`. The bounds are
/// far off what a quiet machine shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_complete_soon_after_it_was_started() {
    for nodes in [1, 3] {
        let mut took = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            let cluster = Cluster::start(nodes).await.unwrap();
            took.push(began.elapsed());
            cluster.stop().await;
        }
        took.sort();
        let line = format!("{nodes} nodes: median {:?}, slowest {:?}\n", took[2], took[4]);
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        assert!(took[2] < Duration::from_secs(2), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_hangs_leads_nothing_until_it_answers() {
    let cluster = Cluster::start(3).await.unwrap();
    let client = client_of(&cluster).await;
    let orders = topic(&client, "orders").await;
    produce(&client, &orders, 0..10).await;
    let described = client.admin().describe_topic(&orders).await.unwrap();
    let leader = described.partition(PartitionIndex(0)).unwrap().leader.unwrap();
    cluster.hang_disk(leader.0);
    // the first of them hangs with the disk, until another node leads
    produce(&client, &orders, 10..20).await;
    until(&client, &orders, |partition| {
        partition.leader.is_some_and(|now| now != leader)
            && !partition.in_sync_replicas.contains(&leader)
    })
    .await;
    cluster.heal_disk(leader.0);
    until(&client, &orders, |partition| partition.in_sync_replicas.len() == 3).await;
    assert_eq!(values(&client, &orders).await, (0..20).collect::<Vec<_>>());
    cluster.stop().await;
}

/// Bytes that consumers have read from followers on a node.
fn read_from_followers(cluster: &Cluster, node: i32) -> u64 {
    cluster.node(node).unwrap().broker().metrics.bytes_read_from_followers.get()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_reads_from_the_follower_in_its_rack_until_that_is_killed() {
    reads_on_without_its_follower(async |cluster, follower| cluster.kill(follower).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_reads_from_the_follower_in_its_rack_until_that_ones_disk_hangs() {
    reads_on_without_its_follower(async |cluster, follower| cluster.hang_disk(follower)).await;
}

async fn reads_on_without_its_follower(lose: impl AsyncFnOnce(&mut Cluster, i32)) {
    let mut lose = Some(lose);
    let mut plan =
        ClusterPlan::new(3).setting("replica.selector.class", "RackAwareReplicaSelector");
    for node in 1..=3 {
        plan = plan.setting_of(node, "broker.rack", &format!("rack-{node}"));
    }
    let mut cluster = plan.start().await.unwrap();
    let client = client_of(&cluster).await;
    let orders = topic(&client, "orders").await;
    produce(&client, &orders, 0..10).await;
    until(&client, &orders, |partition| partition.in_sync_replicas.len() == 3).await;
    let described = client.admin().describe_topic(&orders).await.unwrap();
    let leader = described.partition(PartitionIndex(0)).unwrap().leader.unwrap();
    let follower = if leader.0 == 3 { 2 } else { 3 };

    let rack = Some(format!("rack-{follower}"));
    let settings = ConsumerSettings { rack, ..ConsumerSettings::default() };
    let mut consumer = client.topic_consumer(&orders, StartAt::Earliest, settings).await.unwrap();
    let mut produced = 10;
    for value in 0..30 {
        if value == produced {
            produce(&client, &orders, produced..produced + 1).await;
            produced += 1;
        }
        let record = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
        let text = record.unwrap().unwrap().value.unwrap();
        assert_eq!(String::from_utf8_lossy(&text), value.to_string());
        if value == 20 {
            assert!(
                read_from_followers(&cluster, follower) > 0,
                "broker {follower} served nothing"
            );
            lose.take().unwrap()(&mut cluster, follower).await;
        }
    }
    cluster.heal_disk(follower);
    cluster.stop().await;
}
