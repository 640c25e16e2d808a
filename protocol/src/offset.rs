//! Offsets: positions between records of one partition.
//!
//! An offset is the number of a record in its partition, or the place just before that record.
//! It is never a byte count: bytes are called *positions* and are plain `u64`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a record in a partition, counted from 0. Every bound in this program is
/// exclusive at the end unless its name says `last_`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Offset(i64);

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Self = Self(0);
    /// What the wire says where there is no offset.
    pub const UNKNOWN: Self = Self(-1);

    /// An offset as the wire gives it; negative values are the protocol's special cases.
    #[must_use]
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> i64 {
        self.0
    }

    /// The offset of the record after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The offset `records` further on; negative counts go back.
    #[must_use]
    pub const fn plus(self, records: i64) -> Self {
        Self(self.0 + records)
    }

    /// How many records lie in `[earlier, self)`; negative if `earlier` is later.
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Whether this names a place in a partition at all.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 >= 0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
