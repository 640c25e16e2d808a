//! What happened, as the clients saw it: one event at each edge of an operation.

use crate::value::{Client, Key, Value};

/// One line of a history.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Nanoseconds since any moment, the same one for the whole history; never goes back.
    pub time: u64,
    /// Whose event it is.
    pub client: Client,
    /// Which operation of that process begins or ends; of no meaning in a step that is neither.
    pub operation: u64,
    /// What happened.
    pub step: Step,
}

/// What happened to an operation, or beside all operations.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// An operation begins: written *before* its first request leaves.
    Invoke(Operation),
    /// It was acknowledged: written after the answer came.
    Ok(Answer),
    /// It *certainly* had no effect. A timeout or a lost connection is not that.
    Fail,
    /// Nobody knows whether it had an effect.
    Unknown,
    /// The process ended without notice; what it had begun is unknown.
    Crash,
    /// A consumer was told that its partitions change.
    Rebalance(Rebalance),
    /// This client, made after all faults were healed, has read these partitions from their first
    /// offsets to their ends.
    Drained(Vec<Key>),
}

/// What a client does.
#[derive(Clone, PartialEq, Debug)]
pub enum Operation {
    /// A producer sends records and waits until every in-sync replica has them. What it sends with
    /// less than that is recorded as [`Step::Unknown`] when it is done.
    Send {
        /// Whether the producer is idempotent: one that is not may write a record twice.
        idempotent: bool,
        /// The records in their order.
        records: Vec<(Key, Value)>,
    },
    /// A consumer asks for what comes next.
    Poll,
    /// A consumer takes these partitions and no others, by its own choice.
    Assign(Vec<Key>),
    /// A consumer leaves it to its group which partitions it has.
    Subscribe(Vec<String>),
    /// A consumer moves its position in these partitions.
    Seek(Vec<Key>),
    /// A consumer commits where its group is to resume.
    Commit {
        /// The name of the group.
        group: String,
        /// The generation of the group that the consumer commits in; none from outside of it.
        generation: Option<i32>,
        /// The offsets, each that of the next record to be read.
        offsets: Vec<(Key, i64)>,
    },
    /// Somebody asks what a group has committed.
    FetchCommitted {
        /// The name of the group.
        group: String,
    },
    /// A client asks how far partitions reach.
    ListOffsets(Bound),
}

/// An end of a partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bound {
    /// The first offset that can be read. What is below it was deleted and is not missed.
    Earliest,
    /// The first offset that cannot be read yet, from ListOffsets.
    Latest,
    /// The same as a fetch response shows it. Judged where the leader epoch is known: a new leader
    /// may show less until it has caught up with its predecessor's knowledge.
    HighWatermark,
    /// The first offset of an open transaction, from a fetch response. Judged likewise.
    LastStable,
}

/// What an acknowledged operation brought.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// For each record of a send, in the same order.
    Sent(Vec<Sent>),
    /// What a poll brought.
    Polled {
        /// The records, in the order of each partition.
        records: Vec<Read>,
        /// Partitions whose position was set anew since the previous poll.
        repositioned: Vec<Key>,
    },
    /// An assignment, a subscription, a seek or a commit.
    Done,
    /// What a group has committed, none for a partition without a committed offset.
    Committed(Vec<(Key, Option<i64>)>),
    /// How far partitions reach, with the leader epoch under which it was answered.
    Offsets(Vec<(Key, i64, Option<i32>)>),
}

/// What the acknowledgement of one record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Where the record is. An acknowledgement without one is an anomaly by itself.
    pub offset: Option<i64>,
    /// The leader epoch under which it was appended, where it is known.
    pub leader_epoch: Option<i32>,
}

/// One record that a poll brought.
#[derive(Clone, PartialEq, Debug)]
pub struct Read {
    /// Where it was read.
    pub key: Key,
    /// Its offset there.
    pub offset: i64,
    /// Who it is; none if its bytes do not tell.
    pub value: Option<Value>,
    /// The leader epoch of its batch, where it is known.
    pub leader_epoch: Option<i32>,
}

/// A change of what a consumer holds for its group, recorded when the consumer is told.
#[derive(Clone, PartialEq, Debug)]
pub struct Rebalance {
    /// The name of the group.
    pub group: String,
    /// The generation that it now is in, where it is known.
    pub generation: Option<i32>,
    /// What it holds from now on.
    pub assigned: Vec<Key>,
    /// What it no longer holds, given back or lost.
    pub revoked: Vec<Key>,
}

impl Operation {
    /// Whether an acknowledgement of this kind can answer it.
    pub(crate) fn takes(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Operation::Send { records, .. }, Answer::Sent(sent)) => records.len() == sent.len(),
            (Operation::Poll, Answer::Polled { .. })
            | (Operation::FetchCommitted { .. }, Answer::Committed(_))
            | (Operation::ListOffsets(_), Answer::Offsets(_)) => true,
            (
                Operation::Assign(_)
                | Operation::Subscribe(_)
                | Operation::Seek(_)
                | Operation::Commit { .. },
                Answer::Done,
            ) => true,
            _ => false,
        }
    }
}
