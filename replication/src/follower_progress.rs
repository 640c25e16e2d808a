//! What a leader knows of one follower in the present leadership.

use std::time::Duration;

use protocol::{BrokerEpoch, BrokerId, Offset};

use crate::effect::ProposedMember;
use crate::fetch::{FetchPosition, FetchVerdict, FollowerFetch};
use crate::moment::Moment;
use crate::read_replica::ReadReplica;

/// Since when a follower has not held all of the leader's log.
#[derive(Clone, Copy, Debug)]
struct Behind {
    /// The latest moment at which it held all that the leader's log held then, as far as known.
    since: Moment,
    /// An offset at which the leader's log ended until `mark_at`: reaching it proves that the
    /// follower caught up with that moment. Then `since` moves there and a new mark is set.
    mark_offset: Offset,
    mark_at: Moment,
}

/// One follower.
#[derive(Clone, Debug)]
pub(crate) struct FollowerProgress {
    pub(crate) broker: BrokerId,
    /// The registration of its last fetch; unknown before the first.
    pub(crate) broker_epoch: BrokerEpoch,
    /// Whether it is assigned; an in-sync one may be on its way out.
    pub(crate) is_assigned: bool,
    /// Whether it said that its log failed, and has not fetched since.
    pub(crate) has_failed: bool,
    /// Whether it was heard of since it was last taken out or turned down; one that was not is not
    /// proposed to join, so that a dead follower costs nothing.
    pub(crate) is_heard: bool,
    /// Whether its broker's fence was lifted since the last proposal was made: if that one is turned
    /// down, it may have been for the fence that is gone.
    pub(crate) was_unfenced: bool,
    /// Whether a fetch of this leadership proved that its log is a prefix of the leader's: before,
    /// no offset it reports counts, because it may be about to truncate.
    is_validated: bool,
    /// The position at which it was told to cut its log, and how. It may act on that answer at any
    /// time, so the same question gets the same answer, also when the leader's log has since grown
    /// to reach that position.
    cut: Option<(FetchPosition, FetchVerdict)>,
    /// Where its log starts; `None` if it does not serve consumers.
    readable_from: Option<Offset>,
    log_end: Offset,
    flushed: Offset,
    behind: Option<Behind>,
}

impl FollowerProgress {
    /// A follower that has not been heard of: behind, from now on.
    pub(crate) fn new(broker: BrokerId, is_assigned: bool, now: Moment, log_end: Offset) -> Self {
        let behind = Behind { since: now, mark_at: now, mark_offset: log_end };
        Self {
            broker,
            broker_epoch: BrokerEpoch::UNKNOWN,
            is_assigned,
            has_failed: false,
            is_heard: false,
            was_unfenced: false,
            is_validated: false,
            cut: None,
            readable_from: None,
            log_end: Offset::ZERO,
            flushed: Offset::ZERO,
            behind: Some(behind),
        }
    }

    /// The offset that it counts with; zero until it is known.
    pub(crate) fn counted(&self, flush_before_ack: bool) -> Offset {
        if flush_before_ack { self.flushed } else { self.log_end }
    }

    /// How a proposal names it.
    pub(crate) fn as_member(&self) -> ProposedMember {
        ProposedMember { broker: self.broker, broker_epoch: self.broker_epoch }
    }

    pub(crate) fn is_validated(&self) -> bool {
        self.is_validated
    }

    /// What to answer to a fetch at `position`, if `judged` is what the leader's log says.
    pub(crate) fn settle(&mut self, position: FetchPosition, judged: FetchVerdict) -> FetchVerdict {
        match self.cut {
            Some((told_at, verdict)) if told_at == position => return verdict,
            _ => {}
        }
        if !matches!(judged, FetchVerdict::ReadFrom { .. }) {
            self.cut = Some((position, judged));
        }
        judged
    }

    /// A fetch proved its log to be a prefix that ends where it asks. What was flushed in this
    /// leadership and registration stays so; the log end may fall, if unflushed records were lost.
    pub(crate) fn on_fetch(&mut self, fetch: &FollowerFetch) {
        let fetch_offset = fetch.position.fetch_offset;
        self.is_validated = true;
        self.is_heard = true;
        self.has_failed = false;
        self.flushed = self.flushed.max(fetch.flushed_offset.min(fetch_offset));
        self.log_end = fetch_offset.max(self.flushed);
        self.readable_from = fetch.readable_from;
    }

    /// What consumers may read there; `None` while that is not known, or it serves none.
    pub(crate) fn readable(&self) -> Option<ReadReplica> {
        let log_start = self.readable_from.filter(|_| self.is_validated && !self.has_failed)?;
        Some(ReadReplica { broker: self.broker, log_start, log_end: self.log_end })
    }

    /// It flushed: what it appended since it was validated came from this leader.
    pub(crate) fn on_flushed(&mut self, flushed: Offset) {
        self.is_heard = true;
        self.flushed = self.flushed.max(flushed);
        self.log_end = self.log_end.max(self.flushed);
    }

    /// It was heard of: has it caught up?
    pub(crate) fn note_heard(&mut self, now: Moment, flush_before_ack: bool, leader_end: Offset) {
        let counted = self.counted(flush_before_ack);
        if self.is_validated && counted >= leader_end {
            self.behind = None;
            return;
        }
        let mark = Behind { since: now, mark_at: now, mark_offset: leader_end };
        match &mut self.behind {
            None => self.behind = Some(mark),
            Some(behind) if self.is_validated && counted >= behind.mark_offset => {
                *behind = Behind { since: behind.mark_at, ..mark };
            }
            Some(_) => {}
        }
    }

    /// The leader appended to a log that ended at `before`: a follower that had everything is
    /// behind from now on.
    pub(crate) fn note_append(&mut self, now: Moment, before: Offset, after: Offset) {
        match &mut self.behind {
            None => self.behind = Some(Behind { since: now, mark_at: now, mark_offset: after }),
            Some(behind) if behind.mark_offset == before => behind.mark_at = now,
            Some(_) => {}
        }
    }

    /// When it is due to be dropped; `None` while it holds everything.
    pub(crate) fn lag_deadline(&self, lag_time_max: Duration) -> Option<Moment> {
        if self.has_failed {
            return Some(Moment::ORIGIN);
        }
        self.behind.map(|behind| behind.since.plus(lag_time_max))
    }

    /// Whether it is no longer in sync.
    pub(crate) fn must_leave(&self, now: Moment, lag_time_max: Duration) -> bool {
        self.lag_deadline(lag_time_max).is_some_and(|at| at <= now)
    }
}
