//! One follower's session: what it asked of each partition, and what it was told.
//!
//! ```text
//! question ──▶ Judged ──verdict: read from there──▶ Reads ──batches told──▶ Told ──question──▶ …
//!                 └────verdict: diverging, …──────────────────────────────▶ Told
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use metadata::{Incarnation, PartitionKey};
use protocol::{BrokerEpoch, BrokerId, ErrorCode, Offset};
use replication::{FetchVerdict, FollowerFetch};

use super::verdicts::{Verdict, Verdicts};
use crate::broker::Broker;
use crate::feed_bells::RungPartitions;
use crate::partition_directory::PartitionPlace;
use crate::partition_replica::{LeadingMessage, PartitionReplicaMessage};
use crate::peer_messages::follower_fetch::{FetchStep, FollowerFetchMessage, WantedPartition};

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The machine has it.
    Judged,
    /// The logs agree up to this offset: what follows is read without asking anybody.
    Reads { from: Offset },
    /// The machine has said something else, which is yet to be told.
    Settled(FetchVerdict),
    /// The follower has its answer, and has a new question to ask.
    Told,
}

/// One partition of the session.
#[derive(Debug)]
pub(super) struct FedPartition {
    pub(super) place: Arc<PartitionPlace>,
    pub(super) fetch: FollowerFetch,
    question: u64,
    pub(super) standing: Standing,
    /// High watermark and log start offset as last told; `None` after a new question.
    pub(super) told: Option<(Offset, Offset)>,
    pub(super) has_bell: bool,
    is_ready: bool,
    /// Records that it lacked when it was last looked at.
    pub(super) lag: i64,
}

/// See the head of this file.
#[derive(Debug)]
pub struct FeedSession {
    follower: BrokerId,
    incarnation: Incarnation,
    number: u64,
    turn: u32,
    questions: u64,
    pub(super) partitions: HashMap<PartitionKey, FedPartition>,
    /// Partitions that may have something to tell, in turn.
    pub(super) ready: VecDeque<PartitionKey>,
    /// Questions that the machines have.
    judged: usize,
    /// Refusals to be told.
    pub(super) refused: VecDeque<(PartitionKey, i16)>,
    pub(super) rung: Arc<RungPartitions>,
    pub(super) verdicts: Verdicts,
    /// Records that the follower lacks in all.
    pub(super) lag: i64,
}

impl FeedSession {
    /// An empty session.
    #[must_use]
    pub fn new(follower: BrokerId, incarnation: Incarnation, number: u64) -> Self {
        Self {
            follower,
            incarnation,
            number,
            turn: 0,
            questions: 0,
            partitions: HashMap::new(),
            ready: VecDeque::new(),
            judged: 0,
            refused: VecDeque::new(),
            rung: Arc::default(),
            verdicts: Verdicts::default(),
            lag: 0,
        }
    }

    /// Whether this fetch is the next one.
    #[must_use]
    pub fn expects(&self, incarnation: Incarnation, number: u64, turn: u32) -> bool {
        self.incarnation == incarnation
            && self.number == number
            && turn == self.turn.wrapping_add(1)
    }

    /// Whether a session of this number may take its place; a late copy may not.
    #[must_use]
    pub fn may_be_followed_by(&self, incarnation: Incarnation, number: u64) -> bool {
        self.incarnation != incarnation || number > self.number
    }

    /// Whose it is.
    #[must_use]
    pub const fn follower(&self) -> BrokerId {
        self.follower
    }

    /// How many partitions it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Whether machines have questions.
    pub(super) const fn waits_for_verdicts(&self) -> bool {
        self.judged > 0
    }

    /// Takes a fetch in: its questions go to the machines.
    pub(super) fn take_in(&mut self, broker: &Broker, message: FollowerFetchMessage) {
        if let FetchStep::Next(turn) = message.step {
            self.turn = turn;
        }
        for (key, leader_epoch) in message.failed {
            let Some(place) = broker.partitions.find(key) else { continue };
            let (follower, broker_epoch) = (self.follower, message.broker_epoch);
            let failed = LeadingMessage::FollowerFailed { follower, broker_epoch, leader_epoch };
            let _ = place.replica.send(PartitionReplicaMessage::Leading(failed));
        }
        message.dropped.into_iter().for_each(|key| self.drop_partition(key));
        for wanted in message.changed {
            self.ask(broker, &wanted, message.broker_epoch);
        }
    }

    pub(super) fn drop_partition(&mut self, key: PartitionKey) {
        if let Some(partition) = self.partitions.remove(&key) {
            self.judged -= usize::from(partition.standing == Standing::Judged);
            self.lag -= partition.lag;
        }
    }

    fn ask(&mut self, broker: &Broker, wanted: &WantedPartition, broker_epoch: BrokerEpoch) {
        let key = wanted.key;
        let before = self.partitions.remove(&key);
        if let Some(before) = &before {
            self.judged -= usize::from(before.standing == Standing::Judged);
        }
        let Some(place) = broker.partitions.find(key) else {
            self.lag -= before.map_or(0, |before| before.lag);
            self.refused.push_back((key, ErrorCode::NotLeaderOrFollower.code()));
            return;
        };
        self.questions += 1;
        let fetch = FollowerFetch {
            follower: self.follower,
            broker_epoch,
            leader_epoch: wanted.leader_epoch,
            position: wanted.position(),
            readable_from: wanted.readable_from,
            flushed_offset: wanted.flushed_offset,
        };
        let reply = self.verdicts.reply(key, self.questions);
        let asked = LeadingMessage::FollowerFetch { fetch, reply };
        // undeliverable, the question is dropped and so refused
        let _ = place.replica.send(PartitionReplicaMessage::Leading(asked));
        self.judged += 1;
        let (has_bell, is_ready, lag) =
            before.map_or((false, false, 0), |it| (it.has_bell, it.is_ready, it.lag));
        let (question, standing) = (self.questions, Standing::Judged);
        let told = None;
        let partition =
            FedPartition { place, fetch, question, standing, told, has_bell, is_ready, lag };
        self.partitions.insert(key, partition);
    }

    /// Takes in the verdicts that are there.
    pub(super) fn take_verdicts(&mut self) {
        while let Some(verdict) = self.verdicts.take() {
            self.on_verdict(verdict);
        }
    }

    pub(super) fn on_verdict(&mut self, verdict: Verdict) {
        let Some(partition) = self.partitions.get_mut(&verdict.key) else { return };
        if partition.question != verdict.question || partition.standing != Standing::Judged {
            return;
        }
        self.judged -= 1;
        partition.standing = match verdict.outcome {
            Ok(FetchVerdict::ReadFrom { offset }) => Standing::Reads { from: offset },
            Ok(verdict) => Standing::Settled(verdict),
            Err(refusal) => {
                partition.standing = Standing::Told;
                let code = refusal.error_code().code();
                self.refuse(verdict.key, code);
                return;
            }
        };
        self.make_ready(verdict.key);
    }

    /// The follower asks again later; till then the session knows nothing of the partition.
    pub(super) fn refuse(&mut self, key: PartitionKey, code: i16) {
        self.drop_partition(key);
        self.refused.push_back((key, code));
    }

    /// Takes in which partitions have rung.
    pub(super) fn take_rung(&mut self) {
        for key in self.rung.take() {
            let Some(partition) = self.partitions.get_mut(&key) else { continue };
            partition.has_bell = false;
            if matches!(partition.standing, Standing::Reads { .. }) {
                self.make_ready(key);
            }
        }
    }

    /// The partition may have something to tell.
    pub(super) fn make_ready(&mut self, key: PartitionKey) {
        if let Some(partition) = self.partitions.get_mut(&key)
            && !std::mem::replace(&mut partition.is_ready, true)
        {
            self.ready.push_back(key);
        }
    }

    /// The next partition that may have something to tell.
    pub(super) fn next_ready(&mut self) -> Option<PartitionKey> {
        while let Some(key) = self.ready.pop_front() {
            if let Some(partition) = self.partitions.get_mut(&key) {
                partition.is_ready = false;
                return Some(key);
            }
        }
        None
    }
}
