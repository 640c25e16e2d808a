//! The consensus library's messages to other voters. A node that is alone has none to reach; its
//! port to them says so.

use std::future::Future;
use std::io;

use openraft::error::{Fatal, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend, Snapshot, Vote};

use super::raft_types::QuorumTypes;

type CallError = RPCError<u64, BasicNode, RaftError<u64>>;

/// Makes the way to each voter.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOtherVoters;

fn unreachable() -> Unreachable {
    Unreachable::new(&io::Error::new(io::ErrorKind::NotConnected, "this node is alone"))
}

impl RaftNetworkFactory<QuorumTypes> for NoOtherVoters {
    type Network = Self;

    async fn new_client(&mut self, _target: u64, _node: &BasicNode) -> Self::Network {
        *self
    }
}

impl RaftNetwork<QuorumTypes> for NoOtherVoters {
    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<QuorumTypes>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, CallError> {
        Err(RPCError::Unreachable(unreachable()))
    }

    async fn vote(
        &mut self,
        _rpc: VoteRequest<u64>,
        _option: RPCOption,
    ) -> Result<VoteResponse<u64>, CallError> {
        Err(RPCError::Unreachable(unreachable()))
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote<u64>,
        _snapshot: Snapshot<QuorumTypes>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<QuorumTypes, Fatal<u64>>> {
        Err(StreamingError::Unreachable(unreachable()))
    }
}
