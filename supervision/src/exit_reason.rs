//! Why an actor ended, told apart as far as the runtime allows.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why one incarnation of a child ended.
///
/// The texts come from the child (an error's display, a panic's message); they are
/// for people and logs, nothing decides by them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// It stopped itself and named no reason: its work was done.
    Normal,
    /// It was stopped, or stopped itself, for a named reason.
    Shutdown(String),
    /// A handler returned an error; the text holds the error and its sources.
    Failed(String),
    /// A handler panicked.
    Panicked {
        /// The panic's message.
        message: String,
        /// `file:line:column`, when the panic hook saw it.
        location: Option<String>,
    },
    /// It was killed: its handler was cancelled and nothing of its own ran afterwards.
    Killed,
    /// It never came up: its factory or its `pre_start` failed, panicked or ran out of time.
    StartFailed(String),
}

impl ExitReason {
    /// Whether this was a fault. A transient child is restarted after exactly these.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        match self {
            Self::Normal | Self::Shutdown(_) => false,
            Self::Failed(_) | Self::Panicked { .. } | Self::Killed | Self::StartFailed(_) => true,
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => formatter.write_str("ended normally"),
            Self::Shutdown(reason) => write!(formatter, "shut down: {reason}"),
            Self::Failed(error) => write!(formatter, "failed: {error}"),
            Self::Panicked { message, location: Some(location) } => {
                write!(formatter, "panicked at {location}: {message}")
            }
            Self::Panicked { message, location: None } => write!(formatter, "panicked: {message}"),
            Self::Killed => formatter.write_str("killed"),
            Self::StartFailed(error) => write!(formatter, "start failed: {error}"),
        }
    }
}

/// An error and its sources in one line, outermost first.
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Errors that repeat their source in their own text are common.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
