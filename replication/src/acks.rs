//! What a producer waits for.

use std::fmt;

/// The `acks` of a Produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acks {
    /// `acks=0`: the client reads no answer. Its ticket is answered after the leader's write
    /// nevertheless, so that whoever holds the request's memory learns that it may let go.
    None,
    /// `acks=1`: answered after the leader's write, flushed or not.
    Leader,
    /// `acks=-1` (`all`): answered when the records are committed.
    All,
}

impl Acks {
    /// The meaning of the number on the wire; `None` for numbers that mean nothing
    /// (`INVALID_REQUIRED_ACKS`).
    #[must_use]
    pub const fn from_wire(acks: i16) -> Option<Self> {
        match acks {
            0 => Some(Self::None),
            1 => Some(Self::Leader),
            -1 => Some(Self::All),
            _ => None,
        }
    }
}

impl fmt::Display for Acks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::Leader => "leader",
            Self::All => "all",
        })
    }
}
