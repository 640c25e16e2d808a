//! Members of a group share a topic, hand it over and resume where they committed. Runs against
//! the broker that CALLBOARD_BOOTSTRAP names, Apache Kafka or Callboard; without it, it says so
//! and passes.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeSet;
use std::time::Duration;

use client::{
    Acks, Assignor, Client, ConsumerSettings, GroupConsumer, GroupSettings, ProducerRecord,
    ProducerSettings, ResetTo, TopicName,
};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

async fn broker() -> Option<Client> {
    let Ok(bootstrap) = std::env::var("CALLBOARD_BOOTSTRAP") else {
        eprintln!("SKIPPED: CALLBOARD_BOOTSTRAP names no broker to test against");
        return None;
    };
    Some(Client::connect(&bootstrap).await.unwrap())
}

/// A topic with these many partitions and 100 numbered records in each.
async fn filled_topic(client: &Client, partitions: i32) -> TopicName {
    let topic = TopicName::new(&format!("client-group-{}", uuid::Uuid::new_v4())).unwrap();
    let made = client::NewTopic::new(&topic).partitions(partitions);
    client.admin().create_topic(made).await.unwrap();
    let producer = client.producer(ProducerSettings::with_acks(Acks::All)).unwrap();
    for number in 0..100 * partitions {
        let record =
            ProducerRecord::to(&topic).partition(number % partitions).value(number.to_string());
        let _ = producer.send(record).await.unwrap();
    }
    producer.flush().await.unwrap();
    topic
}

fn settings(group: &str) -> GroupSettings {
    GroupSettings {
        heartbeat_interval: Duration::from_millis(200),
        session_timeout: Duration::from_secs(10),
        processing_time_max: Duration::from_secs(20),
        ..GroupSettings::new(group)
    }
}

fn member(client: &Client, topic: &TopicName, settings: GroupSettings) -> GroupConsumer {
    let from_start = ConsumerSettings { reset: ResetTo::Earliest, ..ConsumerSettings::default() };
    client.group_consumer([topic.clone()], settings, from_start).unwrap()
}

async fn next_number(member: &mut GroupConsumer) -> i32 {
    let record = timeout(PATIENCE, member.next()).await.unwrap().unwrap().unwrap();
    std::str::from_utf8(&record.value.unwrap()).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_member_resumes_where_the_one_before_it_closed() {
    let Some(client) = broker().await else { return };
    let topic = filled_topic(&client, 3).await;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let mut member = member(&client, &topic, settings(topic.as_str()));
        for _ in 0..100 {
            assert!(seen.insert(next_number(&mut member).await), "a record came twice");
        }
        member.close().await.unwrap();
    }
    assert_eq!(seen, (0..300).collect());
}

#[tokio::test]
async fn what_was_not_committed_comes_again() {
    let Some(client) = broker().await else { return };
    let topic = filled_topic(&client, 1).await;
    let manual = || GroupSettings { auto_commit: None, ..settings(topic.as_str()) };
    let mut first = member(&client, &topic, manual());
    for number in 0..10 {
        assert_eq!(next_number(&mut first).await, number);
    }
    first.commit().await.unwrap();
    assert_eq!(next_number(&mut first).await, 10);
    let pending = first.start_commit();
    pending.await.unwrap();
    assert_eq!(next_number(&mut first).await, 11);
    first.close().await.unwrap();
    let mut second = member(&client, &topic, manual());
    assert_eq!(next_number(&mut second).await, 11);
    second.close().await.unwrap();
}

#[tokio::test]
async fn two_members_share_a_topic_and_the_one_left_takes_over() {
    let Some(client) = broker().await else { return };
    for assignor in [Assignor::Range, Assignor::RoundRobin] {
        let topic = filled_topic(&client, 4).await;
        let group = format!("{topic}-{}", assignor.name());
        let settings = || GroupSettings { assignors: vec![assignor], ..settings(&group) };
        let mut first = member(&client, &topic, settings());
        let mut second = member(&client, &topic, settings());
        let mut seen = BTreeSet::new();
        while seen.len() < 400 || first.assignment().len() != 2 || second.assignment().len() != 2 {
            let either = async {
                tokio::select! {
                    record = first.next() => record,
                    record = second.next() => record,
                }
            };
            // a rebalance gives no record: look at the assignments again
            if let Ok(record) = timeout(Duration::from_millis(100), either).await {
                seen.insert(record.unwrap().unwrap().value);
            }
        }
        assert_eq!(seen.len(), 400);
        second.close().await.unwrap();
        let mut waited = 0;
        while first.assignment().len() != 4 {
            waited += 1;
            assert!(waited < 300, "nobody took over");
            let _ = timeout(Duration::from_millis(100), first.next()).await;
        }
        first.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_member_dropped_without_a_word_is_replaced_by_a_static_successor() {
    let Some(client) = broker().await else { return };
    let topic = filled_topic(&client, 1).await;
    let named = || GroupSettings { instance: Some("one".into()), ..settings(topic.as_str()) };
    let mut first = member(&client, &topic, named());
    for _ in 0..5 {
        next_number(&mut first).await;
    }
    first.commit().await.unwrap();
    drop(first);
    let mut second = member(&client, &topic, named());
    assert_eq!(next_number(&mut second).await, 5);
    second.close().await.unwrap();
}

#[tokio::test]
async fn what_was_worked_on_is_committed_while_the_member_waits_for_more() {
    let Some(client) = broker().await else { return };
    let topic = filled_topic(&client, 1).await;
    let interval = Some(Duration::from_millis(300));
    let mut member = member(
        &client,
        &topic,
        GroupSettings { auto_commit: interval, ..settings(topic.as_str()) },
    );
    for _ in 0..100 {
        next_number(&mut member).await;
    }
    let admin = client.admin();
    let committed = async {
        let group = client::GroupId::new(topic.as_str());
        loop {
            let offsets = admin.group_offsets(&group).await.unwrap();
            if offsets.values().any(|committed| committed.offset.value() == 100) {
                return;
            }
        }
    };
    tokio::select! {
        record = member.next() => panic!("{record:?}"),
        committed = timeout(PATIENCE, committed) => committed.unwrap(),
    }
    member.close().await.unwrap();
}
