//! A cluster as its controller sees it: commands in, diary out. Every command's records become one
//! entry, which is agreed on at once unless the script says `lose` before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metadata::image::invariants;
use metadata::{
    BrokerEndpoint, BrokerLiveness, ClusterId, ClusterImage, Controller, DirectoryId, Heartbeat,
    HostAndPort, Incarnation, LastUse, MetadataRecord, Refusal, RegisterBroker, SecurityProtocol,
    StaticSettings, TopicSettings, wire,
};
use protocol::{BrokerEpoch, BrokerId};
use uuid::Uuid;

use crate::arguments::Arguments;
use crate::diary;

const SESSION_TIMEOUT: Duration = Duration::from_millis(600);

pub struct World {
    /// What has been agreed on.
    pub image: ClusterImage,
    pub controller: Controller,
    liveness: BrokerLiveness,
    now: Instant,
    given: BTreeMap<String, String>,
    /// The registrations that brokers believe in.
    pub epochs: BTreeMap<BrokerId, BrokerEpoch>,
    next_uuid: u128,
    next_entry: u64,
    loses_next: bool,
    /// How many records of the next decision are agreed on before another controller comes.
    cuts_next: Option<usize>,
}

impl Default for World {
    #[allow(clippy::disallowed_methods, reason = "a moment to count from; no time passes")]
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
            cuts_next: None,
        };
        world.controller.found_cluster(ClusterId(Uuid::from_u128(77))).unwrap();
        world.agree();
        world
    }
}

pub type Diary = Vec<String>;

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
            "large-brokers" => self.renew_controller(),
            "cut" => self.cut(&arguments),
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
        match self.cuts_next.take() {
            Some(after) => self.agree_in_part(&working, records, after),
            None => self.agree_on(&working, records),
        }
    }

    /// The controller's term ends within a decision, and the next one goes on with it.
    fn agree_in_part(
        &mut self,
        names: &ClusterImage,
        records: Vec<MetadataRecord>,
        after: usize,
    ) -> Diary {
        let mut diary = Diary::new();
        for entry in metadata::cut_into_entries(records, 1).into_iter().take(after) {
            diary.extend(entry.iter().map(|record| format!("-> {}", diary::record(names, record))));
            self.image = self.image.apply_entry(self.next_entry, &entry).unwrap().0;
            self.next_entry += 1;
        }
        diary.push("   another controller".to_owned());
        self.renew_controller();
        self.controller.finish_begun().unwrap();
        diary.extend(self.agree());
        diary
    }

    /// A controller for which every broker is one with many replicas.
    fn renew_controller(&mut self) -> Diary {
        let given = Arc::new(self.controller.given().clone());
        let controller = Controller::new(self.image.clone(), given);
        self.controller = controller.with_replicas_in_one_entry(0);
        Diary::new()
    }

    fn cut(&mut self, arguments: &Arguments) -> Diary {
        self.cuts_next = Some(arguments.word(0).parse().unwrap());
        Diary::new()
    }

    fn agree_on(&mut self, names: &ClusterImage, records: Vec<MetadataRecord>) -> Diary {
        let bytes = wire::encode_records(&records).unwrap();
        assert_eq!(wire::decode_records(&bytes).unwrap(), records);
        let (image, _) = self.image.apply_entry(self.next_entry, &records).unwrap();
        let diary = records.iter().map(|r| format!("-> {}", diary::record(names, r))).collect();
        self.controller.on_committed(self.next_entry);
        assert_eq!(self.controller.image(), &image, "the working image is what was agreed on");
        assert_eq!(invariants::violations(&image), []);
        self.image = image;
        self.next_entry += 1;
        diary
    }

    pub fn uuid(&mut self) -> Uuid {
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

    pub fn epoch(&self, arguments: &Arguments) -> BrokerEpoch {
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
                disk_hangs: arguments.has("hung"),
            };
            diary.push(match self.controller.on_heartbeat(&heartbeat) {
                Ok(answer) => {
                    self.liveness.on_heartbeat(self.now, broker, broker_epoch);
                    let fenced = if answer.is_fenced { "fenced" } else { "alive" };
                    let stop = if answer.may_stop { ", may stop" } else { "" };
                    let leads = match heartbeat.wants_to_stop {
                        true => format!(", leads {}", answer.led_partitions),
                        false => String::new(),
                    };
                    format!("<- {broker} {fenced}{leads}{stop}")
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

pub fn answer(result: Result<(), Refusal>) -> Diary {
    match result {
        Ok(()) => Vec::new(),
        Err(refusal) => vec![format!("<- {}", diary::refusal(&refusal))],
    }
}
