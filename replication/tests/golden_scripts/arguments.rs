//! The words of one input: `key=value` pairs and flags.

use std::collections::BTreeMap;

use protocol::{BrokerId, LeaderEpoch, Offset};
use replication::{EpochEnd, EpochStart};

pub struct Arguments<'a> {
    pairs: BTreeMap<&'a str, &'a str>,
}

impl<'a> Arguments<'a> {
    pub fn parse(words: impl Iterator<Item = &'a str>) -> Self {
        Self { pairs: words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect() }
    }

    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.pairs.get(key).copied()
    }

    pub fn has(&self, key: &str) -> bool {
        self.pairs.contains_key(key)
    }

    pub fn number(&self, key: &str) -> Option<i64> {
        self.text(key).map(number)
    }

    pub fn offset(&self, key: &str) -> Offset {
        Offset::new(self.number(key).unwrap_or_else(|| panic!("{key}= is missing")))
    }

    pub fn leader_epoch(&self, key: &str) -> LeaderEpoch {
        epoch(self.number(key).unwrap_or_else(|| panic!("{key}= is missing")))
    }

    pub fn brokers(&self, key: &str) -> Option<Vec<BrokerId>> {
        self.text(key).map(|text| text.split(',').map(|id| broker(number(id))).collect())
    }

    /// `from..to`
    pub fn range(&self, key: &str) -> Option<(Offset, Offset)> {
        let (from, to) = self.text(key)?.split_once("..").expect("from..to");
        Some((Offset::new(number(from)), Offset::new(number(to))))
    }

    /// `epoch@offset,epoch@offset`
    pub fn epochs(&self, key: &str) -> Option<Vec<EpochStart>> {
        let text = self.text(key)?;
        let starts = text.split(',').filter(|text| !text.is_empty()).map(|text| {
            let end = epoch_at(text);
            EpochStart { leader_epoch: end.leader_epoch, start_offset: end.end_offset }
        });
        Some(starts.collect())
    }
}

pub fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

pub fn epoch(number: i64) -> LeaderEpoch {
    LeaderEpoch::new(i32::try_from(number).unwrap())
}

pub fn broker(number: i64) -> BrokerId {
    BrokerId(i32::try_from(number).unwrap())
}

/// `epoch@offset`
pub fn epoch_at(text: &str) -> EpochEnd {
    let (leader_epoch, offset) = text.split_once('@').expect("epoch@offset");
    EpochEnd { leader_epoch: epoch(number(leader_epoch)), end_offset: Offset::new(number(offset)) }
}
