//! What the clients of a cluster of processes asked for and were told, for `logcheck` to judge.

use std::fs::File;
use std::io::BufWriter;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use client::{ConsumedRecord, TopicPartition};
use logcheck::{
    Answer, Client, History, Key, Operation, Payload, Read, Rule, Sent, Step, Ticket, Value,
    Verdict, check,
};

/// Records what happens, from several tasks, in the order in which it happened.
pub struct Witness {
    began: Instant,
    history: Mutex<History>,
}

impl Default for Witness {
    fn default() -> Self {
        Self { began: Instant::now(), history: Mutex::default() }
    }
}

impl Witness {
    /// Adds what happens now.
    fn record<T>(&self, add: impl FnOnce(&mut History, u64) -> T) -> T {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        // under the lock, so that time never goes back
        let now_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap();
        add(&mut history, now_ns)
    }

    pub fn begins(&self, who: Client, operation: Operation) -> Ticket {
        self.record(|history, now_ns| history.invoke(now_ns, who, operation)).unwrap()
    }

    pub fn ends(&self, ticket: Ticket, step: Step) {
        self.record(|history, now_ns| history.complete(now_ns, ticket, step)).unwrap();
    }

    pub fn notes(&self, who: Client, step: Step) {
        self.record(|history, now_ns| history.note(now_ns, who, step)).unwrap();
    }

    pub fn sends(&self, who: Client, partition: &TopicPartition, value: Value) -> Ticket {
        let records = vec![(key_of(partition), value)];
        self.begins(who, Operation::Send { idempotent: true, records })
    }

    pub fn acked(&self, ticket: Ticket, offset: Option<i64>) {
        let sent = vec![Sent { offset, leader_epoch: None }];
        self.ends(ticket, Step::Ok(Answer::Sent(sent)));
    }

    pub fn read(&self, poll: Ticket, record: Option<&ConsumedRecord>, repositioned: Vec<Key>) {
        let records = record.map(read_of).into_iter().collect();
        self.ends(poll, Step::Ok(Answer::Polled { records, repositioned }));
    }

    /// Every rule holds, and there was something to judge by. A history that breaks one is kept.
    pub fn judge(&self) {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let report = check(&history);
        let seen = [Rule::Unseen, Rule::InconsistentOffset, Rule::CommitRegression];
        let is_blind = seen.into_iter().any(|rule| report.examined(rule) == 0);
        if report.verdict() == Verdict::Clean && !is_blind {
            return;
        }
        let name = format!("callboard-history-{}.jsonl", std::process::id());
        let path = std::env::temp_dir().join(name);
        history.write(BufWriter::new(File::create(&path).unwrap())).unwrap();
        let path = path.display();
        panic!("{report}\nits history: cargo run -p logcheck -- {path}");
    }
}

pub fn key_of(partition: &TopicPartition) -> Key {
    Key::new(partition.topic.as_str(), partition.partition.0)
}

/// The bytes of a record that says who it is.
pub fn payload(partition: &TopicPartition, value: Value) -> Vec<u8> {
    Payload { value, key: key_of(partition).as_str() }.encode(0)
}

fn read_of(record: &ConsumedRecord) -> Read {
    let bytes = record.value.as_deref().unwrap_or_default();
    Read {
        key: key_of(&record.partition),
        offset: record.offset.value(),
        value: Payload::decode(bytes).ok().map(|payload| payload.value),
        leader_epoch: Some(record.leader_epoch.value()).filter(|epoch| *epoch >= 0),
    }
}
