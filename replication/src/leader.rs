//! A leader: its followers' progress, the acks, and when the high watermark may rise.

mod appends;
mod followers;
mod membership;

use protocol::{BrokerId, LeaderEpoch, Offset};

use crate::effect::{Effect, Effects};
use crate::follower_progress::FollowerProgress;
use crate::high_watermark::reached_by_all;
use crate::in_sync_replicas::InSyncReplicas;
use crate::lag_deadline::LagDeadline;
use crate::moment::Moment;
use crate::pending_appends::PendingAppends;
use crate::refusal::Refusal;
use crate::reinjected_bug::{BugSwitch, ReinjectedBug};
use crate::replica_log::ReplicaLog;
use crate::term::{LeaderTerm, ReplicationSettings};

/// One leadership of this replica.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    pub(crate) leader_epoch: LeaderEpoch,
    /// The log end offset when this leadership began.
    pub(crate) epoch_start: Offset,
    pub(crate) this_broker: BrokerId,
    pub(crate) settings: ReplicationSettings,
    pub(crate) in_sync: InSyncReplicas,
    pub(crate) pending: PendingAppends,
    replication_factor: usize,
    /// Every other assigned or in-sync replica.
    followers: Vec<FollowerProgress>,
    /// Up to where a flush is wanted and not yet reported.
    flush_wanted: Option<Offset>,
    deadline: LagDeadline,
    bugs: BugSwitch,
}

impl Leader {
    /// Begins a leadership. What the members hold is unknown until they fetch.
    pub(crate) fn begin(
        now: Moment,
        term: &LeaderTerm,
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) -> Self {
        let mut leader = Self {
            leader_epoch: term.leader_epoch,
            epoch_start: log.log_end,
            this_broker: term.this_broker,
            settings: term.settings,
            in_sync: InSyncReplicas::new(term.partition_epoch, &term.in_sync_replicas),
            pending: PendingAppends::default(),
            replication_factor: 0,
            followers: Vec::new(),
            flush_wanted: None,
            deadline: LagDeadline::default(),
            bugs: log.bugs,
        };
        leader.set_assignment(now, log, &term.assigned_replicas);
        leader.want_flush(log, effects);
        leader.advance_high_watermark(log, effects);
        leader.arm_deadline(effects);
        leader
    }

    /// Ends it: every ticket is refused once, nothing stays armed.
    pub(crate) fn end(mut self, reason: Refusal, effects: &mut Effects) {
        effects.extend(self.pending.drain().map(|ticket| Effect::Refuse { ticket, reason }));
        self.deadline.disarm(effects);
        effects.push(Effect::LeadershipLost { leader_epoch: self.leader_epoch });
    }

    /// How many replicas must be in sync for anything to be committed.
    pub(crate) fn needed(&self) -> usize {
        self.settings.min_in_sync_replicas.min(self.replication_factor).max(1)
    }

    /// Whether that many are.
    pub(crate) fn has_enough_in_sync(&self) -> bool {
        self.in_sync.members().len() >= self.needed()
            || self.bugs.is(ReinjectedBug::IgnoreMinInSync)
    }

    /// Whether an offset counts when it is flushed, or when it is written.
    fn counts_flushed(&self) -> bool {
        self.settings.flush_before_ack && !self.bugs.is(ReinjectedBug::CountUnflushed)
    }

    /// Asks for a flush if offsets count when flushed and none is on its way.
    fn want_flush(&mut self, log: &ReplicaLog, effects: &mut Effects) {
        let is_needed = self.settings.flush_before_ack && log.log_end > log.flushed;
        if is_needed && self.flush_wanted.is_none() {
            self.flush_wanted = Some(log.log_end);
            effects.push(Effect::FlushNeeded { up_to: log.log_end });
        }
    }

    /// Raises the high watermark to what all of the maximal in-sync replicas reached, and answers
    /// what is committed by that.
    fn advance_high_watermark(&mut self, log: &mut ReplicaLog, effects: &mut Effects) {
        if !self.has_enough_in_sync() {
            return;
        }
        let flush = self.counts_flushed();
        let own = std::iter::once(log.counted(flush));
        let counting = self.followers.iter().filter(|f| self.in_sync.counts(f.broker));
        let reached = reached_by_all(own.chain(counting.map(|f| f.counted(flush))));
        if reached.is_some_and(|offset| log.high_watermark.raise_to(offset)) {
            self.publish_high_watermark(log, effects);
        }
    }

    /// The high watermark rose: readers first, so that who reads an ack finds the record.
    fn publish_high_watermark(&mut self, log: &ReplicaLog, effects: &mut Effects) {
        let high_watermark = log.high_watermark.get();
        effects.push(Effect::HighWatermarkAdvanced { high_watermark });
        while let Some(append) = self.pending.take_reached(high_watermark) {
            effects.push(self.commit_answer(append.ticket, append.base_offset, log));
        }
    }

    /// The answer to `acks=all` for a committed append.
    fn commit_answer(&self, ticket: u64, base_offset: Offset, log: &ReplicaLog) -> Effect {
        if self.has_enough_in_sync() {
            return Effect::Acknowledge { ticket, base_offset, log_start_offset: log.log_start };
        }
        let (in_sync, needed) = (self.in_sync.members().len(), self.needed());
        let reason = Refusal::NotEnoughReplicasAfterAppend { in_sync, needed };
        Effect::Refuse { ticket, reason }
    }

    pub(crate) fn debug_assert_invariants(&self, log: &ReplicaLog) {
        self.pending.debug_assert_invariants(log.high_watermark.get());
        debug_assert!(self.in_sync.contains(self.this_broker), "R3: the leader is not in sync");
        debug_assert!(self.epoch_start <= log.log_end, "R2: the log ends before its epoch");
        debug_assert!(
            log.epochs.last_epoch().is_none_or(|last| last <= self.leader_epoch),
            "R4: the log holds a later epoch than its leader's"
        );
        debug_assert!(
            !self.settings.flush_before_ack
                || log.log_end <= log.flushed
                || self.flush_wanted.is_some(),
            "R8: unflushed records and no flush under way"
        );
        debug_assert!(
            self.in_sync
                .pending()
                .is_none_or(|p| p.partition_epoch == self.in_sync.partition_epoch()
                    && p.leader_epoch == self.leader_epoch),
            "R6: a proposal under another epoch is pending"
        );
        debug_assert!(
            self.next_deadline().is_none_or(|at| self.deadline.is_armed_by(at)),
            "R7: a member is behind and no deadline is armed"
        );
    }
}
