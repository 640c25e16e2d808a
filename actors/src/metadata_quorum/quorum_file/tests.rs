//! Power cuts at every change that the quorum's files make. Broken, a node would vote twice in one
//! term, forget an entry that it said to have, or not come up again.

use commit_log::FaultyStorage;

use super::super::quorum_entry::{ProposedRecords, QuorumPayload};
use super::*;
use crate::ports::rng::{Rng, SeededRng};

const STEPS: usize = 14;
const SEEDS: u64 = 12;

fn directory() -> &'static Path {
    Path::new("/quorum")
}

/// One thing that the library does with the files.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<QuorumEntry>),
    TruncateFrom(u64),
    Purge(EntryPlace),
    Vote(StoredVote),
}

/// What the files hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Contents {
    purged: Option<EntryPlace>,
    entries: Vec<QuorumEntry>,
    vote: Option<StoredVote>,
}

impl Contents {
    fn next(&self) -> u64 {
        let purged = self.purged.map_or(0, |purged| purged.index + 1);
        self.entries.last().map_or(purged, |entry| entry.index + 1)
    }

    fn after(&self, step: &Step) -> Self {
        let mut after = self.clone();
        match step {
            Step::Append(entries) => after.entries.extend(entries.iter().cloned()),
            Step::TruncateFrom(index) => after.entries.retain(|entry| entry.index < *index),
            Step::Purge(last) => {
                after.entries.retain(|entry| entry.index > last.index);
                after.purged = Some(*last);
            }
            Step::Vote(vote) => after.vote = Some(*vote),
        }
        after
    }

    /// Whether a disk may hold this when the power went during `step`: all of what was before, or
    /// all of what comes after; of a suffix, any part that leaves no hole.
    fn may_be_between(&self, before: &Self, step: &Step) -> bool {
        let after = before.after(step);
        if *self == *before || *self == after {
            return true;
        }
        let (shorter, longer) = match step {
            Step::Append(_) => (before, &after),
            Step::TruncateFrom(_) => (&after, before),
            Step::Purge(_) | Step::Vote(_) => return false,
        };
        self.purged == before.purged
            && self.vote == before.vote
            && longer.entries.starts_with(&self.entries)
            && self.entries.starts_with(&shorter.entries)
    }
}

fn script(seed: u64) -> Vec<Step> {
    let rng = SeededRng::new(seed);
    let mut model = Contents::default();
    let mut term = 1;
    let draw = |below: u64| rng.next() % below;
    let mut steps = Vec::new();
    while steps.len() < STEPS {
        let next = model.next();
        let step = match draw(8) {
            0..4 => Step::Append((0..=draw(3)).map(|at| entry(next + at, term)).collect()),
            4 | 5 if model.entries.len() > 1 => {
                let kept = draw(model.entries.len() as u64);
                term += 1;
                Step::TruncateFrom(next - model.entries.len() as u64 + kept)
            }
            6 if model.entries.len() > 2 => Step::Purge(place(&model.entries[1])),
            _ => {
                term += 1;
                Step::Vote(StoredVote { term, node: draw(3), committed: draw(2) == 1 })
            }
        };
        model = model.after(&step);
        steps.push(step);
    }
    steps
}

fn entry(index: u64, term: u64) -> QuorumEntry {
    let records = Bytes::from(format!("what was decided at {index} in term {term}"));
    let decided = ProposedRecords { decided_in: Some(term), records };
    QuorumEntry { index, term, leader: 1, payload: QuorumPayload::Records(decided) }
}

fn open(disk: &FaultyStorage) -> Result<QuorumFile, QuorumFileError> {
    QuorumFile::open(Arc::new(disk.clone()), directory())
}

fn take(file: &mut QuorumFile, step: Step) -> Result<(), QuorumFileError> {
    match step {
        Step::Append(entries) => file.append(entries),
        Step::TruncateFrom(index) => file.truncate_from(index),
        Step::Purge(last) => file.purge(last),
        Step::Vote(vote) => file.save_vote(vote),
    }
}

fn contents(file: &QuorumFile) -> Contents {
    let entries = file.entries(0, u64::MAX).cloned().collect();
    Contents { purged: file.purged(), entries, vote: file.vote() }
}

/// Runs a script until the power goes after so many changes, and judges what the disk holds then.
/// Gives whether the script was done before.
fn run(seed: u64, changes: u64, bugs: BugSwitch) -> Result<bool, String> {
    let disk = FaultyStorage::new(seed.wrapping_mul(1_000).wrapping_add(changes));
    let mut file = open(&disk).map_err(|error| error.to_string())?;
    file.bugs = bugs;
    disk.cut_power_after(changes);
    let mut sure = Contents::default();
    let mut under_way = None;
    for step in script(seed) {
        if take(&mut file, step.clone()).is_err() {
            under_way = Some(step);
            break;
        }
        sure = sure.after(&step);
    }
    disk.power_cut();
    let found = contents(&open(&disk).map_err(|error| format!("not opened: {error}"))?);
    let is_fine = match &under_way {
        Some(step) => found.may_be_between(&sure, step),
        None => found == sure,
    };
    let report = || format!("after {changes} changes, in {under_way:?}: {found:#?}, not {sure:#?}");
    if is_fine { Ok(under_way.is_none()) } else { Err(report()) }
}

/// Every power cut of every script; the first that is not survived, if any.
fn first_loss(bugs: BugSwitch) -> Option<String> {
    for seed in 0..SEEDS {
        for changes in 0.. {
            match run(seed, changes, bugs) {
                Ok(true) => break,
                Ok(false) => {}
                Err(loss) => return Some(format!("seed {seed}: {loss}")),
            }
        }
    }
    None
}

#[test]
fn every_power_cut_leaves_what_was_answered_and_no_hole() {
    assert_eq!(first_loss(BugSwitch::default()), None);
}

#[cfg(feature = "reinjected-bugs")]
#[test]
fn a_vote_that_is_answered_before_it_is_on_disk_is_found() {
    let loss = first_loss(BugSwitch { bug: Some(QuorumBug::VoteNotFlushed) });
    assert!(loss.is_some());
}

#[cfg(feature = "reinjected-bugs")]
#[test]
fn a_suffix_that_is_cut_from_its_front_is_found() {
    let loss = first_loss(BugSwitch { bug: Some(QuorumBug::TruncateFrontToBack) });
    assert!(loss.is_some_and(|loss| loss.contains("not opened")));
}

#[test]
fn a_message_holds_as_many_entries_as_fit_and_at_least_one() {
    let disk = FaultyStorage::new(1);
    let mut file = open(&disk).unwrap();
    file.append((0..10).map(|index| entry(index, 1)).collect()).unwrap();
    let indexes = |from, to, bytes_max| -> Vec<u64> {
        file.entries_within(from, to, bytes_max).map(|entry| entry.index).collect()
    };
    assert_eq!(indexes(3, 9, 0), [3]);
    assert_eq!(indexes(3, 9, u64::MAX), [3, 4, 5, 6, 7, 8]);
    let one = {
        let mut bytes = BytesMut::new();
        entry(5, 1).encode(&mut bytes) as u64
    };
    assert_eq!(indexes(5, 10, 2 * one), [5, 6]);
    assert_eq!(indexes(0, 10, 2 * one), [0, 1]);
    assert_eq!(indexes(10, 12, u64::MAX), Vec::<u64>::new());
}
