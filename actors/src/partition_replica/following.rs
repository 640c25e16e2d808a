//! The replica as a follower: what its fetcher brings goes through the machine to the writer.

use bytes::Bytes;
use protocol::{BrokerId, LeaderEpoch, Offset};
use replication::{FetchAnswer, FetchPosition};
use tracing::{error, info, warn};

use super::{OwnMessage, PartitionReplicaMessage, PartitionReplicaState, ReplicaFault};
use crate::peer_messages::flush_progress::FlushReport;
use crate::replica_fetcher::{FollowRequest, ReplicaFetcherMessage};
use crate::segment_writer::{Cut, FetchedAppend, FollowerWork, SegmentWriterMessage, TruncatedLog};

/// How long until batches that the writer refused are asked for again.
const APPEND_RETRY: std::time::Duration = std::time::Duration::from_millis(200);

/// What a follower is told by its fetcher.
#[derive(Debug)]
pub enum FollowingMessage {
    /// The leader answered.
    Fetched {
        /// What it said.
        answer: FetchAnswer,
        /// The batches, if it said so.
        batches: Bytes,
    },
    /// The fetcher began anew and knows nothing: say again what it was told.
    AskAgain {
        /// Whom it asks.
        leader: BrokerId,
    },
}

/// What the fetcher was told last, so that it can be told again.
#[derive(Debug, Default)]
pub(super) struct ToldFetcher {
    fetch: Option<Fetch>,
    flushed: Option<(BrokerId, FlushReport)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    pub leader: BrokerId,
    pub leader_epoch: LeaderEpoch,
    pub position: FetchPosition,
    pub log_start_offset: Offset,
    pub flushed_offset: Offset,
}

impl PartitionReplicaState {
    pub(super) fn on_following(&mut self, message: FollowingMessage) {
        match message {
            FollowingMessage::Fetched { answer, batches } => self.on_fetched(&answer, batches),
            FollowingMessage::AskAgain { leader } => self.ask_again(leader),
        }
    }

    fn on_fetched(&mut self, answer: &FetchAnswer, batches: Bytes) {
        if self.draining {
            // the role is about to change; under the next one it asks anew
            return;
        }
        self.fetched = batches;
        self.machine.on_fetch_answer(answer, &mut self.effects);
        self.perform_effects();
        self.fetched = Bytes::new();
    }

    fn ask_again(&self, leader: BrokerId) {
        if let Some(fetch) = self.told_fetcher.fetch.filter(|fetch| fetch.leader == leader) {
            self.send_fetch(fetch);
        }
        if let Some((_, report)) = self.told_fetcher.flushed.filter(|(to, _)| *to == leader) {
            self.tell_fetcher(leader, ReplicaFetcherMessage::ReportFlushed(report));
        }
    }

    /// The question stands, though the answer to it was not looked at.
    pub(super) fn repeat_fetch(&self) {
        if let Some(fetch) = self.told_fetcher.fetch {
            self.send_fetch(fetch);
        }
    }

    pub(super) fn fetch_from(&mut self, fetch: Fetch) {
        self.told_fetcher.fetch = Some(fetch);
        self.send_fetch(fetch);
    }

    fn send_fetch(&self, fetch: Fetch) {
        let request = FollowRequest {
            key: self.arguments.place.key,
            replica: self.arguments.place.replica.clone(),
            leader_epoch: fetch.leader_epoch,
            position: fetch.position,
            readable_from: self.published.readable_from(fetch.log_start_offset),
            flushed_offset: fetch.flushed_offset,
        };
        self.tell_fetcher(fetch.leader, ReplicaFetcherMessage::Follow(request));
    }

    /// It follows that leader no longer; consumers look for the next one.
    pub(super) fn stop_fetching(&mut self, leader: BrokerId) {
        self.arguments.place.close();
        self.told_fetcher = ToldFetcher::default();
        let key = self.arguments.place.key;
        self.tell_fetcher(leader, ReplicaFetcherMessage::Forget { key });
    }

    pub(super) fn report_flushed(
        &mut self,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
        flushed_offset: Offset,
    ) {
        let report = FlushReport { key: self.arguments.place.key, leader_epoch, flushed_offset };
        self.told_fetcher.flushed = Some((leader, report));
        self.tell_fetcher(leader, ReplicaFetcherMessage::ReportFlushed(report));
    }

    pub(super) fn ask_anew(&self, leader: BrokerId) {
        let key = self.arguments.place.key;
        self.tell_fetcher(leader, ReplicaFetcherMessage::AskAnew { key });
    }

    pub(super) fn report_failure(&self, leader: BrokerId, leader_epoch: LeaderEpoch) {
        let key = self.arguments.place.key;
        self.tell_fetcher(leader, ReplicaFetcherMessage::ReportFailed { key, leader_epoch });
    }

    fn tell_fetcher(&self, leader: BrokerId, message: ReplicaFetcherMessage) {
        if let Some(broker) = self.arguments.broker.upgrade() {
            let key = self.arguments.place.key;
            broker.replication.tell_fetcher(&broker, leader, key, message);
        }
    }

    /// The batches of the answer that is being looked at go to the writer.
    pub(super) fn append_fetched(&mut self) {
        self.told_fetcher.fetch = None;
        let batches = std::mem::take(&mut self.fetched);
        let work = FollowerWork::Append { batches };
        self.for_writer.push(SegmentWriterMessage::Following(work));
    }

    pub(super) fn cut(&mut self, cut: Cut, below_high_watermark: bool) {
        let partition = &self.arguments.place.name;
        if below_high_watermark {
            error!(%partition, ?cut, "committed records are cut: an unclean election lost them");
        } else {
            info!(%partition, ?cut, "cuts what its leader does not have");
        }
        self.told_fetcher.fetch = None;
        // what consumers were shown is being replaced
        self.arguments.place.close();
        self.cutting = Some(cut);
        let work = FollowerWork::Truncate(cut);
        self.for_writer.push(SegmentWriterMessage::Following(work));
    }

    /// The writer appended what was fetched, or a part of it.
    pub(super) fn on_fetched_appended(&mut self, append: FetchedAppend) {
        self.forwarded = self.forwarded.saturating_sub(1);
        let FetchedAppend { end_offset, epochs, error } = append;
        if let Some(error) = &error {
            let partition = &self.arguments.place.name;
            warn!(%partition, %error, "fetched batches were refused, and are asked for again");
        }
        match end_offset {
            Some(end) => {
                self.arguments.place.note_log_end(end);
                self.machine.on_follower_appended(end, &epochs, &mut self.effects);
            }
            None => {
                let again = || PartitionReplicaMessage::Own(OwnMessage::FetchAgain).into();
                self.myself.send_after(APPEND_RETRY, again);
            }
        }
        self.perform_effects();
    }

    pub(super) fn on_fetch_again(&mut self) {
        self.machine.on_follower_append_refused(&mut self.effects);
        self.perform_effects();
    }

    /// The writer cut the log.
    pub(super) fn on_truncated(&mut self, log: TruncatedLog) -> Result<(), ReplicaFault> {
        self.forwarded = self.forwarded.saturating_sub(1);
        let TruncatedLog { log_start, log_end } = log;
        self.confirm_checkpoint(log_start);
        self.arguments.place.note_log_end(log_end);
        let wanted = match self.cutting.take() {
            Some(Cut::To(offset) | Cut::RestartAt(offset)) => offset,
            None => log_end,
        };
        if log_end != wanted {
            // a batch that held the offset went whole: what this machine knows of the log is wrong
            return Err(ReplicaFault::CutFurther { wanted, log_end });
        }
        self.machine.on_truncated(&mut self.effects);
        self.perform_effects();
        Ok(())
    }

    /// Has the log told when the directory's checkpoints hold what a truncation noted beside it.
    fn confirm_checkpoint(&self, log_start: Offset) {
        let arguments = &self.arguments;
        let name = &arguments.place.name;
        let written = arguments.checkpoints.report_cut(name, log_start);
        let myself = self.myself.clone();
        tokio::spawn(async move {
            if let Ok(offset) = written.await {
                let message = OwnMessage::Checkpointed(offset);
                let _ = myself.cast(PartitionReplicaMessage::Own(message).into());
            }
        });
    }
}
