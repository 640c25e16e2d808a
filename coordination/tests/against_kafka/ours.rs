//! Our group, told the same and telling it in the same words.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use coordination::{
    AppendTicket, ClassicGroup, CommitPartition, CommitRequest, CommitTopic, Effect, Effects,
    GroupInstanceId, GroupRecord, GroupSettings, HeartbeatRequest, JoinAnswer, JoinRequest,
    LeaveRequest, LeavingMember, MemberProtocol, Now, SyncRequest, Ticket, Timestamp,
};
use protocol::{
    ErrorCode, Generation, GroupId, LeaderEpoch, MemberId, Offset, PartitionIndex, TopicId,
    TopicName,
};

use crate::command::Command;
use crate::outcome::{Outcome, bytes, hexadecimal, shown};

pub struct Ours {
    group: ClassicGroup,
    clock: Duration,
    timer: Option<Duration>,
    effects: Effects,
    in_flight: VecDeque<AppendTicket>,
}

impl Ours {
    pub fn new(initial_delay_ms: u64) -> Self {
        let settings = GroupSettings {
            initial_rebalance_delay: Duration::from_millis(initial_delay_ms),
            ..GroupSettings::default()
        };
        Self {
            group: ClassicGroup::new(GroupId::new("group"), Arc::new(settings)),
            clock: Duration::ZERO,
            timer: None,
            effects: Effects::new(),
            in_flight: VecDeque::new(),
        }
    }

    /// Does the same; a member id is the one that Kafka gave out.
    pub fn run(&mut self, command: &Command, new_id: Option<&str>) -> Outcome {
        let now = self.now();
        let mut outcome = Outcome { new_id: new_id.map(str::to_owned), ..Outcome::default() };
        let effects = &mut self.effects;
        match command {
            Command::Join { .. } => self.group.on_join(now, join_request(command, new_id), effects),
            Command::Sync { .. } => self.group.on_sync(now, sync_request(command), effects),
            Command::Heartbeat { ticket, member_id, instance_id, generation } => {
                let request = HeartbeatRequest {
                    ticket: Ticket(*ticket),
                    generation: Generation::new(*generation),
                    member_id: MemberId::new(member_id),
                    group_instance_id: instance(instance_id),
                };
                self.group.on_heartbeat(now, &request, effects);
            }
            Command::Leave { ticket, member_id, instance_id } => {
                let (member_id, group_instance_id) =
                    (MemberId::new(member_id), instance(instance_id));
                let members = vec![LeavingMember { member_id, group_instance_id }];
                let request = LeaveRequest { ticket: Ticket(*ticket), members };
                self.group.on_leave(now, request, effects);
            }
            Command::Commit { .. } => self.commit(command, &mut outcome),
            Command::Wait { millis } => self.wait(*millis, &mut outcome),
            Command::Durable => {
                let ticket = self.in_flight.pop_front().unwrap();
                self.group.on_records_durable(now, ticket, &mut self.effects);
            }
            Command::Failed => {
                let ticket = self.in_flight.pop_front().unwrap();
                let error = ErrorCode::NotEnoughReplicas;
                self.group.on_records_failed(now, ticket, error, &mut self.effects);
            }
        }
        self.perform(&mut outcome);
        self.wait(0, &mut outcome);
        self.tell_state(&mut outcome);
        outcome
    }

    fn now(&self) -> Now {
        let millis = i64::try_from(self.clock.as_millis()).unwrap();
        Now { monotonic: self.clock, wall_clock: Timestamp::from_millis(millis) }
    }

    fn wait(&mut self, millis: u64, outcome: &mut Outcome) {
        let until = self.clock + Duration::from_millis(millis);
        while let Some(at) = self.timer.filter(|at| *at <= until) {
            self.clock = self.clock.max(at);
            self.timer = None;
            self.group.on_time(self.now(), &mut self.effects);
            self.perform(outcome);
        }
        self.clock = until;
    }

    /// An accepted commit is made durable at once, and its record not compared.
    fn commit(&mut self, command: &Command, outcome: &mut Outcome) {
        let Command::Commit { ticket, version, member_id, instance_id, generation } = command
        else {
            panic!("{command:?}")
        };
        let partitions = vec![CommitPartition {
            partition: PartitionIndex(0),
            offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::UNKNOWN,
            metadata: None,
        }];
        let topic = TopicName::new("orders").unwrap();
        let request = CommitRequest {
            ticket: Ticket(*ticket),
            version: *version,
            generation: Generation::new(*generation),
            member_id: MemberId::new(member_id),
            group_instance_id: instance(instance_id),
            retention_time_ms: -1,
            topics: vec![CommitTopic { topic, topic_id: TopicId::ZERO, partitions }],
        };
        let now = self.now();
        let accepted = self.effects.as_slice().len();
        self.group.on_commit_offsets(now, request, &mut self.effects);
        let append = self.effects.as_slice()[accepted..].iter().find_map(|effect| match effect {
            Effect::AppendRecords { records, .. }
                if matches!(records[0], GroupRecord::OffsetCommitted { .. }) =>
            {
                Some(())
            }
            _ => None,
        });
        // outcomes count in the order of the appends, so the answer would wait for earlier ones
        if append.is_some() {
            outcome.answers.insert(*ticket, "commit NONE".to_owned());
        }
    }

    fn perform(&mut self, outcome: &mut Outcome) {
        let effects: Vec<Effect> = self.effects.drain().collect();
        for effect in effects {
            let (ticket, answer) = match effect {
                Effect::AnswerJoin { ticket, answer } => (ticket, join_answer(&answer)),
                Effect::AnswerSync { ticket, answer } if answer.error == ErrorCode::None => {
                    let protocol_name = answer.protocol_name.unwrap_or_default();
                    let assignment = hexadecimal(&answer.assignment);
                    let (name, assignment) = (shown(&protocol_name), shown(&assignment));
                    (ticket, format!("sync NONE {name} {assignment}"))
                }
                Effect::AnswerSync { ticket, answer } => (ticket, format!("sync {}", answer.error)),
                Effect::AnswerHeartbeat { ticket, error } => (ticket, format!("heartbeat {error}")),
                Effect::AnswerLeave { ticket, answer } if answer.error == ErrorCode::None => {
                    let each: Vec<&str> =
                        answer.members.iter().map(|member| member.error.name()).collect();
                    (ticket, format!("leave NONE {}", each.join(",")))
                }
                Effect::AnswerLeave { ticket, .. } => (ticket, "leave failed".to_owned()),
                Effect::AnswerCommit { ticket, topics } => {
                    let error = topics[0].partitions[0].error;
                    if error == ErrorCode::None {
                        continue;
                    }
                    (ticket, format!("commit {error}"))
                }
                Effect::AppendRecords { ticket, records } => {
                    self.note_append(ticket, records, outcome);
                    continue;
                }
                Effect::ArmTimer { at } => {
                    self.timer = Some(at);
                    continue;
                }
                _ => continue,
            };
            let earlier = outcome.answers.insert(ticket.0, answer);
            assert_eq!(earlier, None, "{ticket} is answered twice");
        }
    }

    fn note_append(
        &mut self,
        ticket: AppendTicket,
        records: Vec<GroupRecord>,
        outcome: &mut Outcome,
    ) {
        if matches!(records[0], GroupRecord::OffsetCommitted { .. }) {
            let now = self.now();
            self.group.on_records_durable(now, ticket, &mut self.effects);
            return;
        }
        self.in_flight.push_back(ticket);
        records.into_iter().for_each(|record| outcome.append(record));
    }

    fn tell_state(&self, outcome: &mut Outcome) {
        let description = self.group.describe();
        if description.error != ErrorCode::None {
            outcome.state = "- 0 -".to_owned();
            outcome.leader = "-".to_owned();
            return;
        }
        let members = description.members.iter().map(|member| member.member_id.as_str());
        let members = members.collect::<Vec<_>>().join(",");
        let generation = self.group.generation();
        outcome.state = format!("{} {generation} {}", description.state, shown(&members));
        outcome.generation = generation.value();
        outcome.leader = self.group.leader().map_or("-", MemberId::as_str).to_owned();
    }
}

fn join_answer(answer: &JoinAnswer) -> String {
    let member_id = shown(answer.member_id.as_str());
    if answer.error != ErrorCode::None {
        return format!("join {} {member_id}", answer.error);
    }
    let members = answer
        .members
        .iter()
        .map(|member| format!("{}={}", member.member_id, hexadecimal(&member.metadata)));
    let members = members.collect::<Vec<_>>().join(",");
    format!(
        "join NONE {} {} {} {member_id} {} {}",
        answer.generation,
        shown(answer.protocol_name.as_deref().unwrap_or_default()),
        shown(answer.leader.as_str()),
        answer.skip_assignment,
        shown(&members),
    )
}

fn join_request(command: &Command, new_id: Option<&str>) -> JoinRequest {
    let Command::Join {
        ticket,
        client,
        version,
        member_id,
        instance_id,
        session_ms,
        rebalance_ms,
        protocol_type,
        protocols,
    } = command
    else {
        panic!("{command:?}")
    };
    let unused = format!("unused-{ticket}");
    let protocols = protocols.iter().map(|(name, metadata)| MemberProtocol {
        name: Arc::from(*name),
        metadata: bytes(metadata),
    });
    JoinRequest {
        ticket: Ticket(*ticket),
        version: *version,
        member_id: MemberId::new(member_id),
        candidate_member_id: MemberId::new(new_id.unwrap_or(&unused)),
        group_instance_id: instance(instance_id),
        client_id: Arc::from(client.as_str()),
        client_host: Arc::from("/127.0.0.1"),
        session_timeout_ms: *session_ms,
        rebalance_timeout_ms: *rebalance_ms,
        protocol_type: Arc::from(*protocol_type),
        protocols: protocols.collect(),
    }
}

fn sync_request(command: &Command) -> SyncRequest {
    let Command::Sync { ticket, member_id, instance_id, generation, protocol_name, assignments } =
        command
    else {
        panic!("{command:?}")
    };
    SyncRequest {
        ticket: Ticket(*ticket),
        version: 5,
        generation: Generation::new(*generation),
        member_id: MemberId::new(member_id),
        group_instance_id: instance(instance_id),
        protocol_type: Some(Arc::from("consumer")),
        protocol_name: Some(Arc::from(*protocol_name)),
        assignments: assignments
            .iter()
            .map(|(id, assignment)| (MemberId::new(id), bytes(assignment)))
            .collect(),
    }
}

fn instance(name: &str) -> Option<GroupInstanceId> {
    (!name.is_empty()).then(|| GroupInstanceId::new(name))
}
