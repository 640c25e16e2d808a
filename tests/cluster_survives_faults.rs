//! Three nodes as processes, clients that produce, read along and commit, and the faults that
//! processes meet: killed, frozen, stopped in order, all killed at once, a disk lost or full. Producing must
//! go on by itself, and `logcheck` must find nothing wrong with what the clients saw.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "the cluster is what is used of it")]
mod harness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{
    BrokerId, Client, ClientSettings, CommittedOffset, CommittedOffsets, ConsumerSettings, GroupId,
    GroupSettings, NewTopic, PartitionIndex, ProducerRecord, ProducerSettings, ResetTo, StartAt,
    TopicName, TopicPartition,
};
use harness::cluster::Cluster;
use harness::witness::{Witness, key_of, payload};
use logcheck::{Answer, Operation, Step, Value};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long any wait of a test may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The clients, as the history has them.
const PRODUCER: logcheck::Client = logcheck::Client::new(1, 1);
const MEMBERS: u32 = 2;
const LAST_LOOK: logcheck::Client = logcheck::Client::new(3, 1);
const GROUP: &str = "clerks";

/// What the clients of a test share.
#[derive(Default)]
struct Diary {
    witness: Witness,
    acknowledged: AtomicU64,
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

    fn partition(&self) -> TopicPartition {
        TopicPartition::new(self.topic.clone(), PartitionIndex(0))
    }

    /// Reads everything, and asks what the group has committed: what was promised must be there.
    async fn check(&self, witness: &Witness) {
        let reads = witness.begins(LAST_LOOK, Operation::Assign(vec![key_of(&self.partition())]));
        let consumer =
            self.client.topic_consumer(&self.topic, StartAt::Earliest, ConsumerSettings::default());
        let mut consumer = consumer.await.unwrap();
        consumer.stop_at_end().await.unwrap();
        witness.ends(reads, Step::Ok(Answer::Done));
        loop {
            let poll = witness.begins(LAST_LOOK, Operation::Poll);
            let record = timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
            witness.read(poll, record.as_ref(), Vec::new());
            if record.is_none() {
                break;
            }
        }
        let keys = vec![key_of(&self.partition())];
        witness.notes(LAST_LOOK, Step::Drained(keys));
        let group = Operation::FetchCommitted { group: GROUP.to_owned() };
        let look = witness.begins(LAST_LOOK, group);
        let found = self.client.admin().group_offsets(&GroupId::new(GROUP)).await.unwrap();
        let offset = found.get(&self.partition()).map(|found| found.offset.value());
        let told = vec![(key_of(&self.partition()), offset)];
        witness.ends(look, Step::Ok(Answer::Committed(told)));
        witness.judge();
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

/// The clients at work: they end when the diary is over.
fn work(scene: &Scene) -> (Arc<Diary>, [JoinHandle<()>; 2]) {
    let diary = Arc::new(Diary::default());
    let producing = tokio::spawn(produce(scene.client.clone(), scene.partition(), diary.clone()));
    let consuming = tokio::spawn(consume(scene.client.clone(), scene.partition(), diary.clone()));
    (diary, [producing, consuming])
}

/// Sends records, one after the other.
async fn produce(client: Client, partition: TopicPartition, diary: Arc<Diary>) {
    let settings = ProducerSettings {
        request_timeout: Duration::from_secs(1),
        linger: Duration::ZERO,
        ..ProducerSettings::default()
    };
    let producer = client.producer(settings).unwrap();
    for number in 0.. {
        if diary.is_over.load(Ordering::Relaxed) {
            break;
        }
        let value = Value::new(PRODUCER.process, number);
        let ticket = diary.witness.sends(PRODUCER, &partition, value);
        let record = ProducerRecord::to(&partition.topic).value(payload(&partition, value));
        let delivery = producer.send(record).await.unwrap();
        let diary = Arc::clone(&diary);
        tokio::spawn(async move {
            match delivery.await {
                Ok(place) => {
                    diary.witness.acked(ticket, place.offset.map(|offset| offset.value()));
                    diary.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) => diary.witness.ends(ticket, Step::Unknown),
            }
        });
        sleep(Duration::from_millis(2)).await;
    }
    producer.close().await.unwrap();
}

/// Reads along as the one member of a group, and commits; one that fails has a successor.
async fn consume(client: Client, partition: TopicPartition, diary: Arc<Diary>) {
    for incarnation in 1.. {
        let who = logcheck::Client::new(MEMBERS, incarnation);
        let settings = ConsumerSettings { reset: ResetTo::Earliest, ..ConsumerSettings::default() };
        let group = GroupSettings { auto_commit: None, ..GroupSettings::new(GROUP) };
        let topics = [partition.topic.clone()];
        let subscribes = Operation::Subscribe(vec![partition.topic.as_str().to_owned()]);
        let subscribes = diary.witness.begins(who, subscribes);
        let member = client.group_consumer(topics, group, settings).unwrap();
        diary.witness.ends(subscribes, Step::Ok(Answer::Done));
        if take_part(member, who, &partition, &diary).await.is_ok() {
            return;
        }
    }
}

async fn take_part(
    mut member: client::GroupConsumer,
    who: logcheck::Client,
    partition: &TopicPartition,
    diary: &Diary,
) -> client::Result<()> {
    let mut rebalances = 0;
    for number in 1_u64.. {
        if diary.is_over.load(Ordering::Relaxed) {
            break;
        }
        let poll = diary.witness.begins(who, Operation::Poll);
        let polled = timeout(Duration::from_millis(500), member.next()).await.unwrap_or(Ok(None));
        // what it is given it reads from where the group has committed
        let now = member.rebalances();
        let has_moved = std::mem::replace(&mut rebalances, now) != now;
        let moved = has_moved.then(|| key_of(partition)).into_iter().collect();
        diary.witness.read(poll, polled.as_ref().ok().and_then(Option::as_ref), moved);
        polled?;
        if number.is_multiple_of(20)
            && let Some(offset) = member.partitions().position(partition)
        {
            let commits = Operation::Commit {
                group: GROUP.to_owned(),
                generation: member.generation().map(client::Generation::value),
                offsets: vec![(key_of(partition), offset.value())],
            };
            let commits = diary.witness.begins(who, commits);
            let offsets =
                CommittedOffsets::from([(partition.clone(), CommittedOffset::from(offset))]);
            let done = member.commit_offsets(offsets).await.map(|()| Step::Ok(Answer::Done));
            diary.witness.ends(commits, done.unwrap_or(Step::Unknown));
        }
    }
    member.close().await
}

/// Waits until so many more records are acknowledged.
async fn more_acknowledged(diary: &Diary, count: u64) {
    let (began, before) = (Instant::now(), diary.acknowledged.load(Ordering::Relaxed));
    loop {
        let acknowledged = diary.acknowledged.load(Ordering::Relaxed);
        if acknowledged >= before + count {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "only {acknowledged} acks");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn finish(scene: &Scene, diary: &Diary, tasks: [JoinHandle<()>; 2]) {
    diary.is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        timeout(PATIENCE, task).await.unwrap().unwrap();
    }
    scene.in_sync(3).await;
    scene.check(&diary.witness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_loses_nothing_and_comes_back_in_sync() {
    let mut scene = Scene::set().await;
    let (diary, tasks) = work(&scene);
    more_acknowledged(&diary, 200).await;
    let victim = scene.leader().await;
    scene.cluster.kill(victim);
    more_acknowledged(&diary, 200).await;
    assert_ne!(scene.leader().await, victim);
    scene.cluster.run(victim);
    scene.in_sync(3).await;
    finish(&scene, &diary, tasks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_leader_is_replaced_and_acknowledges_nothing_afterwards() {
    let mut scene = Scene::set().await;
    let (diary, tasks) = work(&scene);
    more_acknowledged(&diary, 200).await;
    let victim = scene.leader().await;
    scene.cluster.freeze(victim);
    more_acknowledged(&diary, 200).await;
    scene.cluster.thaw(victim);
    more_acknowledged(&diary, 200).await;
    finish(&scene, &diary, tasks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_stop_in_order_one_by_one_hand_over_first() {
    let mut scene = Scene::set().await;
    let (diary, tasks) = work(&scene);
    for id in 1..=3 {
        more_acknowledged(&diary, 100).await;
        scene.cluster.stop(id);
        more_acknowledged(&diary, 100).await;
        scene.cluster.run(id);
        scene.in_sync(3).await;
    }
    finish(&scene, &diary, tasks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_killed_at_once_come_back_with_everything_acknowledged() {
    let mut scene = Scene::set().await;
    let (diary, tasks) = work(&scene);
    more_acknowledged(&diary, 200).await;
    for id in 1..=3 {
        scene.cluster.kill(id);
    }
    scene.cluster.run_together(&[1, 2, 3]);
    more_acknowledged(&diary, 200).await;
    finish(&scene, &diary, tasks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_disk_joins_again_and_catches_up() {
    let mut scene = Scene::set().await;
    let (diary, tasks) = work(&scene);
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
    finish(&scene, &diary, tasks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_is_full_holds_up_nobody_and_returns_when_there_is_room() {
    let mut scene = Scene::set().await;
    let victim = scene.leader().await;
    scene.cluster.stop(victim);
    let is_limited = scene.cluster.limit_disk(victim, "48m");
    scene.cluster.run(victim);
    scene.in_sync(3).await;
    if !is_limited {
        // only root may give a directory a disk of its own
        return;
    }
    let (diary, tasks) = work(&scene);
    more_acknowledged(&diary, 200).await;
    let filler = scene.cluster.fill_disk(victim);
    scene.in_sync(2).await;
    more_acknowledged(&diary, 200).await;
    assert_ne!(scene.leader().await, victim);
    std::fs::remove_file(filler).unwrap();
    scene.in_sync(3).await;
    finish(&scene, &diary, tasks).await;
}
