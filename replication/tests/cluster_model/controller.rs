//! A controller that does what the real one promises: elections from the in-sync replicas, then
//! from the eligible leader replicas (KIP-966), in-sync changes by partition epoch (KIP-497) and
//! broker epoch (KIP-903). It never fails: its own safety is another model's matter.

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch};
use replication::{
    FollowerTerm, InSyncProposal, InSyncRefusal, LeaderTerm, PartitionChange, PartitionEpoch,
    ReplicationSettings,
};

use crate::dice::Dice;
use crate::message::{Letter, Message, Plea};

struct Registration {
    broker: BrokerId,
    broker_epoch: BrokerEpoch,
    is_fenced: bool,
}

pub struct Controller {
    assigned: Vec<BrokerId>,
    settings: ReplicationSettings,
    registrations: Vec<Registration>,
    next_broker_epoch: BrokerEpoch,
    leader_epoch: LeaderEpoch,
    partition_epoch: PartitionEpoch,
    leader: Option<BrokerId>,
    in_sync: Vec<BrokerId>,
    /// Out of sync, but holding everything that is committed: while too few are in sync, nothing
    /// more is committed.
    eligible: Vec<BrokerId>,
}

impl Controller {
    pub fn new(brokers: &[BrokerId], settings: ReplicationSettings) -> Self {
        Self {
            assigned: brokers.to_vec(),
            settings,
            registrations: Vec::new(),
            next_broker_epoch: BrokerEpoch::ZERO,
            leader_epoch: LeaderEpoch::ZERO,
            partition_epoch: PartitionEpoch(0),
            leader: None,
            in_sync: brokers.to_vec(),
            eligible: Vec::new(),
        }
    }

    pub fn in_sync(&self) -> &[BrokerId] {
        &self.in_sync
    }

    pub fn leader(&self) -> Option<BrokerId> {
        self.leader
    }

    pub fn is_fenced(&self, broker: BrokerId) -> bool {
        self.registration(broker).is_none_or(|registration| registration.is_fenced)
    }

    fn registration(&self, broker: BrokerId) -> Option<&Registration> {
        self.registrations.iter().find(|registration| registration.broker == broker)
    }

    fn needed(&self) -> usize {
        self.settings.min_in_sync_replicas
    }

    /// A broker starts. With an empty disk it holds nothing that anybody may count on.
    pub fn register(&mut self, broker: BrokerId, is_wiped: bool) -> (BrokerEpoch, Vec<Message>) {
        let broker_epoch = self.next_broker_epoch;
        self.next_broker_epoch = broker_epoch.next();
        let was_known = self.registration(broker).is_some();
        self.registrations.retain(|registration| registration.broker != broker);
        self.registrations.push(Registration { broker, broker_epoch, is_fenced: true });
        if was_known {
            self.drop_from_in_sync(broker);
        }
        if is_wiped {
            self.eligible.retain(|eligible| *eligible != broker);
        }
        let mut messages = self.unfence(broker);
        messages.extend(self.publish_to_all());
        (broker_epoch, messages)
    }

    pub fn fence(&mut self, broker: BrokerId) -> Vec<Message> {
        for registration in &mut self.registrations {
            registration.is_fenced |= registration.broker == broker;
        }
        self.drop_from_in_sync(broker);
        self.publish_to_all()
    }

    pub fn unfence(&mut self, broker: BrokerId) -> Vec<Message> {
        for registration in &mut self.registrations {
            registration.is_fenced &= registration.broker != broker;
        }
        if self.leader.is_none() {
            self.elect(None);
            return self.publish_to_all();
        }
        let leader = self.leader.and_then(|leader| self.registration(leader));
        let letter = Letter::Unfenced(broker);
        leader.map(|r| to_broker(r, letter)).into_iter().collect()
    }

    /// Somebody else of the in-sync replicas is to lead.
    pub fn move_leader(&mut self, dice: &mut Dice) -> Vec<Message> {
        let candidates: Vec<_> =
            self.in_sync.iter().copied().filter(|broker| !self.is_fenced(*broker)).collect();
        self.elect(dice.pick(&candidates));
        self.publish_to_all()
    }

    pub fn on_plea(&mut self, from: BrokerId, epoch: BrokerEpoch, plea: &Plea) -> Vec<Message> {
        if self.registration(from).is_none_or(|known| known.broker_epoch != epoch) {
            return Vec::new();
        }
        match plea {
            Plea::Propose(proposal) => self.on_proposal(from, proposal),
            Plea::CannotLead(leader_epoch) => {
                if self.leader == Some(from) && self.leader_epoch == *leader_epoch {
                    self.drop_from_in_sync(from);
                    return self.publish_to_all();
                }
                Vec::new()
            }
        }
    }

    fn on_proposal(&mut self, from: BrokerId, proposal: &InSyncProposal) -> Vec<Message> {
        let refuse = |this: &Self, reason| {
            let letter = Letter::Refused(proposal.partition_epoch, reason);
            this.registration(from).map(|r| to_broker(r, letter)).into_iter().collect()
        };
        if self.leader != Some(from)
            || proposal.leader_epoch != self.leader_epoch
            || proposal.partition_epoch != self.partition_epoch
        {
            return refuse(self, InSyncRefusal::Outdated);
        }
        let is_eligible = |member: &replication::ProposedMember| {
            self.registration(member.broker).is_some_and(|registration| {
                let is_known = registration.broker_epoch == member.broker_epoch;
                let is_present = self.in_sync.contains(&member.broker);
                !registration.is_fenced
                    && (is_known || (!member.broker_epoch.is_known() && is_present))
            })
        };
        if !proposal.in_sync_replicas.iter().all(is_eligible) {
            return refuse(self, InSyncRefusal::Ineligible);
        }
        let wanted: Vec<_> = proposal.in_sync_replicas.iter().map(|m| m.broker).collect();
        self.change_in_sync(&wanted);
        self.publish(from)
    }

    fn change_in_sync(&mut self, wanted: &[BrokerId]) {
        let leaving: Vec<_> =
            self.in_sync.iter().copied().filter(|broker| !wanted.contains(broker)).collect();
        self.in_sync = wanted.to_vec();
        self.eligible.retain(|broker| !wanted.contains(broker));
        if self.in_sync.len() >= self.needed() {
            self.eligible.clear();
        } else {
            self.eligible.extend(leaving);
        }
        self.partition_epoch = PartitionEpoch(self.partition_epoch.0 + 1);
    }

    /// Takes a broker out, and elects another leader if it led.
    fn drop_from_in_sync(&mut self, broker: BrokerId) {
        let staying: Vec<_> = self.in_sync.iter().copied().filter(|b| *b != broker).collect();
        if staying != self.in_sync {
            self.change_in_sync(&staying);
        }
        if self.leader == Some(broker) {
            self.leader = None;
            self.elect(None);
        }
    }

    fn elect(&mut self, preferred: Option<BrokerId>) {
        let may_lead = |broker: &&BrokerId| !self.is_fenced(**broker);
        let next = preferred
            .or_else(|| self.in_sync.iter().find(may_lead).copied())
            .or_else(|| self.eligible.iter().find(may_lead).copied());
        self.leader = next;
        self.leader_epoch = self.leader_epoch.next();
        self.partition_epoch = PartitionEpoch(self.partition_epoch.0 + 1);
        if let Some(leader) = next.filter(|leader| !self.in_sync.contains(leader)) {
            let mut wanted = self.in_sync.clone();
            wanted.push(leader);
            self.change_in_sync(&wanted);
        }
    }

    pub fn publish_to_all(&self) -> Vec<Message> {
        self.registrations.iter().flat_map(|r| self.publish(r.broker)).collect()
    }

    /// The present state, to one broker.
    pub fn publish(&self, broker: BrokerId) -> Vec<Message> {
        let Some(registration) = self.registration(broker) else { return Vec::new() };
        let (leader_epoch, settings) = (self.leader_epoch, self.settings);
        let assigned_replicas = self.assigned.clone();
        let letters = match self.leader {
            None => vec![Letter::NoLeader(leader_epoch)],
            Some(leader) if leader == broker => {
                let change = PartitionChange {
                    leader_epoch,
                    partition_epoch: self.partition_epoch,
                    in_sync_replicas: self.in_sync.clone(),
                    assigned_replicas: assigned_replicas.clone(),
                };
                let term = LeaderTerm {
                    leader_epoch,
                    partition_epoch: self.partition_epoch,
                    in_sync_replicas: self.in_sync.clone(),
                    assigned_replicas,
                    this_broker: broker,
                    settings,
                };
                vec![Letter::BecomeLeader(term), Letter::Changed(change)]
            }
            Some(leader) => {
                let this_broker = broker;
                let term = FollowerTerm { leader_epoch, leader, this_broker, settings };
                vec![Letter::BecomeFollower(term)]
            }
        };
        letters.into_iter().map(|letter| to_broker(registration, letter)).collect()
    }
}

fn to_broker(registration: &Registration, letter: Letter) -> Message {
    Message::Letter { to: registration.broker, broker_epoch: registration.broker_epoch, letter }
}
