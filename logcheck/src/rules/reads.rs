//! What was read is what somebody sent, to that partition, with some effect.

use crate::check::{Index, Sighting};
use crate::report::{Report, Rule, Violation};

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    for run in index.runs(|sighting| (sighting.key, sighting.offset, sighting.record)) {
        if let Some(read) = run.iter().find(|sighting| sighting.read) {
            judge_read(index, read, report);
        }
    }
    for (key, offset, line) in &index.damaged {
        report.accuse(Violation {
            rule: Rule::DamagedValue,
            lines: vec![*line],
            group: None,
            key: Some(index.key(*key)),
            numbers: vec![*offset],
            values: Vec::new(),
        });
    }
}

fn judge_read(index: &Index<'_>, read: &Sighting, report: &mut Report) {
    let record = index.record(read.record);
    for rule in [Rule::NeverSent, Rule::Misrouted, Rule::AbortedRead, Rule::DamagedValue] {
        report.examine(rule);
    }
    let (rule, lines) = match record.sent {
        None => (Rule::NeverSent, vec![read.line]),
        Some(sent) if sent.failed => (Rule::AbortedRead, vec![sent.invoked, read.line]),
        Some(sent) if sent.key != read.key => (Rule::Misrouted, vec![sent.invoked, read.line]),
        Some(_) => return,
    };
    report.accuse(Violation {
        rule,
        lines,
        group: None,
        key: Some(index.key(read.key)),
        numbers: vec![read.offset],
        values: vec![record.value],
    });
}
