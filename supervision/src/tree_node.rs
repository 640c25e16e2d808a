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
}

/// Milliseconds of Unix time; 0 for a clock that stands before 1970.
pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
