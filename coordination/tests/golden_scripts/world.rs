//! What surrounds the group in a script: a clock, a timer, the disk, and clients that say what the
//! script says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordination::offsets_topic::{EncodedRecord, encode};
use coordination::{
    AppendTicket, ClassicGroup, CommitPartition, CommitRequest, CommitTopic, DeleteOffsetsRequest,
    DeleteOffsetsTopic, DeletedTopic, Effect, Effects, FetchSelection, FetchTopic, GroupInstanceId,
    GroupLoader, GroupRecord, GroupSettings, HeartbeatRequest, JoinRequest, LeaveRequest,
    LeavingMember, MemberProtocol, Now, SyncRequest, Timestamp, candidate_member_id,
};
use protocol::generated::consumer_protocol_subscription::ConsumerProtocolSubscription;
use protocol::message::Message;
use protocol::primitives::WireString;
use protocol::{
    ErrorCode, Generation, GroupId, LeaderEpoch, MemberId, Offset, PartitionIndex, TopicId,
    TopicName,
};

use crate::arguments::{Arguments, duration};
use crate::diary;

/// Midnight of the scripts' world, in milliseconds.
const EPOCH_MS: i64 = 1_000_000;

pub struct World {
    group_id: GroupId,
    settings: GroupSettings,
    group: ClassicGroup,
    clock: Duration,
    timer: Option<Duration>,
    effects: Effects,
    in_flight: VecDeque<(AppendTicket, Vec<GroupRecord>)>,
    log: Vec<EncodedRecord>,
    ids_given: BTreeMap<String, u32>,
}

impl Default for World {
    fn default() -> Self {
        let settings = GroupSettings::default();
        let group_id = GroupId::new("billing");
        Self {
            group: ClassicGroup::new(group_id.clone(), Arc::new(settings.clone())),
            group_id,
            settings,
            clock: Duration::ZERO,
            timer: None,
            effects: Effects::new(),
            in_flight: VecDeque::new(),
            log: Vec::new(),
            ids_given: BTreeMap::new(),
        }
    }
}

impl World {
    /// Does what a line says, and tells what came of it.
    pub fn run(&mut self, command: &str) -> Vec<String> {
        let arguments = Arguments::parse(command);
        let now = self.now();
        let effects = &mut self.effects;
        match arguments.verb {
            "settings" => return self.change_settings(&arguments),
            "at" => return self.advance(duration(arguments.word(0))),
            "join" => {
                let request = self.join_request(&arguments);
                self.group.on_join(now, request, &mut self.effects);
            }
            "sync" => self.group.on_sync(now, sync_request(&arguments), effects),
            "heartbeat" => self.group.on_heartbeat(now, &heartbeat_request(&arguments), effects),
            "leave" => self.group.on_leave(now, leave_request(&arguments), effects),
            "commit" => self.group.on_commit_offsets(now, commit_request(&arguments), effects),
            "delete-offsets" => {
                self.group.on_delete_offsets(delete_request(&arguments), effects);
            }
            "delete-group" => self.group.on_delete_group(now, arguments.ticket(), effects),
            "delete-topic" => {
                let topic = TopicName::new(arguments.word(0)).unwrap();
                let deleted = DeletedTopic { topic, topic_id: TopicId::ZERO };
                self.group.on_topics_deleted(&[deleted], effects);
            }
            "expire" => self.group.on_expire_offsets(now, effects),
            "disconnect" => {
                let member_id = MemberId::new(arguments.word(0));
                let grace = duration(arguments.word(1));
                self.group.on_member_disconnected(now, &member_id, grace, effects);
            }
            "durable" => self.settle(&arguments, None),
            "failed" => self.settle(&arguments, Some(failure(&arguments))),
            "restart" => self.restart(),
            "resign" => self.group.on_resigned(now, effects),
            "describe" => return diary::description(&self.group.describe()),
            "fetch" => return self.fetch(&arguments),
            verb => panic!("{verb} is no command"),
        }
        self.tell()
    }

    fn now(&self) -> Now {
        let millis = i64::try_from(self.clock.as_millis()).unwrap();
        Now { monotonic: self.clock, wall_clock: Timestamp::from_millis(EPOCH_MS + millis) }
    }

    /// Performs what was asked for, and writes it down with the state it left.
    fn tell(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for effect in self.effects.drain() {
            lines.push(diary::effect(&effect));
            match effect {
                Effect::AppendRecords { ticket, records } => {
                    self.in_flight.push_back((ticket, records));
                }
                Effect::ArmTimer { at } => self.timer = Some(at),
                _ => {}
            }
        }
        lines.push(diary::state(&self.group));
        lines
    }

    /// Lets time pass, with every ring of the timer on the way.
    fn advance(&mut self, to: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(at) = self.timer.filter(|at| *at <= to) {
            self.clock = self.clock.max(at);
            self.timer = None;
            self.group.on_time(self.now(), &mut self.effects);
            // a ring with nothing due is no news
            let is_news =
                self.effects.as_slice().iter().any(|e| !matches!(e, Effect::ArmTimer { .. }));
            let told = self.tell();
            if is_news {
                lines.push(format!("at {}", diary::time(self.clock)));
                lines.extend(told);
            }
        }
        self.clock = to;
        if lines.is_empty() {
            lines.push("nothing happens".to_owned());
        }
        lines
    }

    /// The oldest append in flight, or the one named, has this outcome.
    fn settle(&mut self, arguments: &Arguments<'_>, failure: Option<ErrorCode>) {
        let named = arguments.words.iter().find_map(|word| word.strip_prefix('#'));
        let place = named.map_or(0, |number| {
            let ticket = AppendTicket(number.parse().unwrap());
            self.in_flight.iter().position(|(in_flight, _)| *in_flight == ticket).unwrap()
        });
        let (ticket, records) = self.in_flight.remove(place).expect("nothing is in flight");
        let now = self.now();
        match failure {
            Some(error) => self.group.on_records_failed(now, ticket, error, &mut self.effects),
            None => {
                let encoded = records.iter().map(|record| encode(&self.group_id, record).unwrap());
                self.log.extend(encoded);
                self.group.on_records_durable(now, ticket, &mut self.effects);
            }
        }
    }

    /// The broker dies and comes back with what is durable.
    fn restart(&mut self) {
        let settings = Arc::new(self.settings.clone());
        let mut loader = GroupLoader::new(Arc::clone(&settings));
        for record in &self.log {
            loader.replay(Some(record.key.clone()), record.value.clone()).unwrap();
        }
        let group = loader.finish().remove(&self.group_id);
        self.group = group.unwrap_or_else(|| ClassicGroup::new(self.group_id.clone(), settings));
        self.in_flight.clear();
        self.timer = None;
        self.group.on_loaded(self.now(), &mut self.effects);
    }

    fn change_settings(&mut self, arguments: &Arguments<'_>) -> Vec<String> {
        if let Some(name) = arguments.get("group") {
            self.group_id = GroupId::new(name);
        }
        if let Some(delay) = arguments.get("delay") {
            self.settings.initial_rebalance_delay = duration(delay);
        }
        if let Some(retention) = arguments.get("retention") {
            self.settings.offsets_retention = duration(retention);
        }
        self.settings.group_size_max = arguments.number("size", self.settings.group_size_max);
        let appends = arguments.number("appends", self.settings.appends_in_flight_max);
        self.settings.appends_in_flight_max = appends;
        let bytes = arguments.number("member-bytes", self.settings.member_metadata_bytes_max);
        self.settings.member_metadata_bytes_max = bytes;
        if self.log.is_empty() {
            self.group = ClassicGroup::new(self.group_id.clone(), Arc::new(self.settings.clone()));
        }
        Vec::new()
    }

    fn join_request(&mut self, arguments: &Arguments<'_>) -> JoinRequest {
        let client_id = arguments.word(1);
        let instance_id = arguments.get("instance").map(GroupInstanceId::new);
        let protocol_type = arguments.get("type").unwrap_or("consumer");
        let number = self.ids_given.entry(client_id.to_owned()).or_default();
        let member_id = arguments.get("member").unwrap_or("");
        if member_id.is_empty() {
            *number += 1;
        }
        JoinRequest {
            ticket: arguments.ticket(),
            version: arguments.number("v", 9),
            member_id: MemberId::new(member_id),
            candidate_member_id: candidate_member_id(client_id, None, *number),
            group_instance_id: instance_id,
            client_id: Arc::from(client_id),
            client_host: Arc::from("/127.0.0.1"),
            session_timeout_ms: milliseconds(arguments.get("session").unwrap_or("10s")),
            rebalance_timeout_ms: milliseconds(arguments.get("rebalance").unwrap_or("60s")),
            protocol_type: Arc::from(protocol_type),
            protocols: protocols(arguments.get("protocols").unwrap_or("range:orders")),
        }
    }

    fn fetch(&self, arguments: &Arguments<'_>) -> Vec<String> {
        let selection = match arguments.words.as_slice() {
            [] => FetchSelection::All,
            words => FetchSelection::Topics(
                partitions(words)
                    .into_iter()
                    .map(|(topic, partition, _)| FetchTopic {
                        topic,
                        topic_id: TopicId::ZERO,
                        partitions: vec![partition],
                    })
                    .collect(),
            ),
        };
        match self.group.fetch_offsets(&selection, |_| None) {
            Ok(topics) => diary::fetched(&topics),
            Err(error) => vec![error.to_string()],
        }
    }
}

/// A dash is what version 0 has no field for.
fn milliseconds(text: &str) -> i32 {
    if text == "-" {
        return -1;
    }
    i32::try_from(duration(text).as_millis()).unwrap()
}

fn generation(arguments: &Arguments<'_>) -> Generation {
    Generation::new(arguments.number("g", -1))
}

fn member(arguments: &Arguments<'_>) -> MemberId {
    MemberId::new(arguments.get("member").unwrap_or(""))
}

fn failure(arguments: &Arguments<'_>) -> ErrorCode {
    let name = arguments.words.iter().find(|word| !word.starts_with('#')).unwrap();
    *ErrorCode::ALL.iter().find(|code| code.name() == *name).unwrap()
}

/// `range:orders+payments,sticky:orders`.
fn protocols(text: &str) -> Vec<MemberProtocol> {
    text.split(',')
        .filter_map(|protocol| protocol.split_once(':'))
        .map(|(name, topics)| MemberProtocol {
            name: Arc::from(name),
            metadata: subscription(topics),
        })
        .collect()
}

fn subscription(topics: &str) -> Bytes {
    let topics = topics.split('+').map(WireString::from).collect();
    let subscription = ConsumerProtocolSubscription { topics, ..Default::default() };
    let mut bytes = vec![0, 0];
    bytes.extend_from_slice(&subscription.to_encoded(0).unwrap().into_bytes());
    Bytes::from(bytes)
}

/// `assign=a-1:0+1,b-1:2`.
fn sync_request(arguments: &Arguments<'_>) -> SyncRequest {
    let assignments = arguments.get("assign").unwrap_or("").split(',');
    let assignments = assignments.filter_map(|assignment| assignment.split_once(':'));
    let optional = |name, default| match arguments.get(name).unwrap_or(default) {
        "-" => None,
        text => Some(Arc::from(text)),
    };
    SyncRequest {
        ticket: arguments.ticket(),
        version: arguments.number("v", 5),
        generation: generation(arguments),
        member_id: member(arguments),
        group_instance_id: arguments.get("instance").map(GroupInstanceId::new),
        protocol_type: optional("type", "consumer"),
        protocol_name: optional("name", "range"),
        assignments: assignments
            .map(|(id, partitions)| {
                (MemberId::new(id), Bytes::copy_from_slice(partitions.as_bytes()))
            })
            .collect(),
    }
}

fn heartbeat_request(arguments: &Arguments<'_>) -> HeartbeatRequest {
    HeartbeatRequest {
        ticket: arguments.ticket(),
        generation: generation(arguments),
        member_id: member(arguments),
        group_instance_id: arguments.get("instance").map(GroupInstanceId::new),
    }
}

/// `a-1`, `a-1@instance` or `@instance`.
fn leave_request(arguments: &Arguments<'_>) -> LeaveRequest {
    let members = arguments.words.iter().skip(1).map(|word| match word.split_once('@') {
        Some((member_id, instance_id)) => LeavingMember {
            member_id: MemberId::new(member_id),
            group_instance_id: Some(GroupInstanceId::new(instance_id)),
        },
        None => LeavingMember { member_id: MemberId::new(word), group_instance_id: None },
    });
    LeaveRequest { ticket: arguments.ticket(), members: members.collect() }
}

/// `orders/0=5:note`, or without offset `orders/0`.
fn partitions<'a>(words: &[&'a str]) -> Vec<(TopicName, PartitionIndex, &'a str)> {
    words
        .iter()
        .map(|word| {
            let (partition, rest) = word.split_once('=').unwrap_or((word, ""));
            let (topic, index) = partition.split_once('/').unwrap();
            (TopicName::new(topic).unwrap(), PartitionIndex(index.parse().unwrap()), rest)
        })
        .collect()
}

fn commit_request(arguments: &Arguments<'_>) -> CommitRequest {
    let topics = partitions(&arguments.words[1..]).into_iter().map(|(topic, partition, rest)| {
        let (offset, note) = rest.split_once(':').unwrap_or((rest, ""));
        let note = if note == "LONG" { "x".repeat(4097) } else { note.to_owned() };
        let commit = CommitPartition {
            partition,
            offset: Offset::new(offset.parse().unwrap()),
            leader_epoch: LeaderEpoch::UNKNOWN,
            metadata: Some(Arc::from(note)),
        };
        CommitTopic { topic, topic_id: TopicId::ZERO, partitions: vec![commit] }
    });
    CommitRequest {
        ticket: arguments.ticket(),
        version: arguments.number("v", 10),
        generation: generation(arguments),
        member_id: member(arguments),
        group_instance_id: arguments.get("instance").map(GroupInstanceId::new),
        retention_time_ms: arguments.get("retention").map_or(-1, |text| milliseconds(text).into()),
        topics: topics.collect(),
    }
}

fn delete_request(arguments: &Arguments<'_>) -> DeleteOffsetsRequest {
    let topics = partitions(&arguments.words[1..]).into_iter();
    let topics = topics
        .map(|(topic, partition, _)| DeleteOffsetsTopic { topic, partitions: vec![partition] });
    DeleteOffsetsRequest { ticket: arguments.ticket(), topics: topics.collect() }
}
