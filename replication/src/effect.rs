//! What a replica wants done. The shell performs effects in the order in which they stand.

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};

use crate::fetch::FetchPosition;
use crate::moment::Moment;
use crate::refusal::Refusal;
use crate::term::PartitionEpoch;

/// Names one append from its admission to its answer. The shell hands tickets out in increasing
/// order, and none twice in the life of a replica.
pub type Ticket = u64;

/// The caller's buffer: inputs add to it and never look at what it holds. Kept and drained by the
/// shell, it makes the hot path free of allocations.
pub type Effects = Vec<Effect>;

/// One thing that the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer this ticket with success: its append has what its `acks` asked for.
    Acknowledge {
        /// Which append.
        ticket: Ticket,
        /// The offset of its first record; of the original, if the append was a duplicate.
        base_offset: Offset,
        /// The log start offset, which Produce responses carry.
        log_start_offset: Offset,
    },
    /// Answer this ticket with an error. It is not mentioned again.
    Refuse {
        /// Which append.
        ticket: Ticket,
        /// Why.
        reason: Refusal,
    },
    /// Publish the new high watermark to readers. Leader: what was below it is committed.
    /// Follower: the leader said so.
    HighWatermarkAdvanced {
        /// The first offset that is not committed.
        high_watermark: Offset,
    },
    /// Follower: what lies below the high watermark may be shown to consumers from now on
    /// (KIP-392), because the leader has found the logs to agree; until the role or the log changes.
    BecameReadable {
        /// The first offset that is not to be shown.
        high_watermark: Offset,
    },
    /// Flush the log and report with `on_flushed`. One is outstanding at a time: what is appended
    /// meanwhile waits for the next.
    FlushNeeded {
        /// The flushed offset that is waited for; a flush may well reach further.
        up_to: Offset,
    },
    /// Ask the controller to change the in-sync replicas; report with `on_partition_changed` or
    /// `on_in_sync_refused`. One is outstanding at a time.
    ProposeInSyncReplicas(InSyncProposal),
    /// Call `on_time` at this moment; replaces an earlier deadline.
    ArmLagDeadline {
        /// When.
        at: Moment,
    },
    /// Forget the deadline.
    DisarmLagDeadline,
    /// This replica no longer leads: stop the writer's appends under this epoch, close the feeds,
    /// and (unless the controller itself named another leader) tell the controller.
    LeadershipLost {
        /// The epoch that is over.
        leader_epoch: LeaderEpoch,
    },
    /// Follower: have the fetcher ask the leader for what follows, until an answer is given to
    /// `on_fetch_answer`. Replaces an earlier one.
    FetchFrom {
        /// Whom to ask.
        leader: BrokerId,
        /// The epoch of the leadership, which every fetch carries.
        leader_epoch: LeaderEpoch,
        /// Where this replica's log ends.
        position: FetchPosition,
        /// Where it starts.
        log_start_offset: Offset,
        /// This replica's flushed offset.
        flushed_offset: Offset,
    },
    /// Follower: take the partition out of the fetcher.
    StopFetching {
        /// Whom not to ask any more.
        leader: BrokerId,
    },
    /// Follower: append the batches of the answer just given, as they came; report with
    /// `on_follower_appended`.
    AppendFetched {
        /// The base offset of the first batch.
        base_offset: Offset,
    },
    /// Follower: cut the log's end, epochs included; report with `on_truncated`. No flush that
    /// began before it is reported after it.
    TruncateTo {
        /// The new log end offset, at least the log start offset. May be the present one: then
        /// only epochs without records are dropped.
        offset: Offset,
        /// Whether records that this replica knew as committed are cut: only an unclean election
        /// does that, and it deserves an error in the log.
        below_high_watermark: bool,
    },
    /// Follower: delete all of the log and continue at this offset; report with `on_truncated`.
    RestartLogAt {
        /// Log start and log end offset afterwards.
        offset: Offset,
    },
    /// Follower: the leader's log start offset moved; move this one's too.
    MoveLogStart {
        /// The new log start offset, at most the log end offset.
        offset: Offset,
    },
    /// Follower: tell the leader how far this replica has flushed, in the next `FlushProgress`.
    ReportFlushProgress {
        /// Whom to tell.
        leader: BrokerId,
        /// The epoch of the leadership.
        leader_epoch: LeaderEpoch,
        /// The new flushed offset.
        flushed_offset: Offset,
    },
    /// Follower: this replica's log failed; say so in the next fetch, so that the leader drops it
    /// at once.
    ReportFailure {
        /// Whom to tell.
        leader: BrokerId,
        /// The epoch of the leadership.
        leader_epoch: LeaderEpoch,
    },
}

/// A change of the in-sync replicas that a leader asks the controller for (KIP-497).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InSyncProposal {
    /// The epoch of the leadership; a controller that knows a newer one refuses.
    pub leader_epoch: LeaderEpoch,
    /// The state that this changes; a controller that knows a newer one refuses.
    pub partition_epoch: PartitionEpoch,
    /// The whole set wanted, the leader included.
    pub in_sync_replicas: Vec<ProposedMember>,
}

impl InSyncProposal {
    /// Whether `broker` is a member of the set wanted.
    #[must_use]
    pub fn names(&self, broker: BrokerId) -> bool {
        self.in_sync_replicas.iter().any(|member| member.broker == broker)
    }

    /// Whether this broker is one, under this registration.
    #[must_use]
    pub fn has_member(&self, member: ProposedMember) -> bool {
        self.in_sync_replicas.contains(&member)
    }
}

/// A member of a proposed set, with the registration under which the leader knows it (KIP-903).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposedMember {
    /// The broker.
    pub broker: BrokerId,
    /// The broker epoch of its last fetch; unknown for the leader itself and for members that have
    /// not fetched in this leadership.
    pub broker_epoch: BrokerEpoch,
}
