//! Three nodes as processes, a producer that waits for all in-sync replicas, and the faults that
//! processes meet: killed, frozen, stopped in order, all killed at once, a disk lost. Whatever was
//! acknowledged must be there once and in order, and producing must go on by itself.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "the cluster is what is used of it")]
mod harness;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::{
    BrokerId, Client, ClientSettings, ConsumerSettings, NewTopic, PartitionIndex, ProducerRecord,
    ProducerSettings, StartAt, TopicName,
};
use harness::cluster::Cluster;
use tokio::time::{sleep, timeout};

/// How long any wait of a test may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a producer has sent and what came of it.
#[derive(Default)]
struct Diary {
    acknowledged: Mutex<BTreeMap<u64, i64>>,
    count: AtomicU64,
    is_over: AtomicBool,
}

/// A cluster with a topic of one partition and a client that does not wait long.
struct Scene {
    cluster: Cluster,
    client: Client,
    topic: TopicName,
}

impl Scene {
    async fn set() -> Self {
        let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
        let client = client_of(&cluster).await;
        let topic = TopicName::new("orders").unwrap();
        let request = NewTopic::new(&topic).partitions(1).replication_factor(3);
        client.admin().create_topic(request).await.unwrap();
        let scene = Self { cluster, client, topic };
        scene.in_sync(3).await;
        scene
    }

    async fn leader(&self) -> i32 {
        self.until("leader", async |partition| partition.leader.map(|id| id.0)).await
    }

    /// Waits until so many replicas are in sync.
    async fn in_sync(&self, count: usize) {
        let enough = async |partition: client::Partition| {
            (partition.in_sync_replicas.len() == count).then_some(())
        };
        self.until("replicas in sync", enough).await;
    }

    async fn until<T>(
        &self,
        what: &str,
        condition: impl AsyncFn(client::Partition) -> Option<T>,
    ) -> T {
        let began = Instant::now();
        let mut last = None;
        while began.elapsed() < PATIENCE {
            let described = self.client.admin().describe_topic(&self.topic).await;
            if let Ok(topic) = described {
                let partition = topic.partition(PartitionIndex(0)).unwrap().clone();
                last = Some(partition.clone());
                if let Some(found) = condition(partition).await {
                    return found;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("no {what} after {PATIENCE:?}: {last:?}");
    }

    /// Every record of the topic: offset, then value.
    async fn records(&self) -> Vec<(i64, u64)> {
        let mut consumer = self
            .client
            .topic_consumer(&self.topic, StartAt::Earliest, ConsumerSettings::default())
            .await
            .unwrap();
        consumer.stop_at_end().await.unwrap();
        let mut records = Vec::new();
        while let Some(record) = timeout(PATIENCE, consumer.next()).await.unwrap().unwrap() {
            let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            records.push((record.offset.value(), text.parse().unwrap()));
        }
        records
    }

    /// Everything acknowledged is there, under the offset that was told, once and in order.
    async fn check(&self, diary: &Diary) {
        let records = self.records().await;
        let values: Vec<u64> = records.iter().map(|(_, value)| *value).collect();
        assert!(values.is_sorted_by(|a, b| a < b), "out of order or twice: {values:?}");
        let stored: BTreeMap<u64, i64> = records.iter().map(|(at, value)| (*value, *at)).collect();
        for (value, offset) in diary.acknowledged.lock().unwrap().iter() {
            assert_eq!(stored.get(value), Some(offset), "record {value}");
        }
    }
}

async fn client_of(cluster: &Cluster) -> Client {
    let settings = ClientSettings {
        request_timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        retry_pause: Duration::from_millis(20),
        retry_pause_max: Duration::from_millis(200),
        ..ClientSettings::new(&cluster.bootstrap())
    };
    Client::with_settings(settings).await.unwrap()
}

/// Sends numbers, one after the other, until the diary is over.
fn produce(scene: &Scene) -> (Arc<Diary>, tokio::task::JoinHandle<()>) {
    let diary = Arc::new(Diary::default());
    let settings = ProducerSettings {
        request_timeout: Duration::from_secs(1),
        linger: Duration::ZERO,
        ..ProducerSettings::default()
    };
    let producer = scene.client.producer(settings).unwrap();
    let (topic, of) = (scene.topic.clone(), Arc::clone(&diary));
    let task = tokio::spawn(async move {
        for number in 0.. {
            if of.is_over.load(Ordering::Relaxed) {
                break;
            }
            let record = ProducerRecord::to(&topic).value(number.to_string());
            let delivery = producer.send(record).await.unwrap();
            let of = Arc::clone(&of);
            tokio::spawn(async move {
                if let Ok(place) = delivery.await {
                    of.acknowledged.lock().unwrap().insert(number, place.offset.unwrap().value());
                    of.count.fetch_add(1, Ordering::Relaxed);
                }
            });
            sleep(Duration::from_millis(2)).await;
        }
        producer.close().await.unwrap();
    });
    (diary, task)
}

/// Waits until so many more records are acknowledged; gives how long it took.
async fn more_acknowledged(diary: &Diary, count: u64) -> Duration {
    let (began, before) = (Instant::now(), diary.count.load(Ordering::Relaxed));
    while diary.count.load(Ordering::Relaxed) < before + count {
        assert!(began.elapsed() < PATIENCE, "only {} acks", diary.count.load(Ordering::Relaxed));
        sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

async fn finish(scene: &Scene, diary: &Diary, task: tokio::task::JoinHandle<()>) {
    diary.is_over.store(true, Ordering::Relaxed);
    timeout(PATIENCE, task).await.unwrap().unwrap();
    scene.in_sync(3).await;
    scene.check(diary).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_loses_nothing_and_comes_back_in_sync() {
    let mut scene = Scene::set().await;
    let (diary, task) = produce(&scene);
    more_acknowledged(&diary, 200).await;
    let victim = scene.leader().await;
    scene.cluster.kill(victim);
    more_acknowledged(&diary, 200).await;
    assert_ne!(scene.leader().await, victim);
    scene.cluster.run(victim);
    scene.in_sync(3).await;
    finish(&scene, &diary, task).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_leader_is_replaced_and_acknowledges_nothing_afterwards() {
    let mut scene = Scene::set().await;
    let (diary, task) = produce(&scene);
    more_acknowledged(&diary, 200).await;
    let victim = scene.leader().await;
    scene.cluster.freeze(victim);
    more_acknowledged(&diary, 200).await;
    scene.cluster.thaw(victim);
    more_acknowledged(&diary, 200).await;
    finish(&scene, &diary, task).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_stop_in_order_one_by_one_hand_over_first() {
    let mut scene = Scene::set().await;
    let (diary, task) = produce(&scene);
    for id in 1..=3 {
        more_acknowledged(&diary, 100).await;
        scene.cluster.stop(id);
        more_acknowledged(&diary, 100).await;
        scene.cluster.run(id);
        scene.in_sync(3).await;
    }
    finish(&scene, &diary, task).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_killed_at_once_come_back_with_everything_acknowledged() {
    let mut scene = Scene::set().await;
    let (diary, task) = produce(&scene);
    more_acknowledged(&diary, 200).await;
    for id in 1..=3 {
        scene.cluster.kill(id);
    }
    scene.cluster.run_together(&[1, 2, 3]);
    more_acknowledged(&diary, 200).await;
    finish(&scene, &diary, task).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_disk_joins_again_and_catches_up() {
    let mut scene = Scene::set().await;
    let (diary, task) = produce(&scene);
    more_acknowledged(&diary, 200).await;
    let leader = scene.leader().await;
    // node 1 is the one the others know; any other may come back with an empty disk
    let victim = if leader == 3 { 2 } else { 3 };
    scene.cluster.kill(victim);
    scene.cluster.wipe(victim);
    scene.cluster.run(victim);
    let back = async |partition: client::Partition| {
        partition.in_sync_replicas.contains(&BrokerId(victim)).then_some(())
    };
    scene.until("the wiped node in sync", back).await;
    finish(&scene, &diary, task).await;
}
