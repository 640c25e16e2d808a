//! Changes of the quorum's members, made on the leader only: a node joins, gets a vote or loses it.
//! One at a time; each is agreed on before the next begins.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use metadata::DirectoryId;
use openraft::error::{ClientWriteError, RaftError};
use openraft::{BasicNode, ChangeMembers, Raft, RaftMetrics};
use protocol::BrokerId;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::quorum_messages::{JoinAnswer, JoinCluster, QuorumRefusal};
use super::quorum_view::QuorumCell;
use super::raft_identity::{MemberAddress, broker_of};
use super::raft_types::QuorumTypes;
use super::voter_plan::{PlannedChange, is_caught_up};
use crate::peer_messages::PeerCaller;
use crate::ports::peers::PeerIdentity;

/// How long a change may take to be agreed on.
const CHANGE_DEADLINE: Duration = Duration::from_secs(5);

type Change = ChangeMembers<u64, BasicNode>;

/// See the head of this file.
pub struct VoterChanges {
    raft: Raft<QuorumTypes>,
    /// The quorum as this node sees it.
    pub(super) cell: QuorumCell,
    caller: PeerCaller,
    one_at_a_time: Mutex<()>,
}

impl VoterChanges {
    /// Changes of the quorum of `raft`.
    pub fn new(raft: Raft<QuorumTypes>, cell: QuorumCell, caller: PeerCaller) -> Self {
        Self { raft, cell, caller, one_at_a_time: Mutex::new(()) }
    }

    /// Lets a node into the quorum without a vote, or writes down its new address.
    pub async fn join(&self, from: PeerIdentity, wish: JoinCluster) -> JoinAnswer {
        let view = self.cell.view();
        if view.active_term.is_none() {
            return match view.leader.filter(|leader| *leader != self.caller.me.node) {
                Some(leader) => {
                    let member = view.members().find(|member| member.broker == leader);
                    let address = member.and_then(|member| member.address.clone());
                    JoinAnswer::AskLeader { leader, address }
                }
                None => JoinAnswer::NotNow,
            };
        }
        // a message that was long on its way must not bring back a directory that is gone
        let is_now = self.caller.peers.links().borrow().get(&from.node) == Some(&from.incarnation);
        if !is_now || broker_of(wish.raft_id) != from.node {
            return JoinAnswer::NotNow;
        }
        let _one = self.one_at_a_time.lock().await;
        match self.let_in(from.node, &wish).await {
            Ok(()) => JoinAnswer::Joined,
            Err(refusal) => {
                warn!(node = %from.node, %refusal, "could not be let in");
                JoinAnswer::NotNow
            }
        }
    }

    async fn let_in(&self, node: BrokerId, wish: &JoinCluster) -> Result<(), QuorumRefusal> {
        let members = self.members();
        let own = members.get(&wish.raft_id);
        let address = MemberAddress {
            directory: Some(wish.directory),
            address: wish.address.clone(),
            never_votes: own.is_some_and(|own| own.never_votes),
        };
        if own == Some(&address) {
            return Ok(());
        }
        let voters = self.voters();
        let is_former = |id: &u64| broker_of(*id) == node && *id != wish.raft_id;
        let former = members.keys().copied().filter(is_former);
        let former: BTreeSet<u64> = former.filter(|id| !voters.contains(id)).collect();
        if !former.is_empty() {
            self.change(ChangeMembers::RemoveNodes(former)).await?;
        }
        info!(%node, address = %address.to_text(), "a node joins the quorum");
        self.change(set_node(wish.raft_id, &address)).await
    }

    /// Gives a node a vote.
    ///
    /// # Errors
    /// See [`QuorumRefusal`].
    pub async fn add_voter(
        &self,
        broker: BrokerId,
        directory: Option<DirectoryId>,
    ) -> Result<(), QuorumRefusal> {
        let _one = self.one_at_a_time.lock().await;
        let (id, mut address) = self.find(broker, directory)?;
        let mut voters = self.voters();
        if !voters.insert(id) {
            return Err(QuorumRefusal::IsVoter);
        }
        if !is_caught_up(&self.raft.metrics().borrow(), id) {
            return Err(QuorumRefusal::NotCaughtUp);
        }
        if std::mem::take(&mut address.never_votes) {
            self.change(set_node(id, &address)).await?;
        }
        self.change(ChangeMembers::ReplaceAllVoters(voters)).await
    }

    /// Takes a node's vote; it is fed on, and is not given a vote again unless asked for.
    ///
    /// # Errors
    /// See [`QuorumRefusal`].
    pub async fn remove_voter(
        &self,
        broker: BrokerId,
        directory: Option<DirectoryId>,
    ) -> Result<(), QuorumRefusal> {
        let _one = self.one_at_a_time.lock().await;
        let (id, address) = self.find(broker, directory)?;
        let mut voters = self.voters();
        if !voters.remove(&id) {
            return Err(QuorumRefusal::IsNoVoter);
        }
        if voters.is_empty() {
            return Err(QuorumRefusal::LastVoter);
        }
        let address = MemberAddress { never_votes: true, ..address };
        self.change(set_node(id, &address)).await?;
        self.change(ChangeMembers::ReplaceAllVoters(voters)).await
    }

    /// Makes a change that was planned.
    ///
    /// # Errors
    /// [`QuorumRefusal::NotLeader`] or [`QuorumRefusal::NotAgreed`].
    pub async fn make(&self, change: PlannedChange) -> Result<(), QuorumRefusal> {
        let _one = self.one_at_a_time.lock().await;
        info!(?change, "the quorum's members change");
        match change {
            PlannedChange::SetAddress { id, address } => self.change(set_node(id, &address)).await,
            PlannedChange::Voters { voters, forget } => {
                self.change(ChangeMembers::ReplaceAllVoters(voters)).await?;
                if forget.is_empty() {
                    return Ok(());
                }
                self.change(ChangeMembers::RemoveNodes(forget)).await
            }
            PlannedChange::Forget { ids } => self.change(ChangeMembers::RemoveNodes(ids)).await,
        }
    }

    fn find(
        &self,
        broker: BrokerId,
        directory: Option<DirectoryId>,
    ) -> Result<(u64, MemberAddress), QuorumRefusal> {
        if self.cell.view().active_term.is_none() {
            return Err(QuorumRefusal::NotLeader);
        }
        let is_meant = |(id, address): &(u64, MemberAddress)| {
            broker_of(*id) == broker && (directory.is_none() || address.directory == directory)
        };
        self.members().into_iter().find(is_meant).ok_or(QuorumRefusal::UnknownMember)
    }

    fn members(&self) -> BTreeMap<u64, MemberAddress> {
        members_of(&self.raft.metrics().borrow())
    }

    fn voters(&self) -> BTreeSet<u64> {
        self.raft.metrics().borrow().membership_config.membership().voter_ids().collect()
    }

    /// A former voter stays as an observer; who is to be forgotten is removed after.
    async fn change(&self, change: Change) -> Result<(), QuorumRefusal> {
        let changing = self.raft.change_membership(change, true);
        match tokio::time::timeout(CHANGE_DEADLINE, changing).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
                Err(QuorumRefusal::NotLeader)
            }
            Ok(Err(error)) => {
                warn!(%error, "a change of the quorum's members was refused");
                Err(QuorumRefusal::NotAgreed)
            }
            Err(_) => Err(QuorumRefusal::NotAgreed),
        }
    }
}

/// All members with what the membership says of them.
pub fn members_of(metrics: &RaftMetrics<u64, BasicNode>) -> BTreeMap<u64, MemberAddress> {
    let nodes = metrics.membership_config.membership().nodes();
    nodes.map(|(id, node)| (*id, MemberAddress::from_text(&node.addr))).collect()
}

fn set_node(id: u64, address: &MemberAddress) -> Change {
    ChangeMembers::SetNodes(BTreeMap::from([(id, BasicNode::new(address.to_text()))]))
}
