//! A history, numbered and sorted once, so that no rule has to search.

use std::collections::HashMap;
use std::time::Duration;

use crate::event::{Answer, Bound, Operation};
use crate::history::{Attempt, History, Place, What};
use crate::report::Counts;
use crate::value::{Client, Key, Value};

/// The place of a record in [`Index::records`].
pub(crate) type RecordNumber = u32;

/// The history with numbers for partitions and records. Maps are asked and never walked, so the
/// same history always has the same report.
pub(crate) struct Index<'a> {
    pub history: &'a History,
    /// What stands on each line.
    pub places: Vec<Place>,
    /// The partitions, in the order in which they are first named.
    pub keys: Vec<&'a Key>,
    /// The records, in the order in which they are first named.
    pub records: Vec<Record>,
    /// What was acknowledged and read, by partition, offset, record and line.
    pub sightings: Vec<Sighting>,
    /// By partition: below it nothing is missed.
    pub floors: Vec<i64>,
    /// Who read everything in the end, and what.
    pub drains: Vec<Drain>,
    /// Records that do not say who they are: partition, offset, line.
    pub damaged: Vec<(u32, i64, usize)>,
    /// Records that were sent more than once: record, line.
    pub reused: Vec<(RecordNumber, usize)>,
    key_numbers: HashMap<&'a str, u32>,
    record_numbers: HashMap<Value, RecordNumber>,
}

/// One record.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub value: Value,
    pub sent: Option<SentRecord>,
    /// The first line on which it was read.
    pub first_read: Option<usize>,
}

/// How a record was sent.
#[derive(Clone, Copy)]
pub(crate) struct SentRecord {
    pub key: u32,
    pub invoked: usize,
    pub idempotent: bool,
    pub failed: bool,
    /// The line of the acknowledgement, and the offset that it names.
    pub acknowledged: Option<(usize, Option<i64>)>,
}

/// A record was shown at an offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Sighting {
    pub key: u32,
    pub offset: i64,
    pub record: RecordNumber,
    pub line: usize,
    pub leader_epoch: Option<i32>,
    /// By a poll; else by an acknowledgement.
    pub read: bool,
}

/// A client that read a partition from its first offset to its end.
pub(crate) struct Drain {
    pub key: u32,
    /// The line on which it says so.
    pub line: usize,
    /// The line on which the client began; what was known before that it must have read.
    pub began: usize,
    /// The offsets that it read, sorted.
    pub read: Vec<i64>,
}

impl<'a> Index<'a> {
    pub fn of(history: &'a History) -> Index<'a> {
        let mut index = Index {
            history,
            places: history.places(),
            keys: Vec::new(),
            records: Vec::new(),
            sightings: Vec::new(),
            floors: Vec::new(),
            drains: Vec::new(),
            damaged: Vec::new(),
            reused: Vec::new(),
            key_numbers: HashMap::new(),
            record_numbers: HashMap::new(),
        };
        for attempt in &history.attempts {
            index.add_sent(attempt);
        }
        for attempt in &history.attempts {
            index.add_shown(attempt);
        }
        index.add_group_keys();
        index.sightings.sort_unstable();
        index.add_drains();
        index
    }

    fn add_sent(&mut self, attempt: &'a Attempt) {
        let Operation::Send { idempotent, records } = &attempt.operation else { return };
        let (line, sent) = match attempt.answer() {
            Some((line, Answer::Sent(sent))) => (line, sent.as_slice()),
            _ => (0, [].as_slice()),
        };
        for (place, (key, value)) in records.iter().enumerate() {
            let key = self.key_number(key);
            let record = self.record_number(*value);
            let acknowledged = sent.get(place).map(|one| (line, one.offset.filter(|o| *o >= 0)));
            if let (Some((line, Some(offset))), Some(one)) = (acknowledged, sent.get(place)) {
                let (leader_epoch, read) = (one.leader_epoch, false);
                self.sightings.push(Sighting { key, offset, record, line, leader_epoch, read });
            }
            let slot = &mut self.records[record as usize].sent;
            if slot.is_some() {
                self.reused.push((record, attempt.invoked));
                continue;
            }
            *slot = Some(SentRecord {
                key,
                invoked: attempt.invoked,
                idempotent: *idempotent,
                failed: attempt.failed(),
                acknowledged,
            });
        }
    }

    fn add_shown(&mut self, attempt: &'a Attempt) {
        match attempt.answer() {
            Some((line, Answer::Polled { records, .. })) => {
                for read in records {
                    let key = self.key_number(&read.key);
                    let Some(value) = read.value else {
                        self.damaged.push((key, read.offset, line));
                        continue;
                    };
                    let record = self.record_number(value);
                    let (offset, leader_epoch) = (read.offset, read.leader_epoch);
                    let sighting = Sighting { key, offset, record, line, leader_epoch, read: true };
                    self.sightings.push(sighting);
                    let first = &mut self.records[record as usize].first_read;
                    *first = Some(first.map_or(line, |before| before.min(line)));
                }
            }
            Some((_, Answer::Offsets(offsets))) => {
                let floor = attempt.operation == Operation::ListOffsets(Bound::Earliest);
                for (key, offset, _) in offsets {
                    let key = self.key_number(key) as usize;
                    if floor {
                        self.floors[key] = self.floors[key].max(*offset);
                    }
                }
            }
            _ => {}
        }
    }

    /// Partitions that nothing but a group names.
    fn add_group_keys(&mut self) {
        for attempt in &self.history.attempts {
            if let Operation::Commit { offsets, .. } = &attempt.operation {
                offsets.iter().for_each(|(key, _)| _ = self.key_number(key));
            }
            if let Some((_, Answer::Committed(offsets))) = attempt.answer() {
                offsets.iter().for_each(|(key, _)| _ = self.key_number(key));
            }
        }
        for notice in &self.history.notices {
            if let What::Rebalance(told) = &notice.what {
                told.assigned.iter().for_each(|key| _ = self.key_number(key));
            }
        }
    }

    fn add_drains(&mut self) {
        let mut wanted: HashMap<(Client, u32), usize> = HashMap::new();
        for notice in &self.history.notices {
            let What::Drained(keys) = &notice.what else { continue };
            for key in keys {
                let (client, line) = (notice.client, notice.line);
                let key = self.key_number(key);
                if let Some(place) = wanted.get(&(client, key)) {
                    self.drains[*place].line = line;
                    continue;
                }
                wanted.insert((client, key), self.drains.len());
                self.drains.push(Drain { key, line, began: line, read: Vec::new() });
            }
        }
        if wanted.is_empty() {
            return;
        }
        let mut begins: HashMap<Client, usize> = HashMap::new();
        for attempt in &self.history.attempts {
            begins.entry(attempt.client).or_insert(attempt.invoked);
            self.add_drained(attempt, &wanted);
        }
        for ((client, _), place) in &wanted {
            if let Some(begin) = begins.get(client) {
                let drain = &mut self.drains[*place];
                drain.began = drain.began.min(*begin);
            }
        }
        for drain in &mut self.drains {
            drain.read.sort_unstable();
        }
    }

    fn add_drained(&mut self, attempt: &Attempt, wanted: &HashMap<(Client, u32), usize>) {
        let Some((line, Answer::Polled { records, .. })) = attempt.answer() else { return };
        for read in records {
            let Some(key) = self.known_key(&read.key) else { continue };
            let Some(place) = wanted.get(&(attempt.client, key)) else { continue };
            let drain = &mut self.drains[*place];
            if line < drain.line {
                drain.read.push(read.offset);
            }
        }
    }

    fn key_number(&mut self, key: &'a Key) -> u32 {
        if let Some(number) = self.key_numbers.get(key.as_str()) {
            return *number;
        }
        let number = u32::try_from(self.keys.len()).expect("fewer partitions than 2^32");
        self.key_numbers.insert(key.as_str(), number);
        self.keys.push(key);
        self.floors.push(0);
        number
    }

    fn record_number(&mut self, value: Value) -> RecordNumber {
        let next = self.records.len();
        *self.record_numbers.entry(value).or_insert_with(|| {
            self.records.push(Record { value, sent: None, first_read: None });
            u32::try_from(next).expect("fewer records than 2^32")
        })
    }

    /// The number of a partition that the history names anywhere.
    pub fn known_key(&self, key: &Key) -> Option<u32> {
        self.key_numbers.get(key.as_str()).copied()
    }

    pub fn key(&self, number: u32) -> Key {
        self.keys[number as usize].clone()
    }

    pub fn record(&self, number: RecordNumber) -> &Record {
        &self.records[number as usize]
    }

    /// Sightings in runs that agree in what `same` tells.
    pub fn runs<T: PartialEq>(
        &self,
        same: impl Fn(&Sighting) -> T,
    ) -> impl Iterator<Item = &[Sighting]> {
        self.sightings.chunk_by(move |left, right| same(left) == same(right))
    }

    /// The first offset above `low` and below `high` at which the partition has a record that has
    /// not been deleted.
    pub fn occupied_between(&self, key: u32, low: i64, high: i64) -> Option<&Sighting> {
        let low = low.saturating_add(1).max(self.floors[key as usize]);
        let place = self.sightings.partition_point(|s| (s.key, s.offset) < (key, low));
        self.sightings.get(place).filter(|s| s.key == key && s.offset < high)
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts { lines: self.history.lines() as u64, ..Counts::default() };
        for record in &self.records {
            let Some(sent) = &record.sent else { continue };
            match (sent.acknowledged, sent.failed) {
                (Some((line, _)), _) => {
                    counts.acknowledged += 1;
                    let Some(read) = record.first_read else { continue };
                    counts.acknowledged_and_read += 1;
                    let times = (self.history.time_of(read), self.history.time_of(line));
                    let lag = Duration::from_nanos(times.0.saturating_sub(times.1));
                    counts.longest_lag = counts.longest_lag.max(lag);
                }
                (None, true) => counts.failed += 1,
                (None, false) => counts.unknown += 1,
            }
        }
        counts.read = self.sightings.iter().filter(|sighting| sighting.read).count() as u64;
        counts.drained = self.drains.len() as u64;
        let is_commit = |attempt: &&Attempt| {
            matches!(attempt.operation, Operation::Commit { .. }) && attempt.answer().is_some()
        };
        counts.commits = self.history.attempts.iter().filter(is_commit).count() as u64;
        counts
    }
}
