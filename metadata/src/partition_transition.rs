//! From one state of a partition to the next. Every change of ISR, leader or assignment goes
//! through here, so that the rules about epochs and eligible replicas stand in one place.

use protocol::BrokerId;

use crate::image::ClusterImage;
use crate::leader_election::{Electorate, Ground};
use crate::partition::PartitionState;

/// What holds of the partition's topic.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) image: &'a ClusterImage,
    /// How many in-sync replicas a commit needs; at most the number of replicas.
    pub(crate) min_insync_replicas: usize,
    /// Whether a replica outside ISR and ELR may lead where no other can.
    pub(crate) allows_unclean: bool,
}

/// A change of one partition, as it is being put together.
pub(crate) struct Transition<'a> {
    present: &'a PartitionState,
    /// The next state; rules may edit everything but leader, ELR and epochs, which `settle` finds.
    pub(crate) next: PartitionState,
    lost: Option<BrokerId>,
    forgotten: Option<BrokerId>,
    deposed: Option<BrokerId>,
    preferred: Option<BrokerId>,
    allows_unclean: bool,
    is_confirmed: bool,
}

impl<'a> Transition<'a> {
    pub(crate) fn of(present: &'a PartitionState) -> Self {
        Self {
            present,
            next: present.clone(),
            lost: None,
            forgotten: None,
            deposed: None,
            preferred: None,
            allows_unclean: false,
            is_confirmed: false,
        }
    }

    /// A broker leaves the ISR; what it holds is kept, so it may become eligible.
    pub(crate) fn leave_isr(mut self, broker: BrokerId) -> Self {
        self.next.isr.retain(|member| *member != broker);
        self
    }

    /// A broker may have lost committed records: it is neither in sync nor eligible.
    pub(crate) fn lose(mut self, broker: BrokerId) -> Self {
        self.lost = Some(broker);
        self.leave_isr(broker)
    }

    /// A broker holds nothing of what it held: it is not even the last known leader.
    pub(crate) fn forget(mut self, broker: BrokerId) -> Self {
        self.forgotten = Some(broker);
        self.lose(broker)
    }

    /// A broker's leadership has ended, whoever leads next: the leader epoch rises if it led.
    pub(crate) fn depose(mut self, broker: BrokerId) -> Self {
        self.deposed = Some(broker).filter(|broker| self.present.leader == Some(*broker));
        self
    }

    /// A broker is to lead; it is in the ISR.
    pub(crate) fn prefer(mut self, broker: BrokerId) -> Self {
        self.preferred = Some(broker);
        self
    }

    /// Somebody takes it on himself that committed records are lost.
    pub(crate) fn allow_unclean(mut self) -> Self {
        self.allows_unclean = true;
        self
    }

    /// The state gets a new partition epoch also where nothing else changes: what was asked for on
    /// the basis of this one, and may still be on its way, is refused from here on.
    pub(crate) fn confirm(mut self) -> Self {
        self.is_confirmed = true;
        self
    }

    /// The next state; `None` if nothing changes.
    pub(crate) fn settle(mut self, terms: Terms<'_>) -> Option<PartitionState> {
        let held: Vec<BrokerId> =
            self.present.isr.iter().chain(&self.present.elr).copied().collect();
        self.next.elr = self.eligible(&held, terms);
        self.note_last_leader();
        let ground = self.choose_leader(terms);
        match ground {
            Some(Ground::Unclean) => {
                // what the others hold is no longer known to be a part of what this one holds
                self.next.elr.clear();
                self.next.leader_is_recovering = true;
            }
            Some(Ground::InSync | Ground::Eligible) | None => {
                self.next.elr = self.eligible(&held, terms);
            }
        }
        self.note_last_leader();
        self.raise_epochs()
    }

    /// KIP-966: who has left the ISR holds every committed record for as long as nothing can be
    /// committed without it, that is, while the ISR is too small.
    fn eligible(&self, held: &[BrokerId], terms: Terms<'_>) -> Vec<BrokerId> {
        let next = &self.next;
        if next.isr.len() >= terms.min_insync_replicas.min(next.assigned_replicas.len()) {
            return Vec::new();
        }
        let keeps = |broker: &&BrokerId| {
            next.is_assigned(**broker) && !next.is_in_sync(**broker) && self.lost != Some(**broker)
        };
        let mut eligible = Vec::new();
        for broker in held.iter().filter(keeps) {
            if !eligible.contains(broker) {
                eligible.push(*broker);
            }
        }
        eligible
    }

    fn note_last_leader(&mut self) {
        let nobody = self.next.isr.is_empty() && self.next.elr.is_empty();
        let last = match nobody {
            true => self.present.leader.or(self.present.last_known_leader),
            false => None,
        };
        self.next.last_known_leader = last.filter(|broker| self.forgotten != Some(*broker));
    }

    fn choose_leader(&mut self, terms: Terms<'_>) -> Option<Ground> {
        let electorate = Electorate {
            image: terms.image,
            allows_unclean: terms.allows_unclean || self.allows_unclean,
            passed_over: self.deposed,
        };
        if let Some(preferred) = self.preferred {
            self.next.leader = Some(preferred);
            return Some(Ground::InSync);
        }
        let stays = self.next.leader.is_some_and(|leader| {
            self.next.is_in_sync(leader)
                && (electorate.may_lead(&self.next, leader) || self.is_without_heir(&electorate))
        });
        if stays && self.deposed.is_none() {
            return Some(Ground::InSync);
        }
        let elected = electorate.elect(&self.next);
        self.next.leader = elected.map(|(leader, _)| leader);
        match elected {
            Some((_, Ground::InSync)) => {}
            Some((leader, Ground::Eligible | Ground::Unclean)) => self.next.isr = vec![leader],
            None => self.next.isr.clear(),
        }
        elected.map(|(_, ground)| ground)
    }

    /// Whether no other member of the ISR could take over from a leader that is about to stop.
    fn is_without_heir(&self, electorate: &Electorate<'_>) -> bool {
        let others = self.next.isr.iter().filter(|broker| self.next.leader != Some(**broker));
        !others.into_iter().any(|broker| electorate.may_lead(&self.next, *broker))
    }

    fn raise_epochs(mut self) -> Option<PartitionState> {
        if self.next.leader != self.present.leader || self.deposed.is_some() {
            self.next.leader_epoch = self.present.leader_epoch.next();
        }
        if self.next == *self.present && !self.is_confirmed {
            return None;
        }
        self.next.partition_epoch = self.present.partition_epoch.next();
        Some(self.next)
    }
}
