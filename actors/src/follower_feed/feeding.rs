//! Answers one fetch: asks the machines what is new in it, reads what may be read, and waits until
//! there is something to tell.

use std::sync::Arc;
use std::time::Duration;

use commit_log::{ReadError, ReadMode, ReadOutcome, ReadRequest};
use metadata::PartitionKey;
use protocol::record_batch::BatchHeader;
use protocol::{ErrorCode, Offset};
use ractor::ActorRef;
use replication::FetchVerdict;
use supervision::{Counted, Status};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::FollowerFeedMessage;
use super::answer_draft::AnswerDraft;
use super::feed_session::{FedPartition, FeedSession, Standing};
use crate::broker::Broker;
use crate::peer_messages::follower_fetch::{
    FollowerFetchAnswer, FollowerFetchMessage, ToldOutcome,
};
use crate::ports::storage_executor::run_blocking;
use crate::read_view::ReadView;

/// The longest that a fetch waits, whatever it wants.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long an answer with something in it waits for the machines that have questions.
const VERDICT_LINGER: Duration = Duration::from_millis(5);
/// How long a high watermark may be news: with the next records it costs no message of its own.
const NEWS_LINGER: Duration = Duration::from_millis(10);

/// What a partition has to tell.
enum Look {
    /// Nothing that was not told.
    Nothing,
    /// That its high watermark or log start offset moved.
    News,
    /// Records from there.
    Records { from: Offset, view: Arc<ReadView> },
    /// What its machine said.
    Settled { verdict: FetchVerdict, view: Arc<ReadView> },
    /// That it cannot answer.
    Refused(ErrorCode),
}

/// One fetch under way.
pub(super) struct FeedingTask {
    /// Given back at the end.
    pub session: Option<Box<FeedSession>>,
    pub feed: ActorRef<Counted<FollowerFeedMessage>>,
    pub broker: Arc<Broker>,
    pub interrupt: Arc<Notify>,
    pub shard: u8,
    pub status: Status,
}

impl Drop for FeedingTask {
    /// However it ends, the feed hears of it.
    fn drop(&mut self) {
        let session = self.session.take().filter(|_| !std::thread::panicking());
        let _ = self.feed.cast(FollowerFeedMessage::FetchEnded(session).into());
    }
}

impl FeedingTask {
    pub async fn run(
        mut self,
        message: FollowerFetchMessage,
        reply: oneshot::Sender<FollowerFetchAnswer>,
    ) {
        let Some(session) = &mut self.session else { return };
        let wait_max = Duration::from_millis(message.wait_max_ms.into()).min(WAIT_MAX);
        session.take_in(&self.broker, message);
        let mut feeding = Feeding {
            started: Instant::now(),
            wait_max,
            broker: &self.broker,
            session,
            draft: AnswerDraft::default(),
            news: Vec::new(),
            news_since: None,
        };
        feeding.until_worth_telling(&self.interrupt).await;
        let answer = feeding.finish();
        show(&self.status, session);
        self.broker.replication.note_lag(session.follower(), self.shard, session.lag);
        // the session first: who has the answer asks again at once
        drop(self);
        let _ = reply.send(answer);
    }
}

fn show(status: &Status, session: &FeedSession) {
    let partitions = i64::try_from(session.len()).unwrap_or(i64::MAX);
    status.set("partitions", partitions);
    status.set("lag records", session.lag);
}

struct Feeding<'a> {
    started: Instant,
    wait_max: Duration,
    broker: &'a Broker,
    session: &'a mut FeedSession,
    draft: AnswerDraft,
    /// Partitions with nothing but news.
    news: Vec<PartitionKey>,
    news_since: Option<Instant>,
}

impl Feeding<'_> {
    async fn until_worth_telling(&mut self, interrupt: &Notify) {
        loop {
            self.session.take_verdicts();
            self.session.take_rung();
            self.fill().await;
            let deadline = self.deadline();
            if self.draft.is_full() || deadline <= Instant::now() {
                return;
            }
            let rung = Arc::clone(&self.session.rung);
            tokio::select! {
                biased;
                () = sleep_until(deadline) => return,
                () = interrupt.notified() => return,
                verdict = self.session.verdicts.next() => {
                    if let Some(verdict) = verdict {
                        self.session.on_verdict(verdict);
                    }
                }
                () = rung.any() => {}
            }
        }
    }

    /// When to answer with what there is.
    fn deadline(&self) -> Instant {
        let patience = self.started + self.wait_max;
        let has_something = !self.draft.is_empty() || !self.session.refused.is_empty();
        if has_something {
            let linger = self.session.waits_for_verdicts();
            return self.started + if linger { VERDICT_LINGER } else { Duration::ZERO };
        }
        self.news_since.map_or(patience, |since| patience.min(since + NEWS_LINGER))
    }

    /// Says what there is to say, as far as it fits.
    async fn fill(&mut self) {
        let waiting = self.session.ready.len();
        let share = self.draft.share(waiting);
        for _ in 0..waiting {
            if self.draft.is_full() {
                return;
            }
            let Some(key) = self.session.next_ready() else { return };
            self.tell(key, share).await;
        }
    }

    async fn tell(&mut self, key: PartitionKey, share: usize) {
        let rung = Arc::clone(&self.session.rung);
        let Some(partition) = self.session.partitions.get_mut(&key) else { return };
        if !std::mem::replace(&mut partition.has_bell, true) {
            // before the look: what changes after it rings
            partition.place.leave_feed_bell(&rung);
        }
        let look = look_at(partition);
        self.session.lag += lag_moved(partition, &look);
        match look {
            Look::Nothing => {}
            Look::News => {
                self.news_since.get_or_insert_with(Instant::now);
                self.news.push(key);
            }
            Look::Settled { verdict, view } => {
                partition.standing = Standing::Told;
                partition.told = None;
                self.draft.tell(key, &view, outcome_of(verdict));
            }
            Look::Refused(code) => self.session.refuse(key, code.code()),
            Look::Records { from, view } => {
                let read = self.read(key, from, &view, share).await;
                self.give(key, &view, read);
            }
        }
    }

    async fn read(
        &self,
        key: PartitionKey,
        from: Offset,
        view: &Arc<ReadView>,
        share: usize,
    ) -> Result<ReadOutcome, ErrorCode> {
        let request = ReadRequest {
            from,
            up_to: view.log_end_offset,
            bytes_max: self.draft.share(1).min(share),
            at_least_one_batch: !self.draft.has_batches(),
            mode: ReadMode::NoWait,
        };
        let read = match view.reader.read(request) {
            Err(ReadError::WouldBlock) => {
                let (reader, mode) = (view.reader.clone(), ReadMode::MayBlock);
                let request = ReadRequest { mode, ..request };
                let executor = &*self.broker.ports.executor;
                let read = run_blocking(executor, move || reader.read(request)).await;
                read.unwrap_or(Err(ReadError::WouldBlock))
            }
            read => read,
        };
        let outcome = read.map_err(|error| {
            warn!(?key, %error, "a follower's records could not be read");
            error.error_code()
        })?;
        self.check_still(key, view, outcome.generation)?;
        Ok(outcome)
    }

    /// Whether what was read is still part of the log of the same leadership.
    fn check_still(
        &self,
        key: PartitionKey,
        view: &ReadView,
        generation: u64,
    ) -> Result<(), ErrorCode> {
        let place = self.session.partitions.get(&key).map(|partition| &partition.place);
        let now = place.and_then(|place| place.view()).ok_or(ErrorCode::NotLeaderOrFollower)?;
        if now.continues(view) && now.reader.generation() == generation {
            return Ok(());
        }
        Err(ErrorCode::NotLeaderOrFollower)
    }

    fn give(&mut self, key: PartitionKey, view: &ReadView, read: Result<ReadOutcome, ErrorCode>) {
        let batches = match read {
            Ok(outcome) => outcome.batches,
            Err(code) => return self.session.refuse(key, code.code()),
        };
        if batches.is_empty() {
            // it did not fit beside the others: its turn comes first in the next answer
            self.session.make_ready(key);
            return;
        }
        let Ok(header) = BatchHeader::parse(&batches) else {
            return self.session.refuse(key, ErrorCode::CorruptMessage.code());
        };
        if let Some(partition) = self.session.partitions.get_mut(&key) {
            partition.standing = Standing::Told;
            partition.told = None;
        }
        self.draft.give(key, view, header.base_offset, batches);
    }

    /// The answer, with the newest of what is only news.
    fn finish(mut self) -> FollowerFetchAnswer {
        while let Some((key, code)) = self.session.refused.pop_front() {
            if self.draft.is_full() {
                self.session.refused.push_front((key, code));
                break;
            }
            self.draft.refuse(key, code);
        }
        for key in std::mem::take(&mut self.news) {
            self.tell_news(key);
        }
        self.draft.finish()
    }

    fn tell_news(&mut self, key: PartitionKey) {
        if self.draft.is_full() {
            self.session.make_ready(key);
            return;
        }
        let Some(partition) = self.session.partitions.get_mut(&key) else { return };
        // it may have got records meanwhile: then it is ready and its turn comes
        let Standing::Reads { .. } = partition.standing else { return };
        let Some(view) = partition.place.view() else { return };
        let now = (view.high_watermark, view.log_start_offset);
        if view.leader_epoch == partition.fetch.leader_epoch
            && partition.told.replace(now) != Some(now)
        {
            self.draft.tell(key, &view, ToldOutcome::Nothing);
        }
    }
}

fn look_at(partition: &FedPartition) -> Look {
    let Some(view) = partition.place.view() else {
        return Look::Refused(ErrorCode::NotLeaderOrFollower);
    };
    match view.leader_epoch.cmp(&partition.fetch.leader_epoch) {
        std::cmp::Ordering::Less => return Look::Refused(ErrorCode::UnknownLeaderEpoch),
        std::cmp::Ordering::Greater => return Look::Refused(ErrorCode::FencedLeaderEpoch),
        std::cmp::Ordering::Equal => {}
    }
    match partition.standing {
        Standing::Judged | Standing::Told => Look::Nothing,
        Standing::Settled(verdict) => Look::Settled { verdict, view },
        Standing::Reads { from } if from < view.log_end_offset => Look::Records { from, view },
        Standing::Reads { .. } => {
            let now = (view.high_watermark, view.log_start_offset);
            if partition.told == Some(now) { Look::Nothing } else { Look::News }
        }
    }
}

/// By how much the records that the follower lacks have changed.
fn lag_moved(partition: &mut FedPartition, look: &Look) -> i64 {
    let lag = match look {
        Look::Records { from, view } => view.log_end_offset.distance_from(*from),
        Look::News | Look::Nothing => 0,
        Look::Settled { .. } | Look::Refused(_) => partition.lag,
    };
    lag - std::mem::replace(&mut partition.lag, lag)
}

fn outcome_of(verdict: FetchVerdict) -> ToldOutcome {
    match verdict {
        FetchVerdict::Diverging(end) => ToldOutcome::diverging(end),
        FetchVerdict::OutOfRange { log_end_offset, .. } => {
            ToldOutcome::OutOfRange { log_end_offset }
        }
        FetchVerdict::ReadFrom { .. } => ToldOutcome::Nothing,
    }
}
