//! Records sent to a real broker come back once, in order and unchanged. Runs against the broker
//! that CALLBOARD_BOOTSTRAP names, Apache Kafka or Callboard; without it, it says so and passes.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use client::{
    Acks, Client, Compression, ConsumedRecord, Consumer, ConsumerSettings, Error, NewTopic, Offset,
    ProducerRecord, ProducerSettings, StartAt, TopicName, TopicPartition,
};

/// A client of the broker under test, or nothing.
async fn broker() -> Option<Client> {
    let Ok(bootstrap) = std::env::var("CALLBOARD_BOOTSTRAP") else {
        eprintln!("SKIPPED: CALLBOARD_BOOTSTRAP names no broker to test against");
        return None;
    };
    Some(Client::connect(&bootstrap).await.unwrap())
}

fn topic(name: &str) -> TopicName {
    TopicName::new(&format!("client-{name}-{}", uuid::Uuid::new_v4())).unwrap()
}

async fn read_all(consumer: &mut Consumer) -> Vec<ConsumedRecord> {
    consumer.stop_at_end().await.unwrap();
    let mut records = Vec::new();
    while let Some(record) = consumer.next().await.unwrap() {
        records.push(record);
    }
    records
}

fn text(part: Option<&bytes::Bytes>) -> &str {
    std::str::from_utf8(part.unwrap()).unwrap()
}

#[tokio::test]
async fn records_come_back_in_order_under_every_codec() {
    let Some(client) = broker().await else { return };
    for compression in Compression::ALL {
        let topic = topic("codec");
        let settings = ProducerSettings { compression, ..ProducerSettings::default() };
        let producer = client.producer(settings).unwrap();
        let mut deliveries = Vec::new();
        for number in 0..2000 {
            let record = ProducerRecord::to(&topic)
                .partition(0)
                .key(format!("key {number}"))
                .value(format!("value {number} {}", "x".repeat(number % 300)))
                .header("number", number.to_string())
                .timestamp(1_700_000_000_000 + number as i64);
            deliveries.push(producer.send(record).await.unwrap());
        }
        for (number, delivery) in deliveries.into_iter().enumerate() {
            let place = delivery.await.unwrap();
            assert_eq!(place.offset, Some(Offset::new(number as i64)));
        }
        let settings = ConsumerSettings::default();
        let mut consumer =
            client.topic_consumer(&topic, StartAt::Earliest, settings).await.unwrap();
        let records = read_all(&mut consumer).await;
        assert_eq!(records.len(), 2000);
        for (number, record) in records.iter().enumerate() {
            assert_eq!(record.offset, Offset::new(number as i64));
            assert_eq!(text(record.key.as_ref()), format!("key {number}"));
            assert!(text(record.value.as_ref()).starts_with(&format!("value {number} ")));
            assert_eq!(text(record.header("number")), number.to_string());
            assert_eq!(record.timestamp, 1_700_000_000_000 + number as i64);
        }
        producer.close().await.unwrap();
    }
}

/// A topic that was just made refuses some first batches until its leaders are ready. A broker that
/// knows nothing of a producer takes any first sequence, so a batch that overtook a refused one
/// would stand before it for ever.
#[tokio::test]
async fn the_first_records_of_a_new_topic_keep_their_order() {
    let Some(client) = broker().await else { return };
    for _ in 0..20 {
        let topic = topic("fresh");
        client.admin().create_topic(NewTopic::new(&topic).partitions(6)).await.unwrap();
        let settings = ProducerSettings { batch_bytes_max: 2000, ..ProducerSettings::default() };
        let producer = client.producer(settings).unwrap();
        for number in 0..1800_i32 {
            let record = ProducerRecord::to(&topic).partition(number % 6).value(number.to_string());
            let _ = producer.send(record).await.unwrap();
        }
        producer.close().await.unwrap();
        let settings = ConsumerSettings::default();
        let mut consumer =
            client.topic_consumer(&topic, StartAt::Earliest, settings).await.unwrap();
        let mut last = [-1; 6];
        let records = read_all(&mut consumer).await;
        assert_eq!(records.len(), 1800);
        for record in records {
            let number: i32 = text(record.value.as_ref()).parse().unwrap();
            let previous = &mut last[usize::try_from(number % 6).unwrap()];
            assert!(number > *previous, "{number} after {previous} in {}", record.partition);
            *previous = number;
        }
        client.admin().delete_topic(&topic).await.unwrap();
    }
}

#[tokio::test]
async fn every_kind_of_acks_delivers() {
    let Some(client) = broker().await else { return };
    for acks in [Acks::None, Acks::Leader, Acks::All] {
        let topic = topic("acks");
        let producer = client.producer(ProducerSettings::with_acks(acks)).unwrap();
        for number in 0..100 {
            let record = ProducerRecord::to(&topic).value(number.to_string());
            let place = producer.send(record).await.unwrap().await.unwrap();
            assert_eq!(place.offset.is_none(), acks == Acks::None);
        }
        producer.close().await.unwrap();
        let settings = ConsumerSettings::default();
        let mut consumer =
            client.topic_consumer(&topic, StartAt::Earliest, settings).await.unwrap();
        let mut numbers = Vec::new();
        while numbers.len() < 100 {
            let record = consumer.next().await.unwrap().unwrap();
            numbers.push(text(record.value.as_ref()).parse::<i32>().unwrap());
        }
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_consumer_starts_at_offsets_times_and_distances_from_the_end() {
    let Some(client) = broker().await else { return };
    let topic = topic("starts");
    let producer = client.producer(ProducerSettings::default()).unwrap();
    for number in 0..50_i64 {
        let record = ProducerRecord::to(&topic).value(number.to_string()).timestamp(1000 * number);
        let _ = producer.send(record).await.unwrap();
    }
    producer.flush().await.unwrap();
    let partition = TopicPartition::new(topic, protocol::PartitionIndex(0));
    let starts = [
        (StartAt::Earliest, 0),
        (StartAt::Latest, 50),
        (StartAt::Offset(Offset::new(7)), 7),
        (StartAt::Timestamp(12_500), 13),
        (StartAt::Timestamp(i64::MAX - 1), 50),
        (StartAt::BeforeEnd(10), 40),
        (StartAt::BeforeEnd(1000), 0),
    ];
    let mut consumer = client.consumer([], ConsumerSettings::default()).unwrap();
    for (start, expected) in starts {
        consumer.assign([(partition.clone(), start)]);
        let records = read_all(&mut consumer).await;
        let offsets: Vec<_> = records.iter().map(|record| record.offset.value()).collect();
        assert_eq!(offsets, (expected..50).collect::<Vec<_>>(), "{start:?}");
        assert_eq!(consumer.position(&partition), Some(Offset::new(50)));
        assert!(matches!(consumer.lag_records(&partition), Some(0) | None));
    }
}

#[tokio::test]
async fn a_paused_partition_gives_nothing_and_goes_on_where_it_was() {
    let Some(client) = broker().await else { return };
    let topic = topic("pause");
    let producer = client.producer(ProducerSettings::default()).unwrap();
    for number in 0..20 {
        let record = ProducerRecord::to(&topic).value(number.to_string());
        let _ = producer.send(record).await.unwrap();
    }
    producer.flush().await.unwrap();
    let mut consumer = client
        .topic_consumer(&topic, StartAt::Earliest, ConsumerSettings::default())
        .await
        .unwrap();
    let partition = consumer.assignment().remove(0);
    for _ in 0..5 {
        consumer.next().await.unwrap().unwrap();
    }
    consumer.pause(&partition).unwrap();
    let waited = tokio::time::timeout(std::time::Duration::from_millis(700), consumer.next()).await;
    assert!(waited.is_err(), "a record came out of a paused partition");
    consumer.resume(&partition).unwrap();
    let next = consumer.next().await.unwrap().unwrap();
    assert_eq!(next.offset, Offset::new(5));
    consumer.stop_at(&partition, Offset::new(8)).unwrap();
    assert_eq!(read_to_stop(&mut consumer).await, [6, 7]);
}

async fn read_to_stop(consumer: &mut Consumer) -> Vec<i64> {
    let mut offsets = Vec::new();
    while let Some(record) = consumer.next().await.unwrap() {
        offsets.push(record.offset.value());
    }
    offsets
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_by_name() {
    let Some(client) = broker().await else { return };
    let topic = topic("refused");
    let producer = client.producer(ProducerSettings::default()).unwrap();
    let large = ProducerRecord::to(&topic).value(vec![0; 2 << 20]);
    assert!(matches!(producer.send(large).await, Err(Error::RecordTooLarge { .. })));
    let nowhere = ProducerRecord::to(&topic).partition(99).value("x");
    assert!(matches!(producer.send(nowhere).await, Err(Error::NoSuchPartition { .. })));
    producer.clone().close().await.unwrap();
    let late = ProducerRecord::to(&topic).value("x");
    assert!(matches!(producer.send(late).await, Err(Error::Closed)));
}
