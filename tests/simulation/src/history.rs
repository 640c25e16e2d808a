//! What the clients asked for and what they were told, and the rules that hold between the two.
//!
//! 1. A record that was acknowledged is read, at its offset, once.
//! 2. An offset of a partition shows the same record to everybody, always.
//! 3. A record stands at one offset only: every producer is idempotent.
//! 4. Nothing is read that nobody sent, and nothing in another partition.
//! 5. A reader sees offsets without a gap and without going back.
//! 6. The acknowledged offsets of one producer in one partition rise.
//! 7. What a group has committed, and was told so, is not forgotten.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::TopicPartition;

use crate::sometimes::Sometimes;
use crate::weather::Weather;

#[derive(Debug)]
struct Sent {
    producer: String,
    /// Its place among all records, by the order of sending.
    number: usize,
    partition: TopicPartition,
    /// Acknowledged, at this offset where the node named one.
    acked: Option<Option<i64>>,
    /// Where it was read.
    read: Option<i64>,
}

#[derive(Default)]
struct Events {
    sent: BTreeMap<String, Sent>,
    reads: BTreeMap<TopicPartition, BTreeMap<i64, String>>,
    committed: BTreeMap<TopicPartition, i64>,
    violations: Vec<String>,
}

/// The history of one run. Clones are the same.
#[derive(Clone)]
pub struct History {
    events: Arc<Mutex<Events>>,
    /// What the run came across.
    pub sometimes: Sometimes,
    weather: Weather,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new(weather: Weather) -> Self {
        Self { events: Arc::default(), sometimes: Sometimes::default(), weather }
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the world began.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.weather.now_ms()
    }

    /// Something is wrong.
    pub fn violation(&self, what: String) {
        let now_ms = self.weather.now_ms();
        self.weather.note("violation", 0, what.as_bytes());
        self.events().violations.push(format!("at {now_ms} ms: {what}"));
    }

    /// What was found to be wrong.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.events().violations.clone()
    }

    /// A producer sends.
    pub fn sends(&self, producer: &str, value: &str, partition: &TopicPartition) {
        let mut events = self.events();
        let (number, partition) = (events.sent.len(), partition.clone());
        let producer = producer.to_owned();
        let sent = Sent { producer, number, partition, acked: None, read: None };
        events.sent.insert(value.to_owned(), sent);
    }

    /// A record was acknowledged.
    pub fn acked(&self, value: &str, offset: Option<i64>) {
        self.weather.note("acked", offset.unwrap_or(-1).unsigned_abs(), value.as_bytes());
        self.sometimes.met("record acknowledged");
        if let Some(sent) = self.events().sent.get_mut(value) {
            sent.acked = Some(offset);
        }
    }

    /// A record failed, or its fate is unknown: nothing is promised about it.
    pub fn failed(&self, value: &str, error: &client::Error) {
        self.weather.note("failed", 0, value.as_bytes());
        self.sometimes.met("record failed");
        tracing::debug!(value, %error, "failed");
    }

    /// A reader was given a record; `expected` is the offset that comes next for it, if it knows.
    pub fn read(
        &self,
        partition: &TopicPartition,
        offset: i64,
        value: &str,
        expected: Option<i64>,
    ) {
        self.weather.note("read", offset.unsigned_abs(), value.as_bytes());
        self.sometimes.met("record read");
        if let Some(expected) = expected.filter(|expected| *expected != offset) {
            self.violation(format!(
                "5: a reader of {partition} was given offset {offset} instead of {expected}"
            ));
        }
        let wrong = self.events().take_read(partition, offset, value);
        wrong.into_iter().for_each(|what| self.violation(what));
    }

    /// A group's commit was acknowledged.
    pub fn committed(&self, partition: &TopicPartition, offset: i64) {
        self.weather.note("committed", offset.unsigned_abs(), partition.to_string().as_bytes());
        self.sometimes.met("offset committed");
        let mut events = self.events();
        let highest = events.committed.entry(partition.clone()).or_insert(offset);
        *highest = (*highest).max(offset);
    }

    /// A group's committed offset was asked for, after everything has healed.
    pub fn finds_committed(&self, partition: &TopicPartition, found: Option<i64>) {
        let promised = self.events().committed.get(partition).copied();
        if promised > found {
            self.violation(format!(
                "7: {partition} has the committed offset {found:?}, but {promised:?} was promised"
            ));
        }
    }

    /// The partitions that somebody committed an offset of.
    #[must_use]
    pub fn committed_partitions(&self) -> Vec<TopicPartition> {
        self.events().committed.keys().cloned().collect()
    }

    /// Everything has been read to the end: what was acknowledged must be there.
    pub fn check_complete(&self) {
        let mut wrong = self.events().disorder();
        for (value, sent) in &self.events().sent {
            match (sent.acked, sent.read) {
                (Some(offset), None) => {
                    let partition = &sent.partition;
                    wrong.push(format!("1: {value} of {partition}, acked at {offset:?}, is lost"));
                }
                (Some(Some(acked)), Some(read)) if acked != read => {
                    let partition = &sent.partition;
                    wrong
                        .push(format!("1: {value} of {partition}, acked at {acked}, is at {read}"));
                }
                _ => {}
            }
        }
        wrong.into_iter().for_each(|what| self.violation(what));
    }
}

impl Events {
    /// Rule 6, over everything that was acknowledged.
    fn disorder(&self) -> Vec<String> {
        let mut sent: Vec<(&String, &Sent)> = self.sent.iter().collect();
        sent.sort_by_key(|(_, sent)| sent.number);
        let mut last: BTreeMap<(&str, &TopicPartition), i64> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (value, sent) in sent {
            let Some(Some(offset)) = sent.acked else { continue };
            let before = last.insert((&sent.producer, &sent.partition), offset);
            if before.is_some_and(|before| before >= offset) {
                wrong.push(format!("6: {value} was acknowledged at {offset} after {before:?}"));
            }
        }
        wrong
    }

    fn take_read(
        &mut self,
        partition: &TopicPartition,
        offset: i64,
        value: &str,
    ) -> Option<String> {
        let shown = self.reads.entry(partition.clone()).or_default();
        match shown.get(&offset) {
            Some(other) if other == value => return None,
            Some(other) => {
                return Some(format!(
                    "2: {partition} at {offset} shows {value}, and {other} before"
                ));
            }
            None => drop(shown.insert(offset, value.to_owned())),
        }
        let Some(sent) = self.sent.get_mut(value) else {
            return Some(format!("4: {value} in {partition} at {offset} was never sent"));
        };
        if sent.partition != *partition {
            let meant = &sent.partition;
            return Some(format!("4: {value} in {partition} at {offset} was meant for {meant}"));
        }
        let first = sent.read.replace(offset)?;
        Some(format!("3: {value} in {partition} stands at {first} and at {offset}"))
    }
}

#[cfg(test)]
mod tests;
