//! What followers tell their leader.

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};

use super::Leader;
use crate::effect::Effects;
use crate::fetch::{FetchVerdict, FlushProgress, FollowerFetch};
use crate::follower_progress::FollowerProgress;
use crate::moment::Moment;
use crate::read_replica::ReadReplica;
use crate::refusal::Refusal;
use crate::reinjected_bug::ReinjectedBug;
use crate::replica_log::ReplicaLog;

impl Leader {
    pub(crate) fn on_follower_fetch(
        &mut self,
        now: Moment,
        fetch: &FollowerFetch,
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) -> Result<FetchVerdict, Refusal> {
        self.check_same_epoch(fetch.leader_epoch)?;
        self.meet(now, (fetch.follower, fetch.broker_epoch), log, effects)?;
        let progress = self.progress_of(fetch.follower)?;
        let verdict = progress.settle(fetch.position, log.judge(fetch.position));
        if let FetchVerdict::ReadFrom { .. } = verdict {
            progress.on_fetch(fetch);
            self.on_heard(now, fetch.follower, log, effects);
        }
        Ok(verdict)
    }

    pub(crate) fn on_flush_progress(
        &mut self,
        now: Moment,
        report: &FlushProgress,
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        self.check_same_epoch(report.leader_epoch)?;
        self.meet(now, (report.follower, report.broker_epoch), log, effects)?;
        let progress = self.progress_of(report.follower)?;
        if !progress.is_validated() {
            return Err(Refusal::NotValidated { broker: report.follower });
        }
        progress.on_flushed(report.flushed_offset.min(log.log_end));
        self.on_heard(now, report.follower, log, effects);
        Ok(())
    }

    pub(crate) fn on_follower_failed(
        &mut self,
        now: Moment,
        (follower, broker_epoch): (BrokerId, BrokerEpoch),
        log: &ReplicaLog,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        self.meet(now, (follower, broker_epoch), log, effects)?;
        self.progress_of(follower)?.has_failed = true;
        self.propose_change(now, log, effects);
        self.arm_deadline(effects);
        Ok(())
    }

    /// A follower's offsets are news: it may have caught up, join, or commit something.
    fn on_heard(
        &mut self,
        now: Moment,
        follower: BrokerId,
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) {
        let flush = self.counts_flushed();
        if let Ok(progress) = self.progress_of(follower) {
            progress.note_heard(now, flush, log.log_end);
        }
        self.propose_change(now, log, effects);
        self.advance_high_watermark(log, effects);
        self.arm_deadline(effects);
    }

    /// Knows the sender by its registration: an older one is refused, a newer one makes it a
    /// follower that has not been heard of (KIP-903).
    fn meet(
        &mut self,
        now: Moment,
        (broker, given): (BrokerId, BrokerEpoch),
        log: &ReplicaLog,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let ignores = self.bugs.is(ReinjectedBug::IgnoreBrokerEpoch);
        let progress = self.progress_of(broker)?;
        let current = progress.broker_epoch;
        if ignores {
            progress.broker_epoch = given.max(current);
            return Ok(());
        }
        if given < current {
            return Err(Refusal::StaleBrokerEpoch { broker, given, current });
        }
        if given > current {
            let is_assigned = progress.is_assigned;
            if current.is_known() {
                *progress = FollowerProgress::new(broker, is_assigned, now, log.log_end);
            }
            progress.broker_epoch = given;
            self.arm_deadline(effects);
        }
        Ok(())
    }

    fn check_same_epoch(&self, given: LeaderEpoch) -> Result<(), Refusal> {
        let current = self.leader_epoch;
        match given.cmp(&current) {
            std::cmp::Ordering::Less => Err(Refusal::FencedLeaderEpoch { given, current }),
            std::cmp::Ordering::Greater => Err(Refusal::UnknownLeaderEpoch { given, current }),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    fn progress_of(&mut self, broker: BrokerId) -> Result<&mut FollowerProgress, Refusal> {
        let found = self.followers.iter_mut().find(|follower| follower.broker == broker);
        found.ok_or(Refusal::UnknownReplica { broker })
    }

    /// The in-sync followers that consumers may be sent to, as far as their logs are known.
    pub(crate) fn read_replicas(&self) -> impl Iterator<Item = ReadReplica> {
        let in_sync = |follower: &&FollowerProgress| self.in_sync.contains(follower.broker);
        self.followers.iter().filter(in_sync).filter_map(FollowerProgress::readable)
    }

    /// How many records the follower has yet to fetch, as far as is known.
    pub(crate) fn lag_records(&self, broker: BrokerId, log_end: Offset) -> Option<i64> {
        let follower = self.followers.iter().find(|follower| follower.broker == broker)?;
        follower.is_validated().then(|| log_end.distance_from(follower.counted(false)))
    }
}
