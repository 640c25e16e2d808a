//! The ends of a partition do not go back, and nobody has read beyond them.

use std::collections::HashMap;

use crate::check::{Index, RisingMark};
use crate::event::{Answer, Bound, Operation};
use crate::history::{Attempt, Place};
use crate::report::{Report, Rule, Violation};
use crate::value::{Client, Key};

/// One session's view of one end of one partition, within one leader epoch if that is known.
type View = (Client, u32, Bound, Option<i32>);

struct Judge<'a> {
    index: &'a Index<'a>,
    /// By partition: the highest offset that anybody has read.
    read: Vec<RisingMark>,
    views: HashMap<View, RisingMark>,
}

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    let read = vec![RisingMark::default(); index.keys.len()];
    let mut judge = Judge { index, read, views: HashMap::new() };
    for (place, line) in index.places.iter().zip(1..) {
        let Place::End(attempt) = place else { continue };
        let attempt = &index.history.attempts[*attempt];
        match (&attempt.operation, attempt.answer()) {
            (_, Some((_, Answer::Polled { records, .. }))) => {
                for read in records {
                    if let Some(key) = index.known_key(&read.key) {
                        judge.read[key as usize].show(line, read.offset);
                    }
                }
            }
            (Operation::ListOffsets(bound), Some((_, Answer::Offsets(offsets)))) => {
                for (key, offset, epoch) in offsets {
                    judge.on_shown(attempt, *bound, (key, *offset, *epoch), report);
                }
            }
            _ => {}
        }
    }
}

impl Judge<'_> {
    fn on_shown(
        &mut self,
        attempt: &Attempt,
        bound: Bound,
        (key, offset, epoch): (&Key, i64, Option<i32>),
        report: &mut Report,
    ) {
        let judged = match bound {
            Bound::Earliest => false,
            Bound::Latest => true,
            Bound::HighWatermark | Bound::LastStable => epoch.is_some(),
        };
        let line = attempt.completed().unwrap_or(attempt.invoked);
        let Some(number) = self.index.known_key(key).filter(|_| judged) else { return };
        report.examine(Rule::OffsetBeyond);
        let view = self.views.entry((attempt.client, number, bound, epoch)).or_default();
        let shown = view.before(attempt.invoked).filter(|mark| offset < mark.number);
        view.show(line, offset);
        let read = self.read[number as usize].before(attempt.invoked);
        let read = read.filter(|mark| bound == Bound::Latest && offset <= mark.number);
        if let Some(mark) = shown.or(read) {
            report.accuse(Violation {
                rule: Rule::OffsetBeyond,
                lines: vec![mark.line, line],
                group: None,
                key: Some(key.clone()),
                numbers: vec![mark.number, offset],
                values: Vec::new(),
            });
        }
    }
}
