//! The smallest whole program: start a node in this process, create a topic, produce, consume,
//! stop in order. A starting point for one's own.
//!
//! What one should see: a topic with three partitions, ten records going in and the same ten coming
//! out, those of one key in their order, and an orderly stop.
//!
//! ```text
//! cargo run --example single_node
//! ```
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::Duration;

use actors::{Node, StaticSettings};
use anyhow::{Context, Result, ensure};
use client::{
    Client, ConsumerSettings, NewTopic, ProducerRecord, ProducerSettings, StartAt, TopicName,
};

const CUSTOMERS: [&str; 3] = ["alice", "bob", "carol"];
const ORDERS: usize = 10;

#[tokio::main]
async fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().to_str().context("the temporary directory has an odd name")?;
    let node = Node::start(StaticSettings::parse([
        ("log.dirs", path),
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("callboard.admin.listener", "127.0.0.1:0"),
    ])?)
    .await?;
    let bootstrap = node.bootstrap().context("the node listens nowhere")?.to_string();
    println!("a node listens on {bootstrap}, any Kafka client finds it there");

    let client = Client::connect(&bootstrap).await?;
    let orders = TopicName::new("orders")?;
    let created = client.admin().create_topic(NewTopic::new(&orders).partitions(3)).await?;
    println!("topic {orders} has {} partitions", created.partitions);

    produce(&client, &orders).await?;
    consume(&client, &orders).await?;

    let reason = node.stop(Duration::from_secs(10)).await;
    ensure!(!reason.is_abnormal(), "the node did not stop in order: it {reason}");
    println!("the node stopped in order");
    Ok(())
}

/// A delivery is awaited after the next records have been sent, so that they share batches.
async fn produce(client: &Client, orders: &TopicName) -> Result<()> {
    let producer = client.producer(ProducerSettings::default())?;
    let mut deliveries = Vec::new();
    for (number, customer) in CUSTOMERS.iter().cycle().take(ORDERS).enumerate() {
        let record = ProducerRecord::to(orders).key(*customer).value(format!("order {number}"));
        deliveries.push((customer, number, producer.send(record).await?));
    }
    for (customer, number, delivery) in deliveries {
        let place = delivery.await?;
        let offset = place.offset.context("acks=all tells the offset")?;
        println!("  {customer}'s order {number} is on disk in {} at {offset}", place.partition);
    }
    Ok(producer.close().await?)
}

async fn consume(client: &Client, orders: &TopicName) -> Result<()> {
    let settings = ConsumerSettings::default();
    let mut consumer = client.topic_consumer(orders, StartAt::Earliest, settings).await?;
    consumer.stop_at_end().await?;
    let mut by_customer: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(record) = consumer.next().await? {
        let text = |bytes: Option<bytes::Bytes>| {
            String::from_utf8(bytes.unwrap_or_default().into()).context("no text")
        };
        by_customer.entry(text(record.key)?).or_default().push(text(record.value)?);
    }
    for (customer, read) in &by_customer {
        println!("  {customer} ordered {}", read.join(", "));
    }
    for (place, customer) in CUSTOMERS.iter().enumerate() {
        let sent = (place..ORDERS).step_by(CUSTOMERS.len()).map(|number| format!("order {number}"));
        let read = by_customer.get(*customer).context("a customer's orders are missing")?;
        ensure!(sent.eq(read.iter().cloned()), "{customer}'s orders came back as {read:?}");
    }
    Ok(())
}
