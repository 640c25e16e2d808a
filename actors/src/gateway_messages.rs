//! What gateways of different nodes say to each other: the only messages of this program that
//! ractor_cluster carries. Written by hand, because a derived one copies every byte twice more, and
//! drops in silence what it cannot read.
//!
//! ```text
//! a call   metadata [1: what] [4: from] [16: from's incarnation]   args: the envelope, as it is
//! a reply  the answer, as it is
//! ```

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Buf, BufMut, Bytes};
use futures_util::FutureExt;
use metadata::Incarnation;
use protocol::BrokerId;
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Message, RpcReplyPort};
use tracing::error;
use uuid::Uuid;

use crate::cluster_link::{SHORT_BYTES, Switchboard};
use crate::peer_messages::{AnswerStatus, encode_answer};
use crate::ports::net::PortFuture;
use crate::ports::peers::{ENVELOPE_BYTES_MAX, Lane, PeerService};

/// One for control, the others for bulk.
pub(crate) const GATEWAYS: usize = 1 + BULK_GATEWAYS as usize;
/// How many gateways carry bulk.
pub(crate) const BULK_GATEWAYS: u8 = 2;

/// The place of a lane's gateway among a node's gateways.
pub(crate) fn gateway_of(lane: Lane) -> usize {
    match lane {
        Lane::Control => 0,
        Lane::Bulk(shard) => 1 + usize::from(shard % BULK_GATEWAYS),
    }
}

/// The process group, in its scope, by which the other nodes find a gateway: a pid may come back in
/// another process, an incarnation does not.
pub(crate) fn gateway_group(
    node: BrokerId,
    incarnation: Incarnation,
    lane: Lane,
) -> (String, String) {
    let group = format!("{}/{}/{}", node.0, incarnation.0, gateway_of(lane));
    ("callboard".to_owned(), group)
}

/// What a message between gateways is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An envelope for the service.
    Envelope,
    /// Are you there?
    Heartbeat,
    /// It cannot be read: whoever sent it hears so.
    Unreadable,
}

/// Who asks, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub asked: Asked,
    pub from: BrokerId,
    pub incarnation: Incarnation,
}

/// What a gateway is told, by a gateway of another node.
pub(crate) struct GatewayMessage {
    pub header: Header,
    pub body: Vec<u8>,
    pub reply: RpcReplyPort<Vec<u8>>,
}

impl Header {
    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(21);
        bytes.put_u8(match self.asked {
            Asked::Envelope => 0,
            Asked::Heartbeat => 1,
            Asked::Unreadable => u8::MAX,
        });
        bytes.put_i32_le(self.from.0);
        bytes.put_slice(self.incarnation.0.as_bytes());
        bytes
    }

    fn decode(bytes: Option<Vec<u8>>) -> Self {
        let mut bytes = bytes.as_deref().unwrap_or_default();
        let mut uuid = [0; 16];
        let asked = match bytes.try_get_u8() {
            Ok(0) => Asked::Envelope,
            Ok(1) => Asked::Heartbeat,
            _ => Asked::Unreadable,
        };
        let from = BrokerId(bytes.try_get_i32_le().unwrap_or(-1));
        let is_whole = bytes.try_copy_to_slice(&mut uuid).is_ok();
        let asked = if is_whole { asked } else { Asked::Unreadable };
        Self { asked, from, incarnation: Incarnation(Uuid::from_bytes(uuid)) }
    }
}

impl Message for GatewayMessage {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(SerializedMessage::Call {
            variant: String::new(),
            args: self.body,
            reply: self.reply,
            metadata: Some(self.header.encode()),
        })
    }

    fn deserialize(bytes: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match bytes {
            SerializedMessage::Call { args, reply, metadata, .. } => {
                Ok(Self { header: Header::decode(metadata), body: args, reply })
            }
            // gateways only ask
            SerializedMessage::Cast { .. } | SerializedMessage::CallReply(..) => {
                Err(BoxedDowncastErr)
            }
        }
    }
}

/// An answer that is made.
pub(crate) enum Begun {
    /// There it is.
    Done(Bytes),
    /// It takes time, which no gateway has.
    Waits(PortFuture<'static, Bytes>),
}

/// Begins to make an answer: up to where it waits for the first time, in the order in which the
/// messages came. A service that panics answers that it cannot now.
pub(crate) async fn begin(answer: PortFuture<'static, Bytes>) -> Begun {
    let mut answer: PortFuture<'static, Bytes> = Box::pin(async move {
        match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(answer) if answer.len() <= ENVELOPE_BYTES_MAX => answer,
            Ok(answer) => {
                error!(bytes = answer.len(), "an answer to another node is too long");
                encode_answer(AnswerStatus::NotNow, b"")
            }
            Err(_) => encode_answer(AnswerStatus::NotNow, b""),
        }
    });
    let first = std::future::poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
    match first {
        Poll::Ready(answer) => Begun::Done(answer),
        Poll::Pending => Begun::Waits(answer),
    }
}

/// Answers a message for the service, or says that it cannot be read. Never silent.
pub(crate) async fn answer_envelope(
    board: &Arc<Switchboard>,
    service: &Arc<dyn PeerService>,
    lane: Lane,
    message: GatewayMessage,
) {
    let GatewayMessage { header, body, reply } = message;
    // an error below means that nobody waits for the answer any more
    if header.asked != Asked::Envelope || body.len() > ENVELOPE_BYTES_MAX {
        let _ = reply.send(encode_answer(AnswerStatus::Unreadable, b"").into());
        return;
    }
    let begun = match begin(service.answer(lane, Bytes::from(body))).await {
        Begun::Done(answer) if answer.len() < SHORT_BYTES => {
            let _ = reply.send(answer.into());
            return;
        }
        begun => begun,
    };
    let board = Arc::clone(board);
    tokio::spawn(async move {
        let answer = match begun {
            Begun::Done(answer) => answer,
            Begun::Waits(answer) => answer.await,
        };
        if let Some(session) = board.session_with(header.from) {
            session.in_flight.admit(answer.len()).await;
        }
        let _ = reply.send(answer.into());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_a_damaged_one_is_unreadable() {
        let incarnation = Incarnation(Uuid::from_u128(5));
        let header = Header { asked: Asked::Heartbeat, from: BrokerId(3), incarnation };
        let bytes = header.encode();
        assert_eq!(Header::decode(Some(bytes.clone())), header);
        for length in 0..bytes.len() {
            let cut = bytes.get(..length).map(<[u8]>::to_vec);
            assert_eq!(Header::decode(cut).asked, Asked::Unreadable, "{length}");
        }
        assert_eq!(Header::decode(None).asked, Asked::Unreadable);
    }

    #[tokio::test]
    async fn a_service_that_panics_answers_that_it_cannot_now() {
        let begun = begin(Box::pin(async { panic!("on purpose") })).await;
        let Begun::Done(answer) = begun else { panic!("it does not wait") };
        assert_eq!(answer, encode_answer(AnswerStatus::NotNow, b""));
    }
}
