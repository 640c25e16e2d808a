//! What a history names: records, partitions, clients.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The identity of one record: who sent it and its number there. Used once in a history, whatever
/// the partition. Written as `process:sequence`, as in `3:17`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value {
    /// The process that sent it.
    pub process: u32,
    /// Its number among the records of that process.
    pub sequence: u64,
}

impl Value {
    /// The record with that number of that process.
    pub const fn new(process: u32, sequence: u64) -> Value {
        Value { process, sequence }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.process, self.sequence)
    }
}

/// The text is not two numbers with a colon between them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a record value is written as process:sequence")]
pub struct ValueError;

impl FromStr for Value {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Value, ValueError> {
        let (process, sequence) = text.split_once(':').ok_or(ValueError)?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(process) || !digits(sequence) {
            return Err(ValueError);
        }
        let process = process.parse().map_err(|_| ValueError)?;
        Ok(Value { process, sequence: sequence.parse().map_err(|_| ValueError)? })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of a partition, `topic-partition`, as in `orders-3`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(pub(crate) Arc<str>);

impl Key {
    /// The partition of that number of that topic.
    pub fn new(topic: &str, partition: i32) -> Key {
        Key(Arc::from(format!("{topic}-{partition}")))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A set of keys can be asked for a name; the hash of a key is that of its name.
impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Key {
        Key(Arc::from(name))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One life of one client: a producer or a consumer from its creation to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Client {
    /// The thread of work that the client belongs to.
    pub process: u32,
    /// Which client of that process, counted upwards: a client made anew has a higher number.
    pub incarnation: u32,
}

impl Client {
    /// That client of that process.
    pub const fn new(process: u32, incarnation: u32) -> Client {
        Client { process, incarnation }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.process, self.incarnation)
    }
}
