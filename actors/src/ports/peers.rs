//! Port: messages to other nodes. A message may be lost after it was accepted, arrive late or
//! twice, and its answer may be dropped; whoever sends one sets a deadline and copes.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use protocol::BrokerId;
use thiserror::Error;

/// Why no answer came. Sending again may help in every case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    /// There is no link to that node now.
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
}

/// An answer under way.
pub type PeerAnswer<'a> = Pin<Box<dyn Future<Output = Result<Bytes, PeerError>> + Send + 'a>>;

/// Carries messages to other nodes.
pub trait Peers: Send + Sync {
    /// Sends one encoded envelope to `node` and waits for its answer, at most for `deadline`.
    fn call(&self, node: BrokerId, envelope: Bytes, deadline: Duration) -> PeerAnswer<'_>;
}

/// The peers of a node that is alone in its cluster: nobody can be reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Peers for Alone {
    fn call(&self, node: BrokerId, _envelope: Bytes, _deadline: Duration) -> PeerAnswer<'_> {
        Box::pin(std::future::ready(Err(PeerError::Unreachable { node })))
    }
}
