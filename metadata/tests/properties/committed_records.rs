//! What replicas hold, apart from what the controller believes: a count of committed records for
//! each partition, and how many of them each broker's disk has.

use std::collections::BTreeMap;

use metadata::{ClusterImage, PartitionKey, PartitionState};
use protocol::{BrokerEpoch, BrokerId, LeaderEpoch};

#[derive(Default)]
struct Records {
    committed: u64,
    held: BTreeMap<BrokerId, u64>,
}

#[derive(Default)]
pub struct CommittedRecords {
    partitions: BTreeMap<PartitionKey, Records>,
    /// Who has led under which epoch: the broker and its registration.
    led: BTreeMap<(PartitionKey, LeaderEpoch), (BrokerId, BrokerEpoch)>,
}

impl CommittedRecords {
    /// Everybody in sync has one more.
    pub fn commit(&mut self, key: PartitionKey, state: &PartitionState) {
        let records = self.partitions.entry(key).or_default();
        records.committed += 1;
        for member in &state.isr {
            records.held.insert(*member, records.committed);
        }
    }

    /// A follower has fetched everything.
    pub fn catch_up(&mut self, key: PartitionKey, broker: BrokerId) {
        let records = self.partitions.entry(key).or_default();
        records.held.insert(broker, records.committed);
    }

    /// A disk loses its last record, or all of them.
    pub fn lose(&mut self, key: PartitionKey, broker: BrokerId, all: bool) {
        let records = self.partitions.entry(key).or_default();
        let held = records.held.entry(broker).or_default();
        *held = if all { 0 } else { held.saturating_sub(1) };
    }

    /// What must hold of an image that has just been agreed on.
    pub fn check(&mut self, older: &ClusterImage, newer: &ClusterImage) {
        for topic in newer.topics() {
            for (index, state) in topic.indexed_partitions() {
                let key = PartitionKey::new(topic.id, index);
                let before = older.partition(key).map(|state| state.leader_epoch);
                if state.leader_is_recovering && before != Some(state.leader_epoch) {
                    self.accept_loss(key, state);
                }
                self.check_held(key, state);
                self.check_led(key, state, newer);
            }
        }
    }

    /// What must hold of an image within a decision that takes several entries: as above, but a
    /// broker that cannot lead may be listed with less than it had.
    pub fn check_within(&mut self, older: &ClusterImage, newer: &ClusterImage) {
        for topic in newer.topics() {
            for (index, state) in topic.indexed_partitions() {
                let key = PartitionKey::new(topic.id, index);
                let before = older.partition(key).map(|state| state.leader_epoch);
                if state.leader_is_recovering && before != Some(state.leader_epoch) {
                    self.accept_loss(key, state);
                }
                let leads = |broker: &BrokerId| newer.is_live(*broker);
                let leader = state.leader.filter(leads).into_iter().collect();
                let able =
                    PartitionState { isr: leader, elr: Vec::new(), ..state.as_ref().clone() };
                self.check_held(key, &able);
                self.check_led(key, state, newer);
            }
        }
    }

    /// An unclean leader's log is what counts from now on.
    fn accept_loss(&mut self, key: PartitionKey, state: &PartitionState) {
        let Some(leader) = state.leader else { return };
        let records = self.partitions.entry(key).or_default();
        let left = records.held.get(&leader).copied().unwrap_or(0);
        records.committed = records.committed.min(left);
        let committed = records.committed;
        records.held.values_mut().for_each(|held| *held = committed.min(*held));
    }

    /// KIP-966's completeness of leader candidates.
    fn check_held(&mut self, key: PartitionKey, state: &PartitionState) {
        let records = self.partitions.entry(key).or_default();
        for broker in state.isr.iter().chain(&state.elr) {
            let held = records.held.get(broker).copied().unwrap_or(0);
            assert!(
                held >= records.committed,
                "broker {broker} of {key} holds {held} of {} committed: {state:?}",
                records.committed
            );
        }
    }

    fn check_led(&mut self, key: PartitionKey, state: &PartitionState, image: &ClusterImage) {
        let Some(leader) = state.leader else { return };
        let registration = (leader, image.broker(leader).unwrap().epoch());
        let epoch = (key, state.leader_epoch);
        let first = *self.led.entry(epoch).or_insert(registration);
        assert_eq!(first, registration, "epoch {} of {key} is led twice", state.leader_epoch);
    }

    /// A replica stopped and started: what it led before it may not lead again under that epoch.
    pub fn led_under(&self, key: PartitionKey, epoch: LeaderEpoch) -> Option<BrokerId> {
        self.led.get(&(key, epoch)).map(|(broker, _)| *broker)
    }
}
