//! Clients that mostly do what is right, and what they have heard from Kafka.

use crate::command::Command;
use crate::outcome::{Outcome, hexadecimal};

/// Numbers that look random and are the same every time (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }
}

#[derive(Clone, Default)]
struct Member {
    member_id: String,
    generation: i32,
    /// The answer it waits for.
    waits_for: Option<u64>,
    is_joined: bool,
    is_assigned: bool,
    /// Of a leader: whom it is to assign to.
    led: Vec<String>,
}

const COUNT: usize = 4;

#[derive(Default)]
pub struct Members {
    members: [Member; COUNT],
    /// The number of tickets, and what makes each join unlike the others.
    counter: u64,
    /// The generation of the group, as far as anybody can see.
    generation: i32,
    /// Appends in flight.
    in_flight: usize,
    must_settle: bool,
    /// How often nobody does anything unusual.
    calm_percent: u64,
}

impl Members {
    pub fn new(calm_percent: u64) -> Self {
        Self { calm_percent, ..Self::default() }
    }

    /// What is done next: a step of somebody, and a heartbeat after it, because in our group any
    /// request is a sign of life and in Kafka's a heartbeat is.
    pub fn next(&mut self, numbers: &mut Numbers) -> Vec<Command> {
        if std::mem::take(&mut self.must_settle) {
            return vec![self.settle(numbers)];
        }
        if self.counter == 0 {
            // Kafka makes a group of a join that it refuses, ours does not; so there is one
            let first = usize::try_from(numbers.below(COUNT as u64)).unwrap();
            return self.step(first, numbers);
        }
        let who = usize::try_from(numbers.below(COUNT as u64)).unwrap();
        // some groups are calm, so that they become stable and something happens to that
        let is_calm = self.calm_percent > numbers.below(100);
        match numbers.below(if is_calm { 75 } else { 100 }) {
            0..45 => self.step(who, numbers),
            45..55 if self.in_flight > 0 => vec![self.settle(numbers)],
            55..75 => vec![Command::Wait { millis: numbers.below(4_000) + 1 }],
            75..83 => vec![self.commit(who, numbers)],
            83..87 => self.leave(who),
            87..89 => vec![self.send_away(who)],
            89..92 => {
                // it restarts and knows nothing
                self.members[who] = Member::default();
                self.step(who, numbers)
            }
            92..96 => vec![self.old_generation(who)],
            96..98 => vec![self.wrong_join(who, numbers)],
            _ => self.join_again(who),
        }
    }

    pub fn settle_next(&mut self) {
        self.must_settle = true;
    }

    pub fn hear(&mut self, outcome: &Outcome) {
        self.generation = outcome.generation;
        self.in_flight += usize::from(outcome.has_appended);
        for (ticket, answer) in &outcome.answers {
            let waiting = |member: &&mut Member| member.waits_for == Some(*ticket);
            if let Some(member) = self.members.iter_mut().find(waiting) {
                member.waits_for = None;
                member.hear(answer);
            }
        }
    }

    fn ticket(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn settle(&mut self, numbers: &mut Numbers) -> Command {
        self.in_flight -= 1;
        if numbers.below(5) == 0 { Command::Failed } else { Command::Durable }
    }

    fn step(&mut self, who: usize, numbers: &mut Numbers) -> Vec<Command> {
        let member = &self.members[who];
        if member.waits_for.is_some() {
            return Vec::new();
        }
        if member.is_assigned {
            return vec![self.heartbeat(who, self.members[who].generation)];
        }
        let command = if member.is_joined { self.sync(who) } else { self.join(who, numbers) };
        self.with_heartbeat(who, command)
    }

    fn join_again(&mut self, who: usize) -> Vec<Command> {
        if self.members[who].waits_for.is_some() {
            return Vec::new();
        }
        let command = self.join(who, &mut Numbers(0));
        self.with_heartbeat(who, command)
    }

    fn with_heartbeat(&mut self, who: usize, command: Command) -> Vec<Command> {
        if self.members[who].member_id.is_empty() {
            return vec![command];
        }
        vec![command, self.heartbeat(who, self.generation)]
    }

    fn join(&mut self, who: usize, numbers: &mut Numbers) -> Command {
        let ticket = self.ticket();
        let member = &mut self.members[who];
        member.waits_for = Some(ticket);
        (member.is_joined, member.is_assigned) = (false, false);
        // no two deadlines fall on the same millisecond, where the order would be open
        let odd = i32::try_from(ticket % 1_000).unwrap();
        let mut protocols = vec![("range", hexadecimal(&[u8::try_from(who).unwrap()]))];
        if who.is_multiple_of(2) || numbers.below(15) == 0 {
            protocols.push(("sticky", "07".to_owned()));
        }
        if numbers.below(15) == 0 {
            // something new
            protocols[0].1 = hexadecimal(&ticket.to_be_bytes());
        }
        Command::Join {
            ticket,
            client: name(who),
            version: VERSIONS[who],
            member_id: member.member_id.clone(),
            instance_id: instance(who),
            session_ms: 10_000 + odd,
            rebalance_ms: 15_000 + 3 * odd,
            protocol_type: "consumer",
            protocols,
        }
    }

    /// A join that no group takes.
    fn wrong_join(&mut self, who: usize, numbers: &mut Numbers) -> Command {
        let is_type = numbers.below(2) == 0;
        Command::Join {
            ticket: self.ticket(),
            client: name(who),
            version: VERSIONS[who],
            member_id: if is_type { String::new() } else { self.members[who].member_id.clone() },
            instance_id: instance(who),
            session_ms: 10_000,
            rebalance_ms: 10_000,
            protocol_type: if is_type { "connect" } else { "consumer" },
            protocols: vec![("nobody-else-knows", "00".to_owned())],
        }
    }

    fn sync(&mut self, who: usize) -> Command {
        let ticket = self.ticket();
        let member = &mut self.members[who];
        member.waits_for = Some(ticket);
        member.is_joined = false;
        let assigned = |id: &String| (id.clone(), hexadecimal(&ticket.to_be_bytes()));
        Command::Sync {
            ticket,
            member_id: member.member_id.clone(),
            instance_id: instance(who),
            generation: member.generation,
            protocol_name: "range",
            // somebody is forgotten now and then
            assignments: member
                .led
                .iter()
                .skip(usize::from(ticket.is_multiple_of(7)))
                .map(assigned)
                .collect(),
        }
    }

    fn heartbeat(&mut self, who: usize, generation: i32) -> Command {
        let ticket = self.ticket();
        let member = &mut self.members[who];
        if member.waits_for.is_none() {
            member.waits_for = Some(ticket);
        }
        let member_id = member.member_id.clone();
        Command::Heartbeat { ticket, member_id, instance_id: instance(who), generation }
    }

    fn commit(&mut self, who: usize, numbers: &mut Numbers) -> Command {
        let is_outside = numbers.below(4) == 0;
        let member = &self.members[who];
        let (member_id, instance_id) = (member.member_id.clone(), instance(who));
        let generation = member.generation;
        let ticket = self.ticket();
        if is_outside {
            let nothing = String::new();
            let version = 10;
            let instance_id = nothing.clone();
            Command::Commit { ticket, version, member_id: nothing, instance_id, generation: -1 }
        } else {
            Command::Commit { ticket, version: 8, member_id, instance_id, generation }
        }
    }

    fn leave(&mut self, who: usize) -> Vec<Command> {
        // an id not used yet may not be given back here: Kafka rebalances for that
        if self.members[who].waits_for.is_some() || self.members[who].generation <= 0 {
            return Vec::new();
        }
        let member_id = std::mem::take(&mut self.members[who]).member_id;
        let ticket = self.ticket();
        vec![Command::Leave { ticket, member_id, instance_id: instance(who) }]
    }

    /// By an operator, who knows the instance id.
    fn send_away(&mut self, who: usize) -> Command {
        let instance_id =
            if instance(who).is_empty() { "nobody".to_owned() } else { instance(who) };
        Command::Leave { ticket: self.ticket(), member_id: String::new(), instance_id }
    }

    fn old_generation(&mut self, who: usize) -> Command {
        let generation = self.members[who].generation - 1;
        let member_id = self.members[who].member_id.clone();
        let ticket = self.ticket();
        Command::Heartbeat { ticket, member_id, instance_id: instance(who), generation }
    }
}

impl Member {
    fn hear(&mut self, answer: &str) {
        let words: Vec<&str> = answer.split(' ').collect();
        match words.as_slice() {
            ["join", "NONE", generation, _, _, member_id, skip, members] => {
                self.generation = generation.parse().unwrap();
                self.member_id = (*member_id).to_owned();
                self.is_joined = true;
                let members = members.split(',').filter_map(|member| member.split_once('='));
                self.led = members.map(|(id, _)| id.to_owned()).collect();
                if *skip == "true" {
                    self.led.clear();
                }
            }
            ["join", "MEMBER_ID_REQUIRED", member_id] => {
                self.member_id = (*member_id).to_owned();
                self.generation = -1;
            }
            ["sync", "NONE", ..] => self.is_assigned = true,
            [_, "NONE"] => {}
            [_, "UNKNOWN_MEMBER_ID" | "FENCED_INSTANCE_ID" | "ILLEGAL_GENERATION", ..] => {
                *self = Self::default();
            }
            _ => (self.is_joined, self.is_assigned) = (false, false),
        }
    }
}

/// Old and new, and the last two static.
const VERSIONS: [i16; COUNT] = [3, 9, 5, 9];

fn name(who: usize) -> String {
    format!("client{who}")
}

fn instance(who: usize) -> String {
    if who < 2 { String::new() } else { format!("place{who}") }
}
