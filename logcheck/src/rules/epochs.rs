//! A record stays under the leader epoch under which it was appended, and epochs rise with offsets.

use crate::check::{Index, Sighting};
use crate::report::{Report, Rule, Violation};

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    for run in index.runs(|sighting| (sighting.key, sighting.offset, sighting.record)) {
        judge_record(index, run, report);
    }
    judge_order(index, report);
}

/// The sightings of one record at one offset.
fn judge_record(index: &Index<'_>, run: &[Sighting], report: &mut Report) {
    let mut known = run.iter().filter(|sighting| sighting.leader_epoch.is_some());
    let acknowledged = known.clone().find(|sighting| !sighting.read);
    let Some(read) = known.find(|sighting| sighting.read) else { return };
    let differs = |from: &Sighting| {
        let other = move |s: &&Sighting| s.read && s.leader_epoch != from.leader_epoch;
        run.iter().filter(|s| s.leader_epoch.is_some()).find(other)
    };
    report.examine(Rule::InconsistentEpoch);
    if let Some(served) = differs(read) {
        accuse(index, report, Rule::InconsistentEpoch, [read, served]);
    }
    if let Some(acknowledged) = acknowledged {
        report.examine(Rule::StaleEpochAck);
        if let Some(served) = differs(acknowledged) {
            accuse(index, report, Rule::StaleEpochAck, [acknowledged, served]);
        }
    }
}

fn judge_order(index: &Index<'_>, report: &mut Report) {
    let mut highest: Option<&Sighting> = None;
    for sighting in &index.sightings {
        if !sighting.read || sighting.leader_epoch.is_none() {
            continue;
        }
        let below = highest.filter(|high| high.key == sighting.key);
        if let Some(high) = below {
            report.examine(Rule::EpochRegression);
            let lower = sighting.leader_epoch < high.leader_epoch;
            if lower && sighting.offset > high.offset {
                accuse(index, report, Rule::EpochRegression, [high, sighting]);
            }
        }
        if below.is_none_or(|high| high.leader_epoch < sighting.leader_epoch) {
            highest = Some(sighting);
        }
    }
}

fn accuse(index: &Index<'_>, report: &mut Report, rule: Rule, pair: [&Sighting; 2]) {
    let [left, right] = pair;
    let mut numbers = vec![left.offset];
    if right.offset != left.offset {
        numbers.push(right.offset);
    }
    let epochs = pair.into_iter().filter_map(|sighting| sighting.leader_epoch);
    numbers.extend(epochs.map(i64::from));
    let mut values = vec![index.record(left.record).value, index.record(right.record).value];
    values.dedup();
    let lines = vec![left.line, right.line];
    let key = Some(index.key(left.key));
    report.accuse(Violation { rule, lines, group: None, key, numbers, values });
}
