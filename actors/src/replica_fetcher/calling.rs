//! What a fetcher asks its leader, each in a task of its own that brings the answer back; and when it
//! looks again by itself.

use std::time::Duration;

use ractor::ActorRef;
use supervision::Counted;
use tokio::time::Instant;

use super::{ReplicaFetcherMessage, ReplicaFetcherState};
use crate::peer_messages::CallError;
use crate::peer_messages::flush_progress::FlushProgressMessage;
use crate::peer_messages::follower_fetch::{FollowerFetchAnswer, FollowerFetchMessage};

/// How long the leader may let a fetch wait for something new.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long its answer may take beyond that.
const CALL_MARGIN: Duration = Duration::from_secs(2);
/// How long calls may go without an answer that the leader does not let wait.
const SHORT_CALL_DEADLINE: Duration = Duration::from_secs(2);

impl ReplicaFetcherState {
    fn next_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    pub(super) fn fetch_if_due(&mut self, myself: &ActorRef<Counted<ReplicaFetcherMessage>>) {
        if self.fetching || !self.session.has_questions() {
            return;
        }
        self.fetching = true;
        self.fetch_number = self.next_call();
        let epoch = self.broker.registration.epoch();
        let message = self.session.next_message(self.arguments.shard, epoch, FETCH_WAIT_MAX);
        let (myself, number) = (myself.clone(), self.fetch_number);
        self.call(message, FETCH_WAIT_MAX + CALL_MARGIN, move |answer| {
            let _ = myself.cast(ReplicaFetcherMessage::FetchAnswered { number, answer }.into());
        });
    }

    pub(super) fn send_wake(&self, myself: &ActorRef<Counted<ReplicaFetcherMessage>>) {
        let epoch = self.broker.registration.epoch();
        let message = self.session.wake_message(self.arguments.shard, epoch);
        let (myself, number) = (myself.clone(), self.fetch_number);
        self.call(message, SHORT_CALL_DEADLINE, move |answer| {
            let _ = myself.cast(ReplicaFetcherMessage::WakeAnswered { number, answer }.into());
        });
    }

    pub(super) fn report_if_due(
        &mut self,
        now: Instant,
        myself: &ActorRef<Counted<ReplicaFetcherMessage>>,
    ) {
        let waits = self.report_after.is_some_and(|after| after > now);
        if self.reporting || waits || self.reports.is_empty() {
            return;
        }
        self.reporting = true;
        self.report_number = self.next_call();
        self.report_after = None;
        let reports = self.reports.next();
        let broker_epoch = self.broker.registration.epoch();
        let shard = self.arguments.shard;
        let message = FlushProgressMessage { shard, broker_epoch, reports: reports.clone() };
        let (caller, leader) = (self.broker.peer_caller(), self.arguments.leader);
        let (myself, number) = (myself.clone(), self.report_number);
        tokio::spawn(async move {
            let answer = caller.ask(leader, &message, SHORT_CALL_DEADLINE).await;
            let answered = ReplicaFetcherMessage::FlushAnswered { number, reports, answer };
            let _ = myself.cast(answered.into());
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
    pub(super) fn come_back(
        &mut self,
        moments: [Option<Instant>; 4],
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
}
