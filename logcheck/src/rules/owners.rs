//! A partition has one owner in a group: two may believe it for a while, one can commit.

use std::collections::{BTreeMap, HashMap};

use crate::check::Index;
use crate::event::{Operation, Rebalance};
use crate::history::{Attempt, Place, What};
use crate::report::{Report, Rule, Violation};
use crate::value::Client;

/// After every line of the history.
const OPEN: usize = usize::MAX;

/// A consumer's hold on a partition.
struct Hold {
    client: Client,
    begun: usize,
    /// [`OPEN`] as long as nothing ended it.
    ended: usize,
    /// Its acknowledged commits of the partition: begin and acknowledgement.
    commits: Vec<(usize, usize)>,
}

impl Hold {
    /// A commit that lies wholly between those lines.
    fn commit_within(&self, from: usize, to: usize) -> Option<(usize, usize)> {
        let next = self.commits.partition_point(|(begun, _)| *begun < from);
        self.commits.get(next).copied().filter(|(_, acknowledged)| *acknowledged < to)
    }
}

#[derive(Default)]
struct Holds<'a> {
    /// By group and partition, in the order in which they began.
    holds: BTreeMap<(&'a str, u32), Vec<Hold>>,
    /// By process, what it holds now: its client, the group, the partition, the place in `holds`.
    open: HashMap<u32, BTreeMap<(Client, &'a str, u32), usize>>,
}

pub(crate) fn judge(index: &Index<'_>, report: &mut Report) {
    let mut holds = Holds::default();
    for (place, line) in index.places.iter().zip(1..) {
        match place {
            Place::Begin(attempt) => {
                holds.end_earlier(index.history.attempts[*attempt].client, line)
            }
            Place::End(attempt) => holds.on_end(index, &index.history.attempts[*attempt], line),
            Place::Notice(notice) => {
                let notice = &index.history.notices[*notice];
                holds.end_earlier(notice.client, line);
                match &notice.what {
                    What::Crash => holds.end_all(notice.client.process, line),
                    What::Rebalance(told) => holds.on_told(index, notice.client, told, line),
                    What::Drained(_) => {}
                }
            }
        }
    }
    for ((group, key), mut of) in holds.holds {
        of.iter_mut().for_each(|hold| hold.commits.sort_unstable());
        judge_partition(index, (group, key), &of, report);
    }
}

impl<'a> Holds<'a> {
    fn on_told(&mut self, index: &Index<'_>, client: Client, told: &'a Rebalance, line: usize) {
        let open = self.open.entry(client.process).or_default();
        for key in told.revoked.iter().filter_map(|key| index.known_key(key)) {
            let of = (told.group.as_str(), key);
            let Some(place) = open.remove(&(client, of.0, key)) else { continue };
            if let Some(hold) = self.holds.get_mut(&of).and_then(|holds| holds.get_mut(place)) {
                hold.ended = line;
            }
        }
        for key in told.assigned.iter().filter_map(|key| index.known_key(key)) {
            let of = (told.group.as_str(), key);
            let holds = self.holds.entry(of).or_default();
            open.entry((client, of.0, key)).or_insert_with(|| {
                holds.push(Hold { client, begun: line, ended: OPEN, commits: Vec::new() });
                holds.len() - 1
            });
        }
    }

    fn on_end(&mut self, index: &Index<'_>, attempt: &'a Attempt, line: usize) {
        let Operation::Commit { group, offsets, .. } = &attempt.operation else { return };
        if attempt.answer().is_none() {
            return;
        }
        let Some(open) = self.open.get(&attempt.client.process) else { return };
        for key in offsets.iter().filter_map(|(key, _)| index.known_key(key)) {
            let Some(place) = open.get(&(attempt.client, group.as_str(), key)) else { continue };
            let holds = self.holds.get_mut(&(group.as_str(), key));
            let hold = holds.and_then(|holds| holds.get_mut(*place));
            if let Some(hold) = hold.filter(|hold| hold.begun < attempt.invoked) {
                hold.commits.push((attempt.invoked, line));
            }
        }
    }

    /// A new client of a process means that its earlier ones have ended.
    fn end_earlier(&mut self, client: Client, line: usize) {
        let Some(open) = self.open.get_mut(&client.process) else { return };
        let first = open.first_key_value().map(|((of, _, _), _)| *of);
        if first.is_some_and(|first| first.incarnation < client.incarnation) {
            let later = open.split_off(&(client, "", 0));
            let ended = std::mem::replace(open, later);
            self.end(ended, line);
        }
    }

    fn end_all(&mut self, process: u32, line: usize) {
        if let Some(ended) = self.open.remove(&process) {
            self.end(ended, line);
        }
    }

    fn end(&mut self, ended: BTreeMap<(Client, &'a str, u32), usize>, line: usize) {
        for ((_, group, key), place) in ended {
            if let Some(hold) = self.holds.get_mut(&(group, key)).and_then(|h| h.get_mut(place)) {
                hold.ended = line;
            }
        }
    }
}

/// Every pair of holds that overlap, in the order in which they began. Few overlap at any time.
fn judge_partition(
    index: &Index<'_>,
    (group, key): (&str, u32),
    holds: &[Hold],
    report: &mut Report,
) {
    let mut open: Vec<&Hold> = Vec::new();
    for hold in holds {
        report.examine(Rule::DoubleOwner);
        open.retain(|earlier| earlier.ended > hold.begun && earlier.client != hold.client);
        for earlier in &open {
            let end = earlier.ended.min(hold.ended);
            let theirs = earlier.commit_within(hold.begun, end);
            let ours = hold.commit_within(hold.begun, end);
            let (Some(theirs), Some(ours)) = (theirs, ours) else { continue };
            report.accuse(Violation {
                rule: Rule::DoubleOwner,
                lines: vec![earlier.begun, hold.begun, theirs.1, ours.1],
                group: Some(group.to_owned()),
                key: Some(index.key(key)),
                numbers: Vec::new(),
                values: Vec::new(),
            });
        }
        open.push(hold);
    }
}
