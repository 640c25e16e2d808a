//! The replica as the leader of others: what its followers say, and who is in sync.

use std::time::Duration;

use metadata::InSyncChange;
use protocol::{BrokerEpoch, BrokerId, ErrorCode, LeaderEpoch};
use replication::{
    FlushProgress, FollowerFetch, InSyncProposal, InSyncRefusal, Moment, PartitionEpoch, Refusal,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::{OwnMessage, PartitionReplicaMessage, PartitionReplicaState};
use crate::controller::question::{ChangeInSyncReplicas, Refused, ask};
use crate::follower_feed::VerdictReply;

/// How long the controller may take to answer a proposal.
const PROPOSAL_DEADLINE: Duration = Duration::from_secs(2);
/// How often appends that wait are looked at for their clients' deadlines.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

/// What a leader is told of its followers.
#[derive(Debug)]
pub enum LeadingMessage {
    /// Its feed: a follower asks for records.
    FollowerFetch {
        /// What it asks.
        fetch: FollowerFetch,
        /// The verdict.
        reply: VerdictReply,
    },
    /// A follower flushed.
    FlushProgress {
        /// How far.
        report: FlushProgress,
        /// Whether that was heard.
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    /// A follower's log failed.
    FollowerFailed {
        /// Who.
        follower: BrokerId,
        /// Its registration.
        broker_epoch: BrokerEpoch,
        /// The leadership that it followed.
        leader_epoch: LeaderEpoch,
    },
    /// From the publisher: a broker's fence was lifted.
    FollowerUnfenced(BrokerId),
}

impl PartitionReplicaState {
    pub(super) fn on_leading(&mut self, message: LeadingMessage) {
        let now = self.now();
        match message {
            LeadingMessage::FollowerFetch { fetch, reply } => {
                let verdict = self.machine.on_follower_fetch(now, &fetch, &mut self.effects);
                self.perform_effects();
                reply.send(verdict);
            }
            LeadingMessage::FlushProgress { report, reply } => {
                let heard = self.machine.on_flush_progress(now, &report, &mut self.effects);
                self.perform_effects();
                let _ = reply.send(heard);
            }
            LeadingMessage::FollowerFailed { follower, broker_epoch, leader_epoch } => {
                self.on_follower_failed(follower, broker_epoch, leader_epoch);
            }
            LeadingMessage::FollowerUnfenced(broker) => {
                self.machine.on_follower_unfenced(now, broker, &mut self.effects);
                self.perform_effects();
            }
        }
    }

    fn on_follower_failed(
        &mut self,
        follower: BrokerId,
        broker_epoch: BrokerEpoch,
        leader_epoch: LeaderEpoch,
    ) {
        // what failed under another leadership has been opened again since
        if leader_epoch != self.machine.leader_epoch() {
            return;
        }
        let now = self.now();
        let who = (follower, broker_epoch);
        let told = self.machine.on_follower_failed(now, who.0, who.1, &mut self.effects);
        if let Err(refusal) = told {
            debug!(partition = %self.arguments.place.name, %follower, %refusal, "not heard");
        }
        self.perform_effects();
    }

    /// Asks the controller for other in-sync replicas. Every proposal gets an answer, if only that
    /// there was none in time.
    pub(super) fn propose_in_sync(&self, proposal: InSyncProposal) {
        let partition_epoch = proposal.partition_epoch;
        let question = ChangeInSyncReplicas {
            leader: self.arguments.this_broker,
            broker_epoch: self.arguments.registration.epoch(),
            changes: vec![InSyncChange {
                key: self.arguments.place.key,
                leader_epoch: proposal.leader_epoch,
                partition_epoch: metadata::PartitionEpoch::new(partition_epoch.0),
                isr: proposal.in_sync_replicas.iter().map(|m| (m.broker, m.broker_epoch)).collect(),
                // what this machine leads it has recovered: its log ends where its epoch began
                has_recovered: true,
            }],
        };
        debug!(partition = %self.arguments.place.name, ?question, "proposes in-sync replicas");
        let answer = ask(&self.arguments.controller, question);
        let myself = self.myself.clone();
        tokio::spawn(async move {
            let answer = match timeout(PROPOSAL_DEADLINE, answer).await {
                Ok(Ok(Ok(each))) => {
                    each.into_iter().next().map_or(Err(InSyncRefusal::Unanswered), |answer| {
                        answer.map_err(|refused| meaning_of(&refused))
                    })
                }
                Ok(Ok(Err(refused))) => Err(meaning_of(&refused)),
                Ok(Err(_)) | Err(_) => Err(InSyncRefusal::Unanswered),
            };
            let message = OwnMessage::InSyncAnswered { partition_epoch, answer };
            let _ = myself.cast(PartitionReplicaMessage::Own(message).into());
        });
    }

    pub(super) fn on_in_sync_refused(&mut self, epoch: PartitionEpoch, reason: InSyncRefusal) {
        debug!(partition = %self.arguments.place.name, %reason, "the proposal was not accepted");
        let now = self.now();
        self.machine.on_in_sync_refused(now, epoch, reason, &mut self.effects);
        self.perform_effects();
    }

    pub(super) fn arm_lag_deadline(&mut self, at: Moment) {
        self.disarm_lag_deadline();
        let delay = at.since_origin().saturating_sub(self.origin.elapsed());
        let due = || PartitionReplicaMessage::Own(OwnMessage::LagDue).into();
        self.lag_timer = Some(self.myself.send_after(delay, due));
    }

    pub(super) fn disarm_lag_deadline(&mut self) {
        if let Some(timer) = self.lag_timer.take() {
            timer.abort();
        }
    }

    pub(super) fn on_lag_due(&mut self) {
        let now = self.now();
        self.machine.on_time(now, &mut self.effects);
        self.perform_effects();
    }

    /// Looks at the deadlines of waiting appends from now on, while there are any: one timer for
    /// all of them.
    pub(super) fn watch_deadlines(&mut self) {
        if !std::mem::replace(&mut self.watches_deadlines, true) {
            let due = || PartitionReplicaMessage::Own(OwnMessage::ExpiryDue).into();
            self.myself.send_after(EXPIRY_INTERVAL, due);
        }
    }

    pub(super) fn on_expiry_due(&mut self) {
        self.watches_deadlines = false;
        let now = Instant::now();
        let is_over = |waiting: &super::Waiting| waiting.deadline.is_some_and(|at| at <= now);
        let mut expired: Vec<_> =
            self.waiting.iter().filter(|(_, it)| is_over(it)).map(|(ticket, _)| *ticket).collect();
        expired.sort_unstable();
        for ticket in expired {
            self.machine.on_ticket_expired(ticket, &mut self.effects);
        }
        self.perform_effects();
        if self.waiting.values().any(|waiting| waiting.deadline.is_some()) {
            self.watch_deadlines();
        }
    }
}

/// What a refusal of the controller means to the machine.
fn meaning_of(refused: &Refused) -> InSyncRefusal {
    match refused.code() {
        ErrorCode::IneligibleReplica => InSyncRefusal::Ineligible,
        ErrorCode::FencedLeaderEpoch
        | ErrorCode::InvalidUpdateVersion
        | ErrorCode::NotLeaderOrFollower
        | ErrorCode::UnknownTopicId
        | ErrorCode::UnknownTopicOrPartition => InSyncRefusal::Outdated,
        _ => InSyncRefusal::Unanswered,
    }
}
