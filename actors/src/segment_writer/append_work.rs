//! What a replica hands to its segment writer, and what it hears back.

use commit_log::{Append, AppendError, AppendOutcome};
use replication::Ticket;

use crate::partition_directory::PendingBytes;
use crate::request_memory::RequestPermit;

/// An append, with the memory that it holds until its bytes are in the file.
#[derive(Debug)]
pub struct AppendWork {
    /// Names it between replica and writer.
    pub ticket: Ticket,
    /// The batch and how to append it.
    pub append: Append,
    /// Shares of the request memory and of the partition's cap.
    pub held: HeldBytes,
}

/// Memory bounds that end with the bytes they stand for.
#[derive(Debug, Default)]
pub struct HeldBytes {
    /// The request's share; none for appends from inside the broker.
    pub request: Option<RequestPermit>,
    /// The partition's.
    pub partition: Option<PendingBytes>,
}

/// What the writer did with one append.
#[derive(Debug)]
pub struct AppendReport {
    /// Which one.
    pub ticket: Ticket,
    /// Where it stands, or why it does not.
    pub result: Result<AppendOutcome, AppendError>,
}
