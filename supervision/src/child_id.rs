//! The name of a child among its siblings, and paths made of such names.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The name of one child, unique among the children of its supervisor.
///
/// Names are free text: whatever a `/` or a `%` in them would do to a path is
/// avoided by writing these two as `%2F` and `%25`, so two different texts never
/// become the same name. Cloning costs a reference count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId(Arc<str>);

impl ChildId {
    /// The name as it stands in paths and snapshots.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name taken from a path, where it is escaped already.
    pub(crate) fn from_path_segment(segment: &str) -> Self {
        Self(Arc::from(segment))
    }
}

impl From<&str> for ChildId {
    fn from(text: &str) -> Self {
        if text.contains(['/', '%']) {
            Self(Arc::from(text.replace('%', "%25").replace('/', "%2F")))
        } else {
            Self(Arc::from(text))
        }
    }
}

impl From<String> for ChildId {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for ChildId {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&ChildId> for ChildId {
    fn from(id: &ChildId) -> Self {
        id.clone()
    }
}

impl Borrow<str> for ChildId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ChildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::ChildId;

    #[test]
    fn names_with_a_slash_stay_one_segment_and_stay_different() {
        assert_eq!(ChildId::from("a/b").as_str(), "a%2Fb");
        assert_ne!(ChildId::from("a/b"), ChildId::from("a%2Fb"));
    }
}
