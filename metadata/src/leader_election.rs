//! Who leads next.
//!
//! ```text
//! in sync and active  >  in sync and alive  >  eligible (ELR) and active
//!      >  the last known leader, once ISR and ELR are empty  >  anybody active, if unclean
//! ```
//!
//! The first two lose nothing and so does the third (KIP-966). The fourth is the least bad of what
//! is left: the last that led is the last that can have committed. The fifth happens only where
//! the topic or an operator allows it. Within a rank the order is that of the assignment.

use protocol::BrokerId;

use crate::image::ClusterImage;
use crate::partition::PartitionState;

/// How a leader was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// In the ISR.
    InSync,
    /// In the ELR.
    Eligible,
    /// Committed records may be missing.
    Unclean,
}

/// Who may be elected, and on what terms.
#[derive(Clone, Copy)]
pub(crate) struct Electorate<'a> {
    pub(crate) image: &'a ClusterImage,
    /// Whether a replica outside ISR and ELR may lead.
    pub(crate) allows_unclean: bool,
    /// A broker that stopped leading, or should: elected only where no other can be.
    pub(crate) passed_over: Option<BrokerId>,
}

impl Electorate<'_> {
    /// The next leader of a partition with this ISR and ELR; `None` if nobody can lead.
    pub(crate) fn elect(&self, state: &PartitionState) -> Option<(BrokerId, Ground)> {
        let active = |broker: &BrokerId| self.may_lead(state, *broker);
        let alive = |broker: &BrokerId| self.image.is_live(*broker);
        let in_sync = |broker: &BrokerId| state.isr.contains(broker);
        let eligible = |broker: &BrokerId| state.elr.contains(broker);
        let last_known =
            |broker: &BrokerId| state.elr.is_empty() && state.last_known_leader == Some(*broker);
        None.or_else(|| self.first(state, |b| in_sync(b) && active(b), Ground::InSync))
            .or_else(|| self.first(state, |b| in_sync(b) && alive(b), Ground::InSync))
            .or_else(|| self.first(state, |b| eligible(b) && active(b), Ground::Eligible))
            .or_else(|| self.first(state, |b| last_known(b) && active(b), Ground::Unclean))
            .or_else(|| self.first(state, |b| self.allows_unclean && active(b), Ground::Unclean))
    }

    /// Whether a broker may be given the lead at all.
    pub(crate) fn may_lead(&self, state: &PartitionState, broker: BrokerId) -> bool {
        self.image.is_active(broker) && !state.offline_replicas.contains(&broker)
    }

    fn first(
        &self,
        state: &PartitionState,
        fits: impl Fn(&BrokerId) -> bool,
        ground: Ground,
    ) -> Option<(BrokerId, Ground)> {
        let mut candidates = state.assigned_replicas.iter().copied().filter(|b| fits(b));
        let first = candidates.next()?;
        if Some(first) == self.passed_over {
            return Some((candidates.next().unwrap_or(first), ground));
        }
        Some((first, ground))
    }
}
