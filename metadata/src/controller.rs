//! The controller: every decision about the cluster, as a pure machine.
//!
//! It holds a **working image**: what the cluster has agreed on, and on top of it what has been
//! decided since. A rule looks at the working image, appends records, and applies them to it at
//! once, so that the next decision of the same batch sees them. Whoever drives the machine takes
//! the records after draining its inputs, has them agreed on as one entry, and only then sends the
//! answers. If the entry is not agreed on, the decisions never were: the answers become errors,
//! and `reset` puts the working image back.
//!
//! Each family of rules has a file of its own; all of them are `impl Controller`.

use std::sync::Arc;

use protocol::{BrokerEpoch, BrokerId};

use crate::broker::{BrokerState, ClusterId};
use crate::image::ClusterImage;
use crate::long_decisions::REPLICAS_IN_ONE_ENTRY;
use crate::partition::{PartitionKey, PartitionState};
use crate::partition_transition::{Terms, Transition};
use crate::record::MetadataRecord;
use crate::refusal::Refusal;
use crate::settings::StaticSettings;
use crate::settings::topic_settings::ElectionSettings;

/// The most partitions that one request may create or change, as in Kafka: its records must fit
/// into one entry.
pub const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;

/// The controller's decisions. One is active in the cluster, on the leader of the quorum.
#[derive(Clone, Debug)]
pub struct Controller {
    image: ClusterImage,
    records: Vec<MetadataRecord>,
    given: Arc<StaticSettings>,
    replicas_in_one_entry: usize,
}

impl Controller {
    /// A controller that starts from what has been agreed on. `given` is what the node was started
    /// with: the defaults of topics come from there.
    #[must_use]
    pub const fn new(image: ClusterImage, given: Arc<StaticSettings>) -> Self {
        Self { image, records: Vec::new(), given, replicas_in_one_entry: REPLICAS_IN_ONE_ENTRY }
    }

    /// The same, where a broker with more than so many replicas is one whose decisions may be cut
    /// into several entries; for tests, which need no large clusters then.
    #[must_use]
    pub fn with_replicas_in_one_entry(self, count: usize) -> Self {
        Self { replicas_in_one_entry: count, ..self }
    }

    pub(crate) const fn replicas_in_one_entry(&self) -> usize {
        self.replicas_in_one_entry
    }

    /// The working image: agreed on, and decided since.
    #[must_use]
    pub const fn image(&self) -> &ClusterImage {
        &self.image
    }

    /// What the node was started with.
    #[must_use]
    pub fn given(&self) -> &StaticSettings {
        &self.given
    }

    /// The records decided since the last call, to be agreed on as one entry, or as those that
    /// [`cut_into_entries`](crate::cut_into_entries) makes of them; none if nothing is to change.
    #[must_use]
    pub fn take_records(&mut self) -> Vec<MetadataRecord> {
        std::mem::take(&mut self.records)
    }

    /// The records taken last were agreed on, as this entry.
    pub fn on_committed(&mut self, entry: u64) {
        self.image.advance_to(entry);
    }

    /// The records taken last were not agreed on, or another node decided meanwhile: starts again
    /// from what has been agreed on.
    pub fn reset(&mut self, image: ClusterImage) {
        self.image = image;
        self.records.clear();
    }

    /// The cluster begins; the first record of its log.
    ///
    /// # Errors
    /// It has begun already.
    pub fn found_cluster(&mut self, cluster_id: ClusterId) -> Result<(), Refusal> {
        self.decide(MetadataRecord::ClusterFounded { cluster_id })
    }

    /// Appends a record and applies it to the working image.
    pub(crate) fn decide(&mut self, record: MetadataRecord) -> Result<(), Refusal> {
        self.image.apply(&record)?;
        self.records.push(record);
        Ok(())
    }

    /// Changes one partition: the rule says what is to change, the transition finds leader, ELR
    /// and epochs. Nothing is recorded if nothing changes. Answers the state that holds then.
    pub(crate) fn settle(
        &mut self,
        key: PartitionKey,
        change: impl for<'a> FnOnce(Transition<'a>) -> Transition<'a>,
    ) -> Result<Arc<PartitionState>, Refusal> {
        let image = &self.image;
        let present = image.partition(key).ok_or(Refusal::UnknownTopicOrPartition)?;
        let name = image.name_of(key).ok_or(Refusal::UnknownTopicOrPartition)?;
        let election = ElectionSettings::resolve(image, &self.given, &name.topic);
        let terms = Terms {
            image,
            min_insync_replicas: election.min_insync_replicas,
            allows_unclean: election.allows_unclean,
        };
        match change(Transition::of(present)).settle(terms) {
            None => Ok(Arc::clone(present)),
            Some(state) => {
                let settled = Arc::new(state.clone());
                self.decide(MetadataRecord::PartitionChanged { key, state })?;
                Ok(settled)
            }
        }
    }

    /// The partitions assigned to a broker of which something holds.
    pub(crate) fn replicas_where(
        &self,
        broker: BrokerId,
        holds: impl Fn(&PartitionState) -> bool,
    ) -> Vec<PartitionKey> {
        let keys = self.image.replicas_of(broker);
        keys.filter(|key| self.image.partition(*key).is_some_and(|state| holds(state))).collect()
    }

    /// Runs a rule that takes effect wholly or, if it refuses, not at all.
    pub(crate) fn attempt<Answer>(
        &mut self,
        rule: impl FnOnce(&mut Self) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Refusal> {
        let (image, length) = self.mark();
        let answer = rule(self);
        if answer.is_err() {
            self.roll_back(image, length);
        }
        answer
    }

    /// Runs a rule without any effect, to see what it would answer.
    pub(crate) fn rehearse<Answer>(&mut self, rule: impl FnOnce(&mut Self) -> Answer) -> Answer {
        let (image, length) = self.mark();
        let answer = rule(self);
        self.roll_back(image, length);
        answer
    }

    fn mark(&self) -> (ClusterImage, usize) {
        (self.image.clone(), self.records.len())
    }

    fn roll_back(&mut self, image: ClusterImage, length: usize) {
        self.image = image;
        self.records.truncate(length);
    }

    /// The present registration of a broker, if the sender is that registration.
    pub(crate) fn registered(
        &self,
        broker: BrokerId,
        claimed: BrokerEpoch,
    ) -> Result<&Arc<BrokerState>, Refusal> {
        let state = self.image.broker(broker).ok_or(Refusal::UnknownBroker { broker })?;
        let registered = state.epoch();
        if registered != claimed {
            return Err(Refusal::StaleBrokerEpoch { broker, registered, claimed });
        }
        Ok(state)
    }
}
