//! What nodes say to each other: one versioned envelope, and the kinds of message that it carries.
//!
//! ```text
//! envelope  [2: version] [2: kind] [16: cluster] [4: from] [16: from's incarnation]
//!           [4: to] [16: to's incarnation, zero if unknown] [body]
//! answer    [2: version] [2: status] [body]                              all little endian
//! ```
//!
//! A body is the kind's own: bincode for what is small, raw bytes for record batches. Everything is
//! decoded from the bounded slice that holds it. What cannot be read is answered with a status, so
//! that nobody waits for a node that speaks another version; a message for another incarnation, or
//! from another cluster, is refused before its body is looked at.

mod envelope;
pub mod flush_progress;
pub mod follower_fetch;
mod peer_caller;
pub mod show_tree;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use self::envelope::{AnswerStatus, Envelope, EnvelopeError, decode_answer, encode_answer};
pub use self::peer_caller::{CallError, PeerCaller};
use crate::ports::peers::{ENVELOPE_BYTES_MAX, Lane};

/// Every kind of message. The numbers are for ever; new kinds are added at the end of their group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum MessageKind {
    /// Quorum: a candidate wants this node's vote.
    Vote = 1,
    /// Quorum: the leader has entries, or a heartbeat.
    AppendEntries = 2,
    /// Quorum: a piece of the leader's snapshot.
    InstallSnapshot = 3,
    /// Quorum: a node wants to belong to the cluster.
    JoinCluster = 4,
    /// Quorum: add or remove a voter, or say how the quorum stands.
    AskQuorum = 5,
    /// To the active controller: a broker is alive.
    Heartbeat = 10,
    /// To the active controller: a broker registers, or a session's request.
    AskController = 11,
    /// To the active controller: a replica that does not lead any more asks for an election.
    ElectLeader = 12,
    /// To the active controller: a leader wants to change the in-sync replicas.
    ChangeInSyncReplicas = 13,
    /// From the controller: a replica of yours leads from now on.
    BecomeLeader = 14,
    /// From the controller: a replica of yours follows from now on.
    BecomeFollower = 15,
    /// From a follower: what comes next in these partitions?
    FollowerFetch = 20,
    /// From a follower: how far these partitions are on its disk.
    FlushProgress = 21,
    /// Who runs on your node?
    ShowTree = 30,
}

impl MessageKind {
    const ALL: [Self; 14] = [
        Self::Vote,
        Self::AppendEntries,
        Self::InstallSnapshot,
        Self::JoinCluster,
        Self::AskQuorum,
        Self::Heartbeat,
        Self::AskController,
        Self::ElectLeader,
        Self::ChangeInSyncReplicas,
        Self::BecomeLeader,
        Self::BecomeFollower,
        Self::FollowerFetch,
        Self::FlushProgress,
        Self::ShowTree,
    ];

    /// Its number in an envelope.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// Why a body could not be written or read. Trying again never helps.
#[derive(Debug, Error)]
pub enum BodyError {
    /// A value does not fit into an envelope.
    #[error("the message cannot be written: {0}")]
    Encode(#[from] bincode::error::EncodeError),
    /// The bytes are no such value.
    #[error("the message cannot be read: {0}")]
    Decode(#[from] bincode::error::DecodeError),
    /// The bytes go on after the value, or end within it.
    #[error("the message is malformed: {part}")]
    Malformed {
        /// Where.
        part: &'static str,
    },
}

/// What an envelope or an answer can hold.
pub trait PeerBody: Sized + Send {
    /// The bytes.
    ///
    /// # Errors
    /// When the value does not fit.
    fn to_bytes(&self) -> Result<Bytes, BodyError>;

    /// The value.
    ///
    /// # Errors
    /// When the bytes are no such value.
    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError>;
}

/// A message to another node, with its kind, its lane and its answer.
pub trait PeerMessage: PeerBody {
    /// Its kind.
    const KIND: MessageKind;
    /// What comes back.
    type Answer: PeerBody;

    /// Which gateway takes it.
    fn lane(&self) -> Lane {
        Lane::Control
    }
}

const BODY: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<ENVELOPE_BYTES_MAX>,
> = bincode::config::standard().with_limit::<ENVELOPE_BYTES_MAX>();

/// Writes a small body. For `PeerBody::to_bytes`; record batches go beside it, as they are.
///
/// # Errors
/// When the value cannot be written.
pub fn encode_body<T: Serialize>(value: &T) -> Result<Bytes, BodyError> {
    Ok(Bytes::from(bincode::serde::encode_to_vec(value, BODY)?))
}

/// Reads a small body, which must take all of `bytes`.
///
/// # Errors
/// When the bytes are no such value.
pub fn decode_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    let (value, length) = bincode::serde::decode_from_slice(bytes, BODY)?;
    if length == bytes.len() {
        return Ok(value);
    }
    Err(BodyError::Malformed { part: "bytes after its end" })
}

/// Reads a small body and gives what follows it.
///
/// # Errors
/// When the bytes do not begin with such a value.
pub fn decode_body_before<T: DeserializeOwned>(bytes: &Bytes) -> Result<(T, Bytes), BodyError> {
    let (value, length) = bincode::serde::decode_from_slice(bytes, BODY)?;
    Ok((value, bytes.slice(length..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        for kind in MessageKind::ALL {
            assert_eq!(MessageKind::from_number(kind.number()), Some(kind));
        }
        assert_eq!(MessageKind::from_number(0), None);
    }

    #[test]
    fn a_body_with_bytes_after_its_end_is_refused() {
        let mut bytes = encode_body(&(7_u32, "seven")).expect("it fits").to_vec();
        assert_eq!(decode_body::<(u32, String)>(&bytes).expect("whole"), (7, "seven".to_owned()));
        bytes.push(0);
        assert!(decode_body::<(u32, String)>(&bytes).is_err());
    }

    #[test]
    fn an_announced_length_is_not_trusted() {
        // a vector of 2^60 bytes, announced in ten bytes
        let bytes = [253, 0, 0, 0, 0, 0, 0, 0, 16, 1];
        assert!(decode_body::<Vec<u8>>(&bytes).is_err());
    }
}
