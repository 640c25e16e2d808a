//! Acknowledgements name places that were free, in the order in which records were sent.

use std::collections::HashMap;

use crate::check::{Index, RisingMark};
use crate::event::{Answer, Operation, Sent};
use crate::history::{Attempt, Place};
use crate::report::{Report, Rule, Violation};
use crate::value::{Client, Key, Value};

/// The highest acknowledged offset of a producer in a partition.
#[derive(Clone, Copy)]
struct Highest {
    offset: i64,
    value: Value,
    /// The lines on which its send began and was acknowledged.
    invoked: usize,
    line: usize,
}

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    let shown = shown(index);
    let mut highest: HashMap<(Client, u32), Highest> = HashMap::new();
    for attempt in &index.history.attempts {
        let Operation::Send { idempotent, records } = &attempt.operation else { continue };
        let Some((line, Answer::Sent(sent))) = attempt.answer() else { continue };
        for ((key, value), sent) in records.iter().zip(sent) {
            let Some(number) = index.known_key(key) else { continue };
            let one = Acknowledged { attempt, line, key, value: *value, sent: *sent };
            let Some(offset) = one.judge_place(&shown[number as usize], report) else { continue };
            if *idempotent {
                let before = highest.get(&(attempt.client, number)).copied();
                let now = one.judge_order(before, offset, report);
                highest.insert((attempt.client, number), now);
            }
        }
    }
}

/// By partition: the highest offset that anybody was shown, by acknowledgements and polls.
fn shown(index: &Index<'_>) -> Vec<RisingMark> {
    let mut shown = vec![RisingMark::default(); index.keys.len()];
    let mut show = |key: &Key, line: usize, offset: i64| {
        if let Some(key) = index.known_key(key) {
            shown[key as usize].show(line, offset);
        }
    };
    for (place, line) in index.places.iter().zip(1..) {
        let Place::End(attempt) = place else { continue };
        let attempt = &index.history.attempts[*attempt];
        match (&attempt.operation, attempt.answer()) {
            (Operation::Send { records, .. }, Some((_, Answer::Sent(sent)))) => {
                for ((key, _), sent) in records.iter().zip(sent) {
                    show(key, line, sent.offset.unwrap_or(-1));
                }
            }
            (_, Some((_, Answer::Polled { records, .. }))) => {
                records.iter().for_each(|read| show(&read.key, line, read.offset));
            }
            _ => {}
        }
    }
    shown
}

/// The acknowledgement of one record.
struct Acknowledged<'a> {
    attempt: &'a Attempt,
    line: usize,
    key: &'a Key,
    value: Value,
    sent: Sent,
}

impl Acknowledged<'_> {
    /// The offset was free when the record was sent. The offset, if there is one.
    fn judge_place(&self, shown: &RisingMark, report: &mut Report) -> Option<i64> {
        report.examine(Rule::ZeroOffset);
        let Some(offset) = self.sent.offset.filter(|offset| *offset >= 0) else {
            let numbers = self.sent.offset.into_iter().collect();
            report.accuse(self.violation(Rule::ZeroOffset, numbers, Vec::new()));
            return None;
        };
        if let Some(taken) = shown.before(self.attempt.invoked) {
            report.examine(Rule::TakenOffset);
            if offset <= taken.number {
                let rule = if offset == 0 { Rule::ZeroOffset } else { Rule::TakenOffset };
                let numbers = vec![taken.number, offset];
                report.accuse(self.violation(rule, numbers, vec![taken.line]));
            }
        }
        Some(offset)
    }

    /// The offset is above those of the producer's earlier records.
    fn judge_order(&self, before: Option<Highest>, offset: i64, report: &mut Report) -> Highest {
        let (value, line, invoked) = (self.value, self.line, self.attempt.invoked);
        let now = Highest { offset, value, invoked, line };
        let Some(before) = before else { return now };
        let internal = before.invoked == invoked;
        let rule = if internal { Rule::InternalNonmonotonicSend } else { Rule::NonmonotonicSend };
        report.examine(rule);
        if before.offset < offset {
            return now;
        }
        let mut violation = self.violation(rule, vec![before.offset, offset], vec![before.line]);
        violation.values.insert(0, before.value);
        report.accuse(violation);
        before
    }

    fn violation(&self, rule: Rule, numbers: Vec<i64>, mut lines: Vec<usize>) -> Violation {
        lines.extend([self.attempt.invoked, self.line]);
        let key = Some(self.key.clone());
        Violation { rule, lines, group: None, key, numbers, values: vec![self.value] }
    }
}
