//! Who counts for commit: the set the controller last agreed to, and the one proposed.

use std::time::Duration;

use protocol::BrokerId;

use crate::effect::{InSyncProposal, ProposedMember};
use crate::moment::Moment;
use crate::term::PartitionEpoch;

/// How long a leader waits before it repeats a proposal that got no yes, or proposes somebody whom
/// the controller turned down; the latter is doubled by each refusal in a row.
const PROPOSAL_RETRY: Duration = Duration::from_millis(200);

/// The wait is doubled so often at most: 6.4 s.
const DOUBLINGS_MAX: u32 = 5;

/// A proposal whose outcome is not known.
#[derive(Clone, Debug)]
struct Pending {
    proposal: InSyncProposal,
    /// Whom an earlier proposal, withdrawn by this one, would have taken in. A copy of it may
    /// still be on its way to a controller that would accept it.
    withdrawn: Vec<BrokerId>,
    /// Set when its answer failed to come: when to send it again.
    resend_at: Option<Moment>,
}

/// The in-sync replicas of one leadership.
#[derive(Clone, Debug)]
pub(crate) struct InSyncReplicas {
    partition_epoch: PartitionEpoch,
    members: Vec<BrokerId>,
    pending: Option<Pending>,
    /// After a refusal: nobody is proposed to join before.
    join_not_before: Option<Moment>,
    /// Refusals in a row.
    refusals: u32,
}

impl InSyncReplicas {
    pub(crate) fn new(partition_epoch: PartitionEpoch, members: &[BrokerId]) -> Self {
        let members = members.to_vec();
        Self { partition_epoch, members, pending: None, join_not_before: None, refusals: 0 }
    }

    pub(crate) fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    /// The set the controller agreed to: what `min.insync.replicas` is compared with.
    pub(crate) fn members(&self) -> &[BrokerId] {
        &self.members
    }

    pub(crate) fn contains(&self, broker: BrokerId) -> bool {
        self.members.contains(&broker)
    }

    /// Whether `broker` is in the maximal set: agreed to, or proposed. The controller may have
    /// agreed already, and may elect whoever is in either set.
    pub(crate) fn counts(&self, broker: BrokerId) -> bool {
        self.contains(broker) || self.is_proposed(broker)
    }

    fn is_proposed(&self, broker: BrokerId) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            pending.withdrawn.contains(&broker) || pending.proposal.names(broker)
        })
    }

    /// Whether a proposal without `broker` is pending.
    pub(crate) fn has_proposed_to_drop(&self, broker: BrokerId) -> bool {
        self.pending.as_ref().is_some_and(|pending| !pending.proposal.names(broker))
    }

    pub(crate) fn pending(&self) -> Option<&InSyncProposal> {
        self.pending.as_ref().map(|pending| &pending.proposal)
    }

    /// Whether anybody may be proposed to join.
    pub(crate) fn may_propose_joining(&self, now: Moment) -> bool {
        self.join_not_before.is_none_or(|moment| moment <= now)
    }

    pub(crate) fn propose(&mut self, proposal: InSyncProposal) {
        self.pending = Some(Pending { proposal, withdrawn: Vec::new(), resend_at: None });
    }

    /// Behaves as if the controller had agreed: a mistake, made on purpose in tests.
    pub(crate) fn assume(&mut self, proposal: &InSyncProposal) {
        self.members = proposal.in_sync_replicas.iter().map(|member| member.broker).collect();
    }

    /// The controller's word, under a newer partition epoch, whether it answers a proposal or not.
    /// Whatever was proposed under an older one is either part of it or can no longer be applied.
    pub(crate) fn on_change(&mut self, epoch: PartitionEpoch, members: &[BrokerId]) {
        debug_assert!(epoch > self.partition_epoch, "R6: the partition epoch rises");
        if self.members != members {
            self.members = members.to_vec();
            self.join_not_before = None;
            self.refusals = 0;
        }
        self.partition_epoch = epoch;
        self.pending = None;
    }

    /// The proposal under `epoch` got no yes: sends it again later.
    pub(crate) fn on_no_answer(&mut self, now: Moment, epoch: PartitionEpoch) {
        if let Some(pending) = self.pending_under(epoch) {
            pending.resend_at = Some(now.plus(PROPOSAL_RETRY));
        }
    }

    /// The proposal under `epoch` was turned down for one of its members. Another copy of it may
    /// still be accepted, when that member has become eligible: so it is withdrawn by proposing
    /// `present`, the members as they are, under the same partition epoch. Only one of the two can
    /// be accepted. Returns the withdrawal, the first time.
    pub(crate) fn withdraw(
        &mut self,
        now: Moment,
        epoch: PartitionEpoch,
        present: Vec<ProposedMember>,
    ) -> Option<&InSyncProposal> {
        let pending = self.pending_under(epoch)?;
        if !pending.withdrawn.is_empty() {
            pending.resend_at = Some(now.plus(PROPOSAL_RETRY));
            return None;
        }
        let proposed = std::mem::replace(&mut pending.proposal.in_sync_replicas, present);
        pending.withdrawn = proposed.iter().map(|member| member.broker).collect();
        pending.resend_at = None;
        self.join_not_before = Some(now.plus(PROPOSAL_RETRY * (1 << self.refusals)));
        self.refusals = DOUBLINGS_MAX.min(self.refusals + 1);
        self.pending()
    }

    fn pending_under(&mut self, epoch: PartitionEpoch) -> Option<&mut Pending> {
        self.pending.as_mut().filter(|pending| pending.proposal.partition_epoch == epoch)
    }

    /// Time passed. Returns the proposal to send again, if its moment has come.
    pub(crate) fn on_time(&mut self, now: Moment) -> Option<&InSyncProposal> {
        self.join_not_before = self.join_not_before.filter(|moment| *moment > now);
        let pending = self.pending.as_mut()?;
        if pending.resend_at.is_none_or(|at| at > now) {
            return None;
        }
        pending.resend_at = None;
        Some(&pending.proposal)
    }

    /// When time alone makes a difference, given when the first member is due to be dropped.
    pub(crate) fn next_deadline(&self, first_lag: Option<Moment>) -> Option<Moment> {
        match &self.pending {
            Some(pending) => pending.resend_at,
            None => self.join_not_before.into_iter().chain(first_lag).min(),
        }
    }
}
