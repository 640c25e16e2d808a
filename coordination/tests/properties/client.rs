//! A client as a consumer's library has it: joins, syncs, sends heartbeats, and heeds what it is
//! told.

use std::sync::Arc;

use bytes::Bytes;
use coordination::{GroupInstanceId, JoinAnswer, SyncAnswer, Ticket};
use protocol::{ErrorCode, Generation, MemberId};

use crate::world::PARTITIONS;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is to join.
    Outside,
    /// It waits for an answer.
    Waiting(Ticket),
    /// It is to sync; a leader with these assignments.
    Joined(Vec<(MemberId, Bytes)>),
    /// It has an assignment, and is to send heartbeats.
    Assigned(Vec<u8>),
}

pub struct Client {
    pub name: String,
    pub version: i16,
    pub instance_id: Option<GroupInstanceId>,
    pub member_id: MemberId,
    pub generation: Generation,
    pub protocol_name: Option<Arc<str>>,
    pub phase: Phase,
}

impl Client {
    pub fn new(number: usize) -> Self {
        Self {
            name: format!("client{number}"),
            // old and new clients, dynamic and static ones
            version: [3, 9, 5, 9, 9][number],
            instance_id: (number >= 3).then(|| GroupInstanceId::new(&format!("place{number}"))),
            member_id: MemberId::new(""),
            generation: Generation::UNKNOWN,
            protocol_name: None,
            phase: Phase::Outside,
        }
    }

    /// What stays the same when a static member comes back.
    pub fn place(&self) -> String {
        self.instance_id.as_ref().map_or_else(|| self.member_id.to_string(), ToString::to_string)
    }

    pub fn forget(&mut self) {
        self.member_id = MemberId::new("");
        self.generation = Generation::UNKNOWN;
        self.phase = Phase::Outside;
    }

    pub fn waits_for(&self, ticket: Ticket) -> bool {
        self.phase == Phase::Waiting(ticket)
    }

    pub fn on_joined(&mut self, answer: &JoinAnswer) {
        if answer.error == ErrorCode::None || answer.error == ErrorCode::MemberIdRequired {
            self.member_id = answer.member_id.clone();
        }
        match answer.error {
            ErrorCode::None => {
                self.generation = answer.generation;
                self.protocol_name = answer.protocol_name.clone();
                let assignments = if answer.skip_assignment { Vec::new() } else { assign(answer) };
                self.phase = Phase::Joined(assignments);
            }
            error => self.on_refused(error),
        }
    }

    pub fn on_synced(&mut self, answer: &SyncAnswer) {
        match answer.error {
            ErrorCode::None => self.phase = Phase::Assigned(answer.assignment.to_vec()),
            error => self.on_refused(error),
        }
    }

    pub fn on_refused(&mut self, error: ErrorCode) {
        match error {
            ErrorCode::UnknownMemberId
            | ErrorCode::FencedInstanceId
            | ErrorCode::IllegalGeneration => self.forget(),
            _ => self.phase = Phase::Outside,
        }
    }
}

/// Deals the partitions out to the members, as a leader does.
fn assign(answer: &JoinAnswer) -> Vec<(MemberId, Bytes)> {
    let count = i32::try_from(answer.members.len()).unwrap();
    let members = answer.members.iter().enumerate().map(|(place, member)| {
        let place = i32::try_from(place).unwrap();
        let partitions = (0..PARTITIONS).filter(|partition| partition % count == place);
        let partitions: Vec<u8> = partitions.map(|p| u8::try_from(p).unwrap()).collect();
        (member.member_id.clone(), Bytes::from(partitions))
    });
    members.collect()
}
