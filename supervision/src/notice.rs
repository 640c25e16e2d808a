//! What a tree tells those who subscribed: for logs and counters.

use crate::exit_reason::ExitReason;
use std::sync::Arc;
use std::time::Duration;

/// Something that happened in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whom it is about: names from below the root, joined by `/`; empty for the root.
    pub path: String,
    /// What happened.
    pub event: NoticeEvent,
}

/// What happened to one child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeEvent {
    /// It runs for the first time.
    Started,
    /// It runs again.
    Restarted {
        /// Number of this incarnation; the first one was 1.
        incarnation: u64,
    },
    /// It ended, or never came up, and will be started again.
    Failed {
        /// Why it ended.
        reason: ExitReason,
        /// How long the next start waits.
        delay: Duration,
    },
    /// It failed too often and stays down until it is released.
    Quarantined {
        /// Why it ended last.
        reason: ExitReason,
    },
    /// It failed too often, so its supervisor ends with an error, too.
    Escalated {
        /// Why it ended last.
        reason: ExitReason,
    },
    /// It is down and will not be started by itself.
    Stopped {
        /// Why it ended.
        reason: ExitReason,
    },
}

/// Called for every notice, by the supervisor's own task: it must be quick and must not wait.
/// If it panics, the panic is swallowed.
pub type Subscriber = Arc<dyn Fn(&Notice) + Send + Sync>;
