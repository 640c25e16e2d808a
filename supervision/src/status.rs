//! A few words an actor says about itself, readable without asking it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A value shown in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusValue {
    /// A number; costs no allocation.
    Number(i64),
    /// A text; a literal costs no allocation.
    Text(Cow<'static, str>),
}

impl From<i64> for StatusValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&'static str> for StatusValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for StatusValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl std::fmt::Display for StatusValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

/// The small set of keys and values that one actor shows in the tree.
///
/// Setting a value costs an uncontended lock; meant for what changes at most a few
/// thousand times a second. Clones show the same set. A new incarnation starts empty.
#[derive(Clone, Debug, Default)]
pub struct Status {
    values: Arc<Mutex<Vec<(&'static str, StatusValue)>>>,
}

impl Status {
    /// Shows `value` under `key`, in place of what was there.
    pub fn set(&self, key: &'static str, value: impl Into<StatusValue>) {
        let value = value.into();
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        match values.iter_mut().find(|(present, _)| *present == key) {
            Some((_, present)) => *present = value,
            None => values.push((key, value)),
        }
    }

    /// No longer shows `key`.
    pub fn clear(&self, key: &'static str) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.retain(|(present, _)| *present != key);
    }

    pub(crate) fn read(&self) -> BTreeMap<String, String> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())).collect()
    }
}
