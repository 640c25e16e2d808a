//! What a snapshot of the live tree looks like: plain values that can be sent and printed.

use crate::exit_reason::ExitReason;
use crate::strategy::Strategy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// One actor in the live tree, with those it supervises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeNode {
    /// Name among its siblings, as it stands in a path.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// What it is doing.
    pub state: NodeState,
    /// Since when it is in this state, in milliseconds of Unix time.
    pub since_unix_millis: u64,
    /// Starts after the first one, since its supervisor came up.
    pub restarts: u64,
    /// Why the last incarnation ended, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<ExitReason>,
    /// Messages waiting in its mailbox, if its mailbox is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox_depth: Option<u64>,
    /// What it says about itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<String, String>,
    /// Whom it supervises: fixed children in start order, others by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TreeNode>,
    /// Further children, all of which just run: a shortened tree leaves them out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: usize,
}

// what serde asks for
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What a node of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// It does work.
    Worker,
    /// It keeps a fixed set of children running.
    Supervisor(Strategy),
    /// It keeps children running that come and go; siblings are independent.
    DynamicSupervisor,
}

/// What a node of the tree is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Its start is under way, or waits for those before it.
    Starting,
    /// It runs.
    Running,
    /// It failed and will be started again.
    BackingOff {
        /// When, in milliseconds of Unix time.
        until_unix_millis: u64,
    },
    /// It failed too often and stays down until an operator releases it.
    Quarantined,
    /// It has been asked to end.
    Stopping,
    /// It is down, and nothing will start it by itself.
    Stopped,
}

impl TreeNode {
    /// The node at `path` (names joined by `/`, relative to this node; empty: this node).
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&TreeNode> {
        let mut node = self;
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            node = node.children.iter().find(|child| child.id == segment)?;
        }
        Some(node)
    }

    /// Whether there is something to say of it, or of one below it: it does not just run, has run
    /// before, or has messages waiting.
    #[must_use]
    pub fn is_remarkable(&self) -> bool {
        self.state != NodeState::Running
            || self.restarts > 0
            || self.mailbox_depth.is_some_and(|depth| depth > 0)
            || self.children.iter().any(Self::is_remarkable)
    }

    /// The same tree for people: children that come and go in the order of their names and numbers
    /// (those that begin with `__` last), and of more than `children_max` only the first and the
    /// remarkable ones, of which there are at most [`REMARKABLE_MAX`] times as many.
    #[must_use]
    pub fn shortened(mut self, children_max: usize) -> Self {
        let mut children = std::mem::take(&mut self.children);
        if self.kind == NodeKind::DynamicSupervisor {
            children.sort_by(|one, other| place_of(&one.id).cmp(&place_of(&other.id)));
        }
        let (count, kept_max) = (children.len(), children_max.saturating_mul(REMARKABLE_MAX));
        for (place, child) in children.into_iter().enumerate() {
            let is_kept = place < children_max || count <= children_max || child.is_remarkable();
            if is_kept && self.children.len() < kept_max {
                self.children.push(child.shortened(children_max));
            }
        }
        self.omitted += count - self.children.len();
        self
    }
}

/// See [`TreeNode::shortened`].
pub const REMARKABLE_MAX: usize = 50;

/// Whether it comes last, its name, and the number at the end of its name.
fn place_of(id: &str) -> (bool, &str, u64) {
    let name = id.trim_end_matches(|last: char| last.is_ascii_digit());
    let number = id.get(name.len()..).and_then(|digits| digits.parse().ok());
    (id.starts_with("__"), name, number.unwrap_or(0))
}

/// Milliseconds of Unix time; 0 for a clock that stands before 1970.
pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, children: Vec<TreeNode>) -> TreeNode {
        TreeNode {
            id: id.to_owned(),
            kind: NodeKind::DynamicSupervisor,
            state: NodeState::Running,
            since_unix_millis: 1000,
            restarts: 0,
            last_exit: None,
            mailbox_depth: None,
            status: BTreeMap::new(),
            children,
            omitted: 0,
        }
    }

    fn names(node: &TreeNode) -> Vec<&str> {
        node.children.iter().map(|child| child.id.as_str()).collect()
    }

    #[test]
    fn a_shortened_tree_keeps_the_first_children_and_the_remarkable_ones() {
        let mut children: Vec<_> = (0..100).map(|i| node(&format!("p-{i}"), vec![])).collect();
        children[77].restarts = 1;
        let short = node("partitions", children).shortened(3);
        assert_eq!(names(&short), ["p-0", "p-1", "p-2", "p-77"]);
        assert_eq!(short.omitted, 96);
        let again = short.clone().shortened(20);
        assert_eq!(again, short, "what was left out stays left out, and is counted once");
    }

    #[test]
    fn a_shortened_tree_is_bounded_however_much_is_remarkable() {
        let mut children: Vec<_> = (0..100).map(|i| node(&format!("p-{i}"), vec![])).collect();
        children.iter_mut().for_each(|child| child.state = NodeState::Quarantined);
        let short = node("partitions", children).shortened(1);
        assert_eq!((short.children.len(), short.omitted), (REMARKABLE_MAX, 50));
    }

    #[test]
    fn children_that_come_and_go_are_in_the_order_of_their_numbers() {
        let children = ["__offsets-1", "a-10", "a-9", "b"].map(|name| node(name, vec![]));
        let ordered = node("partitions", children.to_vec()).shortened(20);
        assert_eq!(names(&ordered), ["a-9", "a-10", "b", "__offsets-1"]);
    }
}
