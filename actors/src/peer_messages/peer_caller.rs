//! Asks other nodes: writes the envelope, waits for the answer, reads it.

use std::sync::Arc;
use std::time::Duration;

use protocol::BrokerId;
use thiserror::Error;

use super::{AnswerStatus, BodyError, Envelope, PeerBody, PeerMessage, decode_answer};
use crate::ports::peers::{PeerError, PeerIdentity, Peers};

/// Why a question to another node has no answer.
#[derive(Debug, Error)]
pub enum CallError {
    /// The message or its answer did not arrive.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The other node refused to look at it.
    #[error("node {node}: {status}")]
    Refused {
        /// The node that was asked.
        node: BrokerId,
        /// What it said.
        status: AnswerStatus,
    },
    /// Message or answer could not be written or read.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl CallError {
    /// Whether asking again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Peer(error) => error.is_retryable(),
            Self::Refused { status, .. } => status.is_retryable(),
            Self::Body(_) => false,
        }
    }
}

/// Whoever on this node asks other nodes holds one.
#[derive(Clone)]
pub struct PeerCaller {
    /// This node.
    pub me: PeerIdentity,
    /// The way to the others.
    pub peers: Arc<dyn Peers>,
}

impl PeerCaller {
    /// Asks a node and waits for its answer, at most for `deadline`.
    ///
    /// # Errors
    /// See [`CallError`]. Whether the message arrived is unknown then.
    pub async fn ask<M: PeerMessage>(
        &self,
        node: BrokerId,
        message: &M,
        deadline: Duration,
    ) -> Result<M::Answer, CallError> {
        let incarnation = self.peers.links().borrow().get(&node).copied();
        let body = message.to_bytes()?;
        let envelope = Envelope::new(M::KIND, self.me, (node, incarnation), body).encode();
        let answer = self.peers.call(node, message.lane(), envelope, deadline).await?;
        let body = decode_answer(answer).map_err(|status| CallError::Refused { node, status })?;
        Ok(M::Answer::from_bytes(body)?)
    }
}
