//! What a consumer does between two records: start batches, start fetches and queries, take in
//! what they bring.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::record::RecordError;
use protocol::record_batch::RecordBatch;
use protocol::{BrokerId, ErrorCode, Offset, TopicPartition};
use tokio::time::{Instant, sleep_until};

use super::assigned_partition::{AssignedPartition, FetchPosition};
use super::place_lookup::{PlaceQuery, find_places};
use super::settings::StartAt;
use super::{Consumer, CurrentBatch, TimestampKind};
use crate::error::{Error, Result};
use crate::fetcher::{FetchFrom, FetchOutcome, Fetched, Fetcher};

/// What a consumer's tasks bring.
pub(crate) enum ConsumerEvent {
    Fetched(FetchOutcome),
    Found(Vec<(TopicPartition, u64, Result<Offset>)>),
    Refreshed,
}

impl Consumer {
    /// Makes the next batch current. `None` if nothing is buffered.
    pub(super) fn start_batch(&mut self) -> Option<Result<()>> {
        loop {
            let partition = self.turns.pop_front()?;
            let Some(assigned) = self.partitions.get_mut(&partition) else { continue };
            if assigned.paused {
                continue;
            }
            let Some((batch, visible)) = assigned.next_batch() else { continue };
            let position = assigned.position.unwrap_or(batch.header().base_offset);
            let stop_at = assigned.stop_at;
            if assigned.has_batches() {
                self.turns.push_back(partition.clone());
            }
            if !visible {
                assigned.position = Some(position.max(batch.header().next_offset()));
                continue;
            }
            return Some(self.open_batch(partition, &batch, position, stop_at));
        }
    }

    fn open_batch(
        &mut self,
        partition: TopicPartition,
        batch: &RecordBatch,
        position: Offset,
        stop_at: Option<Offset>,
    ) -> Result<()> {
        let header = batch.header();
        let reader = match batch.records(self.settings.batch_bytes_max) {
            Ok(reader) => reader,
            Err(source) => return Err(self.damaged(&partition, position, source)),
        };
        self.current = Some(CurrentBatch {
            partition,
            leader_epoch: header.leader_epoch,
            timestamp_kind: match header.is_log_append_time() {
                true => TimestampKind::Appended,
                false => TimestampKind::Created,
            },
            reader,
            position,
            end: header.next_offset(),
            stop_at,
        });
        Ok(())
    }

    /// The current batch has given all its records.
    pub(super) fn finish_batch(&mut self) {
        let Some(current) = self.current.take() else { return };
        let Some(assigned) = self.partitions.get_mut(&current.partition) else { return };
        assigned.position = Some(current.position.max(current.end));
        // fetch ahead while the application still has records
        while let Some(event) = self.tasks.try_join_next() {
            self.on_joined(event);
        }
        let now = Instant::now();
        let Some(assigned) = self.partitions.get(&current.partition) else { return };
        let (topic, index) = (&current.partition.topic, current.partition.partition);
        let source = assigned.read_replica(now).or_else(|| self.cluster.leader(topic, index).ok());
        if source.is_some_and(|broker| !self.fetching.contains(&broker)) {
            self.start_fetches(now);
        }
    }

    /// Records that cannot be read: the partition goes back to where they begin.
    pub(super) fn damaged(
        &mut self,
        partition: &TopicPartition,
        offset: Offset,
        source: RecordError,
    ) -> Error {
        let incarnation = self.incarnation();
        self.turns.retain(|other| other != partition);
        if let Some(assigned) = self.partitions.get_mut(partition) {
            assigned.seek(StartAt::Offset(offset), incarnation);
            assigned.on_failed(Instant::now());
        }
        let (partition, source) = (partition.clone(), Arc::new(source));
        Error::Records { partition, offset: offset.value(), source }
    }

    /// Takes in what has come and asks for more. Says whether there is something to hand out.
    pub(super) fn work(&mut self) -> bool {
        while let Some(event) = self.tasks.try_join_next() {
            self.on_joined(event);
        }
        let now = Instant::now();
        self.start_queries(now);
        self.start_fetches(now);
        !self.turns.is_empty() || !self.errors.is_empty()
    }

    /// Waits until a task has brought something, or a pause has ended.
    pub(super) async fn wait(&mut self) {
        let now = Instant::now();
        let pauses = self.partitions.values().filter_map(AssignedPartition::pause_ends);
        let next = pauses.filter(|end| *end > now).min();
        // without a pause, only a task can bring something
        let wake = next.unwrap_or(now + self.cluster.settings.metadata_age_max);
        tokio::select! {
            Some(event) = self.tasks.join_next() => self.on_joined(event),
            () = sleep_until(wake) => {}
        }
    }

    fn on_joined(&mut self, event: std::result::Result<ConsumerEvent, tokio::task::JoinError>) {
        match event {
            Ok(ConsumerEvent::Fetched(outcome)) => self.on_fetch(outcome),
            Ok(ConsumerEvent::Found(found)) => self.on_found(found),
            Ok(ConsumerEvent::Refreshed) => self.on_refreshed(),
            Err(error) => {
                tracing::error!(%error, "a fetch ended abruptly");
                self.fetching.clear();
                self.refreshing = false;
                let now = Instant::now();
                self.partitions.values_mut().for_each(|assigned| assigned.on_failed(now));
            }
        }
    }

    fn on_fetch(&mut self, outcome: FetchOutcome) {
        self.fetching.remove(&outcome.broker);
        let now = Instant::now();
        let (mut has_refused, mut is_outdated) = (false, false);
        for (from, result) in outcome.partitions {
            let assigned = self.partitions.get_mut(&from.partition);
            let Some(assigned) = assigned.filter(|a| a.incarnation == from.incarnation) else {
                continue;
            };
            match result {
                Ok(Fetched { read_replica: Some(replica), .. }) if !from.from_follower => {
                    tracing::debug!(partition = %from.partition, %replica, "reads from a follower");
                    assigned.on_sent_to(replica, now + self.cluster.settings.metadata_age_max);
                }
                Ok(fetched) => {
                    self.on_section(from.partition, fetched);
                }
                Err(error) if from.from_follower => {
                    tracing::debug!(%error, "a follower failed, its leader is asked");
                    assigned.on_replica_failed(now);
                    is_outdated |= error.is_stale_metadata();
                }
                Err(error) if error.code() == Some(ErrorCode::OffsetOutOfRange) => {
                    self.on_out_of_range(&from);
                }
                Err(error) if error.is_stale_metadata() => {
                    tracing::debug!(%error, "a fetch is tried again");
                    assigned.on_refused_by(outcome.broker, now);
                    has_refused = true;
                }
                Err(error) => {
                    assigned.on_failed(now);
                    self.on_error(error);
                }
            }
        }
        if has_refused {
            self.look_for_leaders();
        } else if is_outdated {
            self.start_refresh(None);
        }
    }

    fn on_section(&mut self, partition: TopicPartition, fetched: Fetched) {
        let Some(assigned) = self.partitions.get_mut(&partition) else { return };
        assigned.on_fetched(fetched);
        if assigned.has_batches() && !self.turns.contains(&partition) {
            self.turns.push_back(partition);
        }
    }

    fn on_out_of_range(&mut self, from: &FetchFrom) {
        let (incarnation, reset) = (self.incarnation(), self.settings.reset);
        let Some(assigned) = self.partitions.get_mut(&from.partition) else { return };
        if assigned.position.is_some_and(|position| position < from.offset) {
            // what was fetched before is still to be handed out; the fetch is tried again then
            assigned.on_failed(Instant::now());
            return;
        }
        tracing::warn!(partition = %from.partition, offset = %from.offset, ?reset, "out of range");
        match reset.start() {
            Some(start) => assigned.seek(start, incarnation),
            None => {
                assigned.asking = false;
                assigned.fetch_position = FetchPosition::Missing;
                self.errors.push_back(Error::NoOffset { partition: from.partition.clone() });
            }
        }
    }

    fn on_found(&mut self, found: Vec<(TopicPartition, u64, Result<Offset>)>) {
        for (partition, incarnation, result) in found {
            let assigned = self.partitions.get_mut(&partition);
            let Some(assigned) = assigned.filter(|a| a.incarnation == incarnation) else {
                continue;
            };
            match result {
                Ok(offset) => assigned.found(offset),
                Err(error) => {
                    assigned.on_failed(Instant::now());
                    self.on_error(error);
                }
            }
        }
    }

    fn on_error(&mut self, error: Error) {
        if error.is_stale_metadata() {
            self.start_refresh(None);
        }
        if error.is_retryable() {
            tracing::debug!(%error, "a fetch is tried again");
        } else {
            self.errors.push_back(error);
        }
    }

    fn start_queries(&mut self, now: Instant) {
        let mut queries: Vec<PlaceQuery> = Vec::new();
        for assigned in self.partitions.values_mut() {
            if let Some(start) = assigned.query(now) {
                assigned.asking = true;
                queries.push((assigned.partition.clone(), assigned.incarnation, start));
            }
        }
        if !queries.is_empty() {
            let (cluster, isolation) = (Arc::clone(&self.cluster), self.settings.isolation);
            self.tasks.spawn(async move {
                ConsumerEvent::Found(find_places(&cluster, isolation, queries).await)
            });
        }
    }

    fn start_fetches(&mut self, now: Instant) {
        let buffered: usize = self.partitions.values().map(AssignedPartition::buffered_bytes).sum();
        if buffered >= self.settings.buffer_bytes_max {
            return;
        }
        let metadata = self.cluster.metadata();
        let bytes_max = self.settings.fetch_partition_bytes_max;
        let mut by_broker: HashMap<BrokerId, Vec<FetchFrom>> = HashMap::new();
        let mut missing = None;
        for assigned in self.partitions.values_mut() {
            let Some(offset) = assigned.fetch_from(now, bytes_max) else { continue };
            let (topic, index) = (&assigned.partition.topic, assigned.partition.partition);
            let Some((leader, leader_epoch)) = metadata.leader(topic, index) else {
                missing = Some(topic.clone());
                assigned.on_failed(now);
                continue;
            };
            let replica = assigned.read_replica(now).filter(|replica| *replica != leader);
            let broker = replica.unwrap_or(leader);
            if self.fetching.contains(&broker) {
                continue;
            }
            assigned.asking = true;
            let (partition, incarnation) = (assigned.partition.clone(), assigned.incarnation);
            let from_follower = replica.is_some();
            let from = FetchFrom { partition, offset, leader_epoch, incarnation, from_follower };
            by_broker.entry(broker).or_default().push(from);
        }
        for (broker, wanted) in by_broker {
            self.fetching.insert(broker);
            let fetcher = Fetcher {
                cluster: Arc::clone(&self.cluster),
                connections: Arc::clone(&self.connections),
                settings: Arc::clone(&self.settings),
            };
            self.tasks
                .spawn(async move { ConsumerEvent::Fetched(fetcher.fetch(broker, wanted).await) });
        }
        if missing.is_some()
            || metadata.fetched_at.elapsed() > self.cluster.settings.metadata_age_max
        {
            self.start_refresh(missing);
        }
    }
}
