//! What followers and leaders say to each other, without the bytes.

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};

use crate::epoch_history::EpochEnd;

/// Where a follower's log ends: the question that a fetch asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPosition {
    /// The first offset wanted: the follower's log end offset.
    pub fetch_offset: Offset,
    /// The epoch of the record before it (KIP-595); `None` if the log never held one.
    pub last_fetched_epoch: Option<LeaderEpoch>,
}

/// One partition of a follower's fetch, as the leader receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerFetch {
    /// Who asks.
    pub follower: BrokerId,
    /// The registration of the broker that asks.
    pub broker_epoch: BrokerEpoch,
    /// The leadership that the follower follows.
    pub leader_epoch: LeaderEpoch,
    /// Where its log ends.
    pub position: FetchPosition,
    /// Where its log starts, if it serves consumers (KIP-392).
    pub readable_from: Option<Offset>,
    /// How far it has flushed.
    pub flushed_offset: Offset,
}

/// A follower's report that it flushed, which never waits behind a parked fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushProgress {
    /// Who reports.
    pub follower: BrokerId,
    /// The registration of the broker that reports.
    pub broker_epoch: BrokerEpoch,
    /// The leadership that the follower follows.
    pub leader_epoch: LeaderEpoch,
    /// How far it has flushed.
    pub flushed_offset: Offset,
}

/// What a leader answers to a fetch that it does not refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchVerdict {
    /// The logs agree up to there: send what follows, or wait for it.
    ReadFrom {
        /// The follower's fetch offset.
        offset: Offset,
    },
    /// The follower's log holds records that the leader's does not: it must truncate.
    Diverging(EpochEnd),
    /// The follower's position is outside the leader's log and no epoch tells more.
    OutOfRange {
        /// The leader's log start offset.
        log_start_offset: Offset,
        /// The leader's log end offset.
        log_end_offset: Offset,
    },
}

/// What a follower's fetch brought, as the follower receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchAnswer {
    /// The leadership under which the leader answered.
    pub leader_epoch: LeaderEpoch,
    /// The question that this answers, as the fetcher sent it: answers to older questions are
    /// ignored.
    pub asked: FetchPosition,
    /// The leader's high watermark.
    pub high_watermark: Offset,
    /// The leader's log start offset.
    pub log_start_offset: Offset,
    /// The rest.
    pub outcome: FetchOutcome,
}

/// The answer proper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// Whole record batches, which the shell holds.
    Batches {
        /// The base offset of the first one.
        base_offset: Offset,
    },
    /// Nothing new: only high watermark or log start offset moved, or the wait ended.
    Nothing,
    /// The logs diverge.
    Diverging(EpochEnd),
    /// The fetch offset lies outside the leader's log.
    OutOfRange {
        /// The leader's log end offset.
        log_end_offset: Offset,
    },
}
