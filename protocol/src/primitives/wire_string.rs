//! Text of the wire that shares the memory of its frame.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::{self, Utf8Error};

use bytes::Bytes;

/// A UTF-8 string that is a slice of the frame it came in. Cloning it copies nothing; holding it
/// holds the frame, so what outlives a request is turned into a name of
/// [`identifiers`](crate::identifiers) first.
///
/// Reading it as `&str` checks its bytes again, some nanoseconds for a name: that is the price of
/// sharing the frame without unsafe code. Comparing works on the bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WireString(Bytes);

impl WireString {
    /// The empty string.
    pub const EMPTY: Self = Self(Bytes::new());

    /// Bytes that are a string.
    ///
    /// # Errors
    /// Where they are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, Utf8Error> {
        str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// A string of the program; copies nothing.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("the bytes were checked when the string was made")
    }

    /// The bytes of the text.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Bytes of the text.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no character.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Deref for WireString {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for WireString {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for WireString {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// As `str` hashes, so that a map can be asked with either.
impl Hash for WireString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl From<&str> for WireString {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for WireString {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl PartialEq<str> for WireString {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for WireString {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for WireString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

impl fmt::Debug for WireString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}
