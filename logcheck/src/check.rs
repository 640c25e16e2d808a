//! The judgement: one pass makes an index of the history, then every rule looks at it.

mod index;
mod rising_mark;

use crate::history::History;
use crate::report::Report;
use crate::rules;

pub(crate) use index::{Drain, Index, Record, SentRecord, Sighting};
pub(crate) use rising_mark::RisingMark;

/// Judges a history by all rules. Takes time in proportion to its size, plus one sort of what was
/// acknowledged and read.
pub fn check(history: &History) -> Report {
    let index = Index::of(history);
    let mut report = Report { counts: index.counts(), ..Report::default() };
    rules::offsets::judge(&index, &mut report);
    rules::epochs::judge(&index, &mut report);
    rules::reads::judge(&index, &mut report);
    rules::losses::judge(&index, &mut report);
    rules::polls::judge(&index, &mut report);
    rules::sends::judge(&index, &mut report);
    rules::bounds::judge(&index, &mut report);
    rules::commits::judge(&index, &mut report);
    rules::zombies::judge(&index, &mut report);
    rules::owners::judge(&index, &mut report);
    report.violations.sort();
    report
}
