//! The bytes around every message between nodes, and around every answer.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use metadata::{ClusterId, Incarnation};
use protocol::BrokerId;
use thiserror::Error;
use uuid::Uuid;

use super::MessageKind;
use crate::ports::peers::PeerIdentity;

/// The version of envelope and answer that this program speaks.
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 2 + 2 + 16 + 4 + 16 + 4 + 16;
const ANSWER_HEADER_BYTES: usize = 2 + 2;

/// A message on its way to another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What it is, as a number: the receiver may not know it.
    pub kind: u16,
    /// Who sends it.
    pub from: PeerIdentity,
    /// Whom it is for.
    pub to: BrokerId,
    /// Which start of that node's process it is for; `None` if the sender did not know.
    pub to_incarnation: Option<Incarnation>,
    /// The message.
    pub body: Bytes,
}

/// Why bytes are no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// They end within the header.
    #[error("an envelope of {length} bytes ends within its header")]
    TooShort {
        /// How many there are.
        length: usize,
    },
    /// Another program wrote them.
    #[error("envelope version {version} is unknown, this node speaks {VERSION}")]
    UnknownVersion {
        /// The version.
        version: u16,
    },
}

impl Envelope {
    /// An envelope around a body.
    #[must_use]
    pub fn new(
        kind: MessageKind,
        from: PeerIdentity,
        to: (BrokerId, Option<Incarnation>),
        body: Bytes,
    ) -> Self {
        Self { kind: kind.number(), from, to: to.0, to_incarnation: to.1, body }
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + self.body.len());
        bytes.put_u16_le(VERSION);
        bytes.put_u16_le(self.kind);
        bytes.put_slice(self.from.cluster_id.0.as_bytes());
        bytes.put_i32_le(self.from.node.0);
        bytes.put_slice(self.from.incarnation.0.as_bytes());
        bytes.put_i32_le(self.to.0);
        let to = self.to_incarnation.map_or(Uuid::nil(), |incarnation| incarnation.0);
        bytes.put_slice(to.as_bytes());
        bytes.put_slice(&self.body);
        bytes.freeze()
    }

    /// The envelope in `bytes`; its body shares them.
    ///
    /// # Errors
    /// See [`EnvelopeError`].
    pub fn decode(mut bytes: Bytes) -> Result<Self, EnvelopeError> {
        let too_short = EnvelopeError::TooShort { length: bytes.len() };
        let version = bytes.try_get_u16_le().map_err(|_| too_short)?;
        if version != VERSION {
            return Err(EnvelopeError::UnknownVersion { version });
        }
        if bytes.len() < HEADER_BYTES - 2 {
            return Err(too_short);
        }
        let kind = bytes.get_u16_le();
        let cluster_id = ClusterId(take_uuid(&mut bytes));
        let node = BrokerId(bytes.get_i32_le());
        let incarnation = Incarnation(take_uuid(&mut bytes));
        let to = BrokerId(bytes.get_i32_le());
        let to_incarnation = take_uuid(&mut bytes);
        let to_incarnation = (!to_incarnation.is_nil()).then_some(Incarnation(to_incarnation));
        let from = PeerIdentity { cluster_id, node, incarnation };
        Ok(Self { kind, from, to, to_incarnation, body: bytes })
    }
}

fn take_uuid(bytes: &mut Bytes) -> Uuid {
    let mut uuid = [0; 16];
    bytes.copy_to_slice(&mut uuid);
    Uuid::from_bytes(uuid)
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[repr(u16)]
pub enum AnswerStatus {
    /// It was answered: the kind's own answer follows.
    #[error("answered")]
    Answered = 0,
    /// The receiver does not know the envelope's version, or the kind.
    #[error("the other node does not know this kind of message")]
    Unknown = 1,
    /// The receiver could not read the body.
    #[error("the other node could not read the message")]
    Unreadable = 2,
    /// It was for another cluster, another node, or another start of its process.
    #[error("the message was for somebody else")]
    Misdirected = 3,
    /// Whoever should answer it is not there now, or did not answer: try again.
    #[error("the other node could not answer now")]
    NotNow = 4,
}

impl AnswerStatus {
    const ALL: [Self; 5] =
        [Self::Answered, Self::Unknown, Self::Unreadable, Self::Misdirected, Self::NotNow];

    /// Whether sending again may help.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::NotNow | Self::Misdirected => true,
            Self::Answered | Self::Unknown | Self::Unreadable => false,
        }
    }
}

/// An answer's bytes.
#[must_use]
pub fn encode_answer(status: AnswerStatus, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(ANSWER_HEADER_BYTES + body.len());
    bytes.put_u16_le(VERSION);
    bytes.put_u16_le(status as u16);
    bytes.put_slice(body);
    bytes.freeze()
}

/// The body of an answer.
///
/// # Errors
/// What the other node said instead; [`AnswerStatus::Unreadable`] if the bytes are no answer.
pub fn decode_answer(mut bytes: Bytes) -> Result<Bytes, AnswerStatus> {
    let version = bytes.try_get_u16_le().map_err(|_| AnswerStatus::Unreadable)?;
    let status = bytes.try_get_u16_le().map_err(|_| AnswerStatus::Unreadable)?;
    let known = AnswerStatus::ALL.into_iter().find(|known| *known as u16 == status);
    match known {
        Some(AnswerStatus::Answered) if version == VERSION => Ok(bytes),
        Some(status) if version == VERSION => Err(status),
        _ => Err(AnswerStatus::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(node: i32) -> PeerIdentity {
        PeerIdentity {
            cluster_id: ClusterId(Uuid::from_u128(7)),
            node: BrokerId(node),
            incarnation: Incarnation(Uuid::from_u128(9)),
        }
    }

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        let to = (BrokerId(2), Some(Incarnation(Uuid::from_u128(3))));
        let body = Bytes::from_static(b"body");
        let envelope = Envelope::new(MessageKind::FollowerFetch, identity(1), to, body);
        assert_eq!(Envelope::decode(envelope.encode()), Ok(envelope));
    }

    #[test]
    fn an_envelope_that_ends_early_is_refused_wherever_it_ends() {
        let to = (BrokerId(2), None);
        let whole = Envelope::new(MessageKind::Vote, identity(1), to, Bytes::new()).encode();
        for length in 0..whole.len() {
            assert!(Envelope::decode(whole.slice(..length)).is_err(), "{length}");
        }
    }

    #[test]
    fn an_envelope_of_another_version_is_named_so() {
        let bytes = Bytes::from_static(&[2, 0, 0, 0]);
        assert_eq!(Envelope::decode(bytes), Err(EnvelopeError::UnknownVersion { version: 2 }));
    }

    #[test]
    fn an_answer_carries_its_body_or_why_there_is_none() {
        let answered = encode_answer(AnswerStatus::Answered, b"yes");
        assert_eq!(decode_answer(answered), Ok(Bytes::from_static(b"yes")));
        let not_now = encode_answer(AnswerStatus::NotNow, b"");
        assert_eq!(decode_answer(not_now), Err(AnswerStatus::NotNow));
        assert_eq!(decode_answer(Bytes::from_static(b"x")), Err(AnswerStatus::Unreadable));
    }
}
