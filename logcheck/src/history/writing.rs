//! A history as JSON lines, and as the events that it was made of.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use super::line::{
    Function, Kind, Line, Pairs, PollLine, PollWord, RebalanceLine, SendLine, SendWord, Slot,
};
use super::reading::function_of;
use super::{Attempt, History, Notice, Outcome, Place, What};
use crate::event::{Answer, Event, Operation, Read, Sent, Step};
use crate::value::{Client, Key, Value};

pub(super) fn events(history: &History) -> impl Iterator<Item = Event> {
    let lines = history.places().into_iter().zip(&history.times);
    lines.map(|(place, time)| event(history, place, *time))
}

fn event(history: &History, place: Place, time: u64) -> Event {
    match place {
        Place::Begin(index) => {
            let attempt = &history.attempts[index];
            let step = Step::Invoke(attempt.operation.clone());
            Event { time, client: attempt.client, operation: attempt.number, step }
        }
        Place::End(index) => {
            let attempt = &history.attempts[index];
            let step = match &attempt.outcome {
                Outcome::Ok { answer, .. } => Step::Ok(answer.clone()),
                Outcome::Fail { .. } => Step::Fail,
                Outcome::Unknown { .. } => Step::Unknown,
            };
            Event { time, client: attempt.client, operation: attempt.number, step }
        }
        Place::Notice(index) => {
            let notice = &history.notices[index];
            let step = match &notice.what {
                What::Crash => Step::Crash,
                What::Rebalance(told) => Step::Rebalance(told.clone()),
                What::Drained(keys) => Step::Drained(keys.clone()),
            };
            Event { time, client: notice.client, operation: 0, step }
        }
    }
}

impl History {
    /// Writes the history as JSON lines, from which [`History::read`] makes it again.
    ///
    /// # Errors
    /// What the target says.
    pub fn write(&self, mut target: impl Write) -> io::Result<()> {
        for (place, time) in self.places().into_iter().zip(&self.times) {
            match place {
                Place::Begin(index) => write_begin(&mut target, *time, &self.attempts[index])?,
                Place::End(index) => write_end(&mut target, *time, &self.attempts[index])?,
                Place::Notice(index) => write_notice(&mut target, *time, &self.notices[index])?,
            }
        }
        Ok(())
    }
}

fn line<'a>(t_ns: u64, client: Client, op: u64, kind: Kind, f: Function) -> Line<'a> {
    let Client { process, incarnation: client_incarnation } = client;
    let (value, idempotent, leader_epoch, rebalance_log) = (None, None, None, None);
    let (group, generation, bound, error) = (None, None, None, None);
    Line {
        t_ns,
        process,
        client_incarnation,
        op,
        kind,
        f,
        value,
        idempotent,
        leader_epoch,
        rebalance_log,
        group,
        generation,
        bound,
        error,
    }
}

fn put(target: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *target, line)?;
    target.write_all(b"\n")
}

fn raw(value: &impl Serialize) -> io::Result<Box<RawValue>> {
    Ok(serde_json::value::to_raw_value(value)?)
}

fn write_begin(target: &mut impl Write, time: u64, attempt: &Attempt) -> io::Result<()> {
    let f = function_of(&attempt.operation);
    let begin = line(time, attempt.client, attempt.number, Kind::Invoke, f);
    match &attempt.operation {
        Operation::Poll => put(target, &begin),
        Operation::Send { idempotent, records } => {
            let none = std::iter::repeat(&Sent { offset: None, leader_epoch: None });
            let value = raw(&send_lines(records, none))?;
            let idempotent = if *idempotent { None } else { Some(false) };
            put(target, &Line { value: Some(&value), idempotent, ..begin })
        }
        Operation::Assign(keys) | Operation::Seek(keys) => {
            put(target, &Line { value: Some(&raw(&names(keys))?), ..begin })
        }
        Operation::Subscribe(topics) => put(target, &Line { value: Some(&raw(topics)?), ..begin }),
        Operation::Commit { group, generation, offsets } => {
            let value = raw(&pairs(offsets, |offset| *offset))?;
            let (group, generation) = (Some(group.clone()), *generation);
            put(target, &Line { value: Some(&value), group, generation, ..begin })
        }
        Operation::FetchCommitted { group } => {
            put(target, &Line { group: Some(group.clone()), ..begin })
        }
        Operation::ListOffsets(bound) => {
            put(target, &Line { bound: Some((*bound).into()), ..begin })
        }
    }
}

fn write_end(target: &mut impl Write, time: u64, attempt: &Attempt) -> io::Result<()> {
    let f = function_of(&attempt.operation);
    let kind = match &attempt.outcome {
        Outcome::Ok { .. } => Kind::Ok,
        Outcome::Fail { .. } => Kind::Fail,
        Outcome::Unknown { .. } => Kind::Info,
    };
    let end = line(time, attempt.client, attempt.number, kind, f);
    match attempt.answer().map(|(_, answer)| answer) {
        None | Some(Answer::Done) => put(target, &end),
        Some(Answer::Sent(sent)) => {
            let Operation::Send { records, .. } = &attempt.operation else { return Ok(()) };
            put(target, &Line { value: Some(&raw(&send_lines(records, sent))?), ..end })
        }
        Some(Answer::Polled { records, repositioned }) => {
            let value = raw(&poll_lines(records))?;
            let log = names(repositioned);
            let rebalance_log = if log.is_empty() { None } else { Some(log) };
            put(target, &Line { value: Some(&value), rebalance_log, ..end })
        }
        Some(Answer::Committed(offsets)) => {
            put(target, &Line { value: Some(&raw(&pairs(offsets, |o| *o))?), ..end })
        }
        Some(Answer::Offsets(offsets)) => {
            let bounds = offsets
                .iter()
                .map(|(key, offset, epoch)| (key.as_str().to_owned(), (*offset, *epoch)));
            put(target, &Line { value: Some(&raw(&Pairs(bounds.collect()))?), ..end })
        }
    }
}

fn write_notice(target: &mut impl Write, time: u64, notice: &Notice) -> io::Result<()> {
    let said = |f| line(time, notice.client, 0, Kind::Info, f);
    match &notice.what {
        What::Crash => put(target, &said(Function::Crash)),
        What::Drained(keys) => {
            let value = raw(&names(keys))?;
            put(target, &Line { value: Some(&value), ..said(Function::Drained) })
        }
        What::Rebalance(told) => {
            let (assigned, revoked) = (names(&told.assigned), names(&told.revoked));
            let value = raw(&RebalanceLine { assigned, revoked })?;
            let (group, generation) = (Some(told.group.clone()), told.generation);
            let said = said(Function::Rebalance);
            put(target, &Line { value: Some(&value), group, generation, ..said })
        }
    }
}

fn names(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|key| key.as_str().to_owned()).collect()
}

fn pairs<T, U>(pairs: &[(Key, T)], value: impl Fn(&T) -> U) -> Pairs<U> {
    Pairs(pairs.iter().map(|(key, t)| (key.as_str().to_owned(), value(t))).collect())
}

fn send_lines<'a>(
    records: &[(Key, Value)],
    sent: impl IntoIterator<Item = &'a Sent>,
) -> Vec<SendLine> {
    let line = |((key, value), sent): (&(Key, Value), &Sent)| {
        let Sent { offset, leader_epoch } = *sent;
        let slot = Slot { offset, value: Some(*value), leader_epoch };
        (SendWord::Send, key.as_str().to_owned(), slot)
    };
    records.iter().zip(sent).map(line).collect()
}

/// Records of one partition stand together as long as their order allows it: no JSON object gets
/// the same field twice, which other readers would drop.
fn poll_lines(records: &[Read]) -> Vec<PollLine> {
    let mut lines: Vec<PollLine> = Vec::new();
    for Read { key, offset, value, leader_epoch } in records {
        let slot = Slot { offset: Some(*offset), value: *value, leader_epoch: *leader_epoch };
        let pairs = lines.last_mut().map(|(_, pairs)| &mut pairs.0);
        match pairs {
            Some(pairs) => match pairs.iter().position(|(name, _)| name == key.as_str()) {
                None => pairs.push((key.as_str().to_owned(), vec![slot])),
                Some(place) if place + 1 == pairs.len() => pairs[place].1.push(slot),
                Some(_) => lines.push(poll_line(key, slot)),
            },
            None => lines.push(poll_line(key, slot)),
        }
    }
    lines
}

fn poll_line(key: &Key, slot: Slot) -> PollLine {
    (PollWord::Poll, Pairs(vec![(key.as_str().to_owned(), vec![slot])]))
}
