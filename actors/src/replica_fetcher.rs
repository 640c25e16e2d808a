//! One per (leader node, shard): asks that leader, in one fetch at a time, for all partitions of
//! its shard that replicas on this node follow there.
//!
//! Supervised by `replication`, a dynamic supervisor: one fetcher's failure is nobody else's.
//! Started by the first replica that follows there; it stays, and has no timer and no call while
//! nobody does. Sent to by partition replicas (whom to follow, what was flushed) and by its own
//! calls. Sends to the leader and to replicas.
//!
//! ```text
//! replica ──Follow──▶ fetcher ──FollowerFetch──▶ feed on the leader   (waits there for news)
//!    ▲  └─ReportFlushed─▶ │ ────FlushProgress──▶ leader's replicas   (never behind a fetch)
//!    └──Following(Fetched)┘
//! ```
//!
//! The next fetch goes when everybody who was given something has come back, or after
//! [`COME_BACK_LINGER`]: who comes back later, or was refused and has rested, or was taken out of the
//! in-sync replicas, has the waiting fetch answered at once. A leader that does not have that fetch has
//! answered it: if the answer does not come, it was lost, and is not waited for. A restart
//! loses the session and what it was told; every replica is asked to repeat it. Its mailbox is
//! bounded by the partitions: one question each. The memory of answers is bounded by one answer and
//! [`BYTES_AWAY_MAX`]. It never touches a file, and never reads a batch.

mod backoff;
mod calling;
mod fetch_session;
mod flush_reports;
mod stages;

use std::sync::{Arc, Weak};
use std::time::Duration;

use metadata::PartitionKey;
use protocol::{BrokerId, LeaderEpoch};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, Counted, Status};
use tokio::time::Instant;
use tracing::debug;

use self::backoff::LinkBackoff;
pub use self::calling::FETCH_WAIT_MAX;
pub use self::fetch_session::{Delivery, FetchSession, FollowRequest};
pub use self::flush_reports::FlushReports;
use crate::broker::Broker;
use crate::partition_replica::{FollowingMessage, PartitionReplicaMessage};
use crate::peer_messages::CallError;
use crate::peer_messages::flush_progress::{FlushProgressAnswer, FlushReport};
use crate::peer_messages::follower_fetch::{FollowerFetchAnswer, shard_of};

/// How long the answer to a fetch may take, once the leader says that it does not have the fetch;
/// doubled with each that did not come in time, for it may be large and its link slow.
const ANSWER_LATE_MAX: Duration = Duration::from_millis(200);
/// How often it is doubled at most.
const DOUBLINGS_MAX: u32 = 5;
/// How long replicas that were given something are waited for before the next fetch.
pub const COME_BACK_LINGER: Duration = Duration::from_millis(5);
/// While replicas have more than this in hand, no more is fetched.
pub const BYTES_AWAY_MAX: usize = 8 << 20;

/// What a fetcher is told.
#[derive(Debug)]
pub enum ReplicaFetcherMessage {
    /// From itself: it is born, and can be found.
    Begin,
    /// A replica: ask for what follows.
    Follow(FollowRequest),
    /// A replica: ask no more.
    Forget {
        /// Which partition.
        key: PartitionKey,
    },
    /// A replica: tell the leader that this is on disk.
    ReportFlushed(FlushReport),
    /// A replica: tell the leader that its log failed.
    ReportFailed {
        /// Which partition.
        key: PartitionKey,
        /// The leadership that it followed.
        leader_epoch: LeaderEpoch,
    },
    /// A replica: the cluster counts it as behind, though it may only wait. Its question goes once
    /// more, so that the leader hears of it, and does not wait for an answer that was lost.
    AskAnew {
        /// Which partition.
        key: PartitionKey,
    },
    /// From itself: look whether it is time to ask, or to report.
    Due,
    /// From its call: what the leader answered.
    FetchAnswered {
        /// Which fetch.
        number: u64,
        /// The leader's word.
        answer: Result<FollowerFetchAnswer, CallError>,
    },
    /// From its call: whether the leader has the fetch that was to be answered at once.
    WakeAnswered {
        /// Which fetch.
        number: u64,
        /// The leader's word.
        answer: Result<FollowerFetchAnswer, CallError>,
    },
    /// From its call: what became of these reports.
    FlushAnswered {
        /// Which call.
        number: u64,
        /// What was reported.
        reports: Vec<FlushReport>,
        /// The leader's word.
        answer: Result<FlushProgressAnswer, CallError>,
    },
}

/// Everything a fetcher is born with.
#[derive(Clone)]
pub struct ReplicaFetcherArguments {
    /// The node.
    pub broker: Weak<Broker>,
    /// Whom it asks.
    pub leader: BrokerId,
    /// Which partitions: those of this shard.
    pub shard: u8,
    /// Where it is found.
    pub address: Address<ReplicaFetcherMessage>,
    /// What it shows in the tree.
    pub status: Status,
}

/// See the head of this file.
pub struct ReplicaFetcher;

/// What a fetcher knows.
pub struct ReplicaFetcherState {
    session: FetchSession,
    reports: FlushReports,
    backoff: LinkBackoff,
    /// Whether a fetch is under way, and whether it was asked to be answered at once.
    fetching: bool,
    woken: bool,
    /// The leader does not have the fetch under way: its answer comes until then, or is lost.
    lost_at: Option<Instant>,
    /// Answers in a row that did not come in time.
    lost: u32,
    /// Counts fetches and reports, so that what comes late is recognised.
    calls: u64,
    fetch_number: u64,
    report_number: u64,
    /// When the last answer came, while replicas that it was for are away.
    answered_at: Option<Instant>,
    /// Whether a report is under way.
    reporting: bool,
    /// Not before then, after a report was refused.
    report_after: Option<Instant>,
    /// When the `Due` on its way comes.
    due_at: Option<Instant>,
    broker: Arc<Broker>,
    arguments: ReplicaFetcherArguments,
}

impl Actor for ReplicaFetcher {
    type Msg = Counted<ReplicaFetcherMessage>;
    type State = ReplicaFetcherState;
    type Arguments = ReplicaFetcherArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let broker = arguments.broker.upgrade().ok_or("the node is gone")?;
        myself.cast(ReplicaFetcherMessage::Begin.into())?;
        Ok(ReplicaFetcherState {
            // sessions of this process have rising numbers, whichever incarnation opens them
            session: FetchSession::new(broker.replication.next_session_number()),
            reports: FlushReports::default(),
            backoff: LinkBackoff::default(),
            fetching: false,
            woken: false,
            lost_at: None,
            lost: 0,
            calls: 0,
            fetch_number: 0,
            report_number: 0,
            answered_at: None,
            reporting: false,
            report_after: None,
            due_at: None,
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
        use ReplicaFetcherMessage as Message;
        match message.open() {
            Message::Begin => state.on_begin(&myself),
            Message::Follow(request) => state.on_follow(request),
            Message::Forget { key } => state.on_forget(key),
            Message::ReportFlushed(report) => state.on_flushed(report),
            Message::ReportFailed { key, leader_epoch } => state.on_failed(key, leader_epoch),
            Message::AskAnew { key } => state.session.ask_anew(key),
            Message::Due => state.due_at = None,
            Message::FetchAnswered { number, answer } => state.on_fetch_answered(number, answer),
            Message::WakeAnswered { number, answer } => state.on_wake_answered(number, &answer),
            Message::FlushAnswered { number, reports, answer } => {
                state.on_flush_answered(number, &reports, answer);
            }
        }
        state.go_on(&myself);
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

impl ReplicaFetcherState {
    /// Whatever was said before it could be found, or to the incarnation before, is said again.
    fn on_begin(&self, myself: &ActorRef<Counted<ReplicaFetcherMessage>>) {
        let (leader, shard) = (self.arguments.leader, self.arguments.shard);
        self.arguments.address.publish(myself);
        for place in self.broker.partitions.places() {
            if shard_of(place.key) == shard && place.decided().leader != Some(self.broker.id) {
                let again = FollowingMessage::AskAgain { leader };
                let _ = place.replica.send(PartitionReplicaMessage::Following(again));
            }
        }
    }

    fn on_follow(&mut self, request: FollowRequest) {
        self.session.follow(request);
        self.show();
    }

    /// What the leader does not know yet must not wait behind a fetch that waits for something new.
    fn wake_for_news(&mut self, myself: &ActorRef<Counted<ReplicaFetcherMessage>>) {
        if self.fetching && self.session.has_news() && !std::mem::replace(&mut self.woken, true) {
            self.send_wake(myself);
        }
    }

    /// What the leader does not have, it has answered; or it never came there.
    fn on_wake_answered(&mut self, number: u64, answer: &Result<FollowerFetchAnswer, CallError>) {
        let has_it = matches!(answer, Ok(answer) if answer.knows_session);
        if self.fetching && number == self.fetch_number && !has_it {
            let patience = ANSWER_LATE_MAX * (1 << self.lost.min(DOUBLINGS_MAX));
            self.lost_at = Some(Instant::now() + patience);
        }
    }

    /// The answer is waited for no longer, and neither is that to a report of the same time.
    fn abandon_lost(&mut self, now: Instant) {
        if self.lost_at.is_some_and(|at| at <= now) {
            let (leader, shard) = (self.arguments.leader, self.arguments.shard);
            debug!(%leader, shard, "an answer of the leader was lost");
            (self.fetching, self.woken, self.lost_at) = (false, false, None);
            self.reporting = false;
            self.lost = self.lost.saturating_add(1);
            self.session.lose();
        }
    }

    fn on_forget(&mut self, key: PartitionKey) {
        self.session.forget(key);
        self.reports.forget(key);
        self.show();
    }

    /// What a replica says that has been forgotten would be refused for ever. What is new does not
    /// wait until what was refused is repeated.
    fn on_flushed(&mut self, report: FlushReport) {
        if self.session.follows(report.key) {
            self.reports.add(report);
            self.report_after = None;
        }
    }

    fn on_failed(&mut self, key: PartitionKey, leader_epoch: LeaderEpoch) {
        self.session.fail(key, leader_epoch);
    }

    fn on_fetch_answered(&mut self, number: u64, answer: Result<FollowerFetchAnswer, CallError>) {
        if !self.fetching || number != self.fetch_number {
            return;
        }
        (self.fetching, self.woken, self.lost_at) = (false, false, None);
        match answer {
            Ok(answer) => {
                self.backoff.on_success();
                self.lost = 0;
                let deliveries = self.session.on_answer(answer, Instant::now());
                self.answered_at = Some(Instant::now());
                deliveries.into_iter().for_each(deliver);
            }
            Err(error) => {
                self.session.lose();
                self.on_failure(&error);
            }
        }
    }

    fn on_flush_answered(
        &mut self,
        number: u64,
        reports: &[FlushReport],
        answer: Result<FlushProgressAnswer, CallError>,
    ) {
        if !self.reporting || number != self.report_number {
            return;
        }
        self.reporting = false;
        match answer {
            Ok(answer) => {
                let is_refused = self.reports.on_answer(reports, &answer.codes);
                for (report, _) in reports.iter().zip(&answer.codes).filter(|(_, code)| **code == 0)
                {
                    self.session.on_flush_heard(report);
                }
                let delay =
                    is_refused.then(|| self.backoff.delay_of_report(&*self.broker.ports.rng));
                self.report_after = delay.map(|delay| Instant::now() + delay);
                if !is_refused {
                    self.backoff.on_report_heard();
                }
            }
            Err(error) => self.on_failure(&error),
        }
    }

    fn on_failure(&mut self, error: &CallError) {
        let (leader, shard) = (self.arguments.leader, self.arguments.shard);
        debug!(%leader, shard, %error, "no answer from the leader");
        let links = self.broker.ports.peers.links();
        let has_link = links.borrow().contains_key(&leader);
        self.backoff.on_failure(Instant::now(), has_link, &*self.broker.ports.rng);
    }

    /// Asks and reports what is due, or comes back when it will be.
    fn go_on(&mut self, myself: &ActorRef<Counted<ReplicaFetcherMessage>>) {
        let now = Instant::now();
        self.abandon_lost(now);
        let rested = self.session.wake_rested(now);
        self.wake_for_news(myself);
        let blocked = self.backoff.blocked_until(now);
        if blocked.is_none() {
            self.report_if_due(now, myself);
            let linger = self.lingers_until(now);
            if linger.is_none() {
                self.fetch_if_due(myself);
            }
            let report_at = self.report_after.filter(|_| !self.reports.is_empty());
            self.come_back([rested, linger, report_at, self.lost_at], myself);
        } else if self.session.has_questions() || !self.reports.is_empty() {
            self.come_back([blocked, None, None, None], myself);
        }
    }

    /// Until when replicas that have an answer are waited for.
    fn lingers_until(&self, now: Instant) -> Option<Instant> {
        if self.session.away() == 0 {
            return None;
        }
        if self.session.bytes_away() > BYTES_AWAY_MAX {
            return Some(now + COME_BACK_LINGER);
        }
        self.answered_at.map(|at| at + COME_BACK_LINGER).filter(|until| *until > now)
    }

    fn show(&self) {
        let count = i64::try_from(self.session.len()).unwrap_or(i64::MAX);
        self.arguments.status.set("partitions", count);
    }
}

fn deliver(delivery: Delivery) {
    let Delivery { replica, answer, batches } = delivery;
    let fetched = FollowingMessage::Fetched { answer, batches };
    // a replica that has just ended asks anew when it is back
    let _ = replica.send(PartitionReplicaMessage::Following(fetched));
}
