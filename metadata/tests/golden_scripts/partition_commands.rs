//! Commands about single partitions.

use metadata::{
    ElectionKind, InSyncChange, PartitionEpoch, PartitionKey, Reassignment, ReplicaReport,
};
use protocol::{BrokerEpoch, BrokerId, LeaderEpoch, TopicId};
use uuid::Uuid;

use crate::arguments::{Arguments, brokers};
use crate::diary;
use crate::world::{Diary, World, answer};

impl World {
    fn key(&self, arguments: &Arguments, place: usize) -> PartitionKey {
        let (topic, partition) = arguments.partition(place);
        let unknown = TopicId(Uuid::from_u128(5));
        PartitionKey::new(self.image.topic(&topic).map_or(unknown, |topic| topic.id), partition)
    }

    /// `isr BROKER PARTITION [ISR] epoch=LEADER.PARTITION`: epochs default to the present ones.
    pub fn change_isr(&mut self, arguments: &Arguments) -> Diary {
        let key = self.key(arguments, 1);
        let present =
            self.image.partition(key).map(|state| (state.leader_epoch, state.partition_epoch));
        let (leader_epoch, partition_epoch) = match arguments.get("epoch") {
            Some(epochs) => {
                let (leader, partition) = epochs.split_once('.').unwrap();
                let leader = LeaderEpoch::new(leader.parse().unwrap());
                (leader, PartitionEpoch::new(partition.parse().unwrap()))
            }
            None => present.unwrap_or_default(),
        };
        let of_member = |broker: BrokerId| {
            let known = self.epochs.get(&broker).map_or(0, |epoch| epoch.value());
            let key = format!("epoch-of-{broker}");
            (broker, BrokerEpoch::new(arguments.number(&key, known)))
        };
        let change = InSyncChange {
            key,
            leader_epoch,
            partition_epoch,
            isr: brokers(arguments.word(2)).into_iter().map(of_member).collect(),
            has_recovered: arguments.has("recovered"),
        };
        let (leader, epoch) = (arguments.broker(0), self.epoch(arguments));
        match self.controller.change_in_sync_replicas(leader, epoch, &[change]) {
            Ok(answers) => answers.into_iter().flat_map(|one| answer(one.map(drop))).collect(),
            Err(refusal) => vec![format!("<- {}", diary::refusal(&refusal))],
        }
    }

    pub fn report(&mut self, arguments: &Arguments) -> Diary {
        let key = self.key(arguments, 1);
        let is_whole = !arguments.has("broken");
        let present = self.image.partition(key).map_or(0, |state| state.leader_epoch.value());
        let known = arguments.number("leader-epoch", present.into());
        let leader_epoch = LeaderEpoch::new(i32::try_from(known).unwrap());
        let report = match arguments.word(2) {
            "restarted" => ReplicaReport::Restarted { leader_epoch, is_whole },
            "gave-up" => ReplicaReport::GaveUp { is_whole },
            _ => ReplicaReport::Mended,
        };
        let (broker, epoch) = (arguments.broker(0), self.epoch(arguments));
        answer(self.controller.report_replica(broker, epoch, key, report).map(drop))
    }

    pub fn elect(&mut self, arguments: &Arguments) -> Diary {
        let kind = match arguments.word(1) {
            "unclean" => ElectionKind::Unclean,
            _ => ElectionKind::Preferred,
        };
        let key = self.key(arguments, 0);
        answer(self.controller.elect_leader(key, kind).map(drop))
    }

    pub fn reassign(&mut self, arguments: &Arguments) -> Diary {
        let (topic, partition) = arguments.partition(0);
        let replicas = match arguments.word(1) {
            "cancel" => None,
            list => Some(brokers(list)),
        };
        let request = [Reassignment { topic, partition, replicas }];
        let answers = self.controller.reassign(&request, !arguments.has("same-factor"));
        let mut diary: Diary = answers.into_iter().flat_map(answer).collect();
        for ongoing in self.controller.reassignments() {
            let (adding, removing) = (diary::list(&ongoing.adding), diary::list(&ongoing.removing));
            diary.push(format!("   under way: adding {adding} removing {removing}"));
        }
        diary
    }

    pub fn raise(&mut self) -> Diary {
        answer(self.controller.raise_internal_replication())
    }
}
