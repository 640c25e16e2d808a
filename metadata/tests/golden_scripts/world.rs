//! A cluster as its controller sees it: commands in, diary out. Every command's records become one
//! entry, which is agreed on at once unless the script says `lose` before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metadata::image::invariants;
use metadata::settings::resolution;
use metadata::{
    BrokerEndpoint, BrokerLiveness, ClusterId, ClusterImage, Controller, DirectoryId, ElectionKind,
    Heartbeat, HostAndPort, InSyncChange, Incarnation, LastUse, PartitionEpoch, PartitionKey,
    PartitionsToAdd, Reassignment, Refusal, RegisterBroker, ReplicaReport, SecurityProtocol,
    SettingEdit, SettingOperation, SettingResource, StaticSettings, TopicReference, TopicSettings,
    TopicToCreate, auto_creation, parse_setting_resource, wire,
};
use protocol::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionIndex, TopicId};
use uuid::Uuid;

use crate::arguments::{Arguments, brokers};
use crate::diary;

const SESSION_TIMEOUT: Duration = Duration::from_millis(600);

pub struct World {
    /// What has been agreed on.
    image: ClusterImage,
    controller: Controller,
    liveness: BrokerLiveness,
    now: Instant,
    given: BTreeMap<String, String>,
    /// The registrations that brokers believe in.
    epochs: BTreeMap<BrokerId, BrokerEpoch>,
    next_uuid: u128,
    next_entry: u64,
    loses_next: bool,
}

impl Default for World {
    fn default() -> Self {
        let image = ClusterImage::empty();
        let now = Instant::now();
        let mut world = Self {
            controller: Controller::new(image.clone(), Arc::new(StaticSettings::defaults())),
            liveness: BrokerLiveness::new(now, SESSION_TIMEOUT, &image),
            image,
            now,
            given: BTreeMap::new(),
            epochs: BTreeMap::new(),
            next_uuid: 1,
            next_entry: 1,
            loses_next: false,
        };
        world.controller.found_cluster(ClusterId(Uuid::from_u128(77))).unwrap();
        world.agree();
        world
    }
}

type Diary = Vec<String>;

impl World {
    pub fn run(&mut self, command: &str) -> Diary {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let arguments = Arguments::parse(rest);
        let mut diary = match verb {
            "given" => self.given(&arguments),
            "start" => self.start(&arguments),
            "heartbeat" => self.heartbeat(&arguments),
            "wait" => self.wait(&arguments),
            "death" => self.death(&arguments),
            "new-controller" => self.new_controller(),
            "unregister" => self.unregister(&arguments),
            "create" => self.create(&arguments),
            "ask-for" => self.ask_for(&arguments),
            "delete" => self.delete(&arguments),
            "add" => self.add(&arguments),
            "set" | "unset" | "append" | "subtract" => self.change_settings(verb, &arguments),
            "replace" => self.replace_settings(&arguments),
            "isr" => self.change_isr(&arguments),
            "report" => self.report(&arguments),
            "elect" => self.elect(&arguments),
            "reassign" => self.reassign(&arguments),
            "raise" => self.raise(),
            "producer-ids" => self.producer_ids(&arguments),
            "lose" => self.lose(),
            "describe" => self.describe(&arguments),
            "show" => self.show(&arguments),
            other => panic!("no command {other}"),
        };
        diary.extend(self.agree());
        diary
    }

    /// The records decided become an entry, and every invariant and the codec are checked on it.
    fn agree(&mut self) -> Diary {
        let working = self.controller.image().clone();
        let records = self.controller.take_records();
        if records.is_empty() {
            return Vec::new();
        }
        if std::mem::take(&mut self.loses_next) {
            self.controller.reset(self.image.clone());
            return vec![format!("   {} records were not agreed on", records.len())];
        }
        let bytes = wire::encode_records(&records).unwrap();
        assert_eq!(wire::decode_records(&bytes).unwrap(), records);
        let (image, _) = self.image.apply_entry(self.next_entry, &records).unwrap();
        let names = &working;
        let diary = records.iter().map(|r| format!("-> {}", diary::record(names, r))).collect();
        self.controller.on_committed(self.next_entry);
        assert_eq!(self.controller.image(), &image, "the working image is what was agreed on");
        assert_eq!(invariants::violations(&image), []);
        self.image = image;
        self.next_entry += 1;
        diary
    }

    fn uuid(&mut self) -> Uuid {
        self.next_uuid += 1;
        // spread over both halves, as a random one would be
        Uuid::from_u128(self.next_uuid | (self.next_uuid << 64 << 3))
    }

    fn given(&mut self, arguments: &Arguments) -> Diary {
        let given = arguments.settings().into_iter();
        self.given.extend(given.map(|(key, value)| (key, value.unwrap())));
        match StaticSettings::parse(&self.given) {
            Ok(settings) => {
                self.controller = Controller::new(self.image.clone(), Arc::new(settings));
                Vec::new()
            }
            Err(errors) => {
                self.given.clear();
                errors.0.iter().map(|error| format!("<- {error}")).collect()
            }
        }
    }

    fn start(&mut self, arguments: &Arguments) -> Diary {
        let broker = arguments.broker(0);
        let directory = arguments.number("directory", i64::from(broker.0));
        let last = self.epochs.get(&broker).copied().unwrap_or(BrokerEpoch::ZERO);
        let last_use = match arguments.get("last").unwrap_or("crashed") {
            "never" => LastUse::Never,
            "ordered" => LastUse::StoppedInOrder(last),
            "older" => LastUse::Crashed(BrokerEpoch::new(last.value() - 1)),
            _ => LastUse::Crashed(last),
        };
        let incarnation = match arguments.get("incarnation") {
            Some(number) => Uuid::from_u128(number.parse::<u128>().unwrap()),
            None => self.uuid(),
        };
        let host = arguments.get("host").unwrap_or("127.0.0.1");
        let request = RegisterBroker {
            broker,
            incarnation: Incarnation(incarnation),
            cluster_id: arguments.has("stranger").then(|| ClusterId(Uuid::from_u128(1))),
            directory: DirectoryId(Uuid::from_u128(directory.unsigned_abs().into())),
            last_use,
            endpoints: vec![BrokerEndpoint {
                listener: Arc::from("PLAINTEXT"),
                address: HostAndPort::new(host, 9092),
                security: SecurityProtocol::Plaintext,
            }],
            cluster_address: None,
            rack: arguments.get("rack").map(Arc::from),
            starts_unfenced: arguments.has("unfenced"),
        };
        let is_alive = self.liveness.is_alive(self.now, broker);
        match self.controller.register_broker(&request, is_alive) {
            Ok(epoch) => {
                self.epochs.insert(broker, epoch);
                self.liveness.on_heartbeat(self.now, broker, epoch);
                vec![format!("<- epoch {epoch}")]
            }
            Err(refusal) => vec![format!("<- {}", diary::refusal(&refusal))],
        }
    }

    fn epoch(&self, arguments: &Arguments) -> BrokerEpoch {
        let known = self.epochs.get(&arguments.broker(0)).map_or(0, |epoch| epoch.value());
        BrokerEpoch::new(arguments.number("broker-epoch", known))
    }

    fn heartbeat(&mut self, arguments: &Arguments) -> Diary {
        let ids: Vec<_> = arguments.words.iter().filter_map(|word| word.parse().ok()).collect();
        let mut diary = Diary::new();
        for id in ids {
            let broker = BrokerId(id);
            let known = self.epochs.get(&broker).map_or(0, |epoch| epoch.value());
            let broker_epoch = BrokerEpoch::new(arguments.number("broker-epoch", known));
            let heartbeat = Heartbeat {
                broker,
                broker_epoch,
                has_caught_up: !arguments.has("behind"),
                wants_fence: arguments.has("fence"),
                wants_to_stop: arguments.has("stop"),
            };
            diary.push(match self.controller.on_heartbeat(&heartbeat) {
                Ok(answer) => {
                    self.liveness.on_heartbeat(self.now, broker, broker_epoch);
                    let fenced = if answer.is_fenced { "fenced" } else { "alive" };
                    let stop = if answer.may_stop { ", may stop" } else { "" };
                    format!("<- {broker} {fenced}, leads {}{stop}", answer.led_partitions)
                }
                Err(refusal) => format!("<- {broker} {}", diary::refusal(&refusal)),
            });
        }
        diary
    }

    fn fence_silent(&mut self) -> Diary {
        let mut diary = Diary::new();
        for (broker, epoch) in self.liveness.expired(self.now) {
            diary.push(format!("   broker {broker} is silent"));
            if let Err(refusal) = self.controller.fence_broker(broker, epoch) {
                diary.push(format!("<- {}", diary::refusal(&refusal)));
            }
        }
        diary
    }

    /// Looks at every deadline on the way, as a timer would; `frozen` looks only at the end.
    fn wait(&mut self, arguments: &Arguments) -> Diary {
        let end = self.now + arguments.duration(0);
        let mut diary = Diary::new();
        while let Some(deadline) = self.liveness.next_deadline().filter(|at| *at <= end) {
            if arguments.has("frozen") {
                break;
            }
            self.now = deadline;
            diary.extend(self.fence_silent());
        }
        self.now = end;
        diary.extend(self.fence_silent());
        diary
    }

    fn death(&mut self, arguments: &Arguments) -> Diary {
        self.liveness.on_death(self.now, arguments.broker(0), self.epoch(arguments));
        self.fence_silent()
    }

    fn new_controller(&mut self) -> Diary {
        self.controller.reset(self.image.clone());
        self.liveness = BrokerLiveness::new(self.now, SESSION_TIMEOUT, &self.image);
        Vec::new()
    }

    fn unregister(&mut self, arguments: &Arguments) -> Diary {
        let broker = arguments.broker(0);
        self.liveness.forget(broker);
        answer(self.controller.unregister_broker(broker))
    }

    fn create(&mut self, arguments: &Arguments) -> Diary {
        let topics: Vec<_> = arguments
            .word(0)
            .split('+')
            .map(|name| TopicToCreate {
                name: name.to_owned(),
                partitions: i32::try_from(arguments.number("partitions", -1)).unwrap(),
                replication_factor: i16::try_from(arguments.number("replicas", -1)).unwrap(),
                assignments: assignments(arguments.get("assign")),
                settings: arguments.settings(),
            })
            .collect();
        let ids: Vec<_> = topics.iter().map(|_| TopicId(self.uuid())).collect();
        let mut ids = ids.into_iter();
        let created = self
            .controller
            .create_topics(&topics, arguments.has("validate"), || ids.next().unwrap());
        let created = created.into_iter().map(|result| match result {
            Ok(topic) => format!(
                "<- {}: {} partitions, {} replicas",
                topic.name, topic.partitions, topic.replication_factor
            ),
            Err(refusal) => format!("<- {}", diary::refusal(&refusal)),
        });
        created.collect()
    }

    fn ask_for(&mut self, arguments: &Arguments) -> Diary {
        let name = arguments.word(0);
        let allowed = !arguments.has("forbidden");
        let decision = auto_creation(&self.image, self.controller.given(), name, allowed);
        let mut diary = vec![format!("   {decision:?}")];
        if decision == metadata::AutoCreation::Create {
            let id = TopicId(self.uuid());
            for result in self.controller.auto_create_topics(&[name], || id) {
                if let Err(refusal) = result {
                    diary.push(format!("<- {}", diary::refusal(&refusal)));
                }
            }
        }
        diary
    }

    fn delete(&mut self, arguments: &Arguments) -> Diary {
        let reference = |word: &String| match word.strip_prefix("id:") {
            Some("unknown") => TopicReference::Id(TopicId(Uuid::from_u128(9))),
            Some(name) => TopicReference::Id(self.image.topic(name).unwrap().id),
            None => TopicReference::Name(word.clone()),
        };
        let topics: Vec<_> = arguments.words.iter().map(reference).collect();
        let deleted = self.controller.delete_topics(&topics);
        let deleted = deleted.into_iter().map(|result| match result {
            Ok(topic) => format!("<- {} is gone", topic.name),
            Err(refusal) => format!("<- {}", diary::refusal(&refusal)),
        });
        deleted.collect()
    }

    fn add(&mut self, arguments: &Arguments) -> Diary {
        let assignments = arguments
            .get("assign")
            .map(|list| assignments(Some(list)).into_iter().map(|(_, brokers)| brokers).collect());
        let topic = PartitionsToAdd {
            topic: arguments.word(0).to_owned(),
            count: arguments.word(1).parse().unwrap(),
            assignments,
        };
        let validate = arguments.has("validate");
        self.controller.create_partitions(&[topic], validate).into_iter().flat_map(answer).collect()
    }

    fn change_settings(&mut self, verb: &str, arguments: &Arguments) -> Diary {
        let resource = match resource(arguments.word(0)) {
            Ok(resource) => resource,
            Err(refusal) => return vec![format!("<- {}", diary::refusal(&refusal))],
        };
        let edit = match verb {
            "set" => SettingEdit::Set,
            "append" => SettingEdit::Append,
            "subtract" => SettingEdit::Subtract,
            _ => SettingEdit::Delete,
        };
        let given = arguments.settings().into_iter();
        let without = arguments.words.iter().skip(1).filter(|word| word.contains('.'));
        let operations = given
            .chain(without.map(|name| (name.clone(), None)))
            .map(|(name, value)| SettingOperation { name, edit, value })
            .collect();
        let validate = arguments.has("validate");
        let changed = self.controller.change_settings(&[(resource, operations)], validate);
        changed.into_iter().flat_map(answer).collect()
    }

    fn replace_settings(&mut self, arguments: &Arguments) -> Diary {
        let resource = resource(arguments.word(0)).unwrap();
        let change = [(resource, arguments.settings())];
        self.controller.replace_settings(&change, false).into_iter().flat_map(answer).collect()
    }

    fn key(&self, arguments: &Arguments, place: usize) -> PartitionKey {
        let (topic, partition) = arguments.partition(place);
        let unknown = TopicId(Uuid::from_u128(5));
        PartitionKey::new(self.image.topic(&topic).map_or(unknown, |topic| topic.id), partition)
    }

    /// `isr BROKER PARTITION [ISR] epoch=LEADER.PARTITION`: epochs default to the present ones.
    fn change_isr(&mut self, arguments: &Arguments) -> Diary {
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

    fn report(&mut self, arguments: &Arguments) -> Diary {
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

    fn elect(&mut self, arguments: &Arguments) -> Diary {
        let kind = match arguments.word(1) {
            "unclean" => ElectionKind::Unclean,
            _ => ElectionKind::Preferred,
        };
        let key = self.key(arguments, 0);
        answer(self.controller.elect_leader(key, kind).map(drop))
    }

    fn reassign(&mut self, arguments: &Arguments) -> Diary {
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

    fn raise(&mut self) -> Diary {
        answer(self.controller.raise_internal_replication())
    }

    fn producer_ids(&mut self, arguments: &Arguments) -> Diary {
        let (broker, epoch) = (arguments.broker(0), self.epoch(arguments));
        match self.controller.allocate_producer_ids(broker, epoch) {
            Ok(ids) => vec![format!("<- {}..{}", ids.start, ids.end)],
            Err(refusal) => vec![format!("<- {}", diary::refusal(&refusal))],
        }
    }

    fn lose(&mut self) -> Diary {
        self.loses_next = true;
        Vec::new()
    }

    /// `describe topic:orders retention.ms`
    fn describe(&mut self, arguments: &Arguments) -> Diary {
        let given = self.controller.given();
        let described = match resource(arguments.word(0)).unwrap() {
            SettingResource::Topic(topic) => resolution::describe_topic(&self.image, given, &topic),
            SettingResource::Broker(_) => resolution::describe_broker(&self.image, given),
            SettingResource::ClusterDefault => resolution::describe_cluster_default(&self.image),
        };
        let wanted = described.iter().filter(|setting| arguments.has(setting.name));
        wanted
            .flat_map(|setting| {
                let value = setting.value.as_deref().unwrap_or("null");
                let head = format!("   {} = {value} ({:?})", setting.name, setting.source);
                let synonyms = setting.synonyms.iter().map(|synonym| {
                    format!("     {} {} ({:?})", synonym.name, synonym.value, synonym.source)
                });
                [head].into_iter().chain(synonyms).collect::<Vec<_>>()
            })
            .collect()
    }

    fn show(&mut self, arguments: &Arguments) -> Diary {
        let Some(topic) = self.image.topic(arguments.word(0)) else {
            return vec!["   there is no such topic".to_owned()];
        };
        let partitions = topic
            .indexed_partitions()
            .map(|(index, state)| format!("   {}-{index} {}", topic.name, diary::state(state)));
        let settings = TopicSettings::resolve(&self.image, self.controller.given(), &topic.name);
        let retention = settings.retention;
        partitions.chain([format!("   kept for {retention:?}")]).collect()
    }
}

fn answer(result: Result<(), Refusal>) -> Diary {
    match result {
        Ok(()) => Vec::new(),
        Err(refusal) => vec![format!("<- {}", diary::refusal(&refusal))],
    }
}

/// `topic:NAME`, `broker:ID` or `broker:`
fn resource(text: &str) -> Result<SettingResource, Refusal> {
    let (kind, name) = text.split_once(':').unwrap();
    match kind {
        "topic" => parse_setting_resource(2, name),
        "broker" => parse_setting_resource(4, name),
        _ => parse_setting_resource(16, name),
    }
}

/// `0:1,2;1:2,1`
fn assignments(list: Option<&str>) -> Vec<(PartitionIndex, Vec<BrokerId>)> {
    let items = list.into_iter().flat_map(|list| list.split(';'));
    items
        .map(|item| {
            let (partition, ids) = item.split_once(':').unwrap();
            let ids = ids.split(',').filter(|id| !id.is_empty());
            let ids = ids.map(|id| BrokerId(id.parse().unwrap())).collect();
            (PartitionIndex(partition.parse().unwrap()), ids)
        })
        .collect()
}
