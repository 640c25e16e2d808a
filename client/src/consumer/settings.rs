//! Where a consumer starts, how much it fetches ahead, and what it may see.

use std::time::Duration;

use protocol::Offset;

use crate::error::{Error, Result};

/// Which records a consumer sees (`isolation.level`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// All below the high watermark, those of open and aborted transactions too.
    #[default]
    Uncommitted,
    /// Those below the last stable offset, without those of aborted transactions.
    Committed,
}

impl Isolation {
    pub(crate) const fn to_wire(self) -> i8 {
        match self {
            Self::Uncommitted => 0,
            Self::Committed => 1,
        }
    }
}

/// Where in a partition to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At the first record that is still there.
    Earliest,
    /// After the last record at the time of asking.
    Latest,
    /// At this offset.
    Offset(Offset),
    /// At the first record at or after this time, in milliseconds since 1970; after the last
    /// record if there is none.
    Timestamp(i64),
    /// So many offsets before the end, or at the first record if there are fewer.
    BeforeEnd(u32),
}

/// Where to start when there is no offset, or the one there was is gone (`auto.offset.reset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetTo {
    /// At the first record.
    Earliest,
    /// After the last record.
    #[default]
    Latest,
    /// Nowhere: `next` gives [`Error::NoOffset`].
    Fail,
}

impl ResetTo {
    pub(crate) const fn start(self) -> Option<StartAt> {
        match self {
            Self::Earliest => Some(StartAt::Earliest),
            Self::Latest => Some(StartAt::Latest),
            Self::Fail => None,
        }
    }
}

/// Settings of a [`Consumer`](crate::Consumer). Names in parentheses are Kafka's.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// Which records are seen.
    pub isolation: Isolation,
    /// What to do without an offset.
    pub reset: ResetTo,
    /// Bytes that a broker gathers before it answers a fetch (`fetch.min.bytes`).
    pub fetch_bytes_min: usize,
    /// How long it waits for them (`fetch.max.wait.ms`).
    pub fetch_wait_max: Duration,
    /// Bytes of one fetch (`fetch.max.bytes`); one batch may be larger.
    pub fetch_bytes_max: usize,
    /// Bytes of one partition in one fetch (`max.partition.fetch.bytes`). A partition is fetched
    /// ahead while fewer than this are buffered of it.
    pub fetch_partition_bytes_max: usize,
    /// Bytes buffered of all partitions, from which on no more is fetched. The fetches then under
    /// way may still add theirs.
    pub buffer_bytes_max: usize,
    /// What the records of one batch may take once decompressed, in bytes.
    pub batch_bytes_max: usize,
    /// Where the consumer stands, as the brokers' `broker.rack` names it (`client.rack`). Brokers
    /// that are so set then name a replica in that rack to read from (KIP-392); whenever that one
    /// fails, the leader is asked again.
    pub rack: Option<String>,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            isolation: Isolation::default(),
            reset: ResetTo::default(),
            fetch_bytes_min: 1,
            fetch_wait_max: Duration::from_millis(500),
            fetch_bytes_max: 50 << 20,
            fetch_partition_bytes_max: 1 << 20,
            buffer_bytes_max: 64 << 20,
            batch_bytes_max: 128 << 20,
            rack: None,
        }
    }
}

impl ConsumerSettings {
    pub(crate) fn check(&self) -> Result<()> {
        if self.fetch_partition_bytes_max == 0 || self.fetch_bytes_max == 0 {
            let (name, reason) = ("fetch_bytes_max", "must be at least 1");
            return Err(Error::Setting { name, reason });
        }
        Ok(())
    }
}

/// A number of bytes as the protocol says it.
pub(crate) fn wire_bytes(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}
