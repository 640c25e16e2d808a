//! What clients ask of a group, on its way from a session to the group's machine, and the places
//! where the answers go.

use std::collections::HashMap;

use coordination::{
    ClassicGroup, CommitRequest, DeleteOffsetsRequest, Effect, Effects, FetchSelection,
    FetchedTopic, GroupDescription, HeartbeatRequest, JoinAnswer, JoinRequest, LeaveAnswer,
    LeaveRequest, Now, SyncAnswer, SyncRequest, Ticket, TopicAnswer,
};
use metadata::ClusterImage;
use protocol::ErrorCode;
use tokio::sync::oneshot;

/// Where an answer goes. An error says that no coordinator could be asked; what the group itself
/// refuses is an answer. Dropped unanswered, it means that the coordinator ended.
pub type Reply<A> = oneshot::Sender<Result<A, ErrorCode>>;

/// The ticket of a request that its coordinator has not numbered yet.
pub const UNNUMBERED: Ticket = Ticket(0);

/// A client's request of one group.
pub enum GroupRequest {
    /// JoinGroup; answered when the generation begins.
    Join {
        /// The request.
        request: Box<JoinRequest>,
        /// The answer.
        reply: Reply<JoinAnswer>,
    },
    /// SyncGroup; answered when the assignment is durable.
    Sync {
        /// The request.
        request: Box<SyncRequest>,
        /// The answer.
        reply: Reply<SyncAnswer>,
    },
    /// Heartbeat.
    Heartbeat {
        /// The request.
        request: HeartbeatRequest,
        /// The answer.
        reply: Reply<ErrorCode>,
    },
    /// LeaveGroup.
    Leave {
        /// The request.
        request: LeaveRequest,
        /// The answer.
        reply: Reply<LeaveAnswer>,
    },
    /// OffsetCommit; answered when the offsets are durable.
    Commit {
        /// The request.
        request: CommitRequest,
        /// Every partition of the request, in its order.
        reply: Reply<Vec<TopicAnswer>>,
    },
    /// OffsetFetch.
    FetchOffsets {
        /// Of which partitions.
        selection: FetchSelection,
        /// What is committed.
        reply: Reply<Vec<FetchedTopic>>,
    },
    /// OffsetDelete; answered when the deletion is durable.
    DeleteOffsets {
        /// The request.
        request: DeleteOffsetsRequest,
        /// The code of the whole, and every partition of the request, in its order.
        reply: Reply<(ErrorCode, Vec<TopicAnswer>)>,
    },
    /// DeleteGroups; answered when the deletion is durable.
    DeleteGroup {
        /// The answer.
        reply: Reply<ErrorCode>,
    },
    /// DescribeGroups.
    Describe {
        /// The group as it is.
        reply: Reply<GroupDescription>,
    },
}

impl GroupRequest {
    /// Whether the request may call a group into being. Any other one is answered for a group that
    /// does not exist without starting anything.
    #[must_use]
    pub const fn may_create_group(&self) -> bool {
        matches!(self, Self::Join { .. } | Self::Commit { .. })
    }

    /// Tells whoever asked that there is no coordinator to ask.
    pub fn refuse(self, code: ErrorCode) {
        match self {
            Self::Join { reply, .. } => tell(reply, Err(code)),
            Self::Sync { reply, .. } => tell(reply, Err(code)),
            Self::Heartbeat { reply, .. } | Self::DeleteGroup { reply } => tell(reply, Err(code)),
            Self::Leave { reply, .. } => tell(reply, Err(code)),
            Self::Commit { reply, .. } => tell(reply, Err(code)),
            Self::FetchOffsets { reply, .. } => tell(reply, Err(code)),
            Self::DeleteOffsets { reply, .. } => tell(reply, Err(code)),
            Self::Describe { reply } => tell(reply, Err(code)),
        }
    }
}

/// Answers; whoever asked may have left, and then nobody is there to be told.
fn tell<A>(reply: Reply<A>, answer: Result<A, ErrorCode>) {
    let _ = reply.send(answer);
}

/// Where the answer to a request with a ticket goes.
enum AnswerPort {
    Join(Reply<JoinAnswer>),
    Sync(Reply<SyncAnswer>),
    Code(Reply<ErrorCode>),
    Leave(Reply<LeaveAnswer>),
    Commit(Reply<Vec<TopicAnswer>>),
    DeleteOffsets(Reply<(ErrorCode, Vec<TopicAnswer>)>),
}

/// The requests that the machine has not answered yet. As many as the machine parks and the
/// sessions have under way; each session has one.
#[derive(Default)]
pub struct ParkedRequests {
    ports: HashMap<Ticket, AnswerPort>,
    last_ticket: u64,
}

impl ParkedRequests {
    /// Gives a request to the machine. What can be said at once is said.
    pub fn hand_over(
        &mut self,
        machine: &mut ClassicGroup,
        request: GroupRequest,
        now: Now,
        image: &ClusterImage,
        effects: &mut Effects,
    ) {
        match request {
            GroupRequest::Join { mut request, reply } => {
                request.ticket = self.park(AnswerPort::Join(reply));
                machine.on_join(now, *request, effects);
            }
            GroupRequest::Sync { mut request, reply } => {
                request.ticket = self.park(AnswerPort::Sync(reply));
                machine.on_sync(now, *request, effects);
            }
            GroupRequest::Heartbeat { mut request, reply } => {
                request.ticket = self.park(AnswerPort::Code(reply));
                machine.on_heartbeat(now, &request, effects);
            }
            GroupRequest::Leave { mut request, reply } => {
                request.ticket = self.park(AnswerPort::Leave(reply));
                machine.on_leave(now, request, effects);
            }
            GroupRequest::Commit { mut request, reply } => {
                request.ticket = self.park(AnswerPort::Commit(reply));
                machine.on_commit_offsets(now, request, effects);
            }
            GroupRequest::FetchOffsets { selection, reply } => {
                let current_id =
                    |topic: &protocol::TopicName| Some(image.topic(topic.as_str())?.id);
                tell(reply, machine.fetch_offsets(&selection, current_id));
            }
            GroupRequest::DeleteOffsets { mut request, reply } => {
                request.ticket = self.park(AnswerPort::DeleteOffsets(reply));
                machine.on_delete_offsets(request, effects);
            }
            GroupRequest::DeleteGroup { reply } => {
                let ticket = self.park(AnswerPort::Code(reply));
                machine.on_delete_group(now, ticket, effects);
            }
            GroupRequest::Describe { reply } => {
                tell(reply, Ok(machine.describe()));
            }
        }
    }

    fn park(&mut self, port: AnswerPort) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.ports.insert(ticket, port);
        ticket
    }

    /// Performs an effect that answers a request; gives any other back.
    pub fn answer(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::AnswerJoin { ticket, answer } => {
                if let Some(AnswerPort::Join(reply)) = self.ports.remove(&ticket) {
                    tell(reply, Ok(answer));
                }
            }
            Effect::AnswerSync { ticket, answer } => {
                if let Some(AnswerPort::Sync(reply)) = self.ports.remove(&ticket) {
                    tell(reply, Ok(answer));
                }
            }
            Effect::AnswerHeartbeat { ticket, error }
            | Effect::AnswerDeleteGroup { ticket, error } => {
                if let Some(AnswerPort::Code(reply)) = self.ports.remove(&ticket) {
                    tell(reply, Ok(error));
                }
            }
            Effect::AnswerLeave { ticket, answer } => {
                if let Some(AnswerPort::Leave(reply)) = self.ports.remove(&ticket) {
                    tell(reply, Ok(answer));
                }
            }
            Effect::AnswerCommit { ticket, topics } => {
                if let Some(AnswerPort::Commit(reply)) = self.ports.remove(&ticket) {
                    tell(reply, Ok(topics));
                }
            }
            Effect::AnswerDeleteOffsets { ticket, error, topics } => {
                if let Some(AnswerPort::DeleteOffsets(reply)) = self.ports.remove(&ticket) {
                    tell(reply, Ok((error, topics)));
                }
            }
            other => return Some(other),
        }
        None
    }
}

/// Answers for a group that does not exist: by a machine that lives as long as the answer takes.
/// Nothing comes of it, because such a request never calls a group into being.
pub fn answer_for_nobody(
    mut machine: ClassicGroup,
    request: GroupRequest,
    now: Now,
    image: &ClusterImage,
) {
    let mut effects = Effects::new();
    let mut parked = ParkedRequests::default();
    parked.hand_over(&mut machine, request, now, image, &mut effects);
    for effect in effects.drain() {
        parked.answer(effect);
    }
}
