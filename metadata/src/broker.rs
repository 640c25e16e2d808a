//! What the cluster has agreed on about one broker.

use std::fmt;
use std::sync::Arc;

use protocol::{BrokerEpoch, BrokerId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One start of a broker's process. Two processes never share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub Uuid);

/// The identity of a data directory, made when the directory was first used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DirectoryId(pub Uuid);

/// The identity of the cluster, made when it was founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub Uuid);

impl fmt::Display for ClusterId {
    /// The 22 characters of URL-safe base64 that Kafka's tools show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        protocol::TopicId(self.0).fmt(formatter)
    }
}

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostAndPort {
    /// A host name or an address; an IPv6 address without brackets.
    pub host: Arc<str>,
    /// The TCP port.
    pub port: u16,
}

impl HostAndPort {
    /// The pair.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: Arc::from(host), port }
    }
}

impl fmt::Display for HostAndPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// How a listener's bytes are protected; the numbers are Kafka's. Append-only, as a part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SecurityProtocol {
    /// As they are.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL over bytes as they are.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Every protocol, by Kafka's number.
    pub const ALL: &[Self] = &[Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];

    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Kafka's number.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }
}

/// One listener as clients are told of it (`advertised.listeners`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BrokerEndpoint {
    /// The listener's name, in upper case. A client is told the endpoint of the listener that it
    /// came by.
    pub listener: Arc<str>,
    /// Where clients connect.
    pub address: HostAndPort,
    /// How the bytes are protected.
    pub security: SecurityProtocol,
}

/// One registration of a broker: what a process said of itself when it started. A record holds it,
/// so its fields are never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerRegistration {
    /// Which broker.
    pub broker: BrokerId,
    /// Which start of its process.
    pub incarnation: Incarnation,
    /// The number of this registration, unique in the cluster and rising.
    pub broker_epoch: BrokerEpoch,
    /// The data directory that the process holds.
    pub directory: DirectoryId,
    /// Where clients reach it; at least one, no listener twice.
    pub endpoints: Vec<BrokerEndpoint>,
    /// Where other nodes reach it; none for a node that was founded alone.
    pub cluster_address: Option<HostAndPort>,
    /// Where it stands, for placement.
    pub rack: Option<Arc<str>>,
    /// Whether it must not lead or be in an ISR yet.
    pub fenced: bool,
}

/// A registered broker as the cluster sees it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerState {
    /// What it registered; `fenced` is the present state.
    pub registration: BrokerRegistration,
    /// Whether it has said that it is about to stop: it keeps its followers, and leads nothing.
    pub is_shutting_down: bool,
    /// Whether it has said that its disk does not answer: others lead what they can.
    pub has_hung_disk: bool,
}

impl BrokerState {
    /// Which broker.
    #[must_use]
    pub const fn id(&self) -> BrokerId {
        self.registration.broker
    }

    /// The number of its registration.
    #[must_use]
    pub const fn epoch(&self) -> BrokerEpoch {
        self.registration.broker_epoch
    }

    /// Whether it is kept away from leadership and ISR because its heartbeats are missing.
    #[must_use]
    pub const fn is_fenced(&self) -> bool {
        self.registration.fenced
    }

    /// Whether it may lead and may join an ISR.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !self.registration.fenced && !self.is_shutting_down && !self.has_hung_disk
    }

    /// What clients of the listener are told; `None` if the broker has no such listener.
    #[must_use]
    pub fn endpoint(&self, listener: &str) -> Option<&BrokerEndpoint> {
        self.registration.endpoints.iter().find(|endpoint| &*endpoint.listener == listener)
    }
}
