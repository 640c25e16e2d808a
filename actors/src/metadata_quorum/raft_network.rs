//! The consensus library's way to other members: its questions as messages between nodes. A member
//! is found by its node, and named in each message, since a node may get a new directory.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use openraft::error::{
    Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend, Snapshot, Vote};

use super::HEARTBEAT_MS;
use super::quorum_file::StoredVote;
use super::quorum_messages as messages;
use super::quorum_messages::{AppendAnswer, InstallSnapshot, PieceHead, SnapshotAnswer};
use super::raft_identity::broker_of;
use super::raft_types::{QuorumTypes, entry_place, from_entry, from_vote, log_id, to_vote};
use super::snapshot_transfer::piece_at;
use crate::peer_messages::{CallError, PeerCaller, PeerMessage};
use crate::ports::peers::PeerError;

type RaftCallError = RPCError<u64, BasicNode, RaftError<u64>>;
type SnapshotError = StreamingError<QuorumTypes, Fatal<u64>>;

/// How long a piece of a snapshot may take; the last one is written to disk before its answer.
const PIECE_DEADLINE: Duration = Duration::from_secs(10);
/// How often a member may ask for another piece than the next one before the transfer begins anew.
const REWINDS_MAX: u32 = 8;

/// Makes the way to each member.
#[derive(Clone)]
pub struct PeerNetwork {
    /// Carries the messages.
    pub caller: PeerCaller,
}

/// The way to one member.
pub struct PeerLink {
    caller: PeerCaller,
    to: u64,
}

impl RaftNetworkFactory<QuorumTypes> for PeerNetwork {
    type Network = PeerLink;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> PeerLink {
        PeerLink { caller: self.caller.clone(), to: target }
    }
}

impl PeerLink {
    async fn ask<M: PeerMessage>(
        &self,
        message: &M,
        deadline: Duration,
    ) -> Result<M::Answer, CallError> {
        self.caller.ask(broker_of(self.to), message, deadline).await
    }

    /// Sends the snapshot piece by piece, from where the member wants the next one.
    async fn send_snapshot(&self, vote: StoredVote, snapshot: &Bytes) -> SentSnapshot {
        let length = snapshot.len() as u64;
        let checksum = crc32fast::hash(snapshot);
        let (mut offset, mut rewinds) = (0, 0);
        loop {
            let head = PieceHead { to: self.to, vote, length, checksum, offset };
            let Some(bytes) = piece_at(snapshot, offset) else { return Ok(None) };
            match self.ask(&InstallSnapshot { head, bytes }, PIECE_DEADLINE).await? {
                SnapshotAnswer::Installed { vote } => return Ok(Some(vote)),
                SnapshotAnswer::Next { offset: next } => {
                    rewinds += u32::from(next <= offset);
                    offset = next;
                }
            }
            if rewinds > REWINDS_MAX {
                return Ok(None);
            }
        }
    }
}

/// The member's vote; `None` if it cannot agree with the leader on what comes next.
type SentSnapshot = Result<Option<StoredVote>, CallError>;

/// "Unreachable" makes the library wait a moment before it tries again, everything else does not.
fn unreachable(error: &CallError) -> RaftCallError {
    match error {
        CallError::Peer(PeerError::Timeout { .. }) => RPCError::Network(NetworkError::new(error)),
        CallError::Peer(_) | CallError::Refused { .. } | CallError::Body(_) => {
            RPCError::Unreachable(Unreachable::new(error))
        }
    }
}

impl RaftNetwork<QuorumTypes> for PeerLink {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<QuorumTypes>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RaftCallError> {
        let message = messages::AppendEntries {
            to: self.to,
            vote: from_vote(&rpc.vote),
            previous: rpc.prev_log_id.map(entry_place),
            committed: rpc.leader_commit.map(entry_place),
            entries: rpc.entries.into_iter().map(from_entry).collect(),
        };
        let answer = self.ask(&message, option.hard_ttl()).await;
        Ok(match answer.map_err(|error| unreachable(&error))? {
            AppendAnswer::Appended => AppendEntriesResponse::Success,
            AppendAnswer::AppendedTo(place) => {
                AppendEntriesResponse::PartialSuccess(place.map(log_id))
            }
            AppendAnswer::Conflict => AppendEntriesResponse::Conflict,
            AppendAnswer::HigherVote(vote) => AppendEntriesResponse::HigherVote(to_vote(vote)),
        })
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RaftCallError> {
        let message = messages::Vote {
            to: self.to,
            vote: from_vote(&rpc.vote),
            last: rpc.last_log_id.map(entry_place),
        };
        let answer = self.ask(&message, option.hard_ttl()).await;
        let answer = answer.map_err(|error| unreachable(&error))?;
        let last = answer.last.map(log_id);
        Ok(VoteResponse::new(to_vote(answer.vote), last, answer.is_granted))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote<u64>,
        snapshot: Snapshot<QuorumTypes>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<u64>, SnapshotError> {
        let sent = tokio::select! {
            closed = cancel => return Err(StreamingError::Closed(closed)),
            sent = self.send_snapshot(from_vote(&vote), &snapshot.snapshot) => sent,
        };
        match sent {
            Ok(Some(vote)) => Ok(SnapshotResponse::new(to_vote(vote))),
            Ok(None) => {
                let refused = io::Error::new(io::ErrorKind::InvalidData, "no piece is wanted");
                Err(StreamingError::Unreachable(Unreachable::new(&refused)))
            }
            Err(error) => Err(StreamingError::Unreachable(Unreachable::new(&error))),
        }
    }

    /// A member that cannot be reached is asked again soon: a heartbeat late is an election.
    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(Duration::from_millis(HEARTBEAT_MS)))
    }
}
