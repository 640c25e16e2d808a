//! One per consumer group that lives on this node: the shell over `coordination::ClassicGroup`,
//! owns its parked requests and its one timer.
//!
//! Supervised by `groups`, transient: after a fault it starts again, a group that is no more ends
//! it. Sent to by sessions (one request each), by the directory (topics that were deleted, time to
//! expire offsets), by its own timer and by the waits for its appends. Sends to the replica of the
//! group's partition of the offsets topic.
//!
//! ```text
//! loading ──the log was read──▶ live ──the group is no more──▶ (ends)
//!                                └──the partition's leadership ended──▶ resigned
//! ```
//!
//! A restart keeps what is in the log: generation, assignments and committed offsets. It loses who
//! was parked: they are told `NOT_COORDINATOR` and come again. The lease on the group's name makes
//! it wait for appends that the last incarnation left under way, so that it reads all that was
//! written. Its mailbox is bounded by the sessions, one request each, and by the machine's bound on
//! appends in flight. A resigned one answers `NOT_COORDINATOR` until the directory stops it. It
//! never waits in a handler, never reads a file, and decides nothing.

pub mod group_request;
mod performing;
mod queued_appends;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use coordination::{AppendTicket, ClassicGroup, DeletedTopic, Effects, Now, Timestamp};
use metadata::ClusterImage;
use protocol::{ErrorCode, GroupId, MemberId, TopicName};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Counted, Lease, Status};
use tokio::time::Instant;

use self::group_request::{GroupRequest, ParkedRequests};
use self::performing::Timer;
use self::queued_appends::QueuedAppends;
use crate::broker::Broker;
use crate::group_directory::group_log::{GroupLogError, read_group};
use crate::group_directory::group_place::GroupPlace;

/// How long the last incarnation's appends may take to be settled, beside their own deadline.
const LEASE_DEADLINE: Duration = Duration::from_secs(10);

/// What a group coordinator is told.
pub enum GroupCoordinatorMessage {
    /// A session: a client's request.
    Request(GroupRequest),
    /// A session: the client closed the last connection that this member spoke by.
    MemberDisconnected(MemberId),
    /// The directory: topics were deleted. Named are those whose name is free now.
    TopicsDeleted(Arc<[TopicName]>),
    /// The directory: look for offsets that have expired.
    ExpireOffsets,
    /// From itself, after a restart: the group as the log knows it.
    Loaded(Box<Result<ClassicGroup, GroupLogError>>),
    /// From itself: everything queued so far is one batch.
    AppendDue,
    /// From the wait for an append: what became of it.
    Appended {
        /// Which appends were in the batch.
        tickets: Vec<AppendTicket>,
        /// Durable, or why not.
        outcome: Result<(), ErrorCode>,
    },
    /// From its timer.
    TimerRang,
}

/// Everything a group coordinator is born with.
pub struct GroupCoordinatorArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// The group's place.
    pub place: Arc<GroupPlace>,
    /// The group as it was found, taken by the first incarnation; later ones read the log.
    pub found: Arc<Mutex<Option<ClassicGroup>>>,
    /// What it shows in the tree.
    pub status: Status,
}

/// See the head of this file.
pub struct GroupCoordinator;

/// What a group coordinator knows.
pub struct GroupCoordinatorState {
    /// `None` while the log is read.
    machine: Option<ClassicGroup>,
    effects: Effects,
    parked: ParkedRequests,
    queued: QueuedAppends,
    timer: Option<Timer>,
    /// Where the machine's clock began.
    origin: Instant,
    has_resigned: bool,
    broker: Arc<Broker>,
    place: Arc<GroupPlace>,
    status: Status,
    /// Last: appends under way hold it too, and the next incarnation waits for all of them.
    lease: Lease<GroupId>,
}

impl Actor for GroupCoordinator {
    type Msg = Counted<GroupCoordinatorMessage>;
    type State = GroupCoordinatorState;
    type Arguments = GroupCoordinatorArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let GroupCoordinatorArguments { broker, place, found, status } = arguments;
        let deadline = broker.settings.load().offsets.commit_timeout + LEASE_DEADLINE;
        let lease = broker.groups.leases().acquire(place.group_id.clone(), deadline).await?;
        let machine = found.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let mut state = GroupCoordinatorState {
            machine: None,
            effects: Effects::new(),
            parked: ParkedRequests::default(),
            queued: QueuedAppends::default(),
            timer: None,
            origin: Instant::now(),
            has_resigned: false,
            broker,
            place,
            status,
            lease,
        };
        match machine {
            Some(machine) => {
                state.begin(machine);
                state.perform_effects(&myself);
            }
            None => state.start_loading(&myself),
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.on_message(message.open(), &myself)?;
        state.perform_effects(&myself);
        state.end_if_vacant(&myself);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }

    async fn post_stop(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.resign();
        state.perform_effects(&myself);
        Ok(())
    }
}

impl GroupCoordinatorState {
    fn on_message(
        &mut self,
        message: GroupCoordinatorMessage,
        myself: &ActorRef<Counted<GroupCoordinatorMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        use GroupCoordinatorMessage as Message;
        match message {
            Message::Request(request) => self.on_request(request),
            Message::MemberDisconnected(member_id) => self.on_member_disconnected(&member_id),
            Message::TopicsDeleted(topics) => self.on_topics_deleted(&topics),
            Message::ExpireOffsets => self.on_expire_offsets(),
            Message::Loaded(loaded) => return self.on_loaded(*loaded),
            Message::AppendDue => self.on_append_due(myself),
            Message::Appended { tickets, outcome } => self.on_appended(tickets, outcome),
            Message::TimerRang => self.on_timer_rang(),
        }
        Ok(())
    }

    fn now(&self) -> Now {
        Now {
            monotonic: self.origin.elapsed(),
            wall_clock: Timestamp::from_millis(self.broker.ports.clock.wall_ms()),
        }
    }

    fn on_request(&mut self, request: GroupRequest) {
        let (now, image) = (self.now(), self.broker.image.load());
        match &mut self.machine {
            Some(machine) => {
                self.parked.hand_over(machine, request, now, &image, &mut self.effects);
            }
            None => request.refuse(ErrorCode::CoordinatorLoadInProgress),
        }
    }

    fn on_member_disconnected(&mut self, member_id: &MemberId) {
        let (now, settings) = (self.now(), self.broker.settings.load());
        let Some(grace) = settings.groups.disconnect_grace else { return };
        if let Some(machine) = &mut self.machine {
            machine.on_member_disconnected(now, member_id, grace, &mut self.effects);
        }
    }

    fn on_topics_deleted(&mut self, topics: &[TopicName]) {
        let image = self.broker.image.load();
        let Some(machine) = &mut self.machine else { return };
        let mut gone = gone_topics(machine, &image);
        // a commit that is still on its way to the log may be of such a topic, too
        gone.extend(
            topics.iter().map(|topic| DeletedTopic {
                topic: topic.clone(),
                topic_id: protocol::TopicId::ZERO,
            }),
        );
        machine.on_topics_deleted(&gone, &mut self.effects);
    }

    fn on_expire_offsets(&mut self) {
        let now = self.now();
        if let Some(machine) = &mut self.machine {
            machine.on_expire_offsets(now, &mut self.effects);
        }
    }

    fn start_loading(&self, myself: &ActorRef<Counted<GroupCoordinatorMessage>>) {
        let (broker, place) = (Arc::clone(&self.broker), Arc::clone(&self.place));
        let myself = myself.clone();
        tokio::spawn(async move {
            let loaded = Box::new(read_group(&broker, &place).await);
            // it may have been stopped meanwhile
            let _ = myself.cast(GroupCoordinatorMessage::Loaded(loaded).into());
        });
    }

    fn on_loaded(
        &mut self,
        loaded: Result<ClassicGroup, GroupLogError>,
    ) -> Result<(), ActorProcessingErr> {
        match loaded {
            Ok(machine) => self.begin(machine),
            Err(GroupLogError::LeadershipEnded) => {
                self.begin(self.broker.groups.new_group(&self.broker, &self.place.group_id));
                self.resign();
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Goes on with the group as it stands, but for offsets of topics that went meanwhile.
    fn begin(&mut self, mut machine: ClassicGroup) {
        let (now, image) = (self.now(), self.broker.image.load());
        machine.on_loaded(now, &mut self.effects);
        if self.place.is_known_to(&image) {
            machine.on_topics_deleted(&gone_topics(&machine, &image), &mut self.effects);
        }
        self.machine = Some(machine);
        self.show();
    }

    fn on_timer_rang(&mut self) {
        self.timer = None;
        if !self.place.is_current() {
            self.resign();
            return;
        }
        let now = self.now();
        if let Some(machine) = &mut self.machine {
            machine.on_time(now, &mut self.effects);
        }
    }

    /// The partition is no longer led here, or under another epoch: another coordinator reads, or
    /// has read, what the log holds, so this one must add nothing to it.
    fn resign(&mut self) {
        let now = self.now();
        if self.has_resigned {
            return;
        }
        self.has_resigned = true;
        self.timer = None;
        self.queued = QueuedAppends::default();
        if let Some(machine) = &mut self.machine {
            machine.on_resigned(now, &mut self.effects);
        }
    }

    /// A group that does not exist and waits for nothing needs no actor.
    fn end_if_vacant(&self, myself: &ActorRef<Counted<GroupCoordinatorMessage>>) {
        let is_vacant = self.machine.as_ref().is_some_and(ClassicGroup::is_vacant);
        if is_vacant && !self.has_resigned {
            self.broker.groups.forget(&self.place);
            myself.stop(None);
        }
    }
}

/// What the group has committed for topics, or for incarnations of topics, that are no more.
fn gone_topics(machine: &ClassicGroup, image: &ClusterImage) -> Vec<DeletedTopic> {
    let mut gone: Vec<DeletedTopic> = Vec::new();
    for (topic, _, committed) in machine.committed_offsets().iter() {
        let is_other = |id| !committed.topic_id.is_zero() && committed.topic_id != id;
        let is_gone = image.topic(topic.as_str()).is_none_or(|topic| is_other(topic.id));
        let is_noted = gone
            .last()
            .is_some_and(|last| last.topic == *topic && last.topic_id == committed.topic_id);
        if is_gone && !is_noted {
            gone.push(DeletedTopic { topic: topic.clone(), topic_id: committed.topic_id });
        }
    }
    gone
}
