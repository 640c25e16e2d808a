//! What a replica answers without changing.

use protocol::{BrokerId, LeaderEpoch, Offset};

use super::{Replica, Role, State};
use crate::epoch_history::{EpochEnd, EpochStart};
use crate::leader::Leader;
use crate::read_replica::ReadReplica;
use crate::refusal::Refusal;
use crate::term::PartitionEpoch;

impl Replica {
    /// What it is.
    #[must_use]
    pub fn role(&self) -> Role {
        match &self.state {
            State::AwaitingElection => Role::AwaitingElection,
            State::Leader(_) => Role::Leader,
            State::Follower(_) => Role::Follower,
            State::Offline(_) => Role::Offline,
        }
    }

    /// Whether it leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.role() == Role::Leader
    }

    /// Leader: the log end offset when this leadership began.
    #[must_use]
    pub fn epoch_start_offset(&self) -> Option<Offset> {
        self.leader().map(|leader| leader.epoch_start)
    }

    /// The highest leader epoch told of; unknown before the first.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.known_epoch
    }

    /// The first offset still readable.
    #[must_use]
    pub fn log_start_offset(&self) -> Offset {
        self.log.log_start
    }

    /// The first offset that is not committed.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.log.high_watermark.get()
    }

    /// The next offset to be written.
    #[must_use]
    pub fn log_end_offset(&self) -> Offset {
        self.log.log_end
    }

    /// The log end offset at the last successful flush.
    #[must_use]
    pub fn flushed_offset(&self) -> Offset {
        self.log.flushed
    }

    /// The leader epochs of the log, oldest first.
    #[must_use]
    pub fn epoch_starts(&self) -> &[EpochStart] {
        self.log.epochs.starts()
    }

    /// Leader: who is in sync, as the controller last agreed; empty otherwise.
    #[must_use]
    pub fn in_sync_replicas(&self) -> &[BrokerId] {
        self.leader().map_or(&[], |leader| leader.in_sync.members())
    }

    /// Leader: the partition epoch of that.
    #[must_use]
    pub fn partition_epoch(&self) -> Option<PartitionEpoch> {
        self.leader().map(|leader| leader.in_sync.partition_epoch())
    }

    /// Leader: how many records this follower has yet to fetch; `None` before its first fetch.
    #[must_use]
    pub fn lag_records(&self, follower: BrokerId) -> Option<i64> {
        self.leader()?.lag_records(follower, self.log.log_end)
    }

    /// Leader: the in-sync followers that serve consumers (KIP-392), with what they hold as they
    /// said last.
    pub fn read_replicas(&self) -> impl Iterator<Item = ReadReplica> {
        self.leader().into_iter().flat_map(Leader::read_replicas)
    }

    /// Whether consumers may be shown what lies below the high watermark. A follower may show it
    /// when its leader has found the logs to agree, and while its log is not being cut.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        match &self.state {
            State::Leader(_) => true,
            State::Follower(follower) => follower.is_readable(),
            State::AwaitingElection | State::Offline(_) => false,
        }
    }

    /// Leader: appends that are admitted and not over, for whoever bounds them.
    #[must_use]
    pub fn pending_appends(&self) -> usize {
        self.leader().map_or(0, |leader| leader.pending.len())
    }

    /// Whether a client that knows this leader epoch may be served here; unknown is any (KIP-320).
    ///
    /// # Errors
    /// `NotLeader`, `FencedLeaderEpoch`, `UnknownLeaderEpoch`.
    pub fn check_leader_epoch(&self, given: LeaderEpoch) -> Result<(), Refusal> {
        let current = self.leader().ok_or(Refusal::NotLeader)?.leader_epoch;
        if !given.is_known() || given == current {
            Ok(())
        } else if given < current {
            Err(Refusal::FencedLeaderEpoch { given, current })
        } else {
            Err(Refusal::UnknownLeaderEpoch { given, current })
        }
    }

    /// Whether ListOffsets may name the latest offset, or one of a timestamp not answered below
    /// it (KIP-207).
    ///
    /// # Errors
    /// `NotLeader`; `OffsetNotAvailable` while the high watermark is below the start of this
    /// leader's epoch.
    pub fn may_answer_latest_offset(&self) -> Result<(), Refusal> {
        let epoch_start = self.leader().ok_or(Refusal::NotLeader)?.epoch_start;
        if self.high_watermark() < epoch_start {
            return Err(Refusal::OffsetNotAvailable);
        }
        Ok(())
    }

    /// Whether DeleteRecords may move the log start offset to `before`, −1 being the high
    /// watermark. Returns where to; at or below the present log start offset nothing moves.
    ///
    /// # Errors
    /// `NotLeader`; `OffsetOutOfRange` above the high watermark, or for any other negative offset.
    pub fn may_delete_records(&self, before: Offset) -> Result<Offset, Refusal> {
        self.leader().ok_or(Refusal::NotLeader)?;
        let high_watermark = self.high_watermark();
        if before == Offset::UNKNOWN {
            return Ok(high_watermark);
        }
        if !before.is_valid() || before > high_watermark {
            return Err(Refusal::OffsetOutOfRange { offset: before, high_watermark });
        }
        Ok(before)
    }

    /// The answer to OffsetForLeaderEpoch: where `asked` ended in this log. `None` is the wire's
    /// −1: nothing is known of that epoch.
    ///
    /// # Errors
    /// As `check_leader_epoch` for `current`, the leader epoch that the client knows.
    pub fn end_of_epoch(
        &self,
        current: LeaderEpoch,
        asked: LeaderEpoch,
    ) -> Result<Option<EpochEnd>, Refusal> {
        self.check_leader_epoch(current)?;
        if !asked.is_known() || asked > self.known_epoch {
            return Ok(None);
        }
        if asked == self.known_epoch {
            let end_offset = self.log.log_end;
            return Ok(Some(EpochEnd { leader_epoch: asked, end_offset }));
        }
        Ok(self.log.epochs.end_of(asked, self.log.log_end))
    }
}
