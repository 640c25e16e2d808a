//! What the nodes of the quorum say to each other, in bytes of our own: no type of the consensus
//! library travels.
//!
//! Votes, entries and snapshots name the member that they are meant for, not only its node: a node
//! with a new directory must not answer for the one before it.

use bytes::{Buf, Bytes, BytesMut};
use metadata::{DirectoryId, HostAndPort};
use protocol::BrokerId;
use serde::{Deserialize, Serialize};

use super::quorum_entry::QuorumEntry;
use super::quorum_file::{EntryPlace, StoredVote};
use super::quorum_view::QuorumView;
use crate::peer_messages::{
    BodyError, MessageKind, PeerBody, PeerMessage, decode_body, decode_body_before, encode_body,
};

/// The longest piece of a snapshot, in bytes (inclusive).
pub const PIECE_BYTES_MAX: usize = 1 << 20;

/// A candidate wants a vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The member that is asked.
    pub to: u64,
    /// The candidate and its term.
    pub vote: StoredVote,
    /// The last entry of the candidate's log.
    pub last: Option<EntryPlace>,
}

/// What a voter says to a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteAnswer {
    /// The voter's vote after the question.
    pub vote: StoredVote,
    /// Whether it is for the candidate; it is on disk then.
    pub is_granted: bool,
    /// The last entry of the voter's log.
    pub last: Option<EntryPlace>,
}

/// The leader has entries, or only says that it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendEntries {
    /// The member that is told.
    pub to: u64,
    /// The leader and its term.
    pub vote: StoredVote,
    /// The entry before the first one.
    pub previous: Option<EntryPlace>,
    /// The last entry that is agreed on.
    pub committed: Option<EntryPlace>,
    /// The entries.
    pub entries: Vec<QuorumEntry>,
}

/// What a member says to entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppendAnswer {
    /// All are on its disk.
    Appended,
    /// Those up to here are on its disk.
    AppendedTo(Option<EntryPlace>),
    /// Its log has another entry before the first one.
    Conflict,
    /// It has heard of a later term.
    HigherVote(StoredVote),
}

/// A piece of the leader's snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallSnapshot {
    /// Of what it is a piece.
    pub head: PieceHead,
    /// The bytes, at most [`PIECE_BYTES_MAX`].
    pub bytes: Bytes,
}

/// Of what a piece is one, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceHead {
    /// The member that is told.
    pub to: u64,
    /// The leader and its term.
    pub vote: StoredVote,
    /// Bytes of the whole snapshot.
    pub length: u64,
    /// CRC-32 of the whole snapshot.
    pub checksum: u32,
    /// Where the piece begins.
    pub offset: u64,
}

/// What a member says to a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotAnswer {
    /// The next piece begins here.
    Next {
        /// In bytes from the snapshot's start.
        offset: u64,
    },
    /// The snapshot is in place, or was not needed.
    Installed {
        /// The member's vote.
        vote: StoredVote,
    },
}

/// A node wants to belong to the quorum, or is reached at another address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinCluster {
    /// Its number in the quorum.
    pub raft_id: u64,
    /// Its data directory.
    pub directory: DirectoryId,
    /// Where other nodes reach it.
    pub address: Option<HostAndPort>,
}

/// What a node says to one that wants to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinAnswer {
    /// It belongs to the quorum, and is fed.
    Joined,
    /// Ask this node.
    AskLeader {
        /// Who leads.
        leader: BrokerId,
        /// Where it is reached.
        address: Option<HostAndPort>,
    },
    /// Ask later.
    NotNow,
}

/// A question about the quorum itself, or a wish of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AskQuorum {
    /// How does the quorum stand? Any node answers with what it knows.
    Describe,
    /// Would this member vote for a candidate whose log ends here? Nothing changes by the question.
    WouldVote {
        /// The member that is asked.
        to: u64,
        /// The last entry of the asker's log.
        last: Option<EntryPlace>,
    },
    /// Let this node vote. Only the leader does it.
    AddVoter {
        /// Which node.
        broker: BrokerId,
        /// Its directory, if the asker means a certain one.
        directory: Option<DirectoryId>,
    },
    /// Take this node's vote, and do not give it back by yourself. Only the leader does it.
    RemoveVoter {
        /// Which node.
        broker: BrokerId,
        /// Its directory, if the asker means a certain one.
        directory: Option<DirectoryId>,
    },
}

/// The answer to [`AskQuorum`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuorumAnswer {
    /// How it stands.
    Described(QuorumView),
    /// Whether it would.
    WouldVote(bool),
    /// It is done and agreed on.
    Changed,
    /// It was not done.
    Refused(QuorumRefusal),
}

/// Why voters were not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum QuorumRefusal {
    /// Ask the leader.
    #[error("this node does not lead the quorum")]
    NotLeader,
    /// No such node, or another directory.
    #[error("the quorum has no such node with such a directory")]
    UnknownMember,
    /// It votes already.
    #[error("the node votes already")]
    IsVoter,
    /// It has no vote.
    #[error("the node has no vote")]
    IsNoVoter,
    /// Its log is not near the end of the leader's.
    #[error("the node has not caught up yet")]
    NotCaughtUp,
    /// Nobody could agree on anything then.
    #[error("the last voter stays")]
    LastVoter,
    /// Another change is under way, or no majority answered in time: whether it was made is unknown.
    #[error("the change was not agreed on in time")]
    NotAgreed,
}

impl QuorumRefusal {
    /// Whether asking again may help.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::NotLeader | Self::NotCaughtUp | Self::NotAgreed => true,
            Self::UnknownMember | Self::IsVoter | Self::IsNoVoter | Self::LastVoter => false,
        }
    }
}

macro_rules! small_bodies {
    ($($name:ident),* $(,)?) => {
        $(impl PeerBody for $name {
            fn to_bytes(&self) -> Result<Bytes, BodyError> {
                encode_body(self)
            }

            fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
                decode_body(&bytes)
            }
        })*
    };
}

small_bodies! {
    Vote, VoteAnswer, AppendAnswer, SnapshotAnswer, JoinCluster, JoinAnswer, AskQuorum,
    QuorumAnswer,
}

type AppendHead = (u64, StoredVote, Option<EntryPlace>, Option<EntryPlace>);

impl PeerBody for AppendEntries {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        let head: AppendHead = (self.to, self.vote, self.previous, self.committed);
        let mut bytes = BytesMut::from(&encode_body(&head)?[..]);
        for entry in &self.entries {
            entry.encode(&mut bytes);
        }
        Ok(bytes.freeze())
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        let (head, mut rest) = decode_body_before::<AppendHead>(&bytes)?;
        let (to, vote, previous, committed) = head;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let (entry, taken) = QuorumEntry::decode(&rest)
                .map_err(|_| BodyError::Malformed { part: "an entry of the quorum log" })?;
            rest.advance(taken);
            entries.push(entry);
        }
        Ok(Self { to, vote, previous, committed, entries })
    }
}

impl PeerBody for InstallSnapshot {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        let mut bytes = BytesMut::from(&encode_body(&self.head)?[..]);
        bytes.extend_from_slice(&self.bytes);
        Ok(bytes.freeze())
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        let (head, bytes) = decode_body_before(&bytes)?;
        Ok(Self { head, bytes })
    }
}

impl PeerMessage for Vote {
    const KIND: MessageKind = MessageKind::Vote;
    type Answer = VoteAnswer;
}

impl PeerMessage for AppendEntries {
    const KIND: MessageKind = MessageKind::AppendEntries;
    type Answer = AppendAnswer;
}

impl PeerMessage for InstallSnapshot {
    const KIND: MessageKind = MessageKind::InstallSnapshot;
    type Answer = SnapshotAnswer;
}

impl PeerMessage for JoinCluster {
    const KIND: MessageKind = MessageKind::JoinCluster;
    type Answer = JoinAnswer;
}

impl PeerMessage for AskQuorum {
    const KIND: MessageKind = MessageKind::AskQuorum;
    type Answer = QuorumAnswer;
}

#[cfg(test)]
mod tests;
