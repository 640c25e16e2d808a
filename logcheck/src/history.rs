//! A history: the events of all clients in the order in which they happened.

mod line;
mod reading;
mod writing;

use std::collections::BTreeMap;

use crate::event::{Answer, Event, Operation, Rebalance, Step};
use crate::value::{Client, Key};

pub use reading::{Limits, ReadError};

/// What clients did and saw, in the order in which it happened. Lines are counted from one; a
/// history made in memory has the lines that it would have in a file.
#[derive(Clone, Default, Debug)]
pub struct History {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) notices: Vec<Notice>,
    /// The time of each line.
    pub(crate) times: Vec<u64>,
    /// What was begun and has not ended, as an index of `attempts`.
    open: BTreeMap<(u32, u64), usize>,
    next_operation: u64,
}

/// One operation from its begin to its end.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub client: Client,
    pub number: u64,
    pub operation: Operation,
    /// The line of its begin.
    pub invoked: usize,
    pub outcome: Outcome,
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Ok {
        line: usize,
        answer: Answer,
    },
    Fail {
        line: usize,
    },
    /// Without a line where nothing was ever heard of it again.
    Unknown {
        line: Option<usize>,
    },
}

/// What stands on a line, with its place in the list of attempts or of notices.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Begin(usize),
    End(usize),
    Notice(usize),
}

/// What happened beside the operations.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub client: Client,
    pub line: usize,
    pub what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Crash,
    Rebalance(Rebalance),
    Drained(Vec<Key>),
}

/// An operation that was begun through [`History::invoke`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "an operation that nobody ends stays unknown"]
pub struct Ticket {
    client: Client,
    operation: u64,
}

/// Why an event cannot follow the ones before it. The recorder of the history is wrong; trying
/// again does not help.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HistoryError {
    /// Lines are in the order of time, or "before" would mean nothing.
    #[error("time goes back from {before} to {now} ns")]
    TimeWentBack {
        /// The time of the line before.
        before: u64,
        /// The time of this one.
        now: u64,
    },
    /// The process has an open operation of that number.
    #[error("process {process} begins operation {operation}, which it has not ended yet")]
    AlreadyOpen {
        /// Whose operation.
        process: u32,
        /// Its number.
        operation: u64,
    },
    /// There is nothing that could end.
    #[error("process {process} ends operation {operation}, which it has not begun")]
    NotOpen {
        /// Whose operation.
        process: u32,
        /// Its number.
        operation: u64,
    },
    /// The client that ends an operation is the one that began it.
    #[error("client {ended_by} ends operation {operation} of client {begun_by}")]
    AnotherIncarnation {
        /// Its number.
        operation: u64,
        /// Who began it.
        begun_by: Client,
        /// Who ends it.
        ended_by: Client,
    },
    /// A send cannot bring records, nor acknowledge another number of them than it sent.
    #[error("operation {operation} of process {process} is answered by what belongs to another")]
    WrongAnswer {
        /// Whose operation.
        process: u32,
        /// Its number.
        operation: u64,
    },
}

impl HistoryError {
    /// Whether recording the event once more may help: never, its recorder is wrong.
    pub fn is_retryable(&self) -> bool {
        match self {
            HistoryError::TimeWentBack { .. }
            | HistoryError::AlreadyOpen { .. }
            | HistoryError::NotOpen { .. }
            | HistoryError::AnotherIncarnation { .. }
            | HistoryError::WrongAnswer { .. } => false,
        }
    }
}

impl History {
    /// A history without events.
    pub fn new() -> History {
        History::default()
    }

    /// How many lines it has.
    pub fn lines(&self) -> usize {
        self.times.len()
    }

    /// Adds what happened next.
    ///
    /// # Errors
    /// An event that cannot follow the ones before it; the history stays as it was.
    pub fn record(&mut self, event: Event) -> Result<(), HistoryError> {
        let before = self.times.last().copied().unwrap_or(0);
        if event.time < before {
            return Err(HistoryError::TimeWentBack { before, now: event.time });
        }
        let line = self.times.len() + 1;
        let Event { time, client, operation, step } = event;
        match step {
            Step::Invoke(begun) => self.begin(client, operation, begun, line)?,
            Step::Ok(answer) => self.acknowledge(client, operation, answer, line)?,
            Step::Fail => self.end(client, operation)?.outcome = Outcome::Fail { line },
            Step::Unknown => {
                self.end(client, operation)?.outcome = Outcome::Unknown { line: Some(line) };
            }
            Step::Crash => self.crash(client, line),
            Step::Rebalance(told) => self.notice(client, line, What::Rebalance(told)),
            Step::Drained(keys) => self.notice(client, line, What::Drained(keys)),
        }
        self.times.push(time);
        Ok(())
    }

    /// Begins an operation, under a number that no other operation has.
    ///
    /// # Errors
    /// Time goes back.
    pub fn invoke(
        &mut self,
        time: u64,
        client: Client,
        operation: Operation,
    ) -> Result<Ticket, HistoryError> {
        let number = self.next_operation;
        let step = Step::Invoke(operation);
        self.record(Event { time, client, operation: number, step })?;
        Ok(Ticket { client, operation: number })
    }

    /// Ends an operation: [`Step::Ok`], [`Step::Fail`] or [`Step::Unknown`].
    ///
    /// # Errors
    /// Time goes back, the operation has ended, or the answer is that of another kind.
    pub fn complete(&mut self, time: u64, ticket: Ticket, step: Step) -> Result<(), HistoryError> {
        let Ticket { client, operation } = ticket;
        self.record(Event { time, client, operation, step })
    }

    /// Adds what is not an operation: [`Step::Crash`], [`Step::Rebalance`], [`Step::Drained`].
    ///
    /// # Errors
    /// Time goes back.
    pub fn note(&mut self, time: u64, client: Client, step: Step) -> Result<(), HistoryError> {
        self.record(Event { time, client, operation: 0, step })
    }

    fn begin(
        &mut self,
        client: Client,
        number: u64,
        operation: Operation,
        line: usize,
    ) -> Result<(), HistoryError> {
        let process = client.process;
        if self.open.contains_key(&(process, number)) {
            return Err(HistoryError::AlreadyOpen { process, operation: number });
        }
        self.open.insert((process, number), self.attempts.len());
        self.next_operation = self.next_operation.max(number.saturating_add(1));
        let outcome = Outcome::Unknown { line: None };
        self.attempts.push(Attempt { client, number, operation, invoked: line, outcome });
        Ok(())
    }

    fn acknowledge(
        &mut self,
        client: Client,
        number: u64,
        answer: Answer,
        line: usize,
    ) -> Result<(), HistoryError> {
        let process = client.process;
        let taken = self.open_attempt(client, number)?.operation.takes(&answer);
        if !taken {
            return Err(HistoryError::WrongAnswer { process, operation: number });
        }
        self.end(client, number)?.outcome = Outcome::Ok { line, answer };
        Ok(())
    }

    fn open_attempt(&self, client: Client, number: u64) -> Result<&Attempt, HistoryError> {
        let process = client.process;
        let index = self.open.get(&(process, number));
        let attempt = index.and_then(|index| self.attempts.get(*index));
        let attempt = attempt.ok_or(HistoryError::NotOpen { process, operation: number })?;
        if attempt.client != client {
            let begun_by = attempt.client;
            let (operation, ended_by) = (number, client);
            return Err(HistoryError::AnotherIncarnation { operation, begun_by, ended_by });
        }
        Ok(attempt)
    }

    fn end(&mut self, client: Client, number: u64) -> Result<&mut Attempt, HistoryError> {
        self.open_attempt(client, number)?;
        let index = self.open.remove(&(client.process, number)).expect("it was found above");
        Ok(self.attempts.get_mut(index).expect("an open operation has an attempt"))
    }

    fn crash(&mut self, client: Client, line: usize) {
        let process = client.process;
        let lost: Vec<_> = self.open.range((process, 0)..=(process, u64::MAX)).collect();
        let lost: Vec<((u32, u64), usize)> = lost.into_iter().map(|(k, i)| (*k, *i)).collect();
        for (key, index) in lost {
            self.open.remove(&key);
            if let Some(attempt) = self.attempts.get_mut(index) {
                attempt.outcome = Outcome::Unknown { line: None };
            }
        }
        self.notice(client, line, What::Crash);
    }

    fn notice(&mut self, client: Client, line: usize, what: What) {
        self.notices.push(Notice { client, line, what });
    }

    /// What stands on each line. Lines are dense, so each has one place.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut places = vec![Place::Notice(0); self.lines()];
        let mut put = |line: usize, place| {
            if let Some(slot) = line.checked_sub(1).and_then(|index| places.get_mut(index)) {
                *slot = place;
            }
        };
        for (index, attempt) in self.attempts.iter().enumerate() {
            put(attempt.invoked, Place::Begin(index));
            if let Some(line) = attempt.completed() {
                put(line, Place::End(index));
            }
        }
        for (index, notice) in self.notices.iter().enumerate() {
            put(notice.line, Place::Notice(index));
        }
        places
    }

    /// The events line by line, as they were recorded.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        writing::events(self)
    }

    pub(crate) fn time_of(&self, line: usize) -> u64 {
        line.checked_sub(1).and_then(|index| self.times.get(index)).copied().unwrap_or(0)
    }
}

impl Attempt {
    /// The line at which it is known to be over.
    pub(crate) fn completed(&self) -> Option<usize> {
        match &self.outcome {
            Outcome::Ok { line, .. } | Outcome::Fail { line } => Some(*line),
            Outcome::Unknown { line } => *line,
        }
    }

    /// What it brought, and the line of that, if it was acknowledged.
    pub(crate) fn answer(&self) -> Option<(usize, &Answer)> {
        match &self.outcome {
            Outcome::Ok { line, answer } => Some((*line, answer)),
            Outcome::Fail { .. } | Outcome::Unknown { .. } => None,
        }
    }

    pub(crate) fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Fail { .. })
    }
}
