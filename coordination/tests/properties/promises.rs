//! What the group has promised, kept apart from the group: the log as it is durable, the requests
//! that wait, and who was told to own what.

use std::collections::{BTreeMap, BTreeSet};

use coordination::offsets_topic::{DecodedRecord, decode, encode};
use coordination::{ClassicGroup, GroupRecord, MembershipRecord, Ticket, TopicAnswer};
use protocol::{ErrorCode, Generation, GroupId, MemberId, PartitionIndex};

#[derive(Default)]
pub struct Promises {
    /// Requests that wait for their answer.
    waiting: BTreeSet<Ticket>,
    /// What each commit that waits or waited has asked for.
    commits: BTreeMap<Ticket, (i32, i64)>,
    /// The durable log, as it would be read again.
    pub log: Vec<GroupRecord>,
    /// The offsets that it amounts to.
    offsets: BTreeMap<PartitionIndex, i64>,
    membership: Option<MembershipRecord>,
    /// Whose each partition was said to be, by generation.
    owners: BTreeMap<(Generation, u8), String>,
}

impl Promises {
    pub fn ask(&mut self, ticket: Ticket) {
        assert!(self.waiting.insert(ticket));
    }

    pub fn ask_commit(&mut self, ticket: Ticket, partition: i32, offset: i64) {
        self.ask(ticket);
        self.commits.insert(ticket, (partition, offset));
    }

    pub fn answer(&mut self, ticket: Ticket) {
        assert!(self.waiting.remove(&ticket), "{ticket} is answered, but nobody waits for it");
    }

    pub fn assert_all_answered(&self) {
        assert!(self.waiting.is_empty(), "never answered: {:?}", self.waiting);
    }

    pub fn is_waiting(&self, ticket: Ticket) -> bool {
        self.waiting.contains(&ticket)
    }

    /// The broker died: nobody waits any more, and what was not durable is forgotten.
    pub fn on_restart(&mut self) {
        self.waiting.clear();
        let durable = self.membership.as_ref().map_or(Generation::ZERO, |last| last.generation);
        self.owners.retain(|(generation, _), _| *generation <= durable);
    }

    pub fn on_removed(&mut self) {
        self.owners.clear();
    }

    /// A record is durable; it is read back from its bytes.
    pub fn on_durable(&mut self, group_id: &GroupId, record: &GroupRecord) {
        let encoded = encode(group_id, record).unwrap();
        let decoded = decode(Some(encoded.key), encoded.value).unwrap();
        assert_eq!(decoded, DecodedRecord::Group(group_id.clone(), record.clone()));
        match record {
            GroupRecord::OffsetCommitted { partition, committed, .. } => {
                self.offsets.insert(*partition, committed.offset.value());
            }
            GroupRecord::OffsetRemoved { partition, .. } => {
                self.offsets.remove(partition);
            }
            GroupRecord::Membership(membership) => self.membership = Some(membership.clone()),
            GroupRecord::GroupRemoved => self.membership = None,
        }
        self.log.push(record.clone());
    }

    /// What may be fetched is what is durable, no more and no less.
    pub fn assert_offsets(&self, group: &ClassicGroup) {
        let fetched: BTreeMap<PartitionIndex, i64> = group
            .committed_offsets()
            .iter()
            .map(|(_, partition, committed)| (partition, committed.offset.value()))
            .collect();
        assert_eq!(fetched, self.offsets, "fetched are offsets that are not those of the log");
    }

    pub fn on_committed(&self, ticket: Ticket, topics: &[TopicAnswer]) {
        let answers = topics.iter().flat_map(|topic| &topic.partitions);
        for answer in answers.filter(|answer| answer.error == ErrorCode::None) {
            let (partition, offset) = self.commits[&ticket];
            assert_eq!(answer.partition.0, partition);
            let is_durable = self.log.iter().any(|record| match record {
                GroupRecord::OffsetCommitted { committed, .. } => {
                    committed.offset.value() == offset
                }
                _ => false,
            });
            assert!(is_durable, "commit {ticket} is acknowledged but not durable");
        }
    }

    /// A member was told its assignment: it must be durable, and nobody else's.
    pub fn on_assigned(
        &mut self,
        generation: Generation,
        member_id: &MemberId,
        place: &str,
        partitions: &[u8],
    ) {
        let durable = self.membership.as_ref().expect("assigned before anything is durable");
        assert_eq!(durable.generation, generation, "assigned in a generation that is not durable");
        let member = durable.members.iter().find(|member| member.member_id == *member_id);
        let member = member.expect("assigned to a member that is not durable");
        assert_eq!(&member.assignment[..], partitions, "assigned something else than is durable");
        for partition in partitions {
            let owner = self.owners.entry((generation, *partition)).or_insert(place.to_owned());
            assert_eq!(owner, place, "partition {partition} has two owners in {generation}");
        }
    }
}
