//! Names and numbers of the things a broker knows. Names are shared (`Arc<str>`), so cloning one
//! is cheap; each is checked once, where it enters.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

number!(
    /// A broker of the cluster (`node.id` in Kafka's settings); not negative.
    BrokerId,
    i32
);
number!(
    /// The number of a partition within its topic, counted from 0.
    PartitionIndex,
    i32
);
number!(
    /// An idempotent producer (KIP-98); −1 on the wire means none.
    ProducerId,
    i64
);
number!(
    /// The fencing number of a producer id (KIP-98); −1 on the wire means none.
    ProducerEpoch,
    i16
);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

name!(
    /// The name of a topic: 1 to 249 characters of `[a-zA-Z0-9._-]`, neither `.` nor `..`, so that
    /// it is safe as a part of a path.
    TopicName
);
name!(
    /// The name of a consumer group; any text, also the empty one (a group of old clients that
    /// only commits offsets).
    GroupId
);
name!(
    /// The identity the coordinator gave a group member.
    MemberId
);

impl GroupId {
    /// A group's name as the client gave it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

impl MemberId {
    /// A member's identity as the coordinator made it; empty for a member that has none yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// Whether the member has been given no identity yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a topic name was refused. A retry with the same name never helps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopicNameError {
    /// No characters at all.
    #[error("the topic name is empty")]
    Empty,
    /// `.` and `..` are directories.
    #[error("the topic name may not be . or ..")]
    Directory,
    /// Longer than a directory name can hold beside the partition index.
    #[error("the topic name has {length} characters, at most 249 are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A character outside `[a-zA-Z0-9._-]`.
    #[error("the topic name holds {character:?}, allowed are letters, digits, '.', '_' and '-'")]
    Character {
        /// The first one that is not allowed.
        character: char,
    },
}

impl TopicName {
    /// The longest name, in bytes.
    pub const LENGTH_MAX: usize = 249;

    /// Checks a name by Kafka's rules.
    ///
    /// # Errors
    /// The first rule that the name breaks.
    pub fn new(name: &str) -> Result<Self, TopicNameError> {
        match name {
            "" => return Err(TopicNameError::Empty),
            "." | ".." => return Err(TopicNameError::Directory),
            _ if name.len() > Self::LENGTH_MAX => {
                return Err(TopicNameError::TooLong { length: name.len() });
            }
            _ => {}
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match name.chars().find(|c| !allowed(c)) {
            Some(character) => Err(TopicNameError::Character { character }),
            None => Ok(Self(Arc::from(name))),
        }
    }

    /// The name with `.` as `_`: two topics that agree in this one collide in metric names, so the
    /// second is refused, as in Kafka.
    #[must_use]
    pub fn collision_key(&self) -> String {
        self.0.replace('.', "_")
    }
}

/// The identity of one incarnation of a topic (KIP-516): a topic deleted and made again under the
/// same name has another one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct TopicId(pub Uuid);

impl TopicId {
    /// What the wire says where the sender knows no id.
    pub const ZERO: Self = Self(Uuid::nil());

    /// Whether the sender knew no id.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.is_nil()
    }

    /// The 22 characters of URL-safe base64 without padding that Kafka's tools and files show.
    #[must_use]
    pub fn to_base64(&self) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits = self.0.as_u128();
        // 128 bits are 21 groups of six, and two bits in the last character
        let mut text = [0u8; 22];
        text[21] = ALPHABET[((bits & 0b11) << 4) as usize];
        let mut bits = bits >> 2;
        for place in text[..21].iter_mut().rev() {
            *place = ALPHABET[(bits & 63) as usize];
            bits >>= 6;
        }
        text.iter().map(|byte| char::from(*byte)).collect()
    }
}

impl TopicId {
    /// Reads what [`TopicId::to_base64`] writes; `None` for anything else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        if text.len() != 22 {
            return None;
        }
        let mut bits: u128 = 0;
        for (place, character) in text.bytes().enumerate() {
            let six = match character {
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            match place {
                21 if six & 0b1111 != 0 => return None,
                21 => bits = bits << 2 | u128::from(six >> 4),
                _ => bits = bits << 6 | u128::from(six),
            }
        }
        Some(Self(Uuid::from_u128(bits)))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_base64())
    }
}

/// A partition of a topic by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// Its partition.
    pub partition: PartitionIndex,
}

impl TopicPartition {
    /// The pair.
    #[must_use]
    pub const fn new(topic: TopicName, partition: PartitionIndex) -> Self {
        Self { topic, partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_ids_survive_their_base64() {
        for bits in [0, 1, 3, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let id = TopicId(Uuid::from_u128(bits));
            assert_eq!(TopicId::from_base64(&id.to_base64()), Some(id));
        }
        assert_eq!(TopicId::from_base64("AAAAAAAAAAAAAAAAAAAAAB"), None);
        assert_eq!(TopicId::from_base64("too short"), None);
    }

    #[test]
    fn a_topic_id_reads_as_kafka_prints_it() {
        // org.apache.kafka.common.Uuid.ONE_UUID
        assert_eq!(TopicId(Uuid::from_u128(1)).to_base64(), "AAAAAAAAAAAAAAAAAAAAAQ");
    }

    #[test]
    fn names_that_would_leave_their_directory_are_refused() {
        for name in ["", ".", "..", "a/b", "a b", "é", &"x".repeat(250)] {
            assert!(TopicName::new(name).is_err(), "{name}");
        }
        assert!(TopicName::new(&"x".repeat(249)).is_ok());
    }
}
