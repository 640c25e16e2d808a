//! What a history is found guilty of, and how much of it there was to judge.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::value::{Key, Value};

/// A rule that no history may break. The names are those of the table in the crate's README.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// Two records have the same offset of a partition.
    InconsistentOffset,
    /// A record of an idempotent producer has two offsets of a partition.
    Duplicate,
    /// An acknowledged record was never read, though later ones were.
    LostWrite,
    /// An acknowledged record was not there when everything had been read.
    Unseen,
    /// A record that somebody had read was not there when everything was read once more.
    Vanished,
    /// A record was read whose send certainly had no effect (Adya's G1a).
    AbortedRead,
    /// A record was read that nobody sent.
    NeverSent,
    /// A record was read from another partition than it was sent to.
    Misrouted,
    /// A record was read that does not say who it is.
    DamagedValue,
    /// Two records were sent under the same value; the recorder of the history is wrong.
    ReusedValue,
    /// One poll left out a record between two that it brought.
    InternalPollSkip,
    /// One poll brought a record after one with a higher offset, or twice.
    InternalNonmonotonicPoll,
    /// Two polls of a consumer left out a record between them.
    PollSkip,
    /// A consumer's poll went back behind its previous one.
    NonmonotonicPoll,
    /// One send of a producer got a lower offset than an earlier one.
    NonmonotonicSend,
    /// The same between two records of one send.
    InternalNonmonotonicSend,
    /// An acknowledgement names no offset, or zero where the partition had records already.
    ZeroOffset,
    /// A record was given an offset that was taken before it was sent.
    TakenOffset,
    /// An end of a partition was shown lower than what had been shown or read before.
    OffsetBeyond,
    /// A record was acknowledged under one leader epoch and is served under another.
    StaleEpochAck,
    /// A record is served under two leader epochs.
    InconsistentEpoch,
    /// A record is served under a lower leader epoch than one with a lower offset.
    EpochRegression,
    /// A group's committed offset is older than the last one whose commit was acknowledged.
    CommitRegression,
    /// A group has a committed offset that nobody committed.
    NeverCommitted,
    /// A commit was acknowledged in a generation that had ended before it was sent.
    ZombieCommit,
    /// Two members of a group held a partition at the same time, and both committed it.
    DoubleOwner,
}

impl Rule {
    /// Every rule, in the order of the table.
    pub const ALL: [Rule; 26] = [
        Rule::InconsistentOffset,
        Rule::Duplicate,
        Rule::LostWrite,
        Rule::Unseen,
        Rule::Vanished,
        Rule::AbortedRead,
        Rule::NeverSent,
        Rule::Misrouted,
        Rule::DamagedValue,
        Rule::ReusedValue,
        Rule::InternalPollSkip,
        Rule::InternalNonmonotonicPoll,
        Rule::PollSkip,
        Rule::NonmonotonicPoll,
        Rule::NonmonotonicSend,
        Rule::InternalNonmonotonicSend,
        Rule::ZeroOffset,
        Rule::TakenOffset,
        Rule::OffsetBeyond,
        Rule::StaleEpochAck,
        Rule::InconsistentEpoch,
        Rule::EpochRegression,
        Rule::CommitRegression,
        Rule::NeverCommitted,
        Rule::ZombieCommit,
        Rule::DoubleOwner,
    ];

    /// The name of the rule, as the literature has it where it has one.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::InconsistentOffset => "inconsistent-offset",
            Rule::Duplicate => "duplicate",
            Rule::LostWrite => "lost-write",
            Rule::Unseen => "unseen",
            Rule::Vanished => "vanished",
            Rule::AbortedRead => "G1a",
            Rule::NeverSent => "never-sent",
            Rule::Misrouted => "misrouted",
            Rule::DamagedValue => "damaged-value",
            Rule::ReusedValue => "reused-value",
            Rule::InternalPollSkip => "int-poll-skip",
            Rule::InternalNonmonotonicPoll => "int-nonmonotonic-poll",
            Rule::PollSkip => "poll-skip",
            Rule::NonmonotonicPoll => "nonmonotonic-poll",
            Rule::NonmonotonicSend => "nonmonotonic-send",
            Rule::InternalNonmonotonicSend => "int-nonmonotonic-send",
            Rule::ZeroOffset => "zero-offset",
            Rule::TakenOffset => "taken-offset",
            Rule::OffsetBeyond => "offset-beyond",
            Rule::StaleEpochAck => "stale-epoch-ack",
            Rule::InconsistentEpoch => "inconsistent-epoch",
            Rule::EpochRegression => "epoch-regression",
            Rule::CommitRegression => "commit-regression",
            Rule::NeverCommitted => "never-committed",
            Rule::ZombieCommit => "zombie-commit",
            Rule::DoubleOwner => "double-owner",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// One place where a history breaks a rule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Violation {
    /// The lines that contradict each other, from one, in rising order.
    pub lines: Vec<usize>,
    /// Which rule.
    pub rule: Rule,
    /// The group that it is about, where it is about one.
    pub group: Option<String>,
    /// The partition that it is about.
    pub key: Option<Key>,
    /// The offsets that it is about, or the leader epochs or generations where those are.
    pub numbers: Vec<i64>,
    /// The records that it is about.
    pub values: Vec<Value>,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: Vec<String>| items.join(", ");
        write!(formatter, "{}", self.rule)?;
        if let Some(group) = &self.group {
            write!(formatter, " group {}", group.escape_debug())?;
        }
        if let Some(key) = &self.key {
            write!(formatter, " {}", key.as_str().escape_debug())?;
        }
        if !self.numbers.is_empty() {
            let numbers = self.numbers.iter().map(i64::to_string).collect();
            write!(formatter, " {}", list(numbers))?;
        }
        if !self.values.is_empty() {
            let values = self.values.iter().map(Value::to_string).collect();
            write!(formatter, " record {}", list(values))?;
        }
        let lines = self.lines.iter().map(usize::to_string).collect();
        write!(formatter, " (lines {})", list(lines))
    }
}

/// How much happened in a history.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Its lines.
    pub lines: u64,
    /// Records whose send was acknowledged.
    pub acknowledged: u64,
    /// Records whose send certainly had no effect.
    pub failed: u64,
    /// Records of whose send nobody knows whether it had one.
    pub unknown: u64,
    /// Records that polls brought, each as often as it was brought.
    pub read: u64,
    /// Acknowledged records that some poll brought.
    pub acknowledged_and_read: u64,
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Partitions that were read to their ends after all faults.
    pub drained: u64,
    /// The longest time from an acknowledgement to the first poll that brought the record: a
    /// lower bound of how far consumers were behind.
    pub longest_lag: Duration,
}

/// What a history as a whole amounts to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Something was acknowledged, something of that was read, and no rule is broken.
    Clean,
    /// No acknowledged record was read: there is nothing that could be right or wrong.
    Empty,
    /// A rule is broken.
    Broken,
}

/// The judgement of a history.
#[derive(Clone, Default, Debug)]
pub struct Report {
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<Violation>,
    pub(crate) tallies: BTreeMap<Rule, Tally>,
}

/// What one rule saw.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    pub examined: u64,
    pub broken: u64,
}

impl Report {
    /// At most this many violations of a rule are kept; all are counted.
    pub const KEPT_PER_RULE: u64 = 1000;

    /// The violations, by their first lines; of each rule at most [`Report::KEPT_PER_RULE`].
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How often a rule is broken, those included that are not kept.
    pub fn broken(&self, rule: Rule) -> u64 {
        self.tallies.get(&rule).map_or(0, |tally| tally.broken)
    }

    /// How many facts the history has that the rule could be broken by. Zero means that the rule
    /// holds because nothing was shown to it: no leader epochs, no group, nothing drained.
    pub fn examined(&self, rule: Rule) -> u64 {
        self.tallies.get(&rule).map_or(0, |tally| tally.examined)
    }

    /// How much happened.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What the history as a whole amounts to.
    pub fn verdict(&self) -> Verdict {
        if !self.violations.is_empty() {
            Verdict::Broken
        } else if self.counts.acknowledged_and_read == 0 {
            Verdict::Empty
        } else {
            Verdict::Clean
        }
    }

    pub(crate) fn examine(&mut self, rule: Rule) {
        let tally = self.tallies.entry(rule).or_default();
        tally.examined = tally.examined.saturating_add(1);
    }

    pub(crate) fn accuse(&mut self, mut violation: Violation) {
        let tally = self.tallies.entry(violation.rule).or_default();
        tally.broken = tally.broken.saturating_add(1);
        if tally.broken <= Report::KEPT_PER_RULE {
            violation.lines.sort_unstable();
            violation.lines.dedup();
            self.violations.push(violation);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(formatter, "{violation}")?;
        }
        let Counts { lines, acknowledged, failed, unknown, read, .. } = self.counts;
        let Counts { acknowledged_and_read, commits, drained, longest_lag, .. } = self.counts;
        writeln!(
            formatter,
            "{lines} lines: {acknowledged} records acknowledged ({acknowledged_and_read} of them \
             read), {failed} failed, {unknown} unknown; {read} read, {commits} commits, {drained} \
             partitions drained, longest lag {longest_lag:?}"
        )?;
        let idle = Rule::ALL.iter().filter(|rule| self.examined(**rule) == 0);
        let idle: Vec<&str> = idle.map(|rule| rule.name()).collect();
        if !idle.is_empty() {
            writeln!(formatter, "nothing to judge by: {}", idle.join(", "))?;
        }
        let more = self.tallies.iter().filter(|(_, tally)| tally.broken > Report::KEPT_PER_RULE);
        for (rule, tally) in more {
            writeln!(formatter, "{rule}: {} in all", tally.broken)?;
        }
        match self.verdict() {
            Verdict::Clean => formatter.write_str("clean"),
            Verdict::Empty => formatter.write_str("empty: no acknowledged record was read"),
            Verdict::Broken => {
                let all: u64 = self.tallies.values().map(|tally| tally.broken).sum();
                write!(formatter, "{all} violations")
            }
        }
    }
}
