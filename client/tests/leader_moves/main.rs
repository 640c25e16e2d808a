//! Leaders that move while records are produced and consumed: elected away, killed, frozen. If this
//! breaks, a failover loses or doubles records, or a client waits for a broker that will not answer.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod mock_cluster;

use std::time::{Duration, Instant};

use client::{
    Client, ClientSettings, Consumer, ConsumerSettings, GroupId, Producer, ProducerRecord,
    ProducerSettings, StartAt, TopicName, TopicPartition,
};
use mock_cluster::{MockCluster, Mode, RACK, TOPIC};
use protocol::{ApiKey, ErrorCode, PartitionIndex};
use tokio::time::timeout;

/// Far above what a move may take, far below the request timeout of 30 seconds.
const SOON: Duration = Duration::from_secs(8);

fn topic() -> TopicName {
    TopicName::new(TOPIC).unwrap()
}

fn patient() -> ClientSettings {
    ClientSettings { silence_max: Duration::from_millis(100), ..ClientSettings::default() }
}

async fn client(cluster: &MockCluster) -> Client {
    let bootstrap = ClientSettings::new(&cluster.bootstrap()).bootstrap;
    Client::with_settings(ClientSettings { bootstrap, ..patient() }).await.unwrap()
}

fn producer(client: &Client) -> Producer {
    let settings = ProducerSettings { linger: Duration::ZERO, ..ProducerSettings::default() };
    client.producer(settings).unwrap()
}

fn consumer(client: &Client) -> Consumer {
    let partition = TopicPartition::new(topic(), PartitionIndex(0));
    client.consumer([(partition, StartAt::Earliest)], ConsumerSettings::default()).unwrap()
}

async fn send(producer: &Producer, number: usize) {
    let record = ProducerRecord::to(&topic()).partition(0).value(number.to_string());
    let delivery = producer.send(record).await.unwrap();
    delivery.await.unwrap();
}

async fn next(consumer: &mut Consumer) -> usize {
    let record = timeout(SOON, consumer.next()).await.unwrap().unwrap().unwrap();
    std::str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse().unwrap()
}

/// Waits until the client has asked broker 2 for metadata as often again.
async fn asked_for_metadata(cluster: &MockCluster, times: usize) {
    timeout(SOON, cluster.has_been_asked(2, ApiKey::Metadata, times)).await.unwrap();
}

/// Everything sent is there, once and in order.
async fn expect_all(client: &Client, count: usize) {
    let mut consumer = consumer(client);
    consumer.stop_at_end().await.unwrap();
    let mut numbers = Vec::new();
    while let Some(record) = timeout(SOON, consumer.next()).await.unwrap().unwrap() {
        let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        numbers.push(text.parse::<usize>().unwrap());
    }
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
}

#[tokio::test]
async fn records_follow_a_leader_that_moves_to_and_fro() {
    for hints in [true, false] {
        let cluster = MockCluster::start().await;
        cluster.hint(hints);
        let client = client(&cluster).await;
        let (producer, mut consumer) = (producer(&client), consumer(&client));
        for number in 0..60 {
            if number % 10 == 9 {
                cluster.elect(1 + i32::from(number % 20 == 9));
            }
            timeout(SOON, send(&producer, number)).await.unwrap();
            assert_eq!(next(&mut consumer).await, number, "hints: {hints}");
        }
        expect_all(&client, 60).await;
    }
}

#[tokio::test]
async fn a_hint_is_followed_without_a_pause() {
    let cluster = MockCluster::start().await;
    let settings = ClientSettings {
        // whoever paused would pause for long
        retry_pause: Duration::from_secs(20),
        retry_pause_max: Duration::from_secs(20),
        ..patient()
    };
    let bootstrap = vec![cluster.address(1)];
    let client = Client::with_settings(ClientSettings { bootstrap, ..settings }).await.unwrap();
    let (producer, mut consumer) = (producer(&client), consumer(&client));
    send(&producer, 0).await;
    assert_eq!(next(&mut consumer).await, 0);
    cluster.elect(2);
    timeout(SOON, send(&producer, 1)).await.unwrap();
    assert_eq!(next(&mut consumer).await, 1);
}

#[tokio::test]
async fn a_batch_that_was_written_but_not_acknowledged_is_not_written_again_by_the_next_leader() {
    let cluster = MockCluster::start().await;
    let client = client(&cluster).await;
    let producer = producer(&client);
    send(&producer, 0).await;
    let mut deliveries = Vec::new();
    cluster.swallow_answers(3);
    for number in 1..200 {
        if number == 100 {
            cluster.elect(2);
        }
        let record = ProducerRecord::to(&topic()).partition(0).value(number.to_string());
        deliveries.push(producer.send(record).await.unwrap());
        tokio::task::yield_now().await;
    }
    for delivery in deliveries {
        timeout(SOON, delivery).await.unwrap().unwrap();
    }
    expect_all(&client, 200).await;
}

#[tokio::test]
async fn a_killed_leader_is_left_as_soon_as_another_leads() {
    let cluster = MockCluster::start().await;
    let client = client(&cluster).await;
    let (producer, mut consumer) = (producer(&client), consumer(&client));
    send(&producer, 0).await;
    assert_eq!(next(&mut consumer).await, 0);
    cluster.set_mode(1, Mode::Dead);
    let (sent, ()) = tokio::join!(timeout(SOON, send(&producer, 1)), async {
        // the others need some time to notice, and the client asks meanwhile
        asked_for_metadata(&cluster, 3).await;
        cluster.elect(2);
    });
    sent.unwrap();
    assert_eq!(next(&mut consumer).await, 1);
    expect_all(&client, 2).await;
}

#[tokio::test]
async fn a_frozen_leader_is_left_long_before_its_requests_time_out() {
    let cluster = MockCluster::start().await;
    let client = client(&cluster).await;
    let (producer, mut consumer) = (producer(&client), consumer(&client));
    send(&producer, 0).await;
    assert_eq!(next(&mut consumer).await, 0);
    cluster.set_mode(1, Mode::Hangs);
    let started = Instant::now();
    let waits = client.clone();
    let sending = tokio::spawn(async move {
        let record = ProducerRecord::to(&topic()).partition(0).value("1");
        let delivery = producer.send(record).await.unwrap();
        (delivery.await.unwrap(), producer)
    });
    asked_for_metadata(&cluster, 2).await;
    cluster.elect(2);
    let (_, producer) = timeout(SOON, sending).await.unwrap().unwrap();
    assert_eq!(next(&mut consumer).await, 1);
    assert!(started.elapsed() < SOON);
    // the old leader goes on, believes nothing else, and is told nothing new
    cluster.set_mode(1, Mode::Serves);
    for number in 2..20 {
        timeout(SOON, send(&producer, number)).await.unwrap();
        assert_eq!(next(&mut consumer).await, number);
    }
    expect_all(&waits, 20).await;
}

#[tokio::test]
async fn a_slow_leader_that_still_leads_is_waited_for() {
    let cluster = MockCluster::start().await;
    let client = client(&cluster).await;
    let producer = producer(&client);
    send(&producer, 0).await;
    cluster.set_mode(1, Mode::Hangs);
    let record = ProducerRecord::to(&topic()).partition(0).value("1");
    let delivery = producer.send(record).await.unwrap();
    let mut delivery = Box::pin(delivery.into_future());
    tokio::select! {
        _ = &mut delivery => panic!("nobody has answered"),
        () = asked_for_metadata(&cluster, 3) => {}
    }
    cluster.set_mode(1, Mode::Serves);
    timeout(SOON, delivery).await.unwrap().unwrap();
    assert_eq!(cluster.requests(1, ApiKey::Produce), 2, "it was sent once");
    expect_all(&client, 2).await;
}

#[tokio::test]
async fn a_frozen_coordinator_is_left_when_the_group_has_another() {
    let cluster = MockCluster::start().await;
    let admin = client(&cluster).await.admin();
    let group = GroupId::new("g");
    assert_eq!(admin.describe_group(&group).await.unwrap().state, "Empty");
    cluster.set_mode(1, Mode::Hangs);
    let asking = tokio::spawn(async move { admin.describe_group(&group).await });
    let looked = cluster.has_been_asked(2, ApiKey::FindCoordinator, 2);
    timeout(SOON, looked).await.unwrap();
    cluster.elect(2);
    let described = timeout(SOON, asking).await.unwrap().unwrap().unwrap();
    assert_eq!(described.state, "Empty");
    assert_eq!(cluster.requests(2, ApiKey::DescribeGroups), 1);
}

#[tokio::test]
async fn any_of_several_bootstrap_addresses_is_enough() {
    for mode in [Mode::Dead, Mode::Hangs] {
        let cluster = MockCluster::start().await;
        cluster.set_mode(1, mode);
        cluster.elect(2);
        let client = timeout(SOON, client(&cluster)).await.unwrap();
        let producer = producer(&client);
        timeout(SOON, send(&producer, 0)).await.unwrap();
        timeout(SOON, expect_all(&client, 1)).await.unwrap();
    }
}

fn consumer_in_rack(client: &Client) -> Consumer {
    let partition = TopicPartition::new(topic(), PartitionIndex(0));
    let settings = ConsumerSettings { rack: Some(RACK.to_owned()), ..ConsumerSettings::default() };
    client.consumer([(partition, StartAt::Earliest)], settings).unwrap()
}

#[tokio::test]
async fn a_consumer_reads_from_the_follower_that_the_leader_names() {
    let cluster = MockCluster::start().await;
    let client = client(&cluster).await;
    let (producer, mut consumer) = (producer(&client), consumer_in_rack(&client));
    cluster.send_consumers_to(2, ErrorCode::None);
    for number in 0..20 {
        send(&producer, number).await;
        assert_eq!(next(&mut consumer).await, number);
    }
    assert_eq!(cluster.requests(1, ApiKey::Fetch), 1, "the leader is asked once");
    assert!(cluster.requests(2, ApiKey::Fetch) >= 2);
}

#[tokio::test]
async fn a_consumer_without_a_rack_reads_from_the_leader() {
    let cluster = MockCluster::start().await;
    let client = client(&cluster).await;
    let (producer, mut consumer) = (producer(&client), consumer(&client));
    cluster.send_consumers_to(2, ErrorCode::None);
    send(&producer, 0).await;
    assert_eq!(next(&mut consumer).await, 0);
    assert_eq!(cluster.requests(2, ApiKey::Fetch), 0);
}

/// Out of range at a follower must not make a consumer start over: the leader knows more.
#[tokio::test]
async fn a_consumer_whose_follower_refuses_goes_on_at_the_leader_from_where_it_was() {
    let codes = [
        ErrorCode::OffsetOutOfRange,
        ErrorCode::OffsetNotAvailable,
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::FencedLeaderEpoch,
        ErrorCode::UnknownTopicOrPartition,
    ];
    for code in codes {
        let cluster = MockCluster::start().await;
        let client = client(&cluster).await;
        let (producer, mut consumer) = (producer(&client), consumer_in_rack(&client));
        cluster.send_consumers_to(2, ErrorCode::None);
        send(&producer, 0).await;
        assert_eq!(next(&mut consumer).await, 0, "{code}");
        cluster.send_consumers_to(2, code);
        send(&producer, 1).await;
        assert_eq!(next(&mut consumer).await, 1, "{code}");
        send(&producer, 2).await;
        assert_eq!(next(&mut consumer).await, 2, "{code}");
    }
}

#[tokio::test]
async fn a_follower_that_dies_or_hangs_is_left_for_the_leader() {
    for mode in [Mode::Dead, Mode::Hangs] {
        let cluster = MockCluster::start().await;
        let client = client(&cluster).await;
        let (producer, mut consumer) = (producer(&client), consumer_in_rack(&client));
        cluster.send_consumers_to(2, ErrorCode::None);
        send(&producer, 0).await;
        assert_eq!(next(&mut consumer).await, 0);
        cluster.set_mode(2, mode);
        // the leader has noticed, too
        cluster.send_consumers_to(2, ErrorCode::NotLeaderOrFollower);
        send(&producer, 1).await;
        assert_eq!(next(&mut consumer).await, 1, "{mode:?}");
    }
}
