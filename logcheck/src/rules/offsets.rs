//! One offset has one record, and one record has one offset.

use crate::check::{Index, Sighting};
use crate::report::{Report, Rule, Violation};

/// How many of the records that claim one offset are named.
const NAMED_MAX: usize = 8;

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    for run in index.runs(|sighting| (sighting.key, sighting.offset)) {
        report.examine(Rule::InconsistentOffset);
        judge_offset(index, run, report);
    }
    judge_records(index, report);
    let sent = index.records.iter().filter(|record| record.sent.is_some());
    sent.for_each(|_| report.examine(Rule::ReusedValue));
    for (record, line) in &index.reused {
        let record = index.record(*record);
        let first = record.sent.map_or(*line, |sent| sent.invoked);
        report.accuse(Violation {
            rule: Rule::ReusedValue,
            lines: vec![first, *line],
            group: None,
            key: record.sent.map(|sent| index.key(sent.key)),
            numbers: Vec::new(),
            values: vec![record.value],
        });
    }
}

/// Everything that was seen at one offset; the sightings of a record stand together.
fn judge_offset(index: &Index<'_>, run: &[Sighting], report: &mut Report) {
    let Some(first) = run.first() else { return };
    if run.iter().all(|sighting| sighting.record == first.record) {
        return;
    }
    let firsts = run.chunk_by(|left, right| left.record == right.record);
    let firsts: Vec<&Sighting> = firsts.filter_map(|of| of.first()).take(NAMED_MAX).collect();
    report.accuse(Violation {
        rule: Rule::InconsistentOffset,
        lines: firsts.iter().map(|sighting| sighting.line).collect(),
        group: None,
        key: Some(index.key(first.key)),
        numbers: vec![first.offset],
        values: firsts.iter().map(|sighting| index.record(sighting.record).value).collect(),
    });
}

/// The first sighting of each record in its partition, against all later ones.
fn judge_records(index: &Index<'_>, report: &mut Report) {
    let mut firsts: Vec<Option<&Sighting>> = vec![None; index.records.len()];
    for run in index.runs(|sighting| (sighting.key, sighting.offset, sighting.record)) {
        let Some(sighting) = run.first() else { continue };
        let record = index.record(sighting.record);
        let Some(sent) = record.sent.filter(|sent| sent.key == sighting.key) else { continue };
        if !sent.idempotent {
            continue;
        }
        let Some(first) = firsts[sighting.record as usize] else {
            report.examine(Rule::Duplicate);
            firsts[sighting.record as usize] = Some(sighting);
            continue;
        };
        report.accuse(Violation {
            rule: Rule::Duplicate,
            lines: vec![first.line, sighting.line],
            group: None,
            key: Some(index.key(sighting.key)),
            numbers: vec![first.offset, sighting.offset],
            values: vec![record.value],
        });
    }
}
