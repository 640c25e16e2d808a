//! What every part of the client shares: where the brokers are, and how patient to be.

use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::dialer::{Dialer, TcpDialer};
use crate::error::{Error, Result};

/// Settings of a [`Client`](crate::Client). Names in parentheses are Kafka's.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// `host:port` of some brokers, enough to find the others by (`bootstrap.servers`).
    pub bootstrap: Vec<String>,
    /// What the client calls itself in the brokers' logs (`client.id`).
    pub client_id: String,
    /// How long a connection may take to be made, DNS included
    /// (`socket.connection.setup.timeout.ms`).
    pub connect_timeout: Duration,
    /// How long a broker may take to answer one request (`request.timeout.ms`). A connection that
    /// misses it is closed.
    pub request_timeout: Duration,
    /// How long a broker may be silent before the others are asked, too: for metadata, or whether
    /// another broker leads by now. A broker that hangs costs a client about this much.
    pub silence_max: Duration,
    /// How long an operation may take with all its retries (`default.api.timeout.ms`).
    pub operation_timeout: Duration,
    /// The first pause before a retry (`retry.backoff.ms`); it doubles with each.
    pub retry_pause: Duration,
    /// The longest pause before a retry (`retry.backoff.max.ms`).
    pub retry_pause_max: Duration,
    /// The age from which on metadata is fetched anew (`metadata.max.age.ms`).
    pub metadata_age_max: Duration,
    /// Requests on one connection that wait for an answer at the same time.
    pub in_flight_max: usize,
    /// The largest response that is accepted, in bytes.
    pub response_bytes_max: usize,
    /// How brokers are reached; TCP unless said otherwise.
    pub dialer: Arc<dyn Dialer>,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            bootstrap: vec!["127.0.0.1:9092".to_owned()],
            client_id: "callboard".to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            silence_max: Duration::from_millis(500),
            operation_timeout: Duration::from_secs(60),
            retry_pause: Duration::from_millis(100),
            retry_pause_max: Duration::from_secs(1),
            metadata_age_max: Duration::from_secs(300),
            in_flight_max: 64,
            response_bytes_max: 128 << 20,
            dialer: Arc::new(TcpDialer),
        }
    }
}

impl ClientSettings {
    /// The defaults, with these brokers: `host:port`, several separated by commas.
    #[must_use]
    pub fn new(bootstrap: &str) -> Self {
        let addresses = bootstrap.split(',').map(str::trim).filter(|text| !text.is_empty());
        Self { bootstrap: addresses.map(str::to_owned).collect(), ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.bootstrap.is_empty() {
            return Err(Error::Setting { name: "bootstrap", reason: "names no broker" });
        }
        if self.in_flight_max == 0 {
            return Err(Error::Setting { name: "in_flight_max", reason: "must be at least 1" });
        }
        Ok(())
    }

    pub(crate) const fn backoff(&self) -> Backoff {
        Backoff::new(self.retry_pause, self.retry_pause_max)
    }
}

/// A duration as the protocol's milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
