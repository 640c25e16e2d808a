//! A commit of an ended generation is refused.

use std::collections::HashMap;

use crate::check::{Index, RisingMark};
use crate::event::Operation;
use crate::history::{Place, What};
use crate::report::{Report, Rule, Violation};
use crate::value::Client;

/// Which generations of a group were known to exist, and who was told of which.
///
/// A group that was deleted begins anew with its first generation. So a generation counts as ended
/// only for a consumer that was told of it before a later one was seen; who was told afterwards may
/// be in the next life of the group, or may have been told late. Generations of consumers without a
/// told one are taken at their word.
pub(crate) struct Generations<'a> {
    seen: HashMap<&'a str, RisingMark>,
    /// The line on which a consumer was last told of a generation.
    told: HashMap<(Client, &'a str, i32), Vec<usize>>,
}

impl<'a> Generations<'a> {
    pub fn of(index: &Index<'a>) -> Generations<'a> {
        let mut generations = Generations { seen: HashMap::new(), told: HashMap::new() };
        for (place, line) in index.places.iter().zip(1..) {
            match place {
                Place::Begin(_) => {}
                Place::End(attempt) => {
                    let attempt = &index.history.attempts[*attempt];
                    let Operation::Commit { group, generation, .. } = &attempt.operation else {
                        continue;
                    };
                    if let (Some(generation), Some(_)) = (generation, attempt.answer()) {
                        generations.see(group, line, *generation);
                    }
                }
                Place::Notice(notice) => {
                    let notice = &index.history.notices[*notice];
                    let What::Rebalance(told) = &notice.what else { continue };
                    let Some(generation) = told.generation else { continue };
                    generations.see(&told.group, line, generation);
                    let of = (notice.client, told.group.as_str(), generation);
                    generations.told.entry(of).or_default().push(line);
                }
            }
        }
        generations
    }

    fn see(&mut self, group: &'a str, line: usize, generation: i32) {
        self.seen.entry(group).or_default().show(line, i64::from(generation));
    }

    /// A later generation that was seen before that line, with the line of that.
    pub fn superseded(
        &self,
        client: Client,
        group: &'a str,
        generation: Option<i32>,
        before: usize,
    ) -> Option<(i64, usize)> {
        let generation = generation?;
        let later = self.seen.get(group)?.first_above(i64::from(generation))?;
        let told = self.told.get(&(client, group, generation));
        let told = told.and_then(|lines| {
            lines.get(lines.partition_point(|line| *line < before).checked_sub(1)?)
        });
        let earlier = told.is_none_or(|told| *told < later.line);
        (later.line < before && earlier).then_some((later.number, later.line))
    }
}

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    let generations = Generations::of(index);
    for attempt in &index.history.attempts {
        let Operation::Commit { group, generation, offsets } = &attempt.operation else { continue };
        let Some((line, _)) = attempt.answer() else { continue };
        let Some(of) = *generation else { continue };
        report.examine(Rule::ZombieCommit);
        let later = generations.superseded(attempt.client, group, *generation, attempt.invoked);
        if let Some((later, seen)) = later {
            report.accuse(Violation {
                rule: Rule::ZombieCommit,
                lines: vec![seen, attempt.invoked, line],
                group: Some(group.clone()),
                key: offsets.first().map(|(key, _)| key.clone()),
                numbers: vec![i64::from(of), later],
                values: Vec::new(),
            });
        }
    }
}
