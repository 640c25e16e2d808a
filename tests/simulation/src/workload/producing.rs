//! Idempotent producers that come and go. Every value is unique, and says who sent it.

use std::time::Duration;

use client::{Producer, ProducerRecord, ProducerSettings};
use protocol::TopicPartition;
use tokio::time::sleep;

use super::Clients;
use crate::chance::Chance;

fn settings() -> ProducerSettings {
    ProducerSettings {
        linger: Duration::from_millis(2),
        request_timeout: Duration::from_secs(2),
        delivery_timeout: Duration::from_secs(8),
        admission_timeout: Duration::from_secs(4),
        may_create_topics: false,
        ..ProducerSettings::default()
    }
}

/// One producer after the other, until the end.
pub(super) async fn produce(clients: Clients, number: u32) {
    let mut chance = clients.chance(&format!("producer {number}"));
    let mut incarnation = 0;
    while let Some(client) = clients.connect().await {
        incarnation += 1;
        let Ok(producer) = client.producer(settings()) else { return };
        let name = format!("p{number}.{incarnation}");
        let records = chance.between(5, 400);
        send_records(&clients, &producer, &name, records, &mut chance).await;
        if chance.per_mille(500) {
            // in good order, half of the times; else it is dropped with what is under way
            let _ = producer.close().await;
        }
    }
}

async fn send_records(
    clients: &Clients,
    producer: &Producer,
    name: &str,
    records: u64,
    chance: &mut Chance,
) {
    let partitions = clients.partitions();
    for sequence in 0..records {
        if clients.is_over() {
            return;
        }
        let Some(partition) = chance.pick(&partitions) else { return };
        send(clients, producer, name, sequence, partition).await;
        // in bursts, so that batches hold more than one record
        if chance.per_mille(400) {
            sleep(chance.millis(1, 150)).await;
        }
    }
}

async fn send(
    clients: &Clients,
    producer: &Producer,
    name: &str,
    sequence: u64,
    partition: &TopicPartition,
) {
    let value = format!("{name}.{sequence}");
    clients.history.sends(name, &value, partition);
    let record = record_of(clients, partition, &value);
    match producer.send(record).await {
        Ok(delivery) => {
            let history = clients.history.clone();
            tokio::spawn(async move {
                match delivery.await {
                    Ok(place) => {
                        history.acked(&value, place.offset.map(|offset| offset.value()));
                    }
                    Err(error) => history.failed(&value, &error),
                }
            });
        }
        Err(error) => clients.history.failed(&value, &error),
    }
}

fn record_of(clients: &Clients, partition: &TopicPartition, value: &str) -> ProducerRecord {
    let now_ms = i64::try_from(clients.history.now_ms()).unwrap_or_default();
    ProducerRecord::to(&partition.topic)
        .partition(partition.partition.0)
        .timestamp(crate::node_ports::EPOCH_MS + now_ms)
        .value(value.to_owned())
}

/// One record to every partition; whether all were acknowledged.
pub(super) async fn probe(clients: &Clients, attempt: u32) -> bool {
    let Ok(client) = client::Client::with_settings(clients.settings()).await else { return false };
    let Ok(producer) = client.producer(settings()) else { return false };
    for partition in clients.partitions() {
        let value = format!("probe{attempt}.{}", partition.partition);
        clients.history.sends("probe", &value, &partition);
        let record = record_of(clients, &partition, &value);
        let Ok(delivery) = producer.send(record).await else { return false };
        match delivery.await {
            Ok(place) => clients.history.acked(&value, place.offset.map(|at| at.value())),
            Err(error) => {
                clients.history.failed(&value, &error);
                return false;
            }
        }
    }
    true
}
