//! Five clients, a clock, a disk that is slow and fails, and the group between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordination::offsets_topic::encode;
use coordination::{
    AppendTicket, ClassicGroup, ClassicGroupState, CommitPartition, CommitRequest, CommitTopic,
    DeleteOffsetsRequest, DeleteOffsetsTopic, DeletedTopic, Effect, Effects, GroupLoader,
    GroupRecord, GroupSettings, HeartbeatRequest, JoinRequest, LeaveRequest, LeavingMember,
    MemberProtocol, Now, SyncRequest, Ticket, Timestamp, candidate_member_id,
};
use protocol::{
    ErrorCode, Generation, GroupId, LeaderEpoch, MemberId, Offset, PartitionIndex, TopicId,
    TopicName,
};

use crate::Happening;
use crate::client::{Client, Phase};
use crate::promises::Promises;

pub const CLIENTS: usize = 5;
pub const PARTITIONS: i32 = 7;

/// Long enough for every timeout in here to have passed.
const CALM_SECONDS: usize = 150;

struct InFlight {
    ticket: AppendTicket,
    records: Vec<GroupRecord>,
    is_durable: Option<bool>,
}

pub struct World {
    group: ClassicGroup,
    clock: Duration,
    timer: Option<Duration>,
    effects: Effects,
    in_flight: VecDeque<InFlight>,
    clients: Vec<Client>,
    promises: Promises,
    /// Who sent the heartbeats that wait for their answer.
    heartbeats: BTreeMap<Ticket, usize>,
    /// Numbers tickets, member ids and offsets, so that each is unlike any other.
    counter: u32,
    history: Vec<Effect>,
}

impl World {
    pub fn new() -> Self {
        Self {
            group: ClassicGroup::new(group_id(), settings()),
            clock: Duration::ZERO,
            timer: None,
            effects: Effects::new(),
            in_flight: VecDeque::new(),
            clients: (0..CLIENTS).map(Client::new).collect(),
            promises: Promises::default(),
            heartbeats: BTreeMap::new(),
            counter: 0,
            history: Vec::new(),
        }
    }

    pub fn into_history(self) -> Vec<Effect> {
        self.history
    }

    pub fn happen(&mut self, happening: &Happening) {
        let now = self.now();
        match happening {
            Happening::Step(client) => self.step(*client),
            Happening::JoinAgain(client) => self.join(*client),
            Happening::Forget(client) => self.clients[*client].forget(),
            Happening::Leave(client) => self.leave(*client),
            Happening::Disconnect(client) => {
                let member_id = self.clients[*client].member_id.clone();
                let grace = Duration::from_secs(1);
                self.group.on_member_disconnected(now, &member_id, grace, &mut self.effects);
            }
            Happening::Commit(client, partition) => self.commit(Some(*client), *partition),
            Happening::SpeakOutOfTurn(client) => self.speak_out_of_turn(*client),
            Happening::SimpleCommit(partition) => self.commit(None, *partition),
            Happening::DeleteOffsets(partition) => self.delete_offsets(*partition),
            Happening::DeleteTopic => {
                let deleted = DeletedTopic { topic: topic(), topic_id: TopicId::ZERO };
                self.group.on_topics_deleted(&[deleted], &mut self.effects);
            }
            Happening::DeleteGroup => {
                let ticket = self.ticket();
                self.promises.ask(ticket);
                self.group.on_delete_group(now, ticket, &mut self.effects);
            }
            Happening::Expire => self.group.on_expire_offsets(now, &mut self.effects),
            Happening::Settle(place, is_durable) => self.settle(*place, *is_durable),
            Happening::Wait(millis) => self.wait(Duration::from_millis(*millis)),
            Happening::Restart => self.restart(),
        }
        self.perform();
    }

    /// No more faults: everybody does what is next, the disk works. At the end all members are in
    /// one generation and each partition has an owner.
    pub fn calm_down(&mut self) {
        for _ in 0..CALM_SECONDS {
            for client in 0..CLIENTS {
                self.step(client);
                self.perform();
            }
            while !self.in_flight.is_empty() {
                self.settle(0, true);
                self.perform();
            }
            self.wait(Duration::from_secs(1));
            self.perform();
        }
        assert_eq!(self.group.state(), ClassicGroupState::Stable, "the group has not settled");
        assert_eq!(self.group.member_count(), CLIENTS, "somebody is missing or too many");
        let mut owned: Vec<i32> = Vec::new();
        for client in &self.clients {
            assert_eq!(client.generation, self.group.generation());
            let Phase::Assigned(partitions) = &client.phase else {
                panic!("{} has no assignment: {:?}", client.name, client.phase);
            };
            owned.extend(partitions.iter().map(|partition| i32::from(*partition)));
        }
        owned.sort_unstable();
        assert_eq!(owned, (0..PARTITIONS).collect::<Vec<_>>(), "a partition is not owned");
    }

    /// The coordinator moves away: whoever still waits is told.
    pub fn close(&mut self) {
        let now = self.now();
        self.group.on_resigned(now, &mut self.effects);
        self.perform();
        self.promises.assert_all_answered();
    }

    fn now(&self) -> Now {
        let millis = i64::try_from(self.clock.as_millis()).unwrap();
        Now { monotonic: self.clock, wall_clock: Timestamp::from_millis(millis) }
    }

    fn ticket(&mut self) -> Ticket {
        self.counter += 1;
        Ticket(self.counter.into())
    }

    fn step(&mut self, client: usize) {
        match self.clients[client].phase.clone() {
            Phase::Outside => self.join(client),
            Phase::Joined(assignments) => self.sync(client, assignments),
            Phase::Assigned(_) => self.heartbeat(client, self.clients[client].generation),
            // an answer that the broker took along to its grave will not come
            Phase::Waiting(ticket) if !self.promises.is_waiting(ticket) => {
                self.clients[client].phase = Phase::Outside;
            }
            Phase::Waiting(_) => {}
        }
    }

    fn join(&mut self, client: usize) {
        let (now, ticket) = (self.now(), self.ticket());
        let unique = self.counter;
        let client = &mut self.clients[client];
        client.phase = Phase::Waiting(ticket);
        let request = JoinRequest {
            ticket,
            version: client.version,
            member_id: client.member_id.clone(),
            candidate_member_id: candidate_member_id(&client.name, None, unique),
            group_instance_id: client.instance_id.clone(),
            client_id: Arc::from(&*client.name),
            client_host: Arc::from("/127.0.0.1"),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 20_000,
            protocol_type: Arc::from("consumer"),
            protocols: protocols(unique),
        };
        self.promises.ask(ticket);
        self.group.on_join(now, request, &mut self.effects);
    }

    fn sync(&mut self, client: usize, assignments: Vec<(MemberId, Bytes)>) {
        let (now, ticket) = (self.now(), self.ticket());
        let client = &mut self.clients[client];
        client.phase = Phase::Waiting(ticket);
        let request = SyncRequest {
            ticket,
            version: 5,
            generation: client.generation,
            member_id: client.member_id.clone(),
            group_instance_id: client.instance_id.clone(),
            protocol_type: Some(Arc::from("consumer")),
            protocol_name: client.protocol_name.clone(),
            assignments,
        };
        self.promises.ask(ticket);
        self.group.on_sync(now, request, &mut self.effects);
    }

    fn heartbeat(&mut self, client: usize, generation: Generation) {
        let (now, ticket) = (self.now(), self.ticket());
        if generation == self.clients[client].generation {
            self.heartbeats.insert(ticket, client);
        }
        let client = &self.clients[client];
        let request = HeartbeatRequest {
            ticket,
            generation,
            member_id: client.member_id.clone(),
            group_instance_id: client.instance_id.clone(),
        };
        self.promises.ask(ticket);
        self.group.on_heartbeat(now, &request, &mut self.effects);
    }

    fn speak_out_of_turn(&mut self, client: usize) {
        let wrong = Generation::new(self.clients[client].generation.value() + 1);
        self.heartbeat(client, wrong);
        let right = std::mem::replace(&mut self.clients[client].generation, wrong);
        self.commit(Some(client), 0);
        self.clients[client].generation = right;
    }

    fn leave(&mut self, client: usize) {
        let (now, ticket) = (self.now(), self.ticket());
        let client = &mut self.clients[client];
        let member = LeavingMember {
            member_id: client.member_id.clone(),
            group_instance_id: client.instance_id.clone(),
        };
        client.forget();
        self.promises.ask(ticket);
        let request = LeaveRequest { ticket, members: vec![member] };
        self.group.on_leave(now, request, &mut self.effects);
    }

    fn commit(&mut self, client: Option<usize>, partition: i32) {
        let (now, ticket) = (self.now(), self.ticket());
        let offset = i64::from(self.counter);
        let client = client.map(|client| &self.clients[client]);
        let commit = CommitPartition {
            partition: PartitionIndex(partition),
            offset: Offset::new(offset),
            leader_epoch: LeaderEpoch::UNKNOWN,
            metadata: None,
        };
        let topics =
            vec![CommitTopic { topic: topic(), topic_id: TopicId::ZERO, partitions: vec![commit] }];
        let nobody = || MemberId::new("");
        let request = CommitRequest {
            ticket,
            version: 10,
            generation: client.map_or(Generation::UNKNOWN, |client| client.generation),
            member_id: client.map_or_else(nobody, |client| client.member_id.clone()),
            group_instance_id: client.and_then(|client| client.instance_id.clone()),
            retention_time_ms: -1,
            topics,
        };
        self.promises.ask_commit(ticket, partition, offset);
        let may_commit = self.may_commit(&request);
        let in_flight = self.effects.as_slice().len();
        self.group.on_commit_offsets(now, request, &mut self.effects);
        let new = &self.effects.as_slice()[in_flight..];
        let is_accepted = new.iter().any(|effect| matches!(effect, Effect::AppendRecords { .. }));
        assert!(!is_accepted || may_commit, "a commit from outside the generation was accepted");
    }

    /// Members of this generation may commit, and anybody outside while there are no members.
    fn may_commit(&self, request: &CommitRequest) -> bool {
        let is_member = self
            .group
            .describe()
            .members
            .iter()
            .any(|member| member.member_id == request.member_id);
        (is_member && request.generation == self.group.generation())
            || (!request.generation.is_known() && self.group.member_count() == 0)
    }

    fn delete_offsets(&mut self, partition: i32) {
        let ticket = self.ticket();
        let partitions = vec![PartitionIndex(partition)];
        let topics = vec![DeleteOffsetsTopic { topic: topic(), partitions }];
        self.promises.ask(ticket);
        let request = DeleteOffsetsRequest { ticket, topics };
        self.group.on_delete_offsets(request, &mut self.effects);
    }

    /// Outcomes come in any order; the log keeps the order of the appends.
    fn settle(&mut self, place: usize, is_durable: bool) {
        let count = self.in_flight.len();
        let Some(append) = self.in_flight.get_mut(place % count.max(1)) else { return };
        if append.is_durable.is_some() {
            return;
        }
        append.is_durable = Some(is_durable);
        let ticket = append.ticket;
        while let Some(settled) = self.in_flight.front().and_then(|append| append.is_durable) {
            let append = self.in_flight.pop_front().unwrap();
            for record in append.records.iter().filter(|_| settled) {
                self.promises.on_durable(&group_id(), record);
            }
        }
        let now = self.now();
        if is_durable {
            self.group.on_records_durable(now, ticket, &mut self.effects);
        } else {
            let error = ErrorCode::NotEnoughReplicas;
            self.group.on_records_failed(now, ticket, error, &mut self.effects);
        }
    }

    fn wait(&mut self, time: Duration) {
        let until = self.clock + time;
        while let Some(at) = self.timer.filter(|at| *at <= until) {
            self.clock = self.clock.max(at);
            self.timer = None;
            self.group.on_time(self.now(), &mut self.effects);
            self.perform();
        }
        self.clock = until;
    }

    fn restart(&mut self) {
        let mut loader = GroupLoader::new(settings());
        for record in &self.promises.log {
            let record = encode(&group_id(), record).unwrap();
            loader.replay(Some(record.key), record.value).unwrap();
        }
        let group = loader.finish().remove(&group_id());
        self.group = group.unwrap_or_else(|| ClassicGroup::new(group_id(), settings()));
        self.in_flight.clear();
        self.timer = None;
        self.promises.on_restart();
        self.group.on_loaded(self.now(), &mut self.effects);
    }

    fn perform(&mut self) {
        let effects: Vec<Effect> = self.effects.drain().collect();
        let mut is_removed = false;
        for effect in effects {
            self.history.push(effect.clone());
            match effect {
                Effect::AnswerJoin { ticket, answer } => {
                    self.promises.answer(ticket);
                    if let Some(client) = self.waiting_client(ticket) {
                        client.on_joined(&answer);
                    }
                }
                Effect::AnswerSync { ticket, answer } => self.on_synced(ticket, &answer),
                Effect::AnswerHeartbeat { ticket, error } => self.on_heartbeat(ticket, error),
                Effect::AnswerCommit { ticket, topics } => {
                    self.promises.answer(ticket);
                    self.promises.on_committed(ticket, &topics);
                }
                Effect::AnswerLeave { ticket, .. }
                | Effect::AnswerDeleteOffsets { ticket, .. }
                | Effect::AnswerDeleteGroup { ticket, .. } => self.promises.answer(ticket),
                Effect::AppendRecords { ticket, records } => {
                    assert!(!records.is_empty());
                    self.in_flight.push_back(InFlight { ticket, records, is_durable: None });
                }
                Effect::ArmTimer { at } => self.timer = Some(at),
                Effect::StateChanged { .. } => {}
                Effect::GroupRemoved => is_removed = true,
            }
        }
        if is_removed {
            assert!(self.group.is_vacant());
            self.promises.on_removed();
            self.group = ClassicGroup::new(group_id(), settings());
            self.timer = None;
        }
        self.promises.assert_offsets(&self.group);
    }

    fn waiting_client(&mut self, ticket: Ticket) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.waits_for(ticket))
    }

    fn on_synced(&mut self, ticket: Ticket, answer: &coordination::SyncAnswer) {
        self.promises.answer(ticket);
        let Some(client) = self.clients.iter_mut().find(|client| client.waits_for(ticket)) else {
            return;
        };
        if answer.error == ErrorCode::None {
            let (generation, place) = (client.generation, client.place());
            let assignment = &answer.assignment;
            self.promises.on_assigned(generation, &client.member_id, &place, assignment);
        }
        client.on_synced(answer);
    }

    fn on_heartbeat(&mut self, ticket: Ticket, error: ErrorCode) {
        self.promises.answer(ticket);
        if let Some(client) = self.heartbeats.remove(&ticket)
            && error != ErrorCode::None
        {
            self.clients[client].on_refused(error);
        }
    }
}

fn settings() -> Arc<GroupSettings> {
    Arc::new(GroupSettings::default())
}

fn group_id() -> GroupId {
    GroupId::new("orders-readers")
}

/// Everybody knows `range`, but not everybody likes it best or knows anything else.
fn protocols(number: u32) -> Vec<MemberProtocol> {
    let names: &[&str] = match number % 4 {
        0 => &["range"],
        1 => &["range", "sticky"],
        _ => &["sticky", "range"],
    };
    let metadata = Bytes::from_static(b"not a subscription");
    let protocol =
        |name: &&str| MemberProtocol { name: Arc::from(*name), metadata: metadata.clone() };
    names.iter().map(protocol).collect()
}

fn topic() -> TopicName {
    TopicName::new("orders").unwrap()
}
