//! Why a message could not be written.

use thiserror::Error;

use crate::message::Versions;

/// Why a message could not be encoded. A retry with the same message and version never helps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A field has a value that the version cannot carry and that may not be dropped.
    #[error("version {version} cannot carry {field}")]
    FieldNotInVersion {
        /// The field, as `Struct.field`.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field is null where the version allows none.
    #[error("{field} may not be null in version {version}")]
    Null {
        /// The field, as `Struct.field`.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A string beyond 32 767 bytes.
    #[error("a string of {length} bytes is longer than 32767")]
    StringTooLong {
        /// Its length.
        length: usize,
    },
    /// A byte string or an array whose length does not fit into 31 bits.
    #[error("a length of {length} does not fit into 31 bits")]
    TooLong {
        /// Bytes, or elements.
        length: usize,
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
