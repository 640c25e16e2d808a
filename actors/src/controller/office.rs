//! What a controller has while it decides: the rules on their working image, what they decided and
//! is not agreed on yet, who waits for it, and who is alive.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use metadata::controller::Controller as Rules;
use metadata::wire::encode_records;
use metadata::{
    BrokerLiveness, ClusterImage, ElectionKind, Incarnation, MetadataRecord, PartitionKey,
    cut_into_entries,
};
use protocol::{BrokerEpoch, BrokerId, TopicId};
use tracing::{error, info, warn};

use super::announcing::{Changed, announce, with_new_leader};
use super::deciding::{Circumstances, decide};
use super::question::{Agreed, AnyAnswer, AnyQuestion, NotAgreed};
use super::{Asked, Reply};
use crate::broker::Broker;
use crate::metrics::{ControllerMetrics, NodeLabel};

/// Bytes of several decisions in one entry, which has to fit into a message between nodes.
const ENTRY_BYTES_MAX: usize = 2 << 20;

/// Leaders that are put back in one entry.
const ELECTIONS_MAX: usize = 1000;

/// An answer with the way back.
pub(super) type PendingAnswer = (AnyAnswer, Reply);

/// What one question, or one look at the clock, led to.
struct Decision {
    records: Vec<MetadataRecord>,
    /// The length of the records in an entry.
    bytes: usize,
    /// Who waits for it, if anybody.
    answer: Option<PendingAnswer>,
}

/// An entry that is to be agreed on.
struct UnderWay {
    /// Answers that wait for it.
    answers: Vec<PendingAnswer>,
    /// Partitions that get a new leader by it.
    changed: Changed,
}

/// See the head of this file.
pub(super) struct Office {
    /// The quorum's term; decisions are proposed for it alone.
    pub(super) term: u64,
    rules: Rules,
    /// What is decided and not proposed yet, in order.
    decisions: VecDeque<Decision>,
    /// The entry that is to be agreed on; one at a time.
    under_way: Option<UnderWay>,
    /// Partitions whose preferred leader could lead and does not.
    misplaced: BTreeSet<PartitionKey>,
    has_leaders_timer: bool,
    is_scheduled: bool,
    liveness: BrokerLiveness,
    /// When the timer of [`BrokerLiveness::next_deadline`] goes off.
    pub(super) liveness_due: Option<Instant>,
}

impl Office {
    /// All clocks start anew, so that a change of controller fences nobody by itself.
    pub(super) fn new(term: u64, image: ClusterImage, broker: &Broker, now: Instant) -> Self {
        let session_timeout = broker.settings.load().liveness.session_timeout;
        let liveness = BrokerLiveness::new(now, session_timeout, &image);
        let misplaced = misplaced_in(&image);
        Self {
            term,
            rules: Rules::new(image, Arc::clone(&broker.given)),
            decisions: VecDeque::new(),
            under_way: None,
            misplaced,
            has_leaders_timer: false,
            is_scheduled: false,
            liveness,
            liveness_due: None,
        }
    }

    /// Asks the rules, and keeps the answer until what they decided is agreed on.
    pub(super) fn on_asked(&mut self, broker: &Broker, asked: Asked) {
        let now = tokio::time::Instant::now().into_std();
        let Asked { question, origin, reply } = asked;
        let sign_of_life = sign_of_life(&question);
        let liveness = &self.liveness;
        let circumstances = Circumstances {
            cluster_id: broker.cluster_id,
            origin,
            is_alive: &|broker| liveness.is_alive(now, broker),
            new_id: &|| TopicId(broker.ports.rng.uuid()),
        };
        let answer = decide(&mut self.rules, question, &circumstances);
        match (sign_of_life, &answer) {
            (Some((broker, epoch)), AnyAnswer::Heartbeat(Ok(_))) => {
                self.liveness.on_heartbeat(now, broker, epoch);
            }
            (_, AnyAnswer::RegisterBroker(Ok(epoch))) => {
                if let Some(broker) = self.broker_of(*epoch) {
                    self.liveness.on_heartbeat(now, broker, *epoch);
                }
            }
            _ => {}
        }
        let decided = self.rules.take_records();
        // heartbeats are many and mostly change nothing: they wait for no entry
        let is_answered_at_once = decided.is_empty()
            && matches!(&answer, AnyAnswer::Heartbeat(Ok(answer)) if !answer.may_stop)
            || matches!(&answer, AnyAnswer::Heartbeat(Err(_)));
        if is_answered_at_once {
            self.keep(decided, None);
            give(vec![(answer, reply)], 0);
        } else {
            self.keep(decided, Some((answer, reply)));
        }
    }

    fn keep(&mut self, records: Vec<MetadataRecord>, answer: Option<PendingAnswer>) {
        if records.is_empty() && answer.is_none() {
            return;
        }
        let bytes = encoded_length(&records);
        if bytes <= ENTRY_BYTES_MAX {
            self.decisions.push_back(Decision { records, bytes, answer });
            return;
        }
        let mut parts = cut_into_entries(records, ENTRY_BYTES_MAX);
        let last = parts.pop().unwrap_or_default();
        for records in parts {
            let bytes = encoded_length(&records);
            self.decisions.push_back(Decision { records, bytes, answer: None });
        }
        let bytes = encoded_length(&last);
        self.decisions.push_back(Decision { records: last, bytes, answer });
    }

    /// What the controller before this one had begun and did not end.
    pub(super) fn finish_begun(&mut self) {
        if let Err(refusal) = self.rules.finish_begun() {
            error!(%refusal, "what was begun before this term cannot be finished");
        }
        let decided = self.rules.take_records();
        self.keep(decided, None);
    }

    /// As many whole decisions as an entry holds; one that is larger comes alone.
    fn next_decisions(&mut self) -> (Vec<MetadataRecord>, Vec<PendingAnswer>) {
        let (mut records, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
        while let Some(next) = self.decisions.front() {
            bytes = bytes.saturating_add(next.bytes);
            if bytes > ENTRY_BYTES_MAX && !records.is_empty() {
                break;
            }
            let Some(decision) = self.decisions.pop_front() else { break };
            records.extend(decision.records);
            answers.extend(decision.answer);
        }
        (records, answers)
    }

    fn broker_of(&self, epoch: BrokerEpoch) -> Option<BrokerId> {
        let found = self.rules.image().brokers().find(|state| state.epoch() == epoch);
        found.map(|state| state.id())
    }

    /// Whether somebody waits for an entry that nobody has scheduled; true once.
    pub(super) fn may_schedule(&mut self) -> bool {
        let is_idle = self.decisions.is_empty();
        let is_due = !is_idle && self.under_way.is_none() && !self.is_scheduled;
        self.is_scheduled |= is_due;
        is_due
    }

    /// The records of the next entry; `None` while one is under way or nothing is to change.
    pub(super) fn take_batch(&mut self, broker: &Arc<Broker>) -> Option<Vec<MetadataRecord>> {
        self.is_scheduled = false;
        if self.under_way.is_some() {
            return None;
        }
        let (records, answers) = self.next_decisions();
        if records.is_empty() {
            self.give_unchanged(broker, answers);
            return None;
        }
        let changed = with_new_leader(&broker.image.load(), &records);
        self.note_misplaced(&records);
        self.under_way = Some(UnderWay { answers, changed });
        Some(records)
    }

    /// Nothing was to change: the answers rest on what has been agreed on.
    fn give_unchanged(&self, broker: &Arc<Broker>, answers: Vec<PendingAnswer>) {
        if answers.is_empty() {
            return;
        }
        let (broker, index) = (Arc::clone(broker), self.rules.image().version());
        tokio::spawn(async move {
            broker.image.reached(index).await;
            give(answers, index);
        });
    }

    /// The entry under way was agreed on: new leaders are told, and those who waited for it are
    /// answered once the image shows it.
    pub(super) fn on_agreed(&mut self, broker: &Arc<Broker>, index: u64) {
        self.rules.on_committed(index);
        let Some(UnderWay { answers, changed }) = self.under_way.take() else { return };
        broker.metrics.controller.leader_changes.inc_by(changed.len() as u64);
        announce(broker, self.rules.image(), index, &changed);
        let broker = Arc::clone(broker);
        tokio::spawn(async move {
            broker.image.reached(index).await;
            give(answers, index);
        });
    }

    fn note_misplaced(&mut self, records: &[MetadataRecord]) {
        for record in records {
            if let MetadataRecord::PartitionChanged { key, state } = record {
                match state.awaits_preferred_leader() {
                    true => drop(self.misplaced.insert(*key)),
                    false => drop(self.misplaced.remove(key)),
                }
            }
        }
    }

    /// Whether a timer is to be started at whose end leaders are put back; true once.
    pub(super) fn may_start_leaders_timer(&mut self) -> bool {
        let may = !self.misplaced.is_empty() && !self.has_leaders_timer;
        self.has_leaders_timer |= may;
        may
    }

    /// Lets the preferred leaders lead again, some at a time.
    pub(super) fn put_leaders_back(&mut self) {
        self.has_leaders_timer = false;
        for _ in 0..ELECTIONS_MAX {
            let Some(key) = self.misplaced.pop_first() else { break };
            // one that cannot lead now is noted again when it joins the in-sync replicas
            let _ = self.rules.elect_leader(key, ElectionKind::Preferred);
        }
        let decided = self.rules.take_records();
        self.keep(decided, None);
    }

    /// It decides no more.
    pub(super) fn close(self) {
        let under_way = self.under_way.into_iter().flat_map(|under_way| under_way.answers);
        let waiting = self.decisions.into_iter().filter_map(|one| one.answer).chain(under_way);
        for (_, reply) in waiting {
            let _ = reply.send(Err(NotAgreed));
        }
    }

    /// A process is known to be gone, if it is still the registered one.
    pub(super) fn on_death(&mut self, now: Instant, broker: BrokerId, incarnation: Incarnation) {
        let state = self.rules.image().broker(broker);
        if let Some(state) = state.filter(|state| state.registration.incarnation == incarnation) {
            let epoch = state.epoch();
            self.liveness.on_death(now, broker, epoch);
        }
    }

    /// Takes whoever has been silent for too long out of everything.
    pub(super) fn fence_silent(&mut self, metrics: &ControllerMetrics, now: Instant) {
        for (broker, epoch) in self.liveness.expired(now) {
            match self.rules.fence_broker(broker, epoch) {
                Ok(()) => {
                    metrics.fencings.get_or_create(&NodeLabel::of(broker)).inc();
                    info!(%broker, %epoch, "silent for too long, or gone: fenced");
                }
                // it has registered anew meanwhile, or left
                Err(refusal) => warn!(%broker, %refusal, "not fenced"),
            }
        }
        let decided = self.rules.take_records();
        self.keep(decided, None);
    }

    /// When somebody may have been silent for too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.liveness.next_deadline()
    }
}

/// How long records are in an entry; what cannot be written is refused when it is proposed.
fn encoded_length(records: &[MetadataRecord]) -> usize {
    encode_records(records).map_or(0, |bytes| bytes.len())
}

fn misplaced_in(image: &ClusterImage) -> BTreeSet<PartitionKey> {
    let partitions = image.topics().flat_map(|topic| {
        let awaiting = topic.indexed_partitions();
        let awaiting = awaiting.filter(|(_, state)| state.awaits_preferred_leader());
        awaiting.map(|(index, _)| PartitionKey::new(topic.id, index))
    });
    partitions.collect()
}

fn sign_of_life(question: &AnyQuestion) -> Option<(BrokerId, BrokerEpoch)> {
    match question {
        AnyQuestion::Heartbeat(asked) => {
            Some((asked.heartbeat.broker, asked.heartbeat.broker_epoch))
        }
        _ => None,
    }
}

/// Answers those who waited for an entry.
pub(super) fn give(answers: Vec<PendingAnswer>, index: u64) {
    for (answer, reply) in answers {
        let _ = reply.send(Ok(Agreed { index, answer }));
    }
}
