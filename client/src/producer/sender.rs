//! The producer's task: takes batches from the accumulator, sends them to the leaders, settles
//! their outcomes. One a producer, started with it; ends when the producer is closed or dropped
//! and no record is left.

mod leader_search;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{BrokerId, ErrorCode, TopicPartition};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

use super::broker_lane::{Addressed, Answered, BrokerLane};
use super::identity::ProducerIdentity;
use super::partition_delivery::{PartitionDelivery, SentBatch, Step};
use super::settings::ProducerSettings;
use crate::broker_connections::BrokerConnections;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::record_accumulator::RecordAccumulator;

/// What a producer's handles and its task share.
pub(crate) struct ProducerShared {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) settings: Arc<ProducerSettings>,
    pub(crate) accumulator: Mutex<RecordAccumulator>,
    /// Bytes of records that may still be admitted.
    pub(crate) room: Arc<Semaphore>,
    /// Tells the task to look again.
    pub(crate) wake: Notify,
    /// Who waits for room or for a flush: while anybody does, no batch lingers.
    pub(crate) impatient: AtomicUsize,
    /// No more records come.
    pub(crate) closed: AtomicBool,
}

impl ProducerShared {
    pub(crate) fn accumulator(&self) -> MutexGuard<'_, RecordAccumulator> {
        self.accumulator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the sender waits for from others.
pub(crate) enum SenderEvent {
    /// A broker has answered a request, or will not.
    Answered { broker: BrokerId, answers: Vec<Answered> },
    /// A producer id was given, or refused.
    Identified(Result<ProducerIdentity>),
    /// Metadata was asked for.
    Refreshed,
}

struct Lane {
    requests: mpsc::Sender<Vec<Addressed>>,
    in_flight: usize,
}

pub(crate) struct Sender {
    shared: Arc<ProducerShared>,
    connections: Arc<BrokerConnections>,
    lanes: HashMap<BrokerId, Lane>,
    partitions: HashMap<TopicPartition, PartitionDelivery>,
    identity: Option<ProducerIdentity>,
    identifying: bool,
    refreshing: bool,
    /// When metadata was last asked for because of a refusal.
    refreshed_at: Option<Instant>,
    events: mpsc::Sender<SenderEvent>,
    inbox: mpsc::Receiver<SenderEvent>,
}

impl Sender {
    pub(crate) fn new(shared: Arc<ProducerShared>) -> Self {
        let (events, inbox) = mpsc::channel(64);
        Self {
            connections: Arc::new(shared.cluster.own_connections()),
            shared,
            lanes: HashMap::new(),
            partitions: HashMap::new(),
            identity: None,
            identifying: false,
            refreshing: false,
            refreshed_at: None,
            events,
            inbox,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let now = Instant::now();
            let closed = self.shared.closed.load(Ordering::Acquire);
            let impatient = closed || self.shared.impatient.load(Ordering::Acquire) > 0;
            self.shared.accumulator().close_due(now, impatient);
            self.give_up_old(now);
            self.dispatch(now).await;
            if closed && self.shared.accumulator().is_idle() {
                return;
            }
            let next = self.next_wake(now);
            tokio::select! {
                Some(event) = self.inbox.recv() => {
                    self.on_event(event);
                    while let Ok(event) = self.inbox.try_recv() {
                        self.on_event(event);
                    }
                }
                () = self.shared.wake.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    fn next_wake(&self, now: Instant) -> Instant {
        let timeout = self.shared.settings.delivery_timeout;
        let accumulator = self.shared.accumulator();
        let linger = accumulator.next_due();
        let oldest = accumulator.oldest();
        let partitions = self.partitions.values();
        let retried = partitions.clone().filter_map(PartitionDelivery::oldest).min();
        let expiry = oldest.into_iter().chain(retried).min().map(|opened| opened + timeout);
        // a pause that is over waits for an event: an answer, an identity, metadata
        let pauses = partitions.filter_map(PartitionDelivery::pause_ends);
        let pause = pauses.filter(|end| *end > now).min();
        let next = [linger, expiry, pause].into_iter().flatten().min();
        // without records there is nothing to wake up for but an event
        next.unwrap_or(now + timeout).max(now)
    }

    fn on_event(&mut self, event: SenderEvent) {
        match event {
            SenderEvent::Answered { broker, answers } => self.on_answered(broker, answers),
            SenderEvent::Identified(result) => self.on_identified(result),
            SenderEvent::Refreshed => self.on_refreshed(),
        }
    }

    fn on_answered(&mut self, broker: BrokerId, answers: Vec<Answered>) {
        if let Some(lane) = self.lanes.get_mut(&broker) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
        }
        for (partition, sent, result) in answers {
            let number = sent.batch.number;
            let Some(delivery) = self.partitions.get_mut(&partition) else { continue };
            match result {
                Ok(place) => {
                    delivery.on_written(sent, place);
                    self.shared.accumulator().forget(number);
                }
                Err(error) => self.on_refused(&partition, broker, sent, error),
            }
            if self.partitions.get(&partition).is_some_and(PartitionDelivery::is_idle) {
                self.partitions.remove(&partition);
            }
        }
    }

    fn on_refused(
        &mut self,
        partition: &TopicPartition,
        broker: BrokerId,
        sent: SentBatch,
        error: Error,
    ) {
        tracing::debug!(%partition, %error, "a batch was not written");
        let is_stale = error.is_stale_metadata();
        if error.code() == Some(ErrorCode::InvalidProducerEpoch) {
            // somebody else has the id, or the broker has forgotten it
            self.identity = None;
        }
        let number = sent.batch.number;
        let Some(delivery) = self.partitions.get_mut(partition) else { return };
        if delivery.on_failed(sent, error, Instant::now()) {
            self.shared.accumulator().forget(number);
        }
        if is_stale {
            delivery.on_refused_by(broker);
            self.look_for_leaders();
        }
    }

    fn on_identified(&mut self, result: Result<ProducerIdentity>) {
        self.identifying = false;
        match result {
            Ok(identity) => self.identity = Some(identity),
            Err(error) => {
                tracing::warn!(%error, "no producer id");
                let now = Instant::now();
                let mut accumulator = self.shared.accumulator();
                for (_, batch) in accumulator.take_opened_by(now) {
                    accumulator.forget(batch.number);
                    batch.finish(Err(error.clone()));
                }
            }
        }
    }

    /// Fails what is older than the delivery timeout and not under way.
    fn give_up_old(&mut self, now: Instant) {
        let after = self.shared.settings.delivery_timeout;
        let Some(time) = now.checked_sub(after) else { return };
        let mut accumulator = self.shared.accumulator();
        for (partition, batch) in accumulator.take_opened_by(time) {
            accumulator.forget(batch.number);
            batch.finish(Err(Error::NotSent { partition, after }));
        }
        for (partition, delivery) in &mut self.partitions {
            for sent in delivery.give_up_opened_by(time) {
                accumulator.forget(sent.batch.number);
                let last = Arc::new(sent.last_error.unwrap_or(Error::Closed));
                let partition = partition.clone();
                sent.batch.finish(Err(Error::DeliveryTimedOut { partition, after, last }));
            }
        }
    }

    /// Sends what may be sent.
    async fn dispatch(&mut self, now: Instant) {
        let cluster = &self.shared.cluster;
        if cluster.metadata().fetched_at.elapsed() > cluster.settings.metadata_age_max {
            self.refresh();
        }
        let mut waiting = self.retrying();
        for partition in self.shared.accumulator().ready() {
            if !waiting.contains(&partition) {
                waiting.push(partition);
            }
        }
        let mut requests: HashMap<BrokerId, (usize, Vec<Addressed>)> = HashMap::new();
        while !waiting.is_empty() {
            // one batch a partition and request; what is left over goes into the next round
            let mut more = Vec::new();
            for partition in waiting {
                if self.dispatch_one(&partition, now, &mut requests) {
                    more.push(partition);
                }
            }
            let sent_any = !requests.is_empty();
            for (broker, (_, batches)) in requests.drain() {
                self.send(broker, batches).await;
            }
            waiting = if sent_any { more } else { Vec::new() };
        }
    }

    fn retrying(&self) -> Vec<TopicPartition> {
        let partitions = self.partitions.iter();
        let retrying = partitions.filter(|(_, delivery)| delivery.has_retries());
        retrying.map(|(partition, _)| partition.clone()).collect()
    }

    /// Adds a partition's next batch to the request for its leader. Says whether another round
    /// may have more.
    fn dispatch_one(
        &mut self,
        partition: &TopicPartition,
        now: Instant,
        requests: &mut HashMap<BrokerId, (usize, Vec<Addressed>)>,
    ) -> bool {
        let settings = Arc::clone(&self.shared.settings);
        let Ok(leader) = self.shared.cluster.leader(&partition.topic, partition.partition) else {
            self.refresh();
            return false;
        };
        let in_flight = self.lanes.get(&leader).map_or(0, |lane| lane.in_flight);
        if in_flight >= settings.in_flight_max {
            return false;
        }
        let (bytes, batches) = requests.entry(leader).or_default();
        let Some(next) = self.next_bytes(partition) else { return false };
        if !batches.is_empty() && *bytes + next > settings.request_bytes_max {
            return true;
        }
        let Some(sent) = self.next_batch(partition, now) else {
            if batches.is_empty() {
                requests.remove(&leader);
            }
            return false;
        };
        *bytes += next;
        batches.push((partition.clone(), sent));
        true
    }

    fn next_bytes(&self, partition: &TopicPartition) -> Option<usize> {
        let retried = self.partitions.get(partition).and_then(PartitionDelivery::resend_bytes);
        retried.or_else(|| self.shared.accumulator().next_bytes(partition))
    }

    fn next_batch(&mut self, partition: &TopicPartition, now: Instant) -> Option<SentBatch> {
        let settings = Arc::clone(&self.shared.settings);
        if !self.partitions.contains_key(partition) {
            let backoff = self.shared.cluster.settings.backoff();
            let delivery = PartitionDelivery::new(settings.idempotence, backoff);
            self.partitions.insert(partition.clone(), delivery);
        }
        loop {
            let delivery = self.partitions.get_mut(partition)?;
            match delivery.step(now, settings.in_flight_max) {
                Step::Wait => return None,
                Step::Resend(sent) => return Some(*sent),
                Step::Fresh => {
                    let batch = self.shared.accumulator().take(partition)?;
                    let number = batch.number;
                    match delivery.send_first(batch) {
                        Ok(sent) => return Some(sent),
                        Err(_) => self.shared.accumulator().forget(number),
                    }
                }
                Step::Restart(old) => {
                    let identity = self.identity_other_than(old)?;
                    self.partitions.get_mut(partition)?.restart(identity);
                }
            }
        }
    }

    /// An identity that `old` is not; asked for if there is none yet.
    fn identity_other_than(&mut self, old: Option<ProducerIdentity>) -> Option<ProducerIdentity> {
        if self.identity.is_some() && self.identity == old {
            self.identity = self.identity.and_then(ProducerIdentity::next_epoch);
        }
        if self.identity.is_none() && !self.identifying {
            self.identifying = true;
            let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
            tokio::spawn(async move {
                let identity = ProducerIdentity::ask_for(&shared.cluster).await;
                // nobody listens once the producer has ended
                let _ = events.send(SenderEvent::Identified(identity)).await;
            });
        }
        self.identity
    }

    async fn send(&mut self, broker: BrokerId, batches: Vec<Addressed>) {
        if batches.is_empty() {
            return;
        }
        if !self.lanes.contains_key(&broker) {
            let lane = self.start_lane(broker);
            self.lanes.insert(broker, lane);
        }
        let Some(lane) = self.lanes.get_mut(&broker) else { return };
        lane.in_flight += 1;
        // the lane holds in_flight_max requests, so this never waits
        if lane.requests.send(batches).await.is_err() {
            tracing::error!(%broker, "the task for a broker has ended");
        }
    }

    fn start_lane(&self, broker: BrokerId) -> Lane {
        let settings = Arc::clone(&self.shared.settings);
        let (requests, receiver) = mpsc::channel(settings.in_flight_max);
        let lane = BrokerLane {
            broker,
            cluster: Arc::clone(&self.shared.cluster),
            connections: Arc::clone(&self.connections),
            settings,
            events: self.events.clone(),
        };
        tokio::spawn(lane.run(receiver));
        Lane { requests, in_flight: 0 }
    }
}
