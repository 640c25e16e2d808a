//! One per (follower node, shard), on the leaders' node: owns that follower's fetch session.
//!
//! Supervised by `replication`, a dynamic supervisor. Started by the first fetch of a follower; it
//! stays, and has no timer while the follower is silent. Sent to by the node's peer service and by
//! its own task. Sends to replicas: what their followers ask, once a question.
//!
//! ```text
//! FollowerFetch ──▶ feed ──FollowerFetch──▶ replica's machine ──verdict──┐
//!                    │ its task                                          ▼
//!                    └──reads through read views, waits on their bells──▶ answer
//! ```
//!
//! One fetch at a time: a task has the session while it waits for something to tell, so that the
//! mailbox stays free to hear that it need not wait. A restart loses the session, and the follower
//! opens it anew. Its mailbox is bounded by the follower: one fetch and one call to wake it; its
//! memory by one answer of [`ANSWER_BYTES_MAX`], or of one larger batch. It decides nothing of who is
//! in sync, and never asks a machine about a partition that has nothing new to ask.

mod answer_draft;
pub mod feed_session;
mod feeding;
mod verdicts;

use std::sync::{Arc, Weak};
use std::time::Duration;

use metadata::Incarnation;
use protocol::BrokerId;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, Counted, Status};
use tokio::sync::{Notify, oneshot};

pub use self::answer_draft::{ANSWER_BYTES_MAX, PARTITIONS_MAX};
use self::feed_session::FeedSession;
pub use self::verdicts::VerdictReply;
use crate::broker::Broker;
use crate::peer_messages::follower_fetch::{FetchStep, FollowerFetchAnswer, FollowerFetchMessage};

/// A follower that has not fetched for so long has lost its session.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A fetch, as it arrived.
#[derive(Debug)]
pub struct ArrivedFetch {
    /// Which start of the follower's process sent it.
    pub incarnation: Incarnation,
    /// What it asks.
    pub message: FollowerFetchMessage,
    /// Where the answer goes. Dropped unanswered, it means: try again.
    pub reply: oneshot::Sender<FollowerFetchAnswer>,
}

/// What a feed is told.
pub enum FollowerFeedMessage {
    /// From itself: it is born, and can be found.
    Begin,
    /// From the peer service: the follower fetches.
    Fetch(ArrivedFetch),
    /// From its task: the fetch is answered; here is the session, if it is still worth something.
    FetchEnded(Option<Box<FeedSession>>),
    /// From itself: look whether the follower is silent.
    SilenceCheck,
}

/// Everything a feed is born with.
#[derive(Clone)]
pub struct FollowerFeedArguments {
    /// The node.
    pub broker: Weak<Broker>,
    /// Whom it feeds.
    pub follower: BrokerId,
    /// Which of the follower's fetches it answers.
    pub shard: u8,
    /// Where it is found.
    pub address: Address<FollowerFeedMessage>,
    /// Fetches that arrived before it could be found.
    pub early: EarlyFetches,
    /// What it shows in the tree.
    pub status: Status,
}

/// Fetches that wait for their feed to be born.
pub type EarlyFetches = Arc<std::sync::Mutex<Vec<ArrivedFetch>>>;

/// See the head of this file.
pub struct FollowerFeed;

/// Where the session is.
enum SessionPlace {
    /// There is none.
    None,
    /// Here, between two fetches.
    Here(Box<FeedSession>),
    /// With the task that answers this fetch.
    WithTask { incarnation: Incarnation, session: u64, turn: u32 },
}

/// What a feed knows.
pub struct FollowerFeedState {
    session: SessionPlace,
    /// The fetch that comes after the one under way.
    next: Option<ArrivedFetch>,
    /// Has the fetch under way answered at once.
    interrupt: Arc<Notify>,
    was_heard: bool,
    is_checking: bool,
    broker: Arc<Broker>,
    arguments: FollowerFeedArguments,
}

impl Actor for FollowerFeed {
    type Msg = Counted<FollowerFeedMessage>;
    type State = FollowerFeedState;
    type Arguments = FollowerFeedArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let broker = arguments.broker.upgrade().ok_or("the node is gone")?;
        myself.cast(FollowerFeedMessage::Begin.into())?;
        Ok(FollowerFeedState {
            session: SessionPlace::None,
            next: None,
            interrupt: Arc::default(),
            was_heard: false,
            is_checking: false,
            broker,
            arguments,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message.open() {
            FollowerFeedMessage::Begin => state.on_begin(&myself),
            FollowerFeedMessage::Fetch(fetch) => state.on_fetch(fetch, &myself),
            FollowerFeedMessage::FetchEnded(session) => state.on_fetch_ended(session, &myself),
            FollowerFeedMessage::SilenceCheck => state.on_silence_check(&myself),
        }
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
}

impl FollowerFeedState {
    fn on_begin(&mut self, myself: &ActorRef<Counted<FollowerFeedMessage>>) {
        self.arguments.address.publish(myself);
        let early = {
            let early = self.arguments.early.lock();
            std::mem::take(&mut *early.unwrap_or_else(std::sync::PoisonError::into_inner))
        };
        early.into_iter().for_each(|fetch| self.on_fetch(fetch, myself));
    }

    fn on_fetch(&mut self, fetch: ArrivedFetch, myself: &ActorRef<Counted<FollowerFeedMessage>>) {
        self.was_heard = true;
        self.watch_for_silence(myself);
        if fetch.message.step == FetchStep::Wake {
            self.wake(fetch);
            return;
        }
        match &self.session {
            SessionPlace::WithTask { .. } if self.is_old(&fetch) => refuse(fetch),
            SessionPlace::WithTask { .. } => {
                // the follower waits for that answer no longer
                self.next = Some(fetch);
                self.interrupt.notify_one();
            }
            SessionPlace::None | SessionPlace::Here(_) => self.begin(fetch, myself),
        }
    }

    /// Has the fetch under way answered at once, and says whether there is one: the follower waits in
    /// vain for the answer to any other.
    fn wake(&self, fetch: ArrivedFetch) {
        let asked = (fetch.incarnation, fetch.message.session);
        let is_under_way = match self.session {
            SessionPlace::WithTask { incarnation, session, .. } => (incarnation, session) == asked,
            SessionPlace::Here(_) | SessionPlace::None => false,
        };
        let next = self.next.as_ref().map(|next| (next.incarnation, next.message.session));
        if is_under_way || next == Some(asked) {
            self.interrupt.notify_one();
            let _ = fetch.reply.send(FollowerFetchAnswer::nothing());
        } else {
            refuse(fetch);
        }
    }

    /// A copy of the fetch under way, or of one before it.
    fn is_old(&self, fetch: &ArrivedFetch) -> bool {
        let SessionPlace::WithTask { incarnation, session, turn } = self.session else {
            return false;
        };
        let asked = (fetch.message.session, turn_of(fetch.message.step));
        fetch.incarnation == incarnation && asked <= (session, turn)
    }

    fn begin(&mut self, fetch: ArrivedFetch, myself: &ActorRef<Counted<FollowerFeedMessage>>) {
        let before = match std::mem::replace(&mut self.session, SessionPlace::None) {
            SessionPlace::Here(session) => Some(session),
            SessionPlace::None | SessionPlace::WithTask { .. } => None,
        };
        let ArrivedFetch { incarnation, message, reply } = fetch;
        let (number, turn) = (message.session, turn_of(message.step));
        let session = match message.step {
            FetchStep::Open
                if before.as_ref().is_none_or(|it| it.may_be_followed_by(incarnation, number)) =>
            {
                Box::new(FeedSession::new(self.arguments.follower, incarnation, number))
            }
            FetchStep::Next(_)
                if before.as_ref().is_some_and(|it| it.expects(incarnation, number, turn)) =>
            {
                match before {
                    Some(session) => session,
                    None => return,
                }
            }
            FetchStep::Open | FetchStep::Next(_) | FetchStep::Wake => {
                self.session = before.map_or(SessionPlace::None, SessionPlace::Here);
                let _ = reply.send(FollowerFetchAnswer::unknown_session());
                return;
            }
        };
        self.session = SessionPlace::WithTask { incarnation, session: number, turn };
        let task = feeding::FeedingTask {
            session: Some(session),
            feed: myself.clone(),
            broker: Arc::clone(&self.broker),
            interrupt: Arc::clone(&self.interrupt),
            shard: self.arguments.shard,
            status: self.arguments.status.clone(),
        };
        tokio::spawn(task.run(message, reply));
    }

    fn on_fetch_ended(
        &mut self,
        session: Option<Box<FeedSession>>,
        myself: &ActorRef<Counted<FollowerFeedMessage>>,
    ) {
        self.session = session.map_or(SessionPlace::None, SessionPlace::Here);
        if let Some(next) = self.next.take() {
            self.begin(next, myself);
        }
    }

    fn watch_for_silence(&mut self, myself: &ActorRef<Counted<FollowerFeedMessage>>) {
        if !std::mem::replace(&mut self.is_checking, true) {
            myself.send_after(SILENCE_MAX, || FollowerFeedMessage::SilenceCheck.into());
        }
    }

    /// A silent follower's session goes, and its memory with it.
    fn on_silence_check(&mut self, myself: &ActorRef<Counted<FollowerFeedMessage>>) {
        self.is_checking = false;
        let is_busy = matches!(self.session, SessionPlace::WithTask { .. });
        if is_busy || std::mem::take(&mut self.was_heard) {
            self.watch_for_silence(myself);
            return;
        }
        self.session = SessionPlace::None;
        self.arguments.status.clear("partitions");
    }
}

const fn turn_of(step: FetchStep) -> u32 {
    match step {
        FetchStep::Open | FetchStep::Wake => 0,
        FetchStep::Next(turn) => turn,
    }
}

fn refuse(fetch: ArrivedFetch) {
    let _ = fetch.reply.send(FollowerFetchAnswer::unknown_session());
}
