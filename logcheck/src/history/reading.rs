//! A history from JSON lines. Nothing of it is trusted: lines, their number and the number of
//! partitions have bounds, and an error names the line.

use std::collections::HashSet;
use std::io::{self, BufRead, Read as _};

use serde::Deserialize;

use super::line::{Function, Kind, Line, Pairs, PollLine, RebalanceLine, SendLine, Slot};
use super::{History, HistoryError};
use crate::event::{Answer, Event, Operation, Read, Rebalance, Sent, Step};
use crate::value::{Client, Key, Value};

/// How much of a file is read before it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a line, without its end.
    pub line_bytes_max: u64,
    /// Lines of a file.
    pub lines_max: usize,
    /// Partitions that a file names.
    pub keys_max: usize,
}

impl Default for Limits {
    /// 16 MiB a line, 50 million lines, a million partitions.
    fn default() -> Limits {
        Limits { line_bytes_max: 16 << 20, lines_max: 50_000_000, keys_max: 1_000_000 }
    }
}

/// Why a file is no history. Reading it again helps after [`ReadError::Unreadable`] alone.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error("line {line} cannot be read")]
    Unreadable {
        /// The line that could not be read.
        line: usize,
        /// What the source said.
        source: io::Error,
    },
    /// Not JSON, or not the fields of an event.
    #[error("line {line} is no event")]
    Malformed {
        /// The line.
        line: usize,
        /// Where in the line, and what was expected.
        source: serde_json::Error,
    },
    /// The line lacks a field that its kind has, or has a type that its kind has not.
    #[error("line {line} needs {what}")]
    Incomplete {
        /// The line.
        line: usize,
        /// What is missing.
        what: &'static str,
    },
    /// It cannot follow the lines before it.
    #[error("line {line} does not follow from the lines before it")]
    OutOfOrder {
        /// The line.
        line: usize,
        /// Why not.
        source: HistoryError,
    },
    /// An acknowledgement names other records than were sent, or another kind of operation.
    #[error("line {line} ends another operation than the one that was begun")]
    AnotherOperation {
        /// The line.
        line: usize,
    },
    /// Transactions are not judged, and a history with them would pass unjudged.
    #[error("line {line} is part of a transaction, and there are no rules for those yet")]
    Transaction {
        /// The line.
        line: usize,
    },
    /// The file is larger than it may be.
    #[error("line {line} is beyond the limit for {what}")]
    TooLarge {
        /// The line.
        line: usize,
        /// Which limit.
        what: &'static str,
    },
}

impl ReadError {
    /// Whether reading it once more may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            ReadError::Unreadable { .. } => true,
            ReadError::Malformed { .. }
            | ReadError::Incomplete { .. }
            | ReadError::OutOfOrder { .. }
            | ReadError::AnotherOperation { .. }
            | ReadError::Transaction { .. }
            | ReadError::TooLarge { .. } => false,
        }
    }
}

impl History {
    /// The history in JSON lines that `source` has, within the default limits.
    ///
    /// # Errors
    /// The first line that is no event, or that cannot follow the ones before it.
    pub fn read(source: impl BufRead) -> Result<History, ReadError> {
        History::read_within(source, Limits::default())
    }

    /// The same within other limits.
    ///
    /// # Errors
    /// The same.
    pub fn read_within(source: impl BufRead, limits: Limits) -> Result<History, ReadError> {
        let mut reader = Reader { limits, history: History::new(), keys: HashSet::new() };
        reader.read_all(source)?;
        Ok(reader.history)
    }
}

struct Reader {
    limits: Limits,
    history: History,
    /// Every name once, however many records name it.
    keys: HashSet<Key>,
}

impl Reader {
    fn read_all(&mut self, mut source: impl BufRead) -> Result<(), ReadError> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let number = self.history.lines() + 1;
            let limit = self.limits.line_bytes_max.saturating_add(2);
            let mut bounded = source.by_ref().take(limit);
            let read = bounded.read_until(b'\n', &mut bytes);
            read.map_err(|source| ReadError::Unreadable { line: number, source })?;
            if bytes.is_empty() {
                return Ok(());
            }
            if bytes.len() as u64 == limit {
                return Err(ReadError::TooLarge { line: number, what: "the bytes of a line" });
            }
            if number > self.limits.lines_max {
                return Err(ReadError::TooLarge { line: number, what: "the number of lines" });
            }
            self.read_line(&bytes, number)?;
        }
    }

    fn read_line(&mut self, bytes: &[u8], number: usize) -> Result<(), ReadError> {
        let malformed = |source| ReadError::Malformed { line: number, source };
        let line: Line<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
        let client = Client::new(line.process, line.client_incarnation);
        let step = self.step(&line, client, number)?;
        let event = Event { time: line.t_ns, client, operation: line.op, step };
        let out_of_order = |source| ReadError::OutOfOrder { line: number, source };
        self.history.record(event).map_err(out_of_order)
    }

    fn step(&mut self, line: &Line<'_>, client: Client, number: usize) -> Result<Step, ReadError> {
        if line.f == Function::Txn {
            return Err(ReadError::Transaction { line: number });
        }
        let notice = [Function::Rebalance, Function::Drained, Function::Crash].contains(&line.f);
        match line.kind {
            Kind::Info if notice => self.notice(line, number),
            _ if notice => Err(ReadError::Incomplete { line: number, what: "the type info" }),
            Kind::Invoke => self.operation(line, number).map(Step::Invoke),
            Kind::Ok => {
                self.expect_open(line, client, number)?;
                self.answer(line, client, number).map(Step::Ok)
            }
            Kind::Fail => self.expect_open(line, client, number).map(|()| Step::Fail),
            Kind::Info => self.expect_open(line, client, number).map(|()| Step::Unknown),
        }
    }

    fn notice(&mut self, line: &Line<'_>, number: usize) -> Result<Step, ReadError> {
        if line.f == Function::Crash {
            return Ok(Step::Crash);
        }
        if line.f == Function::Drained {
            return Ok(Step::Drained(self.keys(value::<Vec<String>>(line, number)?, number)?));
        }
        let RebalanceLine { assigned, revoked } = value(line, number)?;
        Ok(Step::Rebalance(Rebalance {
            group: group(line, number)?,
            generation: line.generation,
            assigned: self.keys(assigned, number)?,
            revoked: self.keys(revoked, number)?,
        }))
    }

    fn operation(&mut self, line: &Line<'_>, number: usize) -> Result<Operation, ReadError> {
        Ok(match line.f {
            Function::Send => Operation::Send {
                idempotent: line.idempotent.unwrap_or(true),
                records: self.sent_records(value(line, number)?, number)?,
            },
            Function::Poll => Operation::Poll,
            Function::Assign => Operation::Assign(self.keys(value(line, number)?, number)?),
            Function::Subscribe => Operation::Subscribe(value(line, number)?),
            Function::Seek => Operation::Seek(self.keys(value(line, number)?, number)?),
            Function::Commit => Operation::Commit {
                group: group(line, number)?,
                generation: line.generation,
                offsets: self.pairs(value::<Pairs<i64>>(line, number)?, number)?,
            },
            Function::FetchCommitted => Operation::FetchCommitted { group: group(line, number)? },
            Function::ListOffsets => {
                let incomplete = ReadError::Incomplete { line: number, what: "a bound" };
                Operation::ListOffsets(line.bound.ok_or(incomplete)?.into())
            }
            Function::Txn | Function::Rebalance | Function::Drained | Function::Crash => {
                return Err(ReadError::Incomplete { line: number, what: "an operation" });
            }
        })
    }

    /// The line ends an operation of its own kind.
    fn expect_open(&self, line: &Line<'_>, client: Client, number: usize) -> Result<(), ReadError> {
        let out_of_order = |source| ReadError::OutOfOrder { line: number, source };
        let open = self.history.open_attempt(client, line.op).map_err(out_of_order)?;
        if function_of(&open.operation) == line.f {
            Ok(())
        } else {
            Err(ReadError::AnotherOperation { line: number })
        }
    }

    fn answer(
        &mut self,
        line: &Line<'_>,
        client: Client,
        number: usize,
    ) -> Result<Answer, ReadError> {
        Ok(match line.f {
            Function::Send => self.sent(line, client, number)?,
            Function::Poll => self.polled(line, number)?,
            Function::FetchCommitted => {
                Answer::Committed(self.pairs(value(line, number)?, number)?)
            }
            Function::ListOffsets => {
                let pairs: Pairs<(i64, Option<i32>)> = value(line, number)?;
                let offsets = self.pairs(pairs, number)?.into_iter();
                Answer::Offsets(
                    offsets.map(|(key, (offset, epoch))| (key, offset, epoch)).collect(),
                )
            }
            Function::Assign | Function::Subscribe | Function::Seek | Function::Commit => {
                Answer::Done
            }
            Function::Txn | Function::Rebalance | Function::Drained | Function::Crash => {
                return Err(ReadError::Incomplete { line: number, what: "an operation" });
            }
        })
    }

    fn sent_records(
        &mut self,
        lines: Vec<SendLine>,
        number: usize,
    ) -> Result<Vec<(Key, Value)>, ReadError> {
        let incomplete = || ReadError::Incomplete { line: number, what: "the value of a record" };
        let record = |(_, key, slot): SendLine| {
            Ok((self.key(key, number)?, slot.value.ok_or_else(incomplete)?))
        };
        lines.into_iter().map(record).collect()
    }

    fn sent(
        &mut self,
        line: &Line<'_>,
        client: Client,
        number: usize,
    ) -> Result<Answer, ReadError> {
        let lines: Vec<SendLine> = value(line, number)?;
        let out_of_order = |source| ReadError::OutOfOrder { line: number, source };
        let open = self.history.open_attempt(client, line.op).map_err(out_of_order)?;
        let Operation::Send { records, .. } = &open.operation else {
            return Err(ReadError::AnotherOperation { line: number });
        };
        let same = |((_, key, slot), (sent_to, value)): (&SendLine, &(Key, Value))| {
            key == sent_to.as_str() && slot.value == Some(*value)
        };
        if lines.len() != records.len() || !lines.iter().zip(records).all(same) {
            return Err(ReadError::AnotherOperation { line: number });
        }
        let sent = |(_, _, slot): SendLine| Sent {
            offset: slot.offset,
            leader_epoch: slot.leader_epoch.or(line.leader_epoch),
        };
        Ok(Answer::Sent(lines.into_iter().map(sent).collect()))
    }

    fn polled(&mut self, line: &Line<'_>, number: usize) -> Result<Answer, ReadError> {
        let mut records = Vec::new();
        for (_, pairs) in value::<Vec<PollLine>>(line, number)? {
            for (name, slots) in pairs.0 {
                let key = self.key(name, number)?;
                for Slot { offset, value, leader_epoch } in slots {
                    let incomplete = ReadError::Incomplete { line: number, what: "an offset" };
                    let offset = offset.ok_or(incomplete)?;
                    let leader_epoch = leader_epoch.or(line.leader_epoch);
                    records.push(Read { key: key.clone(), offset, value, leader_epoch });
                }
            }
        }
        let repositioned = line.rebalance_log.clone().unwrap_or_default();
        Ok(Answer::Polled { records, repositioned: self.keys(repositioned, number)? })
    }

    fn pairs<T>(&mut self, pairs: Pairs<T>, number: usize) -> Result<Vec<(Key, T)>, ReadError> {
        let named = |(name, value)| Ok((self.key(name, number)?, value));
        pairs.0.into_iter().map(named).collect()
    }

    fn keys(&mut self, names: Vec<String>, number: usize) -> Result<Vec<Key>, ReadError> {
        names.into_iter().map(|name| self.key(name, number)).collect()
    }

    fn key(&mut self, name: String, number: usize) -> Result<Key, ReadError> {
        if let Some(known) = self.keys.get(name.as_str()) {
            return Ok(known.clone());
        }
        if self.keys.len() >= self.limits.keys_max {
            return Err(ReadError::TooLarge { line: number, what: "the number of partitions" });
        }
        let key = Key::from(name.as_str());
        self.keys.insert(key.clone());
        Ok(key)
    }
}

/// What a line's `value` says, in the form that its kind has.
fn value<'a, T: Deserialize<'a>>(line: &Line<'a>, number: usize) -> Result<T, ReadError> {
    let raw = line.value.ok_or(ReadError::Incomplete { line: number, what: "a value" })?;
    let malformed = |source| ReadError::Malformed { line: number, source };
    serde_json::from_str(raw.get()).map_err(malformed)
}

fn group(line: &Line<'_>, number: usize) -> Result<String, ReadError> {
    line.group.clone().ok_or(ReadError::Incomplete { line: number, what: "a group" })
}

pub(super) fn function_of(operation: &Operation) -> Function {
    match operation {
        Operation::Send { .. } => Function::Send,
        Operation::Poll => Function::Poll,
        Operation::Assign(_) => Function::Assign,
        Operation::Subscribe(_) => Function::Subscribe,
        Operation::Seek(_) => Function::Seek,
        Operation::Commit { .. } => Function::Commit,
        Operation::FetchCommitted { .. } => Function::FetchCommitted,
        Operation::ListOffsets(_) => Function::ListOffsets,
    }
}
