//! A flush that runs elsewhere while appends go on.

/// What a flush must do; runs on any thread.
#[derive(Debug)]
pub struct FlushJob {}

impl FlushJob {
    /// Flushes. Blocks.
    #[must_use]
    pub fn run(self) -> FlushResult {
        unimplemented!()
    }
}

/// What became of a flush; for [`crate::CommitLog::finish_flush`] of the same log.
#[derive(Debug)]
pub struct FlushResult {}
