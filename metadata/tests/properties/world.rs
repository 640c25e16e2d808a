//! A cluster of up to four brokers, driven by operations, with its controller and a published
//! image beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::image::invariants;
use metadata::settings::topic_settings::effective_min_insync_replicas;
use metadata::{
    BrokerEndpoint, ClusterId, ClusterImage, Controller, DirectoryId, ElectionKind, Heartbeat,
    HostAndPort, ImageDelta, InSyncChange, Incarnation, LastUse, MetadataRecord, PartitionKey,
    PartitionState, PartitionsToAdd, Reassignment, RegisterBroker, ReplicaReport, SecurityProtocol,
    SettingEdit, SettingOperation, SettingResource, StaticSettings, TopicReference, TopicSettings,
    TopicToCreate, wire,
};
use protocol::{BrokerEpoch, BrokerId, TopicId, TopicName};
use uuid::Uuid;

use crate::committed_records::CommittedRecords;
use crate::operation::{Operation, Restart};

pub struct World {
    image: ClusterImage,
    controller: Controller,
    records: CommittedRecords,
    log: Vec<Vec<MetadataRecord>>,
    directories: BTreeMap<BrokerId, u128>,
    next_uuid: u128,
    loses_next: bool,
    /// After how many records of the next decision another controller comes.
    cuts_next: Option<usize>,
    /// What was asked, and is asked again if it was cut.
    registering: Option<RegisterBroker>,
    /// Whether every broker counts as one with many replicas.
    has_many_replicas: bool,
}

impl World {
    pub fn new() -> Self {
        let given = StaticSettings::parse([("offsets.topic.num.partitions", "2")]).unwrap();
        let mut world = Self {
            image: ClusterImage::empty(),
            controller: Controller::new(ClusterImage::empty(), Arc::new(given)),
            records: CommittedRecords::default(),
            log: Vec::new(),
            directories: BTreeMap::new(),
            next_uuid: 100,
            loses_next: false,
            cuts_next: None,
            registering: None,
            has_many_replicas: false,
        };
        world.controller.found_cluster(ClusterId(Uuid::from_u128(1))).unwrap();
        world.agree();
        world
    }

    /// A world in which what is decided about brokers may be cut anywhere.
    pub fn of_large_brokers() -> Self {
        let mut world = Self::new();
        world.has_many_replicas = true;
        world.renew_controller();
        world
    }

    fn renew_controller(&mut self) {
        let given = Arc::new(self.controller.given().clone());
        let controller = Controller::new(self.image.clone(), given);
        let many = if self.has_many_replicas { 0 } else { usize::MAX };
        self.controller = controller.with_replicas_in_one_entry(many);
    }

    pub fn into_log(self) -> Vec<Vec<MetadataRecord>> {
        self.log
    }

    pub fn perform(&mut self, operation: &Operation) {
        match operation {
            Operation::Start { broker, how, unfenced } => {
                self.start(BrokerId(*broker), *how, *unfenced);
            }
            Operation::Heartbeat { broker, wants_to_stop, wants_fence, disk_hangs } => {
                let (wants_to_stop, wants_fence) = (*wants_to_stop, *wants_fence);
                let broker = BrokerId(*broker);
                let heartbeat = Heartbeat {
                    broker,
                    broker_epoch: self.epoch(broker),
                    has_caught_up: true,
                    wants_fence,
                    wants_to_stop,
                    disk_hangs: *disk_hangs,
                };
                drop(self.controller.on_heartbeat(&heartbeat));
            }
            Operation::Fence { broker } => {
                let broker = BrokerId(*broker);
                drop(self.controller.fence_broker(broker, self.epoch(broker)));
            }
            Operation::Unregister { broker } => {
                drop(self.controller.unregister_broker(BrokerId(*broker)));
            }
            Operation::ProducerIds { broker } => {
                let broker = BrokerId(*broker);
                drop(self.controller.allocate_producer_ids(broker, self.epoch(broker)));
            }
            Operation::RaiseInternal => self.raise(),
            Operation::LoseNext => self.loses_next = true,
            Operation::CutNext { after } => {
                self.cuts_next = Some(*after).filter(|_| self.has_many_replicas);
            }
            other => self.perform_on_topic(other),
        }
        self.agree();
        self.registering = None;
    }

    fn perform_on_topic(&mut self, operation: &Operation) {
        match operation {
            Operation::Create { .. } => self.create(operation),
            Operation::Delete { topic } => {
                self.controller.delete_topics(&[TopicReference::Name(name(*topic))]);
            }
            Operation::Grow { topic, count } => {
                let topic = name(*topic);
                let request = PartitionsToAdd { topic, count: *count, assignments: None };
                self.controller.create_partitions(&[request], false);
            }
            Operation::SetMinInSync { topic, value } => {
                self.set(*topic, "min.insync.replicas", value.to_string());
            }
            Operation::SetUnclean { topic, value } => {
                self.set(*topic, "unclean.leader.election.enable", value.to_string());
            }
            other => self.perform_on_partition(other),
        }
    }

    fn perform_on_partition(&mut self, operation: &Operation) {
        match operation {
            Operation::Commit { partition } => self.commit(*partition),
            Operation::Shrink { partition, member } => self.shrink(*partition, *member),
            Operation::Expand { partition, member, recovered, is_old } => {
                self.expand(*partition, *member, *recovered, *is_old);
            }
            Operation::Restarted { partition, member, whole } => {
                self.report(*partition, *member, *whole, |state, is_whole| {
                    ReplicaReport::Restarted { leader_epoch: state.leader_epoch, is_whole }
                });
            }
            Operation::GaveUp { partition, member, whole } => {
                self.report(*partition, *member, *whole, |_, is_whole| ReplicaReport::GaveUp {
                    is_whole,
                });
            }
            Operation::Mended { partition, member } => {
                self.report(*partition, *member, true, |_, _| ReplicaReport::Mended);
            }
            Operation::Elect { partition, unclean } => {
                let Some((key, _)) = self.partition(*partition) else { return };
                let kind = if *unclean { ElectionKind::Unclean } else { ElectionKind::Preferred };
                drop(self.controller.elect_leader(key, kind));
            }
            Operation::Reassign { partition, target, cancel } => {
                self.reassign(*partition, target, *cancel);
            }
            other => panic!("{other:?} is not about a partition"),
        }
    }

    /// Everything that was decided becomes an entry; the published image must become the same.
    fn agree(&mut self) {
        let records = self.controller.take_records();
        if std::mem::take(&mut self.loses_next) {
            self.controller.reset(self.image.clone());
            return;
        }
        if records.is_empty() {
            return;
        }
        let mut cut = metadata::cut_into_entries(records.clone(), 1);
        if cut.len() > 1
            && let Some(after) = self.cuts_next.take().filter(|after| *after < cut.len())
        {
            cut.truncate(after);
            return self.agree_in_part(cut);
        }
        self.agree_on(records);
    }

    /// The controller's term ends within a decision. The next one goes on, and whoever waited for an
    /// answer asks it again.
    fn agree_in_part(&mut self, entries: Vec<Vec<MetadataRecord>>) {
        for records in entries {
            self.agree_within(records);
        }
        self.renew_controller();
        self.controller.finish_begun().unwrap();
        let finished = self.controller.take_records();
        match self.registering.take() {
            Some(request) => {
                self.agree_within(finished);
                self.controller.register_broker(&request, false).unwrap();
            }
            None => self.agree_on(finished),
        }
        self.agree();
        self.controller.finish_begun().unwrap();
        assert_eq!(self.controller.take_records(), [], "nothing is left undone");
        assert_eq!(invariants::violations(&self.image), []);
    }

    /// As one entry of several.
    fn agree_within(&mut self, records: Vec<MetadataRecord>) {
        if records.is_empty() {
            return;
        }
        let entry = self.image.version() + 1;
        let (image, _) = self.image.apply_entry(entry, &records).unwrap();
        self.controller.on_committed(entry);
        let broken = invariants::violations(&image);
        let is_expected = |rule| rule == invariants::Rule::InSyncIsLive;
        assert!(broken.iter().all(|violation| is_expected(violation.rule)), "{broken:?}");
        self.records.check_within(&self.image, &image);
        self.image = image;
        self.log.push(records);
    }

    fn agree_on(&mut self, records: Vec<MetadataRecord>) {
        if records.is_empty() {
            return;
        }
        let entry = self.image.version() + 1;
        let bytes = wire::encode_records(&records).unwrap();
        let decoded = wire::decode_records(&bytes).unwrap();
        assert_eq!(decoded, records);
        let (image, delta) = self.image.apply_entry(entry, &decoded).unwrap();
        self.controller.on_committed(entry);
        assert_eq!(self.controller.image(), &image);
        assert_eq!(invariants::violations(&image), []);
        self.check_delta(&delta, &image);
        self.records.check(&self.image, &image);
        self.image = image;
        self.log.push(records);
        if entry.is_multiple_of(8) {
            self.check_snapshot();
        }
    }

    /// Whatever differs between two images stands in the delta of the entry between them.
    fn check_delta(&self, delta: &ImageDelta, image: &ClusterImage) {
        let between = ImageDelta::between(&self.image, image);
        assert!(between.partitions.is_subset(&delta.partitions));
        assert!(between.brokers.is_subset(&delta.brokers));
        assert!(between.settings.is_subset(&delta.settings));
        assert_eq!(between.topics_created, delta.topics_created);
        assert_eq!(between.topics_deleted, delta.topics_deleted);
    }

    pub fn check_snapshot(&self) {
        let bytes = wire::encode_snapshot(&self.image).unwrap();
        assert_eq!(wire::decode_snapshot(&bytes).unwrap(), self.image);
    }

    fn uuid(&mut self) -> Uuid {
        self.next_uuid += 1;
        Uuid::from_u128(self.next_uuid)
    }

    fn epoch(&self, broker: BrokerId) -> BrokerEpoch {
        self.image.broker(broker).map_or(BrokerEpoch::UNKNOWN, |state| state.epoch())
    }

    /// The disk's fate happens whether or not the registration is agreed on.
    fn start(&mut self, broker: BrokerId, how: Restart, unfenced: bool) {
        let epoch = self.epoch(broker);
        let last_use = match how {
            _ if !epoch.is_known() => LastUse::Never,
            Restart::InOrder => LastUse::StoppedInOrder(epoch),
            Restart::Crash => LastUse::Crashed(epoch),
            Restart::OlderDirectory => LastUse::Crashed(BrokerEpoch::new(epoch.value() - 1)),
            Restart::NewDirectory => LastUse::Never,
        };
        let is_new = matches!(how, Restart::NewDirectory) || !epoch.is_known();
        if is_new {
            let directory = self.uuid().as_u128();
            self.directories.insert(broker, directory);
        }
        for key in self.image.replicas_of(broker).collect::<Vec<_>>() {
            let topic = self.image.name_of(key).unwrap().topic;
            let settings = TopicSettings::resolve(&self.image, self.controller.given(), &topic);
            match how {
                _ if is_new => self.records.lose(key, broker, true),
                Restart::OlderDirectory => self.records.lose(key, broker, false),
                Restart::Crash if !settings.flush_before_ack => {
                    self.records.lose(key, broker, false);
                }
                Restart::Crash | Restart::InOrder | Restart::NewDirectory => {}
            }
        }
        let incarnation = Incarnation(self.uuid());
        let directory = DirectoryId(Uuid::from_u128(self.directories[&broker]));
        let request = RegisterBroker {
            broker,
            incarnation,
            cluster_id: self.image.cluster_id(),
            directory,
            last_use,
            endpoints: vec![BrokerEndpoint {
                listener: Arc::from("PLAINTEXT"),
                address: HostAndPort::new("127.0.0.1", 9092),
                security: SecurityProtocol::Plaintext,
            }],
            cluster_address: None,
            rack: (broker.0 % 2 == 0).then(|| Arc::from("even")),
            starts_unfenced: unfenced,
        };
        // a crash that the cluster never heard of would leave a dead broker in the ISR
        self.loses_next = false;
        self.controller.register_broker(&request, false).unwrap();
        self.registering = Some(request);
    }

    fn create(&mut self, operation: &Operation) {
        let Operation::Create { topic, partitions, factor, min_in_sync, flushes } = operation
        else {
            return;
        };
        let setting = |name: &str, value: String| (name.to_owned(), Some(value));
        let request = TopicToCreate {
            name: name(*topic),
            partitions: *partitions,
            replication_factor: *factor,
            assignments: Vec::new(),
            settings: vec![
                setting("min.insync.replicas", min_in_sync.to_string()),
                setting("callboard.flush.before.ack", flushes.to_string()),
            ],
        };
        let id = TopicId(self.uuid());
        self.controller.create_topics(&[request], false, || id);
    }

    fn raise(&mut self) {
        let id = TopicId(self.uuid());
        let offsets = metadata::InternalTopic::ConsumerOffsets;
        if self.controller.create_internal_topic(offsets, || id).is_ok() {
            self.controller.raise_internal_replication().unwrap();
        }
    }

    fn set(&mut self, topic: usize, setting: &str, value: String) {
        let resource = SettingResource::Topic(TopicName::new(&name(topic)).unwrap());
        let (name, value) = (setting.to_owned(), Some(value));
        let operation = SettingOperation { name, edit: SettingEdit::Set, value };
        self.controller.change_settings(&[(resource, vec![operation])], false);
    }

    /// Some partition, by the order of names.
    fn partition(&self, place: usize) -> Option<(PartitionKey, Arc<PartitionState>)> {
        let all: Vec<_> = self
            .image
            .topics()
            .flat_map(|topic| {
                topic
                    .indexed_partitions()
                    .map(|(index, state)| (PartitionKey::new(topic.id, index), Arc::clone(state)))
            })
            .collect();
        all.get(place % all.len().max(1)).cloned()
    }

    fn commit(&mut self, place: usize) {
        let Some((key, state)) = self.partition(place) else { return };
        let topic = self.image.name_of(key).unwrap().topic;
        let needed = effective_min_insync_replicas(
            &self.image,
            self.controller.given(),
            &topic,
            state.assigned_replicas.len(),
        );
        if state.leader.is_some() && state.isr.len() >= needed {
            self.records.commit(key, &state);
        }
    }

    fn shrink(&mut self, place: usize, member: usize) {
        let Some((key, state)) = self.partition(place) else { return };
        let member = state.isr.get(member).copied();
        let stays = |b: &BrokerId| Some(*b) != member || state.leader == Some(*b);
        let isr: Vec<_> = state.isr.iter().copied().filter(stays).collect();
        let isr = isr.into_iter().map(|broker| (broker, self.epoch(broker))).collect();
        self.change_isr(key, &state, isr, false);
    }

    fn expand(&mut self, place: usize, member: usize, has_recovered: bool, is_old: bool) {
        let Some((key, state)) = self.partition(place) else { return };
        let Some(joiner) = state.assigned_replicas.get(member).copied() else { return };
        if state.leader.is_none() || state.is_in_sync(joiner) {
            return;
        }
        let mut isr: Vec<_> =
            state.isr.iter().map(|broker| (*broker, self.epoch(*broker))).collect();
        if is_old {
            // any registration but the present one
            isr.push((joiner, BrokerEpoch::new(self.epoch(joiner).value() + 1)));
        } else {
            if self.image.is_live(joiner) {
                self.records.catch_up(key, joiner);
            }
            isr.push((joiner, self.epoch(joiner)));
        }
        self.change_isr(key, &state, isr, has_recovered);
    }

    fn change_isr(
        &mut self,
        key: PartitionKey,
        state: &PartitionState,
        isr: Vec<(BrokerId, BrokerEpoch)>,
        has_recovered: bool,
    ) {
        let Some(leader) = state.leader else { return };
        let change = InSyncChange {
            key,
            leader_epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            isr,
            has_recovered,
        };
        let epoch = self.epoch(leader);
        drop(self.controller.change_in_sync_replicas(leader, epoch, &[change]).unwrap());
    }

    fn report(
        &mut self,
        place: usize,
        member: usize,
        whole: bool,
        report: impl Fn(&PartitionState, bool) -> ReplicaReport,
    ) {
        let Some((key, state)) = self.partition(place) else { return };
        let Some(broker) = state.assigned_replicas.get(member).copied() else { return };
        if !self.image.is_live(broker) {
            return;
        }
        if !whole {
            self.records.lose(key, broker, false);
            self.loses_next = false;
        }
        let led = self.records.led_under(key, state.leader_epoch) == Some(broker);
        let report = report(&state, whole);
        let settled =
            self.controller.report_replica(broker, self.epoch(broker), key, report).unwrap();
        let ended = led && !matches!(report, ReplicaReport::Mended);
        assert!(
            !(ended && settled.leader_epoch == state.leader_epoch),
            "{broker} resumes epoch {} of {key}",
            state.leader_epoch
        );
    }

    fn reassign(&mut self, place: usize, target: &[i32], cancel: bool) {
        let Some((key, _)) = self.partition(place) else { return };
        let name = self.image.name_of(key).unwrap();
        let mut replicas = Vec::new();
        for broker in target.iter().map(|id| BrokerId(*id)) {
            if !replicas.contains(&broker) {
                replicas.push(broker);
            }
        }
        let request = Reassignment {
            topic: name.topic.as_str().to_owned(),
            partition: name.partition,
            replicas: (!cancel).then_some(replicas),
        };
        self.controller.reassign(&[request], true);
    }
}

fn name(topic: usize) -> String {
    ["orders", "pay.ments", "pay_ments"][topic % 3].to_owned()
}
