//! Why a writer fails, in earnest and on demand.

use commit_log::LogError;

/// A fault that a demonstration or a test injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    /// Panic in the handler.
    Panic,
    /// Fail as if the disk had.
    StorageError,
}

/// Why the writer could not do what it was asked. It fails with it, so asking again leads to the
/// next incarnation.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WriterFault(#[from] LogError);

impl WriterFault {
    /// What the log said.
    #[must_use]
    pub const fn log_error(&self) -> &LogError {
        &self.0
    }
}
