//! The follower's side of a fetch session: what is asked next, and whom an answer is for. No task,
//! no clock of its own.
//!
//! ```text
//! follow ──▶ Changed ──next_message──▶ Asked ──answer──▶ Away, with the replica ──follow──▶ Changed
//!                                        └──refused──▶ Resting ──rested──▶ Changed
//! ```

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use metadata::PartitionKey;
use protocol::{BrokerEpoch, LeaderEpoch, Offset};
use replication::{EpochEnd, FetchAnswer, FetchOutcome, FetchPosition};
use supervision::Address;
use tokio::time::Instant;

use super::stages::{Stage, StageCounts};
use crate::partition_replica::PartitionReplicaMessage;
use crate::peer_messages::flush_progress::FlushReport;
use crate::peer_messages::follower_fetch::{
    FetchStep, FollowerFetchAnswer, FollowerFetchMessage, ToldOutcome, ToldPartition,
    WantedPartition,
};

/// Questions in one message at most: together they are far from an envelope's bound.
const CHANGED_MAX: usize = 20_000;
/// How long a partition rests after its first refusal; doubled with each.
const REST_MIN: Duration = Duration::from_millis(20);
/// How long it rests at most.
const REST_MAX: Duration = Duration::from_secs(1);

/// What a replica wants to know.
#[derive(Clone, Debug)]
pub struct FollowRequest {
    /// Which partition.
    pub key: PartitionKey,
    /// Who asks.
    pub replica: Address<PartitionReplicaMessage>,
    /// The leadership that it follows.
    pub leader_epoch: LeaderEpoch,
    /// Where its log ends.
    pub position: FetchPosition,
    /// Where it starts, if it serves consumers.
    pub readable_from: Option<Offset>,
    /// How far it has flushed.
    pub flushed_offset: Offset,
}

impl FollowRequest {
    fn wanted(&self) -> WantedPartition {
        WantedPartition {
            key: self.key,
            leader_epoch: self.leader_epoch,
            fetch_offset: self.position.fetch_offset,
            last_fetched_epoch: self.position.last_fetched_epoch,
            readable_from: self.readable_from,
            flushed_offset: self.flushed_offset,
        }
    }
}

/// An answer on its way to a replica.
#[derive(Debug)]
pub struct Delivery {
    /// Whose it is.
    pub replica: Address<PartitionReplicaMessage>,
    /// What the leader said.
    pub answer: FetchAnswer,
    /// The batches, if it said so.
    pub batches: Bytes,
}

#[derive(Debug)]
struct Followed {
    request: FollowRequest,
    /// What the leader's session holds.
    sent: Option<WantedPartition>,
    stage: Stage,
    refusals: u32,
}

/// See the head of this file.
#[derive(Debug)]
pub struct FetchSession {
    number: u64,
    /// The turn that comes next; `None`: the session is to be opened anew.
    next_turn: Option<u32>,
    partitions: HashMap<PartitionKey, Followed>,
    changed: Vec<PartitionKey>,
    dropped: Vec<PartitionKey>,
    failed: HashMap<PartitionKey, LeaderEpoch>,
    /// Told with the fetch under way.
    failed_told: Vec<(PartitionKey, LeaderEpoch)>,
    stages: StageCounts,
}

impl Followed {
    fn enter(&mut self, stage: Stage, counts: &mut StageCounts) {
        counts.leave(self.stage);
        counts.enter(stage);
        self.stage = stage;
    }
}

impl FetchSession {
    /// A session without partitions; its number and those of the next ones are above `number`.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self {
            number,
            next_turn: None,
            partitions: HashMap::new(),
            changed: Vec::new(),
            dropped: Vec::new(),
            failed: HashMap::new(),
            failed_told: Vec::new(),
            stages: StageCounts::default(),
        }
    }

    /// How many partitions are followed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Whether this partition is.
    #[must_use]
    pub fn follows(&self, key: PartitionKey) -> bool {
        self.partitions.contains_key(&key)
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Replicas that have an answer and have not come back.
    #[must_use]
    pub const fn away(&self) -> usize {
        self.stages.away
    }

    /// Bytes that they have.
    #[must_use]
    pub const fn bytes_away(&self) -> usize {
        self.stages.bytes_away
    }

    /// Whether there is something that the leader does not know yet.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.changed.is_empty() || !self.failed.is_empty()
    }

    /// Whether there is anything to ask.
    #[must_use]
    pub fn has_questions(&self) -> bool {
        self.has_news() || self.stages.asked > 0
    }

    /// A replica asks; replaces what it asked before.
    pub fn follow(&mut self, request: FollowRequest) {
        let key = request.key;
        self.failed.remove(&key);
        let (sent, refusals) = match self.partitions.remove(&key) {
            Some(before) => {
                self.stages.leave(before.stage);
                let same_epoch = before.request.leader_epoch == request.leader_epoch;
                (before.sent, if same_epoch { before.refusals } else { 0 })
            }
            None => (None, 0),
        };
        let is_known = self.next_turn.is_some() && sent == Some(request.wanted());
        let stage = if is_known { Stage::Asked } else { Stage::Changed };
        if !is_known {
            self.changed.push(key);
        }
        self.stages.enter(stage);
        self.partitions.insert(key, Followed { request, sent, stage, refusals });
    }

    /// What the leader was asked about a partition is asked once more.
    pub fn ask_anew(&mut self, key: PartitionKey) {
        if let Some(followed) = self.partitions.get_mut(&key)
            && followed.stage == Stage::Asked
        {
            followed.sent = None;
            followed.enter(Stage::Changed, &mut self.stages);
            self.changed.push(key);
        }
    }

    /// The leader has heard of a flush: it need not be told with a fetch.
    pub fn on_flush_heard(&mut self, report: &FlushReport) {
        let sent = self.partitions.get_mut(&report.key).and_then(|known| known.sent.as_mut());
        if let Some(sent) = sent.filter(|sent| sent.leader_epoch == report.leader_epoch) {
            sent.flushed_offset = sent.flushed_offset.max(report.flushed_offset);
        }
    }

    /// A replica follows this leader no longer.
    pub fn forget(&mut self, key: PartitionKey) {
        let Some(followed) = self.partitions.remove(&key) else { return };
        self.stages.leave(followed.stage);
        if followed.sent.is_some() && self.next_turn.is_some() {
            self.dropped.push(key);
        }
    }

    /// A replica's log failed: the leader is told with the next fetch.
    pub fn fail(&mut self, key: PartitionKey, leader_epoch: LeaderEpoch) {
        self.failed.insert(key, leader_epoch);
    }

    /// Takes up partitions that have rested; says when the next one will have.
    pub fn wake_rested(&mut self, now: Instant) -> Option<Instant> {
        if self.stages.resting == 0 {
            return None;
        }
        let mut next: Option<Instant> = None;
        for (key, followed) in &mut self.partitions {
            match followed.stage {
                Stage::Resting { until } if until <= now => {
                    followed.enter(Stage::Changed, &mut self.stages);
                    self.changed.push(*key);
                }
                Stage::Resting { until } => next = Some(next.map_or(until, |at| at.min(until))),
                Stage::Changed | Stage::Asked | Stage::Away { .. } => {}
            }
        }
        next
    }

    /// The next fetch.
    pub fn next_message(
        &mut self,
        shard: u8,
        broker_epoch: BrokerEpoch,
        wait_max: Duration,
    ) -> FollowerFetchMessage {
        let step = match self.next_turn {
            Some(turn) => FetchStep::Next(turn),
            None => {
                self.number += 1;
                self.dropped.clear();
                FetchStep::Open
            }
        };
        self.next_turn = Some(self.next_turn.map_or(1, |turn| turn.wrapping_add(1)));
        let changed = self.take_changed();
        // what did not fit is asked right after
        let wait_max = if self.changed.is_empty() { wait_max } else { Duration::ZERO };
        FollowerFetchMessage {
            shard,
            broker_epoch,
            session: self.number,
            step,
            wait_max_ms: u32::try_from(wait_max.as_millis()).unwrap_or(u32::MAX),
            changed,
            dropped: std::mem::take(&mut self.dropped),
            failed: self.take_failed(),
        }
    }

    fn take_failed(&mut self) -> Vec<(PartitionKey, LeaderEpoch)> {
        self.failed_told = self.failed.drain().collect();
        self.failed_told.clone()
    }

    fn take_changed(&mut self) -> Vec<WantedPartition> {
        let rest = self.changed.split_off(self.changed.len().min(CHANGED_MAX));
        let keys = std::mem::replace(&mut self.changed, rest);
        let mut changed = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(followed) = self.partitions.get_mut(&key) else { continue };
            if followed.stage == Stage::Changed {
                followed.enter(Stage::Asked, &mut self.stages);
                let wanted = followed.request.wanted();
                followed.sent = Some(wanted);
                changed.push(wanted);
            }
        }
        changed
    }

    /// The message that has the one that waits answered.
    #[must_use]
    pub fn wake_message(&self, shard: u8, broker_epoch: BrokerEpoch) -> FollowerFetchMessage {
        FollowerFetchMessage {
            shard,
            broker_epoch,
            session: self.number,
            step: FetchStep::Wake,
            wait_max_ms: 0,
            changed: Vec::new(),
            dropped: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// An answer, or what it told, is lost: everything is asked anew.
    pub fn lose(&mut self) {
        self.next_turn = None;
        self.dropped.clear();
        for (key, leader_epoch) in std::mem::take(&mut self.failed_told) {
            if !self.partitions.contains_key(&key) {
                self.failed.insert(key, leader_epoch);
            }
        }
        for (key, followed) in &mut self.partitions {
            followed.sent = None;
            if followed.stage == Stage::Asked {
                followed.enter(Stage::Changed, &mut self.stages);
                self.changed.push(*key);
            }
        }
    }

    /// The leader answered. Gives what is to be delivered.
    pub fn on_answer(&mut self, answer: FollowerFetchAnswer, now: Instant) -> Vec<Delivery> {
        if !answer.knows_session {
            self.lose();
            return Vec::new();
        }
        self.failed_told.clear();
        let mut batches = answer.batches.into_iter();
        let mut deliveries = Vec::with_capacity(answer.partitions.len());
        for told in answer.partitions {
            let bytes = match told.outcome {
                ToldOutcome::Batches { .. } => batches.next().unwrap_or_default(),
                ToldOutcome::Nothing
                | ToldOutcome::Diverging { .. }
                | ToldOutcome::OutOfRange { .. }
                | ToldOutcome::Refused { .. } => Bytes::new(),
            };
            deliveries.extend(self.on_told(&told, bytes, now));
        }
        deliveries
    }

    fn on_told(&mut self, told: &ToldPartition, bytes: Bytes, now: Instant) -> Option<Delivery> {
        let followed = self.partitions.get_mut(&told.key)?;
        let sent = followed.sent.filter(|_| followed.stage == Stage::Asked)?;
        let Some(outcome) = outcome_of(told) else {
            let doubled = REST_MIN.saturating_mul(1 << followed.refusals.min(6)).min(REST_MAX);
            followed.refusals = followed.refusals.saturating_add(1);
            // the leader has forgotten the question
            followed.sent = None;
            followed.enter(Stage::Resting { until: now + doubled }, &mut self.stages);
            return None;
        };
        followed.refusals = 0;
        followed.enter(Stage::Away { bytes: bytes.len() }, &mut self.stages);
        if outcome != FetchOutcome::Nothing {
            // the leader waits for a new question
            followed.sent = None;
        }
        let answer = FetchAnswer {
            leader_epoch: told.leader_epoch,
            asked: sent.position(),
            high_watermark: told.high_watermark,
            log_start_offset: told.log_start_offset,
            outcome,
        };
        Some(Delivery { replica: followed.request.replica.clone(), answer, batches: bytes })
    }
}

/// What the machine is told; `None` for a refusal, which is the fetcher's matter.
fn outcome_of(told: &ToldPartition) -> Option<FetchOutcome> {
    match told.outcome {
        ToldOutcome::Batches { base_offset, .. } => Some(FetchOutcome::Batches { base_offset }),
        ToldOutcome::Nothing => Some(FetchOutcome::Nothing),
        ToldOutcome::Diverging { leader_epoch, end_offset } => {
            Some(FetchOutcome::Diverging(EpochEnd { leader_epoch, end_offset }))
        }
        ToldOutcome::OutOfRange { log_end_offset } => {
            Some(FetchOutcome::OutOfRange { log_end_offset })
        }
        ToldOutcome::Refused { .. } => None,
    }
}

#[cfg(test)]
mod tests;
