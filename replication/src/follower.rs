//! A follower: where it fetches from, and how it truncates: by epoch, never by high watermark
//! (KIP-101, KIP-279, KIP-320).

use protocol::{BrokerId, LeaderEpoch, Offset};

use crate::effect::{Effect, Effects};
use crate::epoch_history::{EpochEnd, EpochStart};
use crate::fetch::{FetchAnswer, FetchOutcome};
use crate::reinjected_bug::ReinjectedBug;
use crate::replica_log::ReplicaLog;
use crate::term::{FollowerTerm, ReplicationSettings};

/// What a follower waits for; it does one thing at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For the leader's answer to a fetch from the end of the log.
    Fetching,
    /// For the writer's report on fetched batches.
    Appending,
    /// For the end of a truncation to this offset, all of the log if `restarts`.
    Truncating { to: Offset, restarts: bool },
}

/// This replica under the leadership of another broker.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) leader: BrokerId,
    pub(crate) settings: ReplicationSettings,
    stage: Stage,
    /// Whether the leader has confirmed in this leadership that the logs agree. Before, the log may
    /// end in records that will be cut: a report that they are flushed could reach the leader
    /// after the cut, and would speak for other records.
    is_validated: bool,
    /// The flushed offset that the last fetch carried.
    told: Offset,
    /// The leader's high watermark as last heard; may be above this log's end.
    leader_high_watermark: Offset,
    /// The leader's log start offset as last heard; may be above this log's end.
    leader_log_start: Offset,
    /// Up to where a flush is wanted and not yet reported.
    flush_wanted: Option<Offset>,
}

impl Follower {
    pub(crate) fn begin(term: &FollowerTerm, log: &ReplicaLog, effects: &mut Effects) -> Self {
        let mut follower = Self {
            leader_epoch: term.leader_epoch,
            leader: term.leader,
            settings: term.settings,
            stage: Stage::Fetching,
            is_validated: false,
            told: Offset::ZERO,
            leader_high_watermark: Offset::ZERO,
            leader_log_start: Offset::ZERO,
            flush_wanted: None,
        };
        follower.want_flush(log, effects);
        if log.bugs.is(ReinjectedBug::TruncateToHighWatermark) {
            follower.truncate(log.high_watermark.get(), log, effects);
        } else {
            follower.fetch(log, effects);
        }
        follower
    }

    pub(crate) fn end(self, effects: &mut Effects) {
        effects.push(Effect::StopFetching { leader: self.leader });
    }

    pub(crate) fn on_settings_changed(
        &mut self,
        settings: ReplicationSettings,
        log: &ReplicaLog,
        effects: &mut Effects,
    ) {
        let was_told = self.settings.flush_before_ack;
        self.settings = settings;
        if !was_told {
            self.report_flushed(log, effects);
        }
        self.want_flush(log, effects);
    }

    pub(crate) fn on_fetch_answer(
        &mut self,
        answer: &FetchAnswer,
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) {
        // An answer to an older question may say "truncate" of records that were replaced since.
        let is_expected = self.stage == Stage::Fetching
            && answer.leader_epoch == self.leader_epoch
            && answer.asked == log.fetch_position();
        if !is_expected {
            return;
        }
        match answer.outcome {
            FetchOutcome::Batches { base_offset } if base_offset < log.log_end => {
                self.fetch(log, effects);
            }
            FetchOutcome::Batches { base_offset } => {
                self.learn(answer, log, effects);
                self.stage = Stage::Appending;
                effects.push(Effect::AppendFetched { base_offset });
            }
            FetchOutcome::Nothing => {
                self.learn(answer, log, effects);
                log.bugs.forget_epoch(ReinjectedBug::ForgetEpochOnEmptyAnswer);
                self.fetch(log, effects);
            }
            // once the logs were found to agree they do: this is a late answer
            FetchOutcome::Diverging(_) if self.is_validated => self.fetch(log, effects),
            FetchOutcome::Diverging(end) => self.truncate_by_epoch(end, log, effects),
            FetchOutcome::OutOfRange { log_end_offset } => {
                self.leave_range(answer.log_start_offset, log_end_offset, log, effects);
            }
        }
    }

    pub(crate) fn on_appended(
        &mut self,
        end_offset: Offset,
        epochs: &[EpochStart],
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) {
        if self.stage != Stage::Appending {
            return;
        }
        for start in epochs {
            log.epochs.begin(start.leader_epoch, start.start_offset);
        }
        log.log_end = end_offset;
        log.bugs.remember_epoch();
        self.stage = Stage::Fetching;
        self.follow_leader(log, effects);
        self.want_flush(log, effects);
        self.fetch(log, effects);
    }

    /// The fetched batches could not be appended, though the log is whole (they were damaged on
    /// the way, or out of order): asks again.
    pub(crate) fn on_append_refused(&mut self, log: &ReplicaLog, effects: &mut Effects) {
        if self.stage == Stage::Appending {
            self.fetch(log, effects);
        }
    }

    pub(crate) fn on_flushed(&mut self, offset: Offset, log: &mut ReplicaLog, out: &mut Effects) {
        if matches!(self.stage, Stage::Truncating { .. }) {
            return;
        }
        let before = log.flushed;
        log.flush(offset);
        if self.flush_wanted.is_some_and(|wanted| wanted <= log.flushed) {
            self.flush_wanted = None;
        }
        if log.flushed > before {
            self.report_flushed(log, out);
        }
        self.want_flush(log, out);
    }

    fn report_flushed(&mut self, log: &ReplicaLog, effects: &mut Effects) {
        if !self.is_validated || !self.settings.flush_before_ack {
            return;
        }
        let (leader, leader_epoch) = (self.leader, self.leader_epoch);
        let flushed_offset = log.flushed;
        self.told = flushed_offset;
        effects.push(Effect::ReportFlushProgress { leader, leader_epoch, flushed_offset });
    }

    pub(crate) fn on_truncated(&mut self, log: &mut ReplicaLog, effects: &mut Effects) {
        let Stage::Truncating { to, restarts } = self.stage else { return };
        if restarts {
            log.restart_at(to);
        } else {
            log.truncate_to(to);
        }
        self.flush_wanted = None;
        self.want_flush(log, effects);
        self.fetch(log, effects);
        if self.is_readable() {
            let high_watermark = log.high_watermark.get();
            effects.push(Effect::BecameReadable { high_watermark });
        }
    }

    /// Whether consumers may be shown what lies below the high watermark: not before the leader
    /// found the logs to agree, because an unclean election may have taken that back, and not while
    /// the log is cut.
    pub(crate) fn is_readable(&self) -> bool {
        self.is_validated && !matches!(self.stage, Stage::Truncating { .. })
    }

    /// What of the log agrees with the leader's ends at the end of the largest epoch that both
    /// have, on either side. Where the leader named an epoch that this log lacks, the next fetch
    /// asks about the one below it (KIP-279).
    fn truncate_by_epoch(&mut self, end: EpochEnd, log: &ReplicaLog, effects: &mut Effects) {
        let own = log.epochs.end_of(end.leader_epoch, log.log_end);
        let own_end = own.map_or(log.log_end, |own| own.end_offset);
        self.truncate(own_end.min(end.end_offset), log, effects);
    }

    fn truncate(&mut self, to: Offset, log: &ReplicaLog, effects: &mut Effects) {
        let restarts = to < log.log_start;
        self.stage = Stage::Truncating { to, restarts };
        effects.push(if restarts {
            Effect::RestartLogAt { offset: to }
        } else {
            let below_high_watermark = to < log.high_watermark.get();
            Effect::TruncateTo { offset: to, below_high_watermark }
        });
    }

    /// Either the leader's log begins where this log ends or later, and nothing here is worth
    /// keeping; or it ends before, without an epoch to tell where they part, and only what the
    /// leader reaches is.
    fn leave_range(
        &mut self,
        leader_start: Offset,
        leader_end: Offset,
        log: &ReplicaLog,
        effects: &mut Effects,
    ) {
        if log.log_end <= leader_start {
            self.stage = Stage::Truncating { to: leader_start, restarts: true };
            effects.push(Effect::RestartLogAt { offset: leader_start });
        } else if log.log_end > leader_end && !self.is_validated {
            self.truncate(leader_end, log, effects);
        } else {
            self.fetch(log, effects);
        }
    }

    /// The leader found the logs to agree.
    fn learn(&mut self, answer: &FetchAnswer, log: &mut ReplicaLog, effects: &mut Effects) {
        let is_first = !std::mem::replace(&mut self.is_validated, true);
        if is_first && log.flushed > self.told {
            self.report_flushed(log, effects);
        }
        if is_first {
            let high_watermark = log.high_watermark.get();
            effects.push(Effect::BecameReadable { high_watermark });
        }
        self.leader_high_watermark = answer.high_watermark;
        self.leader_log_start = answer.log_start_offset;
        self.follow_leader(log, effects);
    }

    /// Takes over high watermark and log start offset, as far as this log reaches. The high
    /// watermark of a new leader may be lower for a while: what was committed stays so.
    fn follow_leader(&mut self, log: &mut ReplicaLog, effects: &mut Effects) {
        let reached = self.leader_high_watermark.min(log.log_end);
        let mut rose = log.high_watermark.raise_to(reached);
        let start = self.leader_log_start.min(log.high_watermark.get());
        if start > log.log_start {
            rose |= log.move_start(start);
            effects.push(Effect::MoveLogStart { offset: start });
        }
        if rose {
            let high_watermark = log.high_watermark.get();
            effects.push(Effect::HighWatermarkAdvanced { high_watermark });
        }
    }

    fn want_flush(&mut self, log: &ReplicaLog, effects: &mut Effects) {
        let is_needed = self.settings.flush_before_ack && log.log_end > log.flushed;
        if is_needed && self.flush_wanted.is_none() {
            self.flush_wanted = Some(log.log_end);
            effects.push(Effect::FlushNeeded { up_to: log.log_end });
        }
    }

    fn fetch(&mut self, log: &ReplicaLog, effects: &mut Effects) {
        self.stage = Stage::Fetching;
        self.told = log.flushed;
        effects.push(Effect::FetchFrom {
            leader: self.leader,
            leader_epoch: self.leader_epoch,
            position: log.fetch_position(),
            log_start_offset: log.log_start,
            flushed_offset: log.flushed,
        });
    }

    pub(crate) fn debug_assert_invariants(&self, log: &ReplicaLog) {
        debug_assert!(
            log.epochs.last_epoch().is_none_or(|last| last <= self.leader_epoch),
            "R4: the log holds a later epoch than its leader's"
        );
        debug_assert!(
            matches!(self.stage, Stage::Truncating { .. })
                || !self.settings.flush_before_ack
                || log.log_end <= log.flushed
                || self.flush_wanted.is_some(),
            "R8: unflushed records and no flush under way"
        );
    }
}
