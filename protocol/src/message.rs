//! What every message of the protocol can do.

use std::fmt;

use bytes::Bytes;

use crate::api_key::ApiKey;
use crate::primitives::{DecodeError, Decoder, EncodeError, Encoded, Encoder};

/// Versions of a message, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub min: i16,
    /// The newest.
    pub max: i16,
}

impl Versions {
    /// The versions `min` to `max`, inclusive.
    #[must_use]
    pub const fn new(min: i16, max: i16) -> Self {
        Self { min, max }
    }

    /// Whether `version` is one of them.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} to {}", self.min, self.max)
    }
}

/// A request, a response, a header, or a record or file that Kafka's message definitions describe.
pub trait Message: Sized {
    /// The versions that can be decoded and encoded.
    const VERSIONS: Versions;
    /// The first version with compact lengths and tagged fields (KIP-482), if there is one.
    const FLEXIBLE_FROM: Option<i16>;

    /// Reads a message. Fields that `version` does not have get Kafka's defaults; tagged fields
    /// that are not known are passed over.
    ///
    /// # Errors
    /// Where the bytes are not such a message, or the version is none of [`Self::VERSIONS`].
    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError>;

    /// Writes the message.
    ///
    /// # Errors
    /// Where a field has a value that `version` cannot carry and that may not be dropped.
    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError>;

    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// As [`Self::decode`], and where bytes follow the message.
    fn from_bytes(bytes: Bytes, version: i16) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let message = Self::decode(&mut decoder, version)?;
        decoder.finish()?;
        Ok(message)
    }

    /// The bytes of the message alone.
    ///
    /// # Errors
    /// As [`Self::encode`].
    fn to_encoded(&self, version: i16) -> Result<Encoded, EncodeError> {
        let mut encoder = Encoder::new();
        self.encode(&mut encoder, version)?;
        Ok(encoder.finish())
    }
}

/// The request of an API.
pub trait Request: Message {
    /// Its API.
    const API_KEY: ApiKey;
    /// What answers it, in the same version.
    type Response: Message;
}
