//! The topic settings that a segment writer obeys.

use std::time::Duration;

use commit_log::LogSettings;

/// The topic settings that the writer obeys.
#[derive(Clone, Debug)]
pub struct WriterSettings {
    /// Those of the log itself.
    pub log: LogSettings,
    /// Whether every write is followed by a flush (`callboard.flush.before.ack`).
    pub flush_before_ack: bool,
    /// Unflushed records that force a flush (`flush.messages`).
    pub flush_records: u64,
    /// How long a record may stay unflushed (`flush.ms`); `None` leaves it to the system.
    pub flush_interval: Option<Duration>,
    /// How long without an append until the log is given back.
    pub idle_after: Duration,
}
