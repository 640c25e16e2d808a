//! Questions to the controller as messages between nodes.
//!
//! Every question travels in the same bytes; the kind of its envelope says how it is to be treated
//! on the way: heartbeats and elections are told apart from what sessions ask.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::BrokerId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::question::{Agreed, AnyQuestion};
use super::{ControllerMessage, Origin};
use crate::broker::Broker;
use crate::peer_messages::{
    AnswerStatus, BodyError, CallError, MessageKind, PeerBody, PeerCaller, PeerMessage,
    decode_body, encode_body,
};
use crate::peer_service::{PeerReply, read, write};

/// How long another node's question may wait for its decision; that node asks again then.
const DECISION_DEADLINE: Duration = Duration::from_secs(10);

/// The answer to a question; `None` from a node that does not decide, or could not.
impl PeerBody for Option<Agreed> {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        encode_body(self)
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        decode_body(&bytes)
    }
}

macro_rules! question_kinds {
    ($($(#[$about:meta])* $name:ident)*) => {$(
        $(#[$about])*
        struct $name(AnyQuestion);

        impl PeerBody for $name {
            fn to_bytes(&self) -> Result<Bytes, BodyError> {
                encode_body(&self.0)
            }

            fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
                decode_body(&bytes).map(Self)
            }
        }

        impl PeerMessage for $name {
            const KIND: MessageKind = MessageKind::$name;
            type Answer = Option<Agreed>;
        }
    )*};
}

question_kinds! {
    /// A broker is alive.
    Heartbeat
    /// A replica does not lead any more.
    ElectLeader
    /// A leader's in-sync replicas.
    ChangeInSyncReplicas
    /// Anything else.
    AskController
}

const fn kind_of(question: &AnyQuestion) -> MessageKind {
    match question {
        AnyQuestion::Heartbeat(_) => MessageKind::Heartbeat,
        AnyQuestion::ReportReplica(_) => MessageKind::ElectLeader,
        AnyQuestion::ChangeInSyncReplicas(_) => MessageKind::ChangeInSyncReplicas,
        AnyQuestion::RegisterBroker(_)
        | AnyQuestion::AllocateProducerIds(_)
        | AnyQuestion::CreateTopics(_)
        | AnyQuestion::AutoCreateTopics(_)
        | AnyQuestion::DeleteTopics(_)
        | AnyQuestion::CreatePartitions(_)
        | AnyQuestion::ChangeSettings(_)
        | AnyQuestion::ReplaceSettings(_)
        | AnyQuestion::ElectLeaders(_)
        | AnyQuestion::Reassign(_)
        | AnyQuestion::UnregisterBroker(_) => MessageKind::AskController,
    }
}

/// Asks the controller of another node.
pub(super) async fn ask_peer(
    caller: &PeerCaller,
    node: BrokerId,
    question: &AnyQuestion,
    deadline: Duration,
) -> Result<Option<Agreed>, CallError> {
    let question = question.clone();
    match kind_of(&question) {
        MessageKind::Heartbeat => caller.ask(node, &Heartbeat(question), deadline).await,
        MessageKind::ElectLeader => caller.ask(node, &ElectLeader(question), deadline).await,
        MessageKind::ChangeInSyncReplicas => {
            caller.ask(node, &ChangeInSyncReplicas(question), deadline).await
        }
        _ => caller.ask(node, &AskController(question), deadline).await,
    }
}

/// Answers another node's question, if this one decides.
///
/// # Errors
/// When the question cannot be read, or its answer not be written.
pub async fn answer_peer(broker: &Arc<Broker>, kind: MessageKind, body: Bytes) -> PeerReply {
    let AskController(question) = read(body)?;
    if kind_of(&question) != kind {
        return Err(AnswerStatus::Unreadable);
    }
    let (reply, answer) = oneshot::channel();
    let asked = ControllerMessage::Ask { question, origin: Origin::Peer, reply };
    if broker.controller.send(asked).is_err() {
        return Err(AnswerStatus::NotNow);
    }
    let agreed = match timeout(DECISION_DEADLINE, answer).await {
        Ok(Ok(Ok(agreed))) => Some(agreed),
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => None,
    };
    write(&agreed)
}
