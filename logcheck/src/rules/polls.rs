//! A consumer reads every record once, in order, from wherever it was put.

use std::collections::HashMap;

use crate::check::Index;
use crate::event::{Answer, Operation, Read};
use crate::history::{Attempt, Place, What};
use crate::report::{Report, Rule, Violation};
use crate::value::Client;

/// Where a consumer is in a partition.
#[derive(Clone, Copy)]
struct Position {
    /// The offset of the last record that it was given.
    last: i64,
    /// The line of the poll that brought it.
    line: usize,
}

/// What is known of one consumer.
#[derive(Clone, Copy, Default)]
struct Consumer {
    /// Positions from before this line are of no meaning.
    placed: usize,
    /// Records may have been taken along unseen on this line.
    blurred: usize,
}

struct Judge<'a> {
    index: &'a Index<'a>,
    consumers: HashMap<Client, Consumer>,
    positions: HashMap<(Client, u32), Position>,
}

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    let mut judge = Judge { index, consumers: HashMap::new(), positions: HashMap::new() };
    for (place, line) in index.places.iter().zip(1..) {
        match place {
            Place::Begin(attempt) => judge.on_begin(&index.history.attempts[*attempt], line),
            Place::End(attempt) => judge.on_end(&index.history.attempts[*attempt], line, report),
            Place::Notice(notice) => {
                let notice = &index.history.notices[*notice];
                if let What::Rebalance(told) = &notice.what {
                    judge.forget(notice.client, told.assigned.iter().chain(&told.revoked));
                }
            }
        }
    }
}

impl Judge<'_> {
    fn on_begin(&mut self, attempt: &Attempt, line: usize) {
        match &attempt.operation {
            Operation::Assign(_) | Operation::Subscribe(_) => {
                self.consumers.entry(attempt.client).or_default().placed = line;
            }
            Operation::Seek(keys) => self.forget(attempt.client, keys),
            Operation::Send { .. }
            | Operation::Poll
            | Operation::Commit { .. }
            | Operation::FetchCommitted { .. }
            | Operation::ListOffsets(_) => {}
        }
    }

    fn on_end(&mut self, attempt: &Attempt, line: usize, report: &mut Report) {
        if attempt.operation != Operation::Poll || attempt.failed() {
            return;
        }
        match attempt.answer() {
            Some((_, Answer::Polled { records, repositioned })) => {
                self.forget(attempt.client, repositioned);
                self.judge_poll(attempt.client, records, line, report);
            }
            _ => self.consumers.entry(attempt.client).or_default().blurred = line,
        }
    }

    fn forget<'k>(
        &mut self,
        client: Client,
        keys: impl IntoIterator<Item = &'k crate::value::Key>,
    ) {
        for key in keys {
            if let Some(key) = self.index.known_key(key) {
                self.positions.remove(&(client, key));
            }
        }
    }

    fn judge_poll(&mut self, client: Client, records: &[Read], line: usize, report: &mut Report) {
        let consumer = self.consumers.get(&client).copied().unwrap_or_default();
        for read in records {
            let Some(key) = self.index.known_key(&read.key) else { continue };
            let position = self.positions.get(&(client, key)).copied();
            if let Some(position) = position.filter(|position| position.line > consumer.placed) {
                self.judge_step(consumer, position, key, (read.offset, line), report);
            }
            self.positions.insert((client, key), Position { last: read.offset, line });
        }
    }

    /// From one record to the next one of the same partition.
    fn judge_step(
        &self,
        consumer: Consumer,
        before: Position,
        key: u32,
        (offset, line): (i64, usize),
        report: &mut Report,
    ) {
        let (backwards, skips) = if before.line == line {
            (Rule::InternalNonmonotonicPoll, Rule::InternalPollSkip)
        } else {
            (Rule::NonmonotonicPoll, Rule::PollSkip)
        };
        report.examine(backwards);
        report.examine(skips);
        let mut violation = Violation {
            rule: backwards,
            lines: vec![before.line, line],
            group: None,
            key: Some(self.index.key(key)),
            numbers: vec![before.last, offset],
            values: Vec::new(),
        };
        if offset <= before.last {
            report.accuse(violation);
            return;
        }
        let blurred = consumer.blurred > before.line;
        let skipped = self.index.occupied_between(key, before.last, offset);
        if let Some(skipped) = skipped.filter(|_| !blurred) {
            violation.rule = skips;
            violation.numbers.insert(1, skipped.offset);
            violation.values.push(self.index.record(skipped.record).value);
            violation.lines.push(skipped.line);
            report.accuse(violation);
        }
    }
}
