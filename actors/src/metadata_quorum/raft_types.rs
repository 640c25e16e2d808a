//! The consensus library's types, chosen once, and how ours and theirs map onto each other. Nothing
//! outside of `metadata_quorum` sees one.

use std::collections::BTreeMap;

use bytes::Bytes;
use openraft::{
    BasicNode, CommittedLeaderId, Entry, EntryPayload, LogId, Membership, StoredMembership, Vote,
};
use serde::{Deserialize, Serialize};

use super::quorum_entry::{ProposedRecords, QuorumEntry, QuorumMembership, QuorumPayload};
use super::quorum_file::{EntryPlace, StoredVote};

/// What an entry did to the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryOutcome {
    /// It took effect.
    Applied,
    /// It was decided in another term than it was logged in, and says nothing.
    OutOfTerm,
}

openraft::declare_raft_types!(
    /// The types of the metadata quorum.
    pub QuorumTypes:
        D = ProposedRecords,
        R = EntryOutcome,
        NodeId = u64,
        Node = BasicNode,
        SnapshotData = Bytes,
);

/// The library's name of a place in the log.
pub(super) fn log_id(place: EntryPlace) -> LogId<u64> {
    LogId::new(CommittedLeaderId::new(place.term, place.leader), place.index)
}

/// Our name of a place in the log.
pub(super) fn entry_place(id: LogId<u64>) -> EntryPlace {
    EntryPlace { index: id.index, term: id.leader_id.term, leader: id.leader_id.node_id }
}

pub(super) fn to_vote(stored: StoredVote) -> Vote<u64> {
    let vote = Vote::new(stored.term, stored.node);
    if stored.committed { Vote::new_committed(stored.term, stored.node) } else { vote }
}

pub(super) fn from_vote(vote: &Vote<u64>) -> StoredVote {
    let leader = vote.leader_id();
    StoredVote {
        term: leader.term,
        node: leader.voted_for().unwrap_or_default(),
        committed: vote.is_committed(),
    }
}

pub(super) fn to_membership(stored: &QuorumMembership) -> Membership<u64, BasicNode> {
    let nodes: BTreeMap<u64, BasicNode> =
        stored.nodes.iter().map(|(id, address)| (*id, BasicNode::new(address))).collect();
    Membership::new(stored.configurations.clone(), nodes)
}

pub(super) fn from_membership(membership: &Membership<u64, BasicNode>) -> QuorumMembership {
    QuorumMembership {
        configurations: membership.get_joint_config().clone(),
        nodes: membership.nodes().map(|(id, node)| (*id, node.addr.clone())).collect(),
    }
}

pub(super) fn to_entry(stored: &QuorumEntry) -> Entry<QuorumTypes> {
    let (index, term, leader) = (stored.index, stored.term, stored.leader);
    let payload = match &stored.payload {
        QuorumPayload::Blank => EntryPayload::Blank,
        QuorumPayload::Records(records) => EntryPayload::Normal(records.clone()),
        QuorumPayload::Membership(membership) => {
            EntryPayload::Membership(to_membership(membership))
        }
    };
    Entry { log_id: log_id(EntryPlace { index, term, leader }), payload }
}

pub(super) fn from_entry(entry: Entry<QuorumTypes>) -> QuorumEntry {
    let place = entry_place(entry.log_id);
    let payload = match entry.payload {
        EntryPayload::Blank => QuorumPayload::Blank,
        EntryPayload::Normal(records) => QuorumPayload::Records(records),
        EntryPayload::Membership(membership) => {
            QuorumPayload::Membership(from_membership(&membership))
        }
    };
    QuorumEntry { index: place.index, term: place.term, leader: place.leader, payload }
}

pub(super) fn stored_membership(
    place: Option<EntryPlace>,
    membership: &QuorumMembership,
) -> StoredMembership<u64, BasicNode> {
    StoredMembership::new(place.map(log_id), to_membership(membership))
}
