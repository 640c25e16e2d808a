//! What was acknowledged or read stays.

use crate::check::{Drain, Index, Record, SentRecord, Sighting};
use crate::event::Operation;
use crate::report::{Report, Rule, Violation};

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    judge_writes(index, report);
    for drain in &index.drains {
        judge_drain(index, drain, report);
    }
    judge_unplaced(index, report);
}

/// The sightings of one partition.
fn of_key<'a>(index: &'a Index<'_>, key: u32) -> &'a [Sighting] {
    let begin = index.sightings.partition_point(|sighting| sighting.key < key);
    let end = index.sightings.partition_point(|sighting| sighting.key <= key);
    &index.sightings[begin..end]
}

/// Acknowledged records that nobody read, below one that somebody read.
fn judge_writes(index: &Index<'_>, report: &mut Report) {
    // A consumer that ended in the middle of a poll may have taken records along that it never
    // told of; then only a drain proves that they are not there.
    let told = |attempt: &crate::history::Attempt| {
        attempt.operation != Operation::Poll || attempt.answer().is_some()
    };
    let all_told = index.history.attempts.iter().all(told);
    for run in index.runs(|sighting| sighting.key) {
        let Some(first) = run.first() else { continue };
        let Some(highest) = run.iter().rev().find(|sighting| sighting.read) else { continue };
        let drained = index.drains.iter().any(|drain| drain.key == first.key);
        if !drained && !all_told {
            continue;
        }
        let floor = index.floors[first.key as usize];
        for written in run.iter().filter(|sighting| !sighting.read && sighting.offset >= floor) {
            report.examine(Rule::LostWrite);
            let unread = index.record(written.record).first_read.is_none();
            if unread && written.offset <= highest.offset {
                accuse(index, report, Rule::LostWrite, written, highest.line);
            }
        }
    }
}

/// What was known before the drain began, against what it brought.
fn judge_drain(index: &Index<'_>, drain: &Drain, report: &mut Report) {
    let known = of_key(index, drain.key);
    let highest = known.iter().rev().find(|sighting| sighting.read);
    let highest = highest.map_or(-1, |sighting| sighting.offset);
    let floor = index.floors[drain.key as usize];
    let due = known.iter().filter(|s| s.line < drain.began && s.offset >= floor);
    let mut accused = None;
    for sighting in due {
        let place = (sighting.offset, sighting.record);
        let seen_before = index.record(sighting.record).first_read.is_some();
        let rule = if seen_before { Rule::Vanished } else { Rule::Unseen };
        report.examine(Rule::Vanished);
        report.examine(Rule::Unseen);
        // What lies below a record that was read is a lost write already.
        let lost = !seen_before && sighting.offset <= highest;
        let there = drain.read.binary_search(&sighting.offset).is_ok();
        if !there && !lost && accused != Some(place) {
            accused = Some(place);
            accuse(index, report, rule, sighting, drain.line);
        }
    }
}

/// Acknowledged without an offset, and read by nobody.
fn judge_unplaced(index: &Index<'_>, report: &mut Report) {
    for Record { value, sent, first_read } in &index.records {
        let Some(SentRecord { key, acknowledged: Some((line, None)), .. }) = sent else { continue };
        let after = |drain: &&Drain| drain.key == *key && *line < drain.began;
        let Some(drain) = index.drains.iter().find(after) else { continue };
        if first_read.is_none() {
            report.accuse(Violation {
                rule: Rule::Unseen,
                lines: vec![*line, drain.line],
                group: None,
                key: Some(index.key(*key)),
                numbers: Vec::new(),
                values: vec![*value],
            });
        }
    }
}

fn accuse(index: &Index<'_>, report: &mut Report, rule: Rule, of: &Sighting, line: usize) {
    report.accuse(Violation {
        rule,
        lines: vec![of.line, line],
        group: None,
        key: Some(index.key(of.key)),
        numbers: vec![of.offset],
        values: vec![index.record(of.record).value],
    });
}
