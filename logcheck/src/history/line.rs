//! One line of a history as JSON: the fields, and the forms that `value` has. Reading and writing
//! share them, so that they cannot drift apart.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::event::Bound;
use crate::value::Value;

/// The fields of a line. An unknown one is an error: a misspelt one would switch off a rule.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    pub t_ns: u64,
    pub process: u32,
    #[serde(default)]
    pub client_incarnation: u32,
    #[serde(default)]
    pub op: u64,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub f: Function,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub value: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance_log: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<BoundName>,
    /// For whoever reads the file; judged by nobody.
    #[serde(default, skip_serializing)]
    #[allow(dead_code, reason = "allowed in a line, and of no meaning")]
    pub error: Option<IgnoredAny>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// What a line is about. The last three are no operations, and have the type `info`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Function {
    Send,
    Poll,
    Txn,
    Assign,
    Subscribe,
    Seek,
    Commit,
    FetchCommitted,
    ListOffsets,
    Rebalance,
    Drained,
    Crash,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BoundName {
    Earliest,
    Latest,
    HighWatermark,
    LastStable,
}

impl From<BoundName> for Bound {
    fn from(name: BoundName) -> Bound {
        match name {
            BoundName::Earliest => Bound::Earliest,
            BoundName::Latest => Bound::Latest,
            BoundName::HighWatermark => Bound::HighWatermark,
            BoundName::LastStable => Bound::LastStable,
        }
    }
}

impl From<Bound> for BoundName {
    fn from(bound: Bound) -> BoundName {
        match bound {
            Bound::Earliest => BoundName::Earliest,
            Bound::Latest => BoundName::Latest,
            Bound::HighWatermark => BoundName::HighWatermark,
            Bound::LastStable => BoundName::LastStable,
        }
    }
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SendWord {
    #[serde(rename = "send")]
    Send,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PollWord {
    #[serde(rename = "poll")]
    Poll,
}

/// `["send", key, [offset, value]]`
pub(super) type SendLine = (SendWord, String, Slot);
/// `["poll", {key: [[offset, value], …]}]`
pub(super) type PollLine = (PollWord, Pairs<Vec<Slot>>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RebalanceLine {
    #[serde(default)]
    pub assigned: Vec<String>,
    #[serde(default)]
    pub revoked: Vec<String>,
}

/// `[offset, value]` or `[offset, value, leader epoch]`.
pub(super) struct Slot {
    pub offset: Option<i64>,
    pub value: Option<Value>,
    pub leader_epoch: Option<i32>,
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.leader_epoch {
            None => (self.offset, self.value).serialize(serializer),
            Some(epoch) => (self.offset, self.value, epoch).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Slot, D::Error> {
        deserializer.deserialize_seq(SlotVisitor)
    }
}

struct SlotVisitor;

impl<'de> Visitor<'de> for SlotVisitor {
    type Value = Slot;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[offset, value] or [offset, value, leader epoch]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Slot, A::Error> {
        let offset = list.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let value = list.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        let leader_epoch = list.next_element::<Option<i32>>()?.flatten();
        if list.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::invalid_length(4, &self));
        }
        Ok(Slot { offset, value, leader_epoch })
    }
}

/// A JSON object in the order of its fields; a field that stands there twice is kept twice.
pub(super) struct Pairs<T>(pub Vec<(String, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Pairs<T> {
        Pairs(Vec::new())
    }
}

impl<T: Serialize> Serialize for Pairs<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs<T>, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with a field for each partition")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
