//! What the clients asked for and what they were told, recorded as it happens. When the run is over
//! `logcheck` judges it; the rules stand in its README, and none of them is written here again.
//!
//! ```text
//! producers ── send ──┐
//! readers ──── poll ──┼──▶ History ──▶ logcheck::check ──▶ violations, what each rule saw
//! members ── commit ──┤        │
//! auditor ─── look ───┘        └─ of a failing run ─▶ FILE ─▶ cargo run -p logcheck -- FILE
//! ```
//!
//! One rule is the world's own, because only the world knows that nothing is deleted and nothing is
//! transactional here: a reader is given every offset ([`History::read`]).

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use client::ConsumedRecord;
use logcheck::{Answer, Client, Key, Operation, Payload, Read, Rule, Sent, Step, Ticket, Value};
use protocol::TopicPartition;

use crate::sometimes::Sometimes;
use crate::weather::Weather;

/// Violations that a run tells of; the file of its history has all of them.
const VIOLATIONS_TOLD: usize = 20;

#[derive(Default)]
struct Events {
    recorded: logcheck::History,
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

    fn now_ns(&self) -> u64 {
        self.now_ms() * 1_000_000
    }

    /// Something is wrong.
    pub fn violation(&self, what: &str) {
        let now_ms = self.weather.now_ms();
        self.weather.note("violation", 0, what.as_bytes());
        self.events().violations.push(format!("at {now_ms} ms: {what}"));
    }

    /// What was found to be wrong.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.events().violations.clone()
    }

    /// A client begins an operation: before its request leaves.
    ///
    /// # Panics
    /// If the world's time went back.
    pub fn begins(&self, who: Client, operation: Operation) -> Ticket {
        let now_ns = self.now_ns();
        let begun = self.events().recorded.invoke(now_ns, who, operation);
        begun.expect("the world's time does not go back")
    }

    /// An operation ends.
    ///
    /// # Panics
    /// If it has ended before, or by what does not answer it: the workload is wrong.
    pub fn ends(&self, ticket: Ticket, step: Step) {
        let now_ns = self.now_ns();
        let ended = self.events().recorded.complete(now_ns, ticket, step);
        ended.expect("an operation ends once, by an answer of its kind");
    }

    /// Something happened beside all operations.
    ///
    /// # Panics
    /// If the world's time went back.
    pub fn notes(&self, who: Client, step: Step) {
        let now_ns = self.now_ns();
        let noted = self.events().recorded.note(now_ns, who, step);
        noted.expect("the world's time does not go back");
    }

    /// A producer sends a record.
    pub fn sends(&self, who: Client, partition: &TopicPartition, value: Value) -> Ticket {
        let records = vec![(key_of(partition), value)];
        self.begins(who, Operation::Send { idempotent: true, records })
    }

    /// A record was acknowledged.
    pub fn acked(&self, ticket: Ticket, value: Value, offset: Option<i64>) {
        let about = offset.unwrap_or(-1).unsigned_abs();
        self.weather.note("acked", about, value.to_string().as_bytes());
        self.sometimes.met("record acknowledged");
        let sent = vec![Sent { offset, leader_epoch: None }];
        self.ends(ticket, Step::Ok(Answer::Sent(sent)));
    }

    /// A record failed: it was certainly not sent, or its fate is unknown.
    pub fn failed(&self, ticket: Ticket, value: Value, step: Step, error: &client::Error) {
        self.weather.note("failed", 0, value.to_string().as_bytes());
        self.sometimes.met("record failed");
        tracing::debug!(%value, %error, "failed");
        self.ends(ticket, step);
    }

    /// Something else happened that a run is to come across.
    pub fn happened(&self, what: &str, about: u64, bytes: &[u8]) {
        self.weather.note(what, about, bytes);
        self.sometimes.met(what);
    }

    /// A poll brought a record. `expected` is the offset that comes next for this reader, if it
    /// knows; `repositioned` are partitions that it does not read where it left off.
    pub fn read(
        &self,
        poll: Ticket,
        record: &ConsumedRecord,
        expected: Option<i64>,
        repositioned: Vec<Key>,
    ) {
        let (bytes, offset) = (record.value.as_deref().unwrap_or_default(), record.offset.value());
        self.weather.note("read", offset.unsigned_abs(), bytes);
        self.sometimes.met("record read");
        if let Some(expected) = expected.filter(|expected| *expected != offset) {
            let partition = &record.partition;
            self.violation(&format!(
                "a reader of {partition} was given offset {offset} instead of {expected}"
            ));
        }
        let read = Read {
            key: key_of(&record.partition),
            offset,
            value: Payload::decode(bytes).ok().map(|payload| payload.value),
            leader_epoch: Some(record.leader_epoch.value()).filter(|epoch| *epoch >= 0),
        };
        self.ends(poll, Step::Ok(Answer::Polled { records: vec![read], repositioned }));
    }

    /// A poll brought nothing.
    pub fn read_nothing(&self, poll: Ticket, repositioned: Vec<Key>) {
        self.ends(poll, Step::Ok(Answer::Polled { records: Vec::new(), repositioned }));
    }

    /// Judges everything, and counts what there was to judge by: a rule that was shown nothing
    /// holds for that reason.
    pub fn judge(&self) {
        let report = logcheck::check(&self.events().recorded);
        for rule in Rule::ALL {
            if report.examined(rule) > 0 {
                self.sometimes.met_times(&format!("judged: {rule}"), report.examined(rule));
            }
        }
        for violation in report.violations().iter().take(VIOLATIONS_TOLD) {
            self.violation(&violation.to_string());
        }
    }

    /// Writes the history as `logcheck` reads it.
    ///
    /// # Errors
    /// What the target says.
    pub fn write(&self, target: impl Write) -> std::io::Result<()> {
        self.events().recorded.write(target)
    }
}

/// The name of a partition, as a history has it.
#[must_use]
pub fn key_of(partition: &TopicPartition) -> Key {
    Key::new(partition.topic.as_str(), partition.partition.0)
}

#[cfg(test)]
mod tests;
