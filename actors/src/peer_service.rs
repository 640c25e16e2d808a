//! Answers what other nodes send: reads the envelope, finds the local actor, gives back its answer.
//! The gateways hold nothing but this; no actor.
//!
//! ```text
//! gateway ──envelope──▶ PeerService ──by kind──▶ quorum, controller, replicas, feeds
//!         ◀──answer───       (never silent: what cannot be answered has a status)
//! ```

use std::sync::{Arc, Weak};

use bytes::Bytes;
use tracing::warn;

use crate::broker::Broker;
use crate::cluster_tree;
use crate::controller;
use crate::peer_messages::{
    AnswerStatus, Envelope, MessageKind, PeerBody, PeerMessage, encode_answer,
};
use crate::ports::net::PortFuture;
use crate::ports::peers::{Lane, PeerIdentity, PeerService};

/// See the head of this file.
pub struct BrokerPeerService {
    broker: Weak<Broker>,
}

/// What an answer's maker gives: the body, or why there is none.
pub type PeerReply = Result<Bytes, AnswerStatus>;

impl BrokerPeerService {
    /// The service of a node.
    #[must_use]
    pub fn new(broker: &Arc<Broker>) -> Self {
        Self { broker: Arc::downgrade(broker) }
    }
}

impl PeerService for BrokerPeerService {
    fn answer(&self, _lane: Lane, envelope: Bytes) -> PortFuture<'static, Bytes> {
        let broker = self.broker.upgrade();
        Box::pin(async move {
            let reply = match broker {
                Some(broker) => reply(&broker, envelope).await,
                None => Err(AnswerStatus::NotNow),
            };
            match reply {
                Ok(body) => encode_answer(AnswerStatus::Answered, &body),
                Err(status) => encode_answer(status, b""),
            }
        })
    }
}

async fn reply(broker: &Arc<Broker>, envelope: Bytes) -> PeerReply {
    let envelope = Envelope::decode(envelope).map_err(|error| {
        warn!(%error, "a message of another node cannot be read");
        AnswerStatus::Unknown
    })?;
    check_destination(broker, &envelope)?;
    let Some(kind) = MessageKind::from_number(envelope.kind) else {
        warn!(kind = envelope.kind, from = %envelope.from.node, "an unknown kind of message");
        return Err(AnswerStatus::Unknown);
    };
    dispatch(broker, kind, envelope.from, envelope.body).await
}

fn check_destination(broker: &Broker, envelope: &Envelope) -> Result<(), AnswerStatus> {
    let is_here = envelope.to == broker.id
        && envelope.from.cluster_id == broker.cluster_id
        && envelope.to_incarnation.is_none_or(|incarnation| incarnation == broker.incarnation);
    if is_here { Ok(()) } else { Err(AnswerStatus::Misdirected) }
}

/// One line a kind: who answers it.
async fn dispatch(
    broker: &Arc<Broker>,
    kind: MessageKind,
    from: PeerIdentity,
    body: Bytes,
) -> PeerReply {
    match kind {
        MessageKind::Heartbeat
        | MessageKind::AskController
        | MessageKind::ElectLeader
        | MessageKind::ChangeInSyncReplicas => controller::answer_peer(broker, kind, body).await,
        MessageKind::BecomeLeader | MessageKind::BecomeFollower => {
            controller::take_up_roles(broker, body)
        }
        MessageKind::Vote
        | MessageKind::AppendEntries
        | MessageKind::InstallSnapshot
        | MessageKind::JoinCluster
        | MessageKind::AskQuorum => broker.quorum.answer(kind, from, body).await,
        MessageKind::FollowerFetch => {
            broker.replication.on_follower_fetch(broker, from, body).await
        }
        MessageKind::FlushProgress => {
            broker.replication.on_flush_progress(broker, from, body).await
        }
        MessageKind::ShowTree => cluster_tree::answer_peer(broker, body),
    }
}

/// The message in a body.
///
/// # Errors
/// [`AnswerStatus::Unreadable`].
pub fn read<M: PeerMessage>(body: Bytes) -> Result<M, AnswerStatus> {
    M::from_bytes(body).map_err(|error| {
        warn!(kind = ?M::KIND, %error, "a message of another node cannot be read");
        AnswerStatus::Unreadable
    })
}

/// The bytes of an answer.
///
/// # Errors
/// [`AnswerStatus::NotNow`] if it does not fit into an envelope.
pub fn write<B: PeerBody>(answer: &B) -> PeerReply {
    answer.to_bytes().map_err(|error| {
        warn!(%error, "an answer to another node cannot be written");
        AnswerStatus::NotNow
    })
}
