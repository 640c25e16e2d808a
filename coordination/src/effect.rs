//! What a group wants done. The caller performs the effects in their order.

use std::fmt;
use std::time::Duration;

use protocol::{ErrorCode, Generation};

use crate::answer::{JoinAnswer, LeaveAnswer, SyncAnswer, TopicAnswer};
use crate::classic_group::ClassicGroupState;
use crate::record::GroupRecord;

/// A request that waits for its answer. The caller gives the number, unique within the life of
/// the group, and maps it to the place where the answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl fmt::Display for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// An append whose outcome the group waits for. The group gives the number, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppendTicket(pub u64);

impl fmt::Display for AppendTicket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One thing to do. Every ticket that came in with a request goes out in exactly one `Answer…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer a JoinGroup request.
    AnswerJoin {
        /// Which one.
        ticket: Ticket,
        /// With what.
        answer: JoinAnswer,
    },
    /// Answer a SyncGroup request.
    AnswerSync {
        /// Which one.
        ticket: Ticket,
        /// With what.
        answer: SyncAnswer,
    },
    /// Answer a Heartbeat request.
    AnswerHeartbeat {
        /// Which one.
        ticket: Ticket,
        /// With what.
        error: ErrorCode,
    },
    /// Answer a LeaveGroup request.
    AnswerLeave {
        /// Which one.
        ticket: Ticket,
        /// With what.
        answer: LeaveAnswer,
    },
    /// Answer an OffsetCommit request.
    AnswerCommit {
        /// Which one.
        ticket: Ticket,
        /// Every partition of the request, in its order.
        topics: Vec<TopicAnswer>,
    },
    /// Answer an OffsetDelete request.
    AnswerDeleteOffsets {
        /// Which one.
        ticket: Ticket,
        /// Of the whole request.
        error: ErrorCode,
        /// Every partition of the request, in its order; empty if the whole was refused.
        topics: Vec<TopicAnswer>,
    },
    /// Answer for this group in a DeleteGroups request.
    AnswerDeleteGroup {
        /// Which one.
        ticket: Ticket,
        /// With what.
        error: ErrorCode,
    },
    /// Append these records, in this order and after those of every earlier `AppendRecords`, to
    /// the group's partition of `__consumer_offsets`, as one batch. Say
    /// [`on_records_durable`](crate::ClassicGroup::on_records_durable) when they are committed
    /// there, or [`on_records_failed`](crate::ClassicGroup::on_records_failed).
    AppendRecords {
        /// Names the append in its outcome.
        ticket: AppendTicket,
        /// At least one.
        records: Vec<GroupRecord>,
    },
    /// Call [`on_time`](crate::ClassicGroup::on_time) at this time; replaces the timer armed
    /// before. A group has one timer. It may ring with nothing due.
    ArmTimer {
        /// On the clock of [`Now::monotonic`](crate::Now::monotonic).
        at: Duration,
    },
    /// For logs and metrics: the group went from one state to another.
    StateChanged {
        /// The state left.
        from: ClassicGroupState,
        /// The state entered.
        to: ClassicGroupState,
        /// The generation now.
        generation: Generation,
    },
    /// The group is no more, durably: the caller drops the machine. A later request for the same
    /// name gets a new one.
    GroupRemoved,
}

/// A buffer of effects, owned and emptied by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    list: Vec<Effect>,
}

impl Effects {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Takes all effects out, oldest first; the buffer keeps its memory.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> {
        self.list.drain(..)
    }

    /// The effects, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Effect] {
        &self.list
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    pub(crate) fn answer_join(&mut self, ticket: Ticket, answer: JoinAnswer) {
        self.push(Effect::AnswerJoin { ticket, answer });
    }

    pub(crate) fn answer_sync(&mut self, ticket: Ticket, answer: SyncAnswer) {
        self.push(Effect::AnswerSync { ticket, answer });
    }
}
