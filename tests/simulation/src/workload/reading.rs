//! Readers: some that read along from the beginning, and the one that reads everything at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Client, ConsumedRecord, Consumer, ConsumerSettings, OffsetQuery, StartAt};
use protocol::TopicPartition;
use tokio::time::{sleep, timeout};

use super::Clients;

/// The offset that a reader expects next, by partition.
type Expected = BTreeMap<TopicPartition, i64>;

/// Reads along, as one reader after the other, until the end.
pub(super) async fn read_along(clients: Clients, number: u32) {
    let mut chance = clients.chance(&format!("reader {number}"));
    while let Some(client) = clients.connect().await {
        let mut left = chance.between(50, 2000);
        // mostly the newest records: reading all of them again and again shows little more
        let start = if chance.per_mille(100) { StartAt::Earliest } else { StartAt::BeforeEnd(20) };
        let Ok(mut consumer) = consumer_from(&clients, &client, start) else { return };
        let mut expected = Expected::new();
        while left > 0 && !clients.is_over() {
            match timeout(Duration::from_secs(1), consumer.next()).await {
                Ok(Ok(Some(record))) => take(&clients, &record, &mut expected),
                Ok(Ok(None)) | Err(_) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a reader failed");
                    break;
                }
            }
            left -= 1;
        }
        sleep(chance.millis(1, 500)).await;
    }
}

fn consumer_from(clients: &Clients, client: &Client, at: StartAt) -> client::Result<Consumer> {
    let start = clients.partitions().into_iter().map(|partition| (partition, at));
    client.consumer(start, ConsumerSettings::default())
}

fn take(clients: &Clients, record: &ConsumedRecord, expected: &mut Expected) {
    let value = record.value.as_deref().unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    let offset = record.offset.value();
    let next = expected.insert(record.partition.clone(), offset + 1);
    clients.history.read(&record.partition, offset, &value, next);
}

/// Reads every partition from its beginning to its end; whether it got there.
pub(super) async fn read_everything(clients: &Clients) -> bool {
    let Ok(client) = Client::with_settings(clients.settings()).await else { return false };
    let mut ends = BTreeMap::new();
    for partition in clients.partitions() {
        let found = client.admin().list_offset(&partition, OffsetQuery::Latest).await;
        let Ok(found) = found else { return false };
        ends.insert(partition, found.offset.map_or(0, |offset| offset.value()));
    }
    let Ok(mut consumer) = consumer_from(clients, &client, StartAt::Earliest) else { return false };
    let mut expected: Expected = ends.keys().map(|partition| (partition.clone(), 0)).collect();
    let is_behind = |expected: &Expected| {
        ends.iter().any(|(partition, end)| expected.get(partition).copied().unwrap_or(0) < *end)
    };
    while is_behind(&expected) {
        match timeout(Duration::from_secs(5), consumer.next()).await {
            Ok(Ok(Some(record))) => take(clients, &record, &mut expected),
            _ => return false,
        }
    }
    true
}
