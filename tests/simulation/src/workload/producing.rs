//! Idempotent producers that come and go. Every record says who it is and where it belongs.

use std::time::Duration;

use client::{Producer, ProducerRecord, ProducerSettings};
use logcheck::{Client, Payload, Step, Value};
use protocol::TopicPartition;
use tokio::time::sleep;

use super::{Clients, PROBES, PRODUCERS};
use crate::chance::Chance;
use crate::history::key_of;

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

/// A producer and what its process has sent.
struct Sender<'a> {
    clients: &'a Clients,
    producer: Producer,
    who: Client,
    /// Of the process: its next incarnation goes on counting.
    sent: &'a mut u64,
}

/// One producer after the other, until the end.
pub(super) async fn produce(clients: Clients, number: u32) {
    let mut chance = clients.chance(&format!("producer {number}"));
    let (mut incarnation, mut sent) = (0, 0);
    while let Some(client) = clients.connect().await {
        incarnation += 1;
        let Ok(producer) = client.producer(settings()) else { return };
        let who = Client::new(PRODUCERS + number, incarnation);
        let mut sender = Sender { clients: &clients, producer, who, sent: &mut sent };
        let records = chance.between(5, 400);
        sender.send_records(records, &mut chance).await;
        if chance.per_mille(500) {
            // in good order, half of the times; else it is dropped with what is under way
            let _ = sender.producer.close().await;
        }
    }
}

impl Sender<'_> {
    async fn send_records(&mut self, records: u64, chance: &mut Chance) {
        let partitions = self.clients.partitions();
        for _ in 0..records {
            if self.clients.is_over() {
                return;
            }
            let Some(partition) = chance.pick(&partitions) else { return };
            self.send(partition).await;
            // in bursts, so that batches hold more than one record
            if chance.per_mille(400) {
                sleep(chance.millis(1, 150)).await;
            }
        }
    }

    async fn send(&mut self, partition: &TopicPartition) {
        let value = Value::new(self.who.process, *self.sent);
        *self.sent += 1;
        let history = &self.clients.history;
        let ticket = history.sends(self.who, partition, value);
        match self.producer.send(record_of(self.clients, partition, value)).await {
            Ok(delivery) => {
                let history = history.clone();
                tokio::spawn(async move {
                    match delivery.await {
                        Ok(place) => {
                            history.acked(ticket, value, place.offset.map(|offset| offset.value()));
                        }
                        Err(error) => history.failed(ticket, value, Step::Unknown, &error),
                    }
                });
            }
            // it was not admitted, so nothing of it ever left
            Err(error) => history.failed(ticket, value, Step::Fail, &error),
        }
    }
}

fn record_of(clients: &Clients, partition: &TopicPartition, value: Value) -> ProducerRecord {
    let now_ms = i64::try_from(clients.history.now_ms()).unwrap_or_default();
    let key = key_of(partition);
    ProducerRecord::to(&partition.topic)
        .partition(partition.partition.0)
        .timestamp(crate::node_ports::EPOCH_MS + now_ms)
        .value(Payload { value, key: key.as_str() }.encode(0))
}

/// One record to every partition; whether all were acknowledged.
pub(super) async fn probe(clients: &Clients, attempt: u32) -> bool {
    let Ok(client) = client::Client::with_settings(clients.settings()).await else { return false };
    let Ok(producer) = client.producer(settings()) else { return false };
    let (who, partitions) = (Client::new(PROBES, attempt), clients.partitions());
    for (number, partition) in (0_u64..).zip(&partitions) {
        let sent = u64::from(attempt) * partitions.len() as u64 + number;
        let value = Value::new(PROBES, sent);
        let ticket = clients.history.sends(who, partition, value);
        let delivery = match producer.send(record_of(clients, partition, value)).await {
            Ok(delivery) => delivery,
            Err(error) => {
                clients.history.failed(ticket, value, Step::Fail, &error);
                return false;
            }
        };
        match delivery.await {
            Ok(place) => clients.history.acked(ticket, value, place.offset.map(|at| at.value())),
            Err(error) => {
                clients.history.failed(ticket, value, Step::Unknown, &error);
                return false;
            }
        }
    }
    true
}
