//! Readers: some that read along from the beginning, and the one that reads everything at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Consumer, ConsumerSettings, OffsetQuery, StartAt};
use logcheck::{Answer, Bound, Client, Operation, Step};
use protocol::TopicPartition;
use tokio::time::{sleep, timeout};

use super::{Clients, LAST_LOOKS, READERS};
use crate::history::key_of;

/// The offset that a reader expects next, by partition.
type Expected = BTreeMap<TopicPartition, i64>;

/// A consumer of all partitions, from places of its own choice.
struct Reader<'a> {
    clients: &'a Clients,
    who: Client,
    consumer: Consumer,
    expected: Expected,
}

/// Reads along, as one reader after the other, until the end.
pub(super) async fn read_along(clients: Clients, number: u32) {
    let mut chance = clients.chance(&format!("reader {number}"));
    let mut racks = clients.chance(&format!("racks of reader {number}"));
    let mut incarnation = 0;
    while let Some(client) = clients.connect().await {
        incarnation += 1;
        let mut left = chance.between(50, 2000);
        // mostly the newest records: reading all of them again and again shows little more
        let start = if chance.per_mille(100) { StartAt::Earliest } else { StartAt::BeforeEnd(20) };
        let rack = clients.rack(&mut racks);
        let who = Client::new(READERS + number, incarnation);
        let reader = Reader::begin(&clients, &client, who, (start, rack));
        let Ok(mut reader) = reader else { return };
        while left > 0 && !clients.is_over() {
            if let Err(error) = reader.next(Duration::from_secs(1)).await {
                tracing::debug!(%error, "a reader failed");
                break;
            }
            left -= 1;
        }
        sleep(chance.millis(1, 500)).await;
    }
}

impl<'a> Reader<'a> {
    /// One in a rack reads from the follower there, in worlds where followers serve.
    fn begin(
        clients: &'a Clients,
        client: &client::Client,
        who: Client,
        (at, rack): (StartAt, Option<String>),
    ) -> client::Result<Self> {
        let partitions = clients.partitions();
        let keys = partitions.iter().map(key_of).collect();
        let assigns = clients.history.begins(who, Operation::Assign(keys));
        let start = partitions.into_iter().map(|partition| (partition, at));
        let consumer =
            client.consumer(start, ConsumerSettings { rack, ..ConsumerSettings::default() })?;
        clients.history.ends(assigns, Step::Ok(Answer::Done));
        Ok(Self { clients, who, consumer, expected: Expected::new() })
    }

    /// Takes the next record, if there is one by then; whether there was.
    async fn next(&mut self, patience: Duration) -> client::Result<bool> {
        let history = &self.clients.history;
        let poll = history.begins(self.who, Operation::Poll);
        // a call that is given up in the middle loses nothing
        let polled = timeout(patience, self.consumer.next()).await.unwrap_or(Ok(None));
        let Ok(Some(record)) = polled else {
            history.read_nothing(poll, Vec::new());
            return polled.map(|_| false);
        };
        let following = record.offset.value() + 1;
        let expected = self.expected.insert(record.partition.clone(), following);
        history.read(poll, &record, expected, Vec::new());
        Ok(true)
    }
}

/// Reads every partition from its beginning to its end; whether it got there.
pub(super) async fn read_everything(clients: &Clients, attempt: u32) -> bool {
    let Ok(client) = client::Client::with_settings(clients.settings()).await else { return false };
    let who = Client::new(LAST_LOOKS, attempt);
    let Some(ends) = look_at_ends(clients, &client, who).await else { return false };
    let reader = Reader::begin(clients, &client, who, (StartAt::Earliest, None));
    let Ok(mut reader) = reader else { return false };
    reader.expected = ends.keys().map(|partition| (partition.clone(), 0)).collect();
    let is_behind = |expected: &Expected| {
        ends.iter().any(|(partition, end)| expected.get(partition).copied().unwrap_or(0) < *end)
    };
    while is_behind(&reader.expected) {
        if !matches!(reader.next(Duration::from_secs(5)).await, Ok(true)) {
            return false;
        }
    }
    clients.history.notes(who, Step::Drained(ends.keys().map(key_of).collect()));
    true
}

/// Asks how far the partitions reach; nothing unless every one of them was told.
pub(super) async fn look_at_ends(
    clients: &Clients,
    client: &client::Client,
    who: Client,
) -> Option<BTreeMap<TopicPartition, i64>> {
    let look = clients.history.begins(who, Operation::ListOffsets(Bound::Latest));
    let mut ends = BTreeMap::new();
    for partition in clients.partitions() {
        let found = client.admin().list_offset(&partition, OffsetQuery::Latest).await;
        let Some(offset) = found.ok().and_then(|found| found.offset) else {
            clients.history.ends(look, Step::Fail);
            return None;
        };
        ends.insert(partition, offset.value());
    }
    let told = ends.iter().map(|(partition, end)| (key_of(partition), *end, None)).collect();
    clients.history.ends(look, Step::Ok(Answer::Offsets(told)));
    Some(ends)
}
