//! How a producer batches, what it waits for, and for how long it tries.

use std::time::Duration;

use protocol::compression::Compression;

use crate::error::{Error, Result};

/// What a producer waits for before a record counts as delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// Nothing: records are handed to the operating system and forgotten. No offsets are known.
    None,
    /// The leader's write. The record is lost if the leader fails before a follower has it.
    Leader,
    /// All in-sync replicas.
    #[default]
    All,
}

impl Acks {
    pub(crate) const fn to_wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// Settings of a [`Producer`](crate::Producer). Names in parentheses are Kafka's; so are the
/// defaults, but for larger batches.
#[derive(Clone, Debug)]
pub struct ProducerSettings {
    /// What a record waits for (`acks`).
    pub acks: Acks,
    /// Whether retries can neither duplicate records nor change their order
    /// (`enable.idempotence`, KIP-98). Takes `Acks::All`.
    pub idempotence: bool,
    /// How batches are compressed (`compression.type`).
    pub compression: Compression,
    /// How long a batch waits for more records before it leaves though not full (`linger.ms`).
    pub linger: Duration,
    /// Bytes of records, before compression, at which a batch leaves at once (`batch.size`).
    pub batch_bytes_max: usize,
    /// The largest request, and with it the largest record, in bytes before compression
    /// (`max.request.size`).
    pub request_bytes_max: usize,
    /// Bytes of records that may wait for delivery (`buffer.memory`); beyond it `send` waits.
    pub buffer_bytes_max: usize,
    /// How long `send` may wait for metadata and for room in the buffer (`max.block.ms`).
    pub admission_timeout: Duration,
    /// How long a broker may take to answer one produce request (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// How long a record is tried for, from `send` on (`delivery.timeout.ms`).
    pub delivery_timeout: Duration,
    /// Requests under way to one broker at the same time
    /// (`max.in.flight.requests.per.connection`); at most 5 with idempotence. Without
    /// idempotence, retries may change the order of records if it is more than 1.
    pub in_flight_max: usize,
    /// Whether a topic that does not exist is asked for in a way that lets brokers make it.
    pub may_create_topics: bool,
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotence: true,
            compression: Compression::None,
            linger: Duration::from_millis(5),
            batch_bytes_max: 64 << 10,
            request_bytes_max: 1 << 20,
            buffer_bytes_max: 32 << 20,
            admission_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
            in_flight_max: 5,
            may_create_topics: true,
        }
    }
}

impl ProducerSettings {
    /// Defaults with other `acks`; idempotence goes with [`Acks::All`] alone.
    #[must_use]
    pub fn with_acks(acks: Acks) -> Self {
        Self { acks, idempotence: acks == Acks::All, ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let rules = [
            (self.idempotence && self.acks != Acks::All, "idempotence", "takes acks of all"),
            (self.idempotence && self.in_flight_max > 5, "in_flight_max", "is at most 5"),
            (self.in_flight_max == 0, "in_flight_max", "must be at least 1"),
            (
                self.buffer_bytes_max < self.request_bytes_max,
                "buffer_bytes_max",
                "must hold at least one request",
            ),
            (u32::try_from(self.buffer_bytes_max).is_err(), "buffer_bytes_max", "is below 4 GiB"),
            (
                self.delivery_timeout < self.linger.saturating_add(self.request_timeout),
                "delivery_timeout",
                "must be at least linger and request_timeout together",
            ),
        ];
        match rules.into_iter().find(|(broken, ..)| *broken) {
            Some((_, name, reason)) => Err(Error::Setting { name, reason }),
            None => Ok(()),
        }
    }
}
