//! Who counts for commit: the set the controller last agreed to, and the one proposed.

use std::time::Duration;

use protocol::BrokerId;

use crate::effect::InSyncProposal;
use crate::moment::Moment;
use crate::refusal::InSyncRefusal;
use crate::term::PartitionEpoch;

/// How long a leader waits before it repeats a proposal that got no yes; doubled by each final
/// refusal in a row.
const PROPOSAL_RETRY: Duration = Duration::from_millis(200);

/// After so many final refusals in a row (about 50 s) nobody is proposed to join who has not been
/// heard of since: a dead follower costs nothing.
const REFUSALS_MAX: u32 = 8;

/// A proposal whose outcome is not known.
#[derive(Clone, Debug)]
struct Pending {
    proposal: InSyncProposal,
    /// Set when its answer failed to come: when to send it again.
    resend_at: Option<Moment>,
}

/// The in-sync replicas of one leadership.
#[derive(Clone, Debug)]
pub(crate) struct InSyncReplicas {
    partition_epoch: PartitionEpoch,
    members: Vec<BrokerId>,
    pending: Option<Pending>,
    /// After a final refusal: nothing is proposed before.
    propose_not_before: Option<Moment>,
    /// Final refusals in a row.
    refusals: u32,
}

impl InSyncReplicas {
    pub(crate) fn new(partition_epoch: PartitionEpoch, members: &[BrokerId]) -> Self {
        let members = members.to_vec();
        Self { partition_epoch, members, pending: None, propose_not_before: None, refusals: 0 }
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
            pending.proposal.in_sync_replicas.iter().any(|member| member.broker == broker)
        })
    }

    pub(crate) fn pending(&self) -> Option<&InSyncProposal> {
        self.pending.as_ref().map(|pending| &pending.proposal)
    }

    /// Whether a new proposal may go out.
    pub(crate) fn may_propose(&mut self, now: Moment) -> bool {
        if self.propose_not_before.is_some_and(|moment| moment <= now) {
            self.propose_not_before = None;
        }
        self.pending.is_none() && self.propose_not_before.is_none()
    }

    pub(crate) fn propose(&mut self, proposal: InSyncProposal) {
        self.pending = Some(Pending { proposal, resend_at: None });
    }

    /// Behaves as if the controller had agreed: a mistake, made on purpose in tests.
    pub(crate) fn assume(&mut self, proposal: &InSyncProposal) {
        self.members = proposal.in_sync_replicas.iter().map(|member| member.broker).collect();
    }

    /// The controller's word, whether it answers a proposal or not. Whatever was proposed under an
    /// older partition epoch is either part of it or can no longer be applied. Says whether it
    /// was news.
    pub(crate) fn on_change(&mut self, epoch: PartitionEpoch, members: &[BrokerId]) -> bool {
        if epoch <= self.partition_epoch {
            return false;
        }
        self.partition_epoch = epoch;
        self.members = members.to_vec();
        self.pending = None;
        self.propose_not_before = None;
        self.refusals = 0;
        true
    }

    /// A proposal under `epoch` was refused. Says whether it is time to give up on followers that
    /// want to join.
    pub(crate) fn on_refused(
        &mut self,
        now: Moment,
        epoch: PartitionEpoch,
        reason: InSyncRefusal,
    ) -> bool {
        let Some(pending) = &mut self.pending else { return false };
        if pending.proposal.partition_epoch != epoch {
            return false;
        }
        if !reason.is_final() {
            pending.resend_at = Some(now.plus(PROPOSAL_RETRY));
            return false;
        }
        self.pending = None;
        self.propose_not_before = Some(now.plus(PROPOSAL_RETRY * (1 << self.refusals)));
        self.refusals = (self.refusals + 1) % REFUSALS_MAX;
        self.refusals == 0
    }

    /// The proposal to send again, if its moment has come.
    pub(crate) fn take_resend(&mut self, now: Moment) -> Option<&InSyncProposal> {
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
            None => self.propose_not_before.or(first_lag),
        }
    }
}
