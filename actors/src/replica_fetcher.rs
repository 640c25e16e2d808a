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
//! [`COME_BACK_LINGER`]: who comes back later, or was refused and has rested, has the waiting fetch
//! answered at once. A restart
//! loses the session and what it was told; every replica is asked to repeat it. Its mailbox is
//! bounded by the partitions: one question each. The memory of answers is bounded by one answer and
//! [`BYTES_AWAY_MAX`]. It never touches a file, and never reads a batch.

mod backoff;
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
pub use self::fetch_session::{Delivery, FetchSession, FollowRequest};
pub use self::flush_reports::FlushReports;
use crate::broker::Broker;
use crate::partition_replica::{FollowingMessage, PartitionReplicaMessage};
use crate::peer_messages::CallError;
use crate::peer_messages::flush_progress::{
    FlushProgressAnswer, FlushProgressMessage, FlushReport,
};
use crate::peer_messages::follower_fetch::{FollowerFetchAnswer, FollowerFetchMessage, shard_of};

/// How long the leader may let a fetch wait for something new.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long its answer may take beyond that.
const CALL_MARGIN: Duration = Duration::from_secs(2);
/// How long a report of flushes may go without an answer.
const FLUSH_CALL_DEADLINE: Duration = Duration::from_secs(2);
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
    /// From itself: look whether it is time to ask, or to report.
    Due,
    /// From its call: what the leader answered.
    FetchAnswered(Result<FollowerFetchAnswer, CallError>),
    /// From its call: what became of these reports.
    FlushAnswered {
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
            Message::ReportFlushed(report) => state.reports.add(report),
            Message::ReportFailed { key, leader_epoch } => state.on_failed(key, leader_epoch),
            Message::Due => state.due_at = None,
            Message::FetchAnswered(answer) => state.on_fetch_answered(answer),
            Message::FlushAnswered { reports, answer } => {
                state.on_flush_answered(&reports, answer);
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

    fn on_forget(&mut self, key: PartitionKey) {
        self.session.forget(key);
        self.reports.forget(key);
        self.show();
    }

    fn on_failed(&mut self, key: PartitionKey, leader_epoch: LeaderEpoch) {
        self.session.fail(key, leader_epoch);
    }

    fn on_fetch_answered(&mut self, answer: Result<FollowerFetchAnswer, CallError>) {
        (self.fetching, self.woken) = (false, false);
        match answer {
            Ok(answer) => {
                self.backoff.on_success();
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
        reports: &[FlushReport],
        answer: Result<FlushProgressAnswer, CallError>,
    ) {
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
            self.come_back([rested, linger, report_at], myself);
        } else if self.session.has_questions() || !self.reports.is_empty() {
            self.come_back([blocked, None, None], myself);
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

    fn fetch_if_due(&mut self, myself: &ActorRef<Counted<ReplicaFetcherMessage>>) {
        if self.fetching || !self.session.has_questions() {
            return;
        }
        self.fetching = true;
        let epoch = self.broker.registration.epoch();
        let message = self.session.next_message(self.arguments.shard, epoch, FETCH_WAIT_MAX);
        let myself = myself.clone();
        self.call(message, FETCH_WAIT_MAX + CALL_MARGIN, move |answer| {
            let _ = myself.cast(ReplicaFetcherMessage::FetchAnswered(answer).into());
        });
    }

    fn send_wake(&self, myself: &ActorRef<Counted<ReplicaFetcherMessage>>) {
        let epoch = self.broker.registration.epoch();
        let message = self.session.wake_message(self.arguments.shard, epoch);
        let myself = myself.clone();
        // lost, it costs patience: the fetch that waits is answered by its own deadline
        self.call(message, FLUSH_CALL_DEADLINE, move |_| drop(myself));
    }

    fn report_if_due(&mut self, now: Instant, myself: &ActorRef<Counted<ReplicaFetcherMessage>>) {
        let waits = self.report_after.is_some_and(|after| after > now);
        if self.reporting || waits || self.reports.is_empty() {
            return;
        }
        self.reporting = true;
        self.report_after = None;
        let reports = self.reports.next();
        let broker_epoch = self.broker.registration.epoch();
        let shard = self.arguments.shard;
        let message = FlushProgressMessage { shard, broker_epoch, reports: reports.clone() };
        let (caller, leader) = (self.broker.peer_caller(), self.arguments.leader);
        let myself = myself.clone();
        tokio::spawn(async move {
            let answer = caller.ask(leader, &message, FLUSH_CALL_DEADLINE).await;
            let _ = myself.cast(ReplicaFetcherMessage::FlushAnswered { reports, answer }.into());
        });
    }

    fn call(
        &self,
        message: FollowerFetchMessage,
        deadline: Duration,
        then: impl FnOnce(Result<FollowerFetchAnswer, CallError>) + Send + 'static,
    ) {
        let (caller, leader) = (self.broker.peer_caller(), self.arguments.leader);
        tokio::spawn(async move { then(caller.ask(leader, &message, deadline).await) });
    }

    /// Makes sure that `Due` comes at the first of these moments.
    fn come_back(
        &mut self,
        moments: [Option<Instant>; 3],
        myself: &ActorRef<Counted<ReplicaFetcherMessage>>,
    ) {
        let Some(at) = moments.into_iter().flatten().min() else { return };
        if self.due_at.is_some_and(|due| due <= at) {
            return;
        }
        self.due_at = Some(at);
        let delay = at.saturating_duration_since(Instant::now());
        myself.send_after(delay, || ReplicaFetcherMessage::Due.into());
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
