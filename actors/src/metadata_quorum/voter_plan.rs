//! Who should vote: the next change of the members that the leader should make, if any. Pure.
//!
//! The number of voters that nobody asked for is odd: 1, 3 or 5. From one to three both come in one
//! joint change, so a cluster of two nodes has one voter: an even number bears no more losses than
//! the odd one below it and makes each decision wait for one more disk. What it costs: of two
//! nodes, the one without a vote cannot go on alone.

use std::collections::{BTreeMap, BTreeSet};

use openraft::{BasicNode, RaftMetrics};
use protocol::BrokerId;

use super::raft_identity::{MemberAddress, broker_of};

/// How far behind the leader's log a member may be that is given a vote, in entries.
const LAG_MAX: u64 = 100;

/// What the plan is made from.
pub struct Situation {
    /// The leader itself.
    pub leader: u64,
    /// Where the leader is reached.
    pub address: MemberAddress,
    /// All members.
    pub members: BTreeMap<u64, MemberAddress>,
    /// Those that vote.
    pub voters: BTreeSet<u64>,
    /// Those whose log is near the end of the leader's and whose node is registered and linked.
    pub ready: BTreeSet<u64>,
    /// Those that left for good.
    pub gone: BTreeSet<u64>,
    /// How many should vote.
    pub voters_wanted: usize,
}

/// One change of the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedChange {
    /// The leader is reached elsewhere.
    SetAddress {
        /// The leader.
        id: u64,
        /// Where.
        address: MemberAddress,
    },
    /// Others vote, and some members are no more.
    Voters {
        /// Who votes from then on.
        voters: BTreeSet<u64>,
        /// Who is forgotten after it.
        forget: BTreeSet<u64>,
    },
    /// Members without a vote left for good.
    Forget {
        /// Which.
        ids: BTreeSet<u64>,
    },
}

impl Situation {
    /// The next change, if any is due.
    #[must_use]
    pub fn plan(&self) -> Option<PlannedChange> {
        self.own_address().or_else(|| self.replacement()).or_else(|| self.growth()).or_else(|| {
            let ids: BTreeSet<u64> = self.gone.difference(&self.voters).copied().collect();
            (!ids.is_empty()).then_some(PlannedChange::Forget { ids })
        })
    }

    /// Whether a member without a vote may soon be given one.
    #[must_use]
    pub fn awaits_voters(&self) -> bool {
        self.voters.len() < self.voters_wanted && self.members.len() > self.voters.len()
    }

    fn own_address(&self) -> Option<PlannedChange> {
        let never_votes = self.members.get(&self.leader)?.never_votes;
        let address = MemberAddress { never_votes, ..self.address.clone() };
        let differs = self.members.get(&self.leader) != Some(&address);
        differs.then_some(PlannedChange::SetAddress { id: self.leader, address })
    }

    /// Observers that may get a vote, lowest node first.
    fn spares(&self) -> Vec<u64> {
        let may_vote = |id: &u64| {
            let is_told_not_to = self.members.get(id).is_some_and(|member| member.never_votes);
            !is_told_not_to && !self.voters.contains(id) && !self.gone.contains(id)
        };
        let mut spares: Vec<u64> = self.ready.iter().copied().filter(may_vote).collect();
        spares.sort_by_key(|id| broker_of(*id));
        spares
    }

    /// A voter whose node came back with another directory, or that left for good, gives its vote
    /// to the new directory, or to any other observer.
    fn replacement(&self) -> Option<PlannedChange> {
        let spares = self.spares();
        let of_node = |node: BrokerId| spares.iter().copied().find(|id| broker_of(*id) == node);
        for voter in &self.voters {
            let successor = of_node(broker_of(*voter));
            let any = self.gone.contains(voter).then(|| spares.first().copied()).flatten();
            if let Some(successor) = successor.or(any) {
                let mut voters = self.voters.clone();
                voters.remove(voter);
                voters.insert(successor);
                return Some(PlannedChange::Voters { voters, forget: BTreeSet::from([*voter]) });
            }
        }
        None
    }

    fn growth(&self) -> Option<PlannedChange> {
        let spares = self.spares();
        let possible = self.voters.len() + spares.len();
        let most = self.voters_wanted.min(possible);
        let target = if most.is_multiple_of(2) { most.saturating_sub(1) } else { most };
        let missing = target.checked_sub(self.voters.len()).filter(|missing| *missing > 0)?;
        let voters = self.voters.iter().copied().chain(spares.into_iter().take(missing)).collect();
        Some(PlannedChange::Voters { voters, forget: BTreeSet::new() })
    }
}

/// Whether a member's log is near the end of this leader's.
#[must_use]
pub fn is_caught_up(metrics: &RaftMetrics<u64, BasicNode>, id: u64) -> bool {
    let progress = metrics.replication.as_ref().and_then(|progress| progress.get(&id).copied());
    let Some(matched) = progress.flatten() else { return false };
    metrics.last_log_index.unwrap_or_default().saturating_sub(matched.index) <= LAG_MAX
}

#[cfg(test)]
mod tests;
