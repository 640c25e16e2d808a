//! Why bytes could not be read.

use thiserror::Error;

use crate::message::Versions;

/// Why bytes could not be decoded, and where. A retry with the same bytes never helps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("byte {position}: {problem}")]
pub struct DecodeError {
    /// Where the reader stood, counted from the first byte it was given.
    pub position: usize,
    /// What it found there.
    pub problem: DecodeProblem,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeProblem {
    /// A value reaches beyond the end of the frame, or of the tagged field it stands in.
    #[error("{needed} bytes are needed, {remaining} remain")]
    Truncated {
        /// Bytes the value takes.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A varint that does not end in time, or has bits beyond its width.
    #[error("the varint does not fit into {bits} bits")]
    VarintOverflow {
        /// 32 or 64.
        bits: u32,
    },
    /// A length below −1.
    #[error("the length {length} is negative")]
    NegativeLength {
        /// The length as sent.
        length: i32,
    },
    /// Null where the version allows none.
    #[error("null is not allowed here")]
    Null,
    /// A string beyond 32 767 bytes.
    #[error("a string of {length} bytes is longer than 32767")]
    StringTooLong {
        /// The length as sent.
        length: usize,
    },
    /// A string that is no UTF-8.
    #[error("the string is not UTF-8")]
    NotUtf8,
    /// More elements than the bytes that remain could hold.
    #[error("{count} elements of at least {element_bytes_min} bytes, {remaining} bytes remain")]
    ArrayTooLong {
        /// Elements as claimed; for tagged fields, their number.
        count: usize,
        /// The least that one element takes.
        element_bytes_min: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A tag that is not above the one before it.
    #[error("tag {tag} follows tag {previous}")]
    TagOrder {
        /// The tag before.
        previous: u32,
        /// The offending tag.
        tag: u32,
    },
    /// A known tagged field that ends before its stated size.
    #[error("tagged field {tag} has {unread} bytes more than its value")]
    TagSize {
        /// Its tag.
        tag: u32,
        /// Bytes that its value did not take.
        unread: usize,
    },
    /// Bytes after the end of the message.
    #[error("{remaining} bytes follow the end of the message")]
    TrailingBytes {
        /// How many.
        remaining: usize,
    },
    /// The message is not known in this version.
    #[error("version {version} is outside of the known versions {versions}")]
    Version {
        /// The version asked for.
        version: i16,
        /// Those known.
        versions: Versions,
    },
}
