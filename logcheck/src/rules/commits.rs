//! A group's committed offset is the one that was committed last.
//!
//! For each group and partition the commits and the fetches of committed offsets form the history
//! of one register. A fetch may bring the offset of any commit that had begun before the fetch
//! ended, unless another one certainly came between: it began after the first one was over, and
//! was acknowledged before the fetch began.

use std::collections::{BTreeMap, HashMap};

use crate::check::Index;
use crate::event::{Answer, Operation};
use crate::report::{Report, Rule, Violation};
use crate::rules::zombies::Generations;

/// After every line of the history.
const NEVER: usize = usize::MAX;

struct Commit {
    offset: i64,
    begun: usize,
    /// The line by which it had its effect; [`NEVER`] if it may have one still.
    done: usize,
}

struct Fetch {
    offset: Option<i64>,
    begun: usize,
    done: usize,
}

#[derive(Default)]
struct Register {
    commits: Vec<Commit>,
    fetches: Vec<Fetch>,
}

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    for ((group, key), mut register) in registers(index) {
        register.prove();
        let latest = register.latest();
        let offers = register.offers();
        for fetch in &register.fetches {
            report.examine(Rule::CommitRegression);
            report.examine(Rule::NeverCommitted);
            let before = latest.partition_point(|latest| latest.done < fetch.begun);
            let latest = before.checked_sub(1).and_then(|place| latest.get(place));
            let Some(rule) = offers.accuse(fetch, latest) else { continue };
            let lines = latest.map(|latest| [latest.begun, latest.acknowledged]);
            report.accuse(Violation {
                rule,
                lines: lines.into_iter().flatten().chain([fetch.begun, fetch.done]).collect(),
                group: Some(group.to_owned()),
                key: Some(index.key(key)),
                numbers: latest
                    .map(|latest| latest.offset)
                    .into_iter()
                    .chain(fetch.offset)
                    .collect(),
                values: Vec::new(),
            });
        }
    }
}

fn registers<'a>(index: &'a Index<'_>) -> BTreeMap<(&'a str, u32), Register> {
    let mut registers: BTreeMap<(&str, u32), Register> = BTreeMap::new();
    let number = |key| index.known_key(key).unwrap_or(u32::MAX);
    let generations = Generations::of(index);
    for attempt in &index.history.attempts {
        let begun = attempt.invoked;
        match (&attempt.operation, attempt.answer()) {
            (Operation::Commit { group, generation, offsets }, answer) if !attempt.failed() => {
                // A commit that had to be refused explains nothing, unless it was acknowledged.
                let zombie = generations.superseded(attempt.client, group, *generation, begun);
                if zombie.is_some() && answer.is_none() {
                    continue;
                }
                let done = answer.map_or(NEVER, |(line, _)| line);
                for (key, offset) in offsets {
                    let register = registers.entry((group, number(key))).or_default();
                    register.commits.push(Commit { offset: *offset, begun, done });
                }
            }
            (Operation::FetchCommitted { group }, Some((done, Answer::Committed(fetched)))) => {
                for (key, offset) in fetched {
                    let register = registers.entry((group, number(key))).or_default();
                    register.fetches.push(Fetch { offset: *offset, begun, done });
                }
            }
            _ => {}
        }
    }
    registers
}

/// The commit that began last among those that were over by some line.
#[derive(Clone, Copy)]
struct Latest {
    /// The line from which on it is known.
    done: usize,
    begun: usize,
    acknowledged: usize,
    offset: i64,
}

impl Register {
    /// A commit without an answer was made for certain, once somebody fetched what no other commit
    /// could have brought.
    fn prove(&mut self) {
        let mut times: HashMap<i64, usize> = HashMap::new();
        for commit in &self.commits {
            *times.entry(commit.offset).or_default() += 1;
        }
        let mut shown: HashMap<i64, usize> = HashMap::new();
        for fetch in &self.fetches {
            let Some(offset) = fetch.offset else { continue };
            let first = shown.entry(offset).or_insert(fetch.done);
            *first = fetch.done.min(*first);
        }
        for commit in &mut self.commits {
            let first = shown.get(&commit.offset).filter(|first| **first > commit.begun);
            if let Some(first) = first.filter(|_| times.get(&commit.offset) == Some(&1)) {
                commit.done = commit.done.min(*first);
            }
        }
    }

    /// By the line on which commits were over: the one of them that had begun last.
    fn latest(&self) -> Vec<Latest> {
        let over = self.commits.iter().filter(|commit| commit.done != NEVER);
        let mut over: Vec<&Commit> = over.collect();
        over.sort_by_key(|commit| commit.done);
        let mut latest: Vec<Latest> = Vec::with_capacity(over.len());
        for Commit { offset, begun, done } in over {
            let (offset, begun, done) = (*offset, *begun, *done);
            let last = latest.last().copied().filter(|last| last.begun > begun);
            let this = Latest { done, begun, acknowledged: done, offset };
            latest.push(last.map_or(this, |last| Latest { done, ..last }));
        }
        latest
    }

    fn offers(&self) -> Offers {
        let mut commits: Vec<&Commit> = self.commits.iter().collect();
        commits.sort_by_key(|commit| commit.begun);
        let mut offers: HashMap<i64, Vec<(usize, usize)>> = HashMap::new();
        for commit in commits {
            let of_offset = offers.entry(commit.offset).or_default();
            let done = of_offset.last().map_or(0, |(_, done)| *done).max(commit.done);
            of_offset.push((commit.begun, done));
        }
        Offers(offers)
    }
}

/// By offset: the lines on which its commits began, each with the line by which the last of the
/// commits so far was over.
struct Offers(HashMap<i64, Vec<(usize, usize)>>);

impl Offers {
    /// What is wrong with a fetch, given the last commit that was over before it.
    fn accuse(&self, fetch: &Fetch, latest: Option<&Latest>) -> Option<Rule> {
        let Some(offset) = fetch.offset else {
            return latest.map(|_| Rule::CommitRegression);
        };
        let offers = self.0.get(&offset).map_or([].as_slice(), Vec::as_slice);
        let begun = offers.partition_point(|(begun, _)| *begun < fetch.done);
        let Some((_, done)) = begun.checked_sub(1).and_then(|place| offers.get(place)) else {
            return Some(Rule::NeverCommitted);
        };
        let overwritten = latest.is_some_and(|latest| *done < latest.begun);
        overwritten.then_some(Rule::CommitRegression)
    }
}
