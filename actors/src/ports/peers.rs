//! Port: messages to other nodes. A message may be lost after it was accepted, arrive late or
//! twice, and its answer may be dropped; whoever sends one sets a deadline and copes.
//!
//! What travels is one encoded envelope (`peer_messages`) and one encoded answer. The port knows
//! neither; it knows nodes, links and lanes.

pub mod cluster_peers;
mod memory_endpoint;
mod memory_link;
mod memory_network;
pub mod memory_peers;
mod memory_registration;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metadata::{ClusterId, HostAndPort, Incarnation};
use protocol::BrokerId;
use supervision::ChildSpec;
use thiserror::Error;
use tokio::sync::watch;

use super::net::PortFuture;
use crate::metrics::LinkMetrics;

/// The longest envelope or answer, in bytes (inclusive). Whoever makes one keeps to it.
pub const ENVELOPE_BYTES_MAX: usize = 4 << 20;

/// Why no answer came. Sending again may help, but for [`PeerError::TooLong`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    /// There is no link to that node now, or it closed while the answer was awaited.
    #[error("no link to node {node}")]
    Unreachable {
        /// The node that was meant.
        node: BrokerId,
    },
    /// The deadline passed; whether the message arrived is unknown.
    #[error("node {node} did not answer within {deadline:?}")]
    Timeout {
        /// The node that was meant.
        node: BrokerId,
        /// How long was waited.
        deadline: Duration,
    },
    /// The envelope is longer than [`ENVELOPE_BYTES_MAX`].
    #[error("an envelope of {length} bytes is too long")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Nobody at this address speaks for a cluster.
    #[error("{address} does not speak for a cluster: {reason}")]
    NotDiscovered {
        /// Where was asked.
        address: HostAndPort,
        /// What happened.
        reason: String,
    },
}

impl PeerError {
    /// Whether sending again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::NotDiscovered { .. } => true,
            Self::TooLong { .. } => false,
        }
    }
}

/// Which of a node's gateways takes a message. Messages of one lane from one sender arrive in
/// order, as long as the link lives; lanes do not wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Quorum, controller, elections, heartbeats: short, and never behind bulk.
    Control,
    /// Follower fetches of one shard; the bytes are in the answer.
    Bulk(u8),
}

/// Who a node is to its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The cluster that it belongs to.
    pub cluster_id: ClusterId,
    /// Its number.
    pub node: BrokerId,
    /// This start of its process.
    pub incarnation: Incarnation,
}

/// The links that are up now, and which start of the other node's process each leads to.
pub type Links = Arc<BTreeMap<BrokerId, Incarnation>>;

/// Where nodes listen for their peers.
pub type AddressBook = BTreeMap<BrokerId, HostAndPort>;

/// An answer under way.
pub type PeerAnswer<'a> = Pin<Box<dyn Future<Output = Result<Bytes, PeerError>> + Send + 'a>>;

/// Who answers what peers send. It must answer every envelope, also one that it cannot read, and
/// must not wait without a deadline.
///
/// Answers are begun one after the other in the order in which the messages of a lane came, so
/// whatever an answer does before it first waits must be short.
pub trait PeerService: Send + Sync {
    /// Answers one encoded envelope.
    fn answer(&self, lane: Lane, envelope: Bytes) -> PortFuture<'static, Bytes>;
}

/// Carries messages to other nodes.
pub trait Peers: Send + Sync {
    /// Sends one encoded envelope to `node` and waits for its answer, at most for `deadline`.
    fn call(
        &self,
        node: BrokerId,
        lane: Lane,
        envelope: Bytes,
        deadline: Duration,
    ) -> PeerAnswer<'_>;

    /// The links, as they come and go. A peer that is silent for about 600 ms, or whose process
    /// ended, has none. No safety may rest on it.
    fn links(&self) -> watch::Receiver<Links>;

    /// Says where the other nodes of the cluster are; replaces what was said before. Links to them
    /// are made, and made again, until they are not named any more. A link that another node made
    /// is kept and used whether that node is named here or not: one that joins is not named yet.
    fn introduce(&self, book: AddressBook);

    /// Asks whoever listens at `seed` who it is and which cluster it speaks for, before this node
    /// belongs to any.
    fn discover<'a>(
        &'a self,
        seed: &'a HostAndPort,
        deadline: Duration,
    ) -> PortFuture<'a, Result<PeerIdentity, PeerError>>;

    /// Where other nodes reach this one; `None` if none can.
    fn local_address(&self) -> Option<HostAndPort>;

    /// What is counted of the links; nothing, where there are no real ones.
    fn link_metrics(&self) -> LinkMetrics {
        LinkMetrics::default()
    }

    /// The actors that carry the messages, in the order in which the supervisor `cluster` starts
    /// them. The node is reachable while they live, and `service` answers what arrives.
    fn children(&self, me: PeerIdentity, service: Arc<dyn PeerService>) -> Vec<ChildSpec>;
}

/// The peers of a node that is alone in its cluster: nobody can be reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Peers for Alone {
    fn call(
        &self,
        node: BrokerId,
        _lane: Lane,
        _envelope: Bytes,
        _deadline: Duration,
    ) -> PeerAnswer<'_> {
        Box::pin(std::future::ready(Err(PeerError::Unreachable { node })))
    }

    fn links(&self) -> watch::Receiver<Links> {
        watch::Sender::new(Links::default()).subscribe()
    }

    fn introduce(&self, _book: AddressBook) {}

    fn discover<'a>(
        &'a self,
        seed: &'a HostAndPort,
        _deadline: Duration,
    ) -> PortFuture<'a, Result<PeerIdentity, PeerError>> {
        let reason = "this node has no cluster listener".to_owned();
        let refused = PeerError::NotDiscovered { address: seed.clone(), reason };
        Box::pin(std::future::ready(Err(refused)))
    }

    fn local_address(&self) -> Option<HostAndPort> {
        None
    }

    fn children(&self, _me: PeerIdentity, _service: Arc<dyn PeerService>) -> Vec<ChildSpec> {
        Vec::new()
    }
}
