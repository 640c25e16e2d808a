//! What an operator (a person, a demonstration, a test) may ask of one child, by its path.

use crate::child_id::ChildId;
use ractor::RpcReplyPort;

/// A command to the supervisor of one child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorCommand {
    /// Stop it in order, with those that share its fate, and start it again. Starts a stopped or
    /// quarantined child. Counts as no failure and forgets earlier ones.
    Restart,
    /// Stop it in order; it stays down until a restart. A temporary child is gone.
    Stop,
    /// Cancel its handler now. Its supervisor acts as after any other failure.
    Kill,
    /// Start it again if it is in quarantine.
    Release,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// Nothing in the tree has this path.
    #[error("nothing is at path {path:?}")]
    UnknownPath {
        /// The path asked for.
        path: String,
    },
    /// The supervisor that would have to act is not running, or ended before it answered.
    #[error("the supervisor of {path:?} is not running")]
    SupervisorDown {
        /// The path asked for.
        path: String,
    },
    /// The root has no supervisor; it is stopped through its handle.
    #[error("the root takes no commands")]
    Root,
    /// The child is kept by an actor of its own kind, which can only be told to kill or stop it.
    #[error("the child is no supervisor's, it can only be stopped or killed")]
    Unsupervised,
    /// The child is in no state for this command: not running, or not in quarantine.
    #[error("the child is in no state for this command")]
    NotNow,
}

impl OperatorError {
    /// Whether the same command may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::SupervisorDown { .. } | Self::NotNow => true,
            Self::UnknownPath { .. } | Self::Root | Self::Unsupervised => false,
        }
    }
}

/// A command on its way to a supervisor. The reply says whether it was taken up, at once;
/// its effect shows in the tree.
#[derive(Debug)]
pub(crate) struct OperatorRequest {
    pub(crate) child: ChildId,
    pub(crate) command: OperatorCommand,
    pub(crate) reply: RpcReplyPort<Result<(), OperatorError>>,
}
