//! Appends whose outcome is not known yet, and what each is for.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use protocol::{ErrorCode, Generation, MemberId, PartitionIndex, TopicName, TopicPartition};

use crate::answer::{MemberLeft, TopicAnswer};
use crate::committed_offsets::CommittedOffset;
use crate::effect::{AppendTicket, Ticket};
use crate::group_member::GroupMember;

/// What happens once the records are durable, and who is told.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// A commit: the offsets count from then on.
    Commit {
        ticket: Ticket,
        offsets: Vec<(TopicName, PartitionIndex, CommittedOffset)>,
        answer: Vec<TopicAnswer>,
    },
    /// Offsets deleted on request, expired, or of a deleted topic.
    RemoveOffsets { request: Option<(Ticket, Vec<TopicAnswer>)>, partitions: Vec<TopicPartition> },
    /// The leader's assignment: the generation is stable from then on.
    Assign { generation: Generation, assignments: BTreeMap<MemberId, Bytes> },
    /// A static member came back under a new id.
    ReplaceStaticMember(Box<Replacement>),
    /// Nobody is left; perhaps because somebody left, who is told then.
    Empty { leave: Option<(Ticket, Vec<MemberLeft>)> },
    /// The group goes, with all its offsets.
    RemoveGroup { ticket: Option<Ticket> },
}

/// A static member that came back to a stable group, and what it was before.
#[derive(Clone, Debug)]
pub(super) struct Replacement {
    pub ticket: Ticket,
    pub generation: Generation,
    pub new_member_id: MemberId,
    /// As it was, without parked requests.
    pub old_member: GroupMember,
    /// Who led before; versions below 9 are told this one, so that a returning leader does not
    /// assign again.
    pub old_leader: Option<MemberId>,
    pub may_skip_assignment: bool,
}

#[derive(Clone, Debug)]
struct PendingAppend {
    ticket: AppendTicket,
    purpose: Purpose,
    outcome: Option<Result<(), ErrorCode>>,
}

/// The appends in flight, oldest first. Their outcomes take effect in the order of the appends,
/// whatever order they are told in, because the log has that order.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingAppends {
    queue: VecDeque<PendingAppend>,
    last_ticket: u64,
}

impl PendingAppends {
    pub(super) fn begin(&mut self, purpose: Purpose) -> AppendTicket {
        self.last_ticket += 1;
        let ticket = AppendTicket(self.last_ticket);
        self.queue.push_back(PendingAppend { ticket, purpose, outcome: None });
        ticket
    }

    /// Notes an outcome; one that nobody waits for, or a second one, changes nothing.
    pub(super) fn note(&mut self, ticket: AppendTicket, outcome: Result<(), ErrorCode>) {
        let found = self.queue.binary_search_by_key(&ticket, |append| append.ticket);
        if let Some(append) = found.ok().and_then(|place| self.queue.get_mut(place)) {
            append.outcome.get_or_insert(outcome);
        }
    }

    /// Takes the oldest append out, if its outcome is known.
    pub(super) fn take_settled(&mut self) -> Option<(Purpose, Result<(), ErrorCode>)> {
        let outcome = self.queue.front()?.outcome?;
        self.queue.pop_front().map(|append| (append.purpose, outcome))
    }

    /// Takes everything out, oldest first.
    pub(super) fn take_all(&mut self) -> Vec<Purpose> {
        self.queue.drain(..).map(|append| append.purpose).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Purpose> {
        self.queue.iter().map(|append| &append.purpose)
    }

    /// The number of the last append begun.
    pub(super) const fn last_ticket(&self) -> AppendTicket {
        AppendTicket(self.last_ticket)
    }

    /// Lets a leave wait for the emptiness that it caused: for the last append, if that was begun
    /// after `before` and is of an empty generation. Gives the members back otherwise.
    pub(super) fn await_empty(
        &mut self,
        before: AppendTicket,
        ticket: Ticket,
        members: Vec<MemberLeft>,
    ) -> Result<(), Vec<MemberLeft>> {
        match self.queue.back_mut() {
            Some(PendingAppend { ticket: last, purpose: Purpose::Empty { leave }, .. })
                if *last > before =>
            {
                *leave = Some((ticket, members));
                Ok(())
            }
            _ => Err(members),
        }
    }
}
