//! What a segment writer tells its replica.

use commit_log::CommitLog;
use protocol::Offset;
use replication::LogOffsets;

use super::append_work::AppendReport;
use super::following::{FetchedAppend, TruncatedLog};

/// See the head of this file.
pub enum WriterReport {
    /// A group was written.
    Appended(Vec<AppendReport>),
    /// Fetched batches were written, or a part of them.
    FetchedAppended(FetchedAppend),
    /// The log was cut.
    Truncated(TruncatedLog),
    /// The log start offset moved.
    LogStartMoved(Offset),
    /// Everything given so far is done, and the log stands here.
    Drained(Box<LogOffsets>),
    /// Nothing was appended for a while.
    Idle,
    /// Its last act: the log, dormant.
    Retired(Box<CommitLog>),
}
