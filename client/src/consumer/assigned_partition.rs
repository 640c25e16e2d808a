//! One partition of a consumer: where it stands, what is buffered of it, what it waits for. Pure.

use std::collections::VecDeque;

use protocol::{BrokerId, Offset, TopicPartition};
use tokio::time::Instant;

use super::section::Section;
use super::settings::StartAt;
use crate::backoff::Backoff;
use crate::fetcher::Fetched;

/// Where the next fetch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchPosition {
    /// A place whose offset has to be asked for first.
    Wanted(StartAt),
    /// This offset.
    Known(Offset),
    /// Nowhere, until somebody seeks: there is no offset and no reset policy.
    Missing,
}

#[derive(Debug)]
pub(crate) struct AssignedPartition {
    pub(crate) partition: TopicPartition,
    /// Changes with every seek, so that answers to older questions are told apart.
    pub(crate) incarnation: u64,
    pub(crate) fetch_position: FetchPosition,
    /// The offset after the last record that was handed out and worked on; not known before the
    /// first answer.
    pub(crate) position: Option<Offset>,
    /// The first offset that is no longer wanted.
    pub(crate) stop_at: Option<Offset>,
    pub(crate) paused: bool,
    /// A fetch or an offset query is under way.
    pub(crate) asking: bool,
    pub(crate) high_watermark: Option<Offset>,
    pub(crate) log_start_offset: Option<Offset>,
    sections: VecDeque<Section>,
    buffered_bytes: usize,
    backoff: Backoff,
    not_before: Option<Instant>,
    /// The broker that refused the last fetch because it does not lead, or did not answer it.
    refused_by: Option<BrokerId>,
    /// The follower that the leader named, and until when that holds.
    read_replica: Option<(BrokerId, Instant)>,
}

impl AssignedPartition {
    pub(crate) fn new(
        partition: TopicPartition,
        start: StartAt,
        incarnation: u64,
        backoff: Backoff,
    ) -> Self {
        let mut assigned = Self {
            partition,
            incarnation,
            fetch_position: FetchPosition::Missing,
            position: None,
            stop_at: None,
            paused: false,
            asking: false,
            high_watermark: None,
            log_start_offset: None,
            sections: VecDeque::new(),
            buffered_bytes: 0,
            backoff,
            not_before: None,
            refused_by: None,
            read_replica: None,
        };
        assigned.seek(start, incarnation);
        assigned
    }

    /// Goes elsewhere: what was fetched is dropped, what is asked for will be ignored.
    pub(crate) fn seek(&mut self, start: StartAt, incarnation: u64) {
        self.incarnation = incarnation;
        self.asking = false;
        self.sections.clear();
        self.buffered_bytes = 0;
        self.not_before = None;
        self.backoff.reset();
        match start {
            StartAt::Offset(offset) => self.found(offset),
            unknown => {
                self.fetch_position = FetchPosition::Wanted(unknown);
                self.position = None;
            }
        }
    }

    /// The start is at this offset.
    pub(crate) fn found(&mut self, offset: Offset) {
        self.fetch_position = FetchPosition::Known(offset);
        self.position = Some(offset);
        self.asking = false;
    }

    pub(crate) const fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Whether batches wait to be handed out.
    pub(crate) fn has_batches(&self) -> bool {
        !self.paused && !self.sections.is_empty()
    }

    fn is_pausing(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|end| now < end)
    }

    /// Where to fetch from now, if at all.
    pub(crate) fn fetch_from(&self, now: Instant, bytes_max: usize) -> Option<Offset> {
        let FetchPosition::Known(offset) = self.fetch_position else { return None };
        let wanted = self.stop_at.is_none_or(|stop| offset < stop);
        let free = !self.asking && !self.paused && !self.is_pausing(now);
        (wanted && free && self.buffered_bytes < bytes_max).then_some(offset)
    }

    /// Which place's offset to ask for now, if any.
    pub(crate) fn query(&self, now: Instant) -> Option<StartAt> {
        let FetchPosition::Wanted(start) = self.fetch_position else { return None };
        (!self.asking && !self.is_pausing(now)).then_some(start)
    }

    /// When a pause after a failure ends.
    pub(crate) const fn pause_ends(&self) -> Option<Instant> {
        self.not_before
    }

    /// A fetch has brought something, or nothing.
    pub(crate) fn on_fetched(&mut self, fetched: Fetched) {
        self.asking = false;
        (self.refused_by, self.not_before) = (None, None);
        self.backoff.reset();
        self.high_watermark = Some(fetched.high_watermark);
        self.log_start_offset = Some(fetched.log_start_offset).filter(|offset| offset.is_valid());
        self.fetch_position = FetchPosition::Known(fetched.next_offset);
        let bytes = fetched.section.bytes();
        if bytes > 0 {
            self.buffered_bytes += bytes;
            self.sections.push_back(fetched.section);
        }
    }

    /// The leader named a follower to read from; it is asked again when that has been so for long,
    /// because there may be a better one by then.
    pub(crate) const fn on_sent_to(&mut self, replica: BrokerId, until: Instant) {
        self.asking = false;
        (self.refused_by, self.not_before) = (None, None);
        self.read_replica = Some((replica, until));
    }

    /// The follower to read from, if there is one.
    pub(crate) fn read_replica(&self, now: Instant) -> Option<BrokerId> {
        self.read_replica.filter(|(_, until)| now < *until).map(|(replica, _)| replica)
    }

    /// The follower did not serve: back to the leader. The pauses become longer, should that one name
    /// the same follower again and again.
    pub(crate) fn on_replica_failed(&mut self, now: Instant) {
        self.read_replica = None;
        self.on_failed(now);
    }

    /// Asking has failed; it is done again after a pause.
    pub(crate) fn on_failed(&mut self, now: Instant) {
        self.asking = false;
        self.not_before = Some(now + self.backoff.next_pause());
    }

    /// As [`Self::on_failed`], because this broker is not the one to ask.
    pub(crate) fn on_refused_by(&mut self, broker: BrokerId, now: Instant) {
        self.on_failed(now);
        self.refused_by = Some(broker);
    }

    /// Who refused the last fetch, while the next one waits.
    pub(crate) fn refused_by(&self, now: Instant) -> Option<BrokerId> {
        self.refused_by.filter(|_| self.is_pausing(now))
    }

    /// Somebody else leads: the pause has no purpose any more.
    pub(crate) const fn on_moved(&mut self) {
        (self.refused_by, self.not_before) = (None, None);
    }

    /// The next batch, and whether its records are to be seen.
    pub(crate) fn next_batch(&mut self) -> Option<(protocol::record_batch::RecordBatch, bool)> {
        loop {
            let section = self.sections.front_mut()?;
            if let Some((batch, visible)) = section.next_batch() {
                self.buffered_bytes = self.buffered_bytes.saturating_sub(batch.bytes().len());
                return Some((batch, visible));
            }
            self.sections.pop_front();
        }
    }

    /// Whether everything that is wanted has been handed out and worked on.
    pub(crate) fn is_finished(&self) -> bool {
        self.position.zip(self.stop_at).is_some_and(|(position, stop)| position >= stop)
    }
}
