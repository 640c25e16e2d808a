//! The identity of this node and what its actors share: read by all, changed only through the
//! cells that say so. No actor, no locks held across a wait.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use metadata::{
    BrokerSettings, ClusterId, ClusterImage, Incarnation, PartitionKey, PartitionState,
    StaticSettings, TopicSettings, TopicState,
};
use protocol::api_versions::ServedApis;
use protocol::{BrokerEpoch, BrokerId, ErrorCode, PartitionIndex, TopicId, TopicName};
use supervision::{Address, Tree};
use tokio::sync::watch;

use crate::broker_lifecycle::LifecycleMessage;
use crate::client_session::deadline::ConnectionDeadlines;
use crate::client_session::fetch_sessions::FetchTopicKey;
use crate::controller::ControllerMessage;
use crate::departures::Departures;
use crate::file_work::FileWork;
use crate::group_directory::GroupDirectory;
use crate::lifeline::Lifeline;
use crate::lost_links::LostLinks;
use crate::metadata_quorum::QuorumCell;
use crate::metrics::Metrics;
use crate::partition_directory::{PartitionDirectory, PartitionPlace};
use crate::peer_messages::PeerCaller;
use crate::ports::Ports;
use crate::ports::peers::PeerIdentity;
use crate::producer_ids::ProducerIds;
use crate::quarantine_reporter::QuarantineReporterMessage;
use crate::read_view::ReadView;
use crate::replication_directory::ReplicationDirectory;
use crate::request_memory::RequestMemory;

/// The name of the topic that holds the groups' offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Bounds that hold from start to stop.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The largest request that is read, in bytes (inclusive).
    pub request_bytes_max: usize,
    /// The largest response that is written, in bytes.
    pub response_bytes_max: usize,
    /// Record bytes in one fetch response; a larger first batch comes whole.
    pub fetch_response_bytes_max: usize,
    /// The longest a fetch may wait.
    pub fetch_wait_max: Duration,
    /// Bytes on their way into one partition's file.
    pub partition_pending_bytes_max: usize,
    /// Produces of one connection under way.
    pub produces_in_flight_max: usize,
    /// How long clients may take.
    pub deadlines: ConnectionDeadlines,
}

/// What the cluster has agreed on, as this node knows it.
#[derive(Debug)]
pub struct ImageCell {
    image: ArcSwap<ClusterImage>,
    version: watch::Sender<u64>,
}

impl Default for ImageCell {
    fn default() -> Self {
        let image = ArcSwap::from_pointee(ClusterImage::empty());
        Self { image, version: watch::Sender::new(0) }
    }
}

impl ImageCell {
    /// The image now. Hold it for one request, not longer.
    #[must_use]
    pub fn load(&self) -> Arc<ClusterImage> {
        self.image.load_full()
    }

    /// Publishes a newer image and wakes whoever waits for it.
    pub fn publish(&self, image: Arc<ClusterImage>) {
        let version = image.version();
        self.image.store(image);
        self.version.send_replace(version);
    }

    /// Waits until an image is published that is as `condition` wants it.
    pub async fn until(&self, condition: impl Fn(&ClusterImage) -> bool) {
        let mut versions = self.version.subscribe();
        // the sender lives as long as this cell, so the wait ends only by the condition
        let _ = versions.wait_for(|_| condition(&self.image.load())).await;
    }

    /// Waits until an image of this version or a newer one is published.
    pub async fn reached(&self, version: u64) {
        let mut versions = self.version.subscribe();
        // the sender lives as long as this cell, so the wait ends only by the version
        let _ = versions.wait_for(|now| *now >= version).await;
    }
}

/// The number of this node's registration, as the controller gave it.
#[derive(Clone, Debug)]
pub struct Registration {
    epoch: Arc<watch::Sender<BrokerEpoch>>,
}

impl Default for Registration {
    fn default() -> Self {
        Self { epoch: Arc::new(watch::Sender::new(BrokerEpoch::UNKNOWN)) }
    }
}

impl Registration {
    /// The number; unknown before the first registration.
    #[must_use]
    pub fn epoch(&self) -> BrokerEpoch {
        *self.epoch.borrow()
    }

    /// Remembers the number.
    pub fn set(&self, epoch: BrokerEpoch) {
        self.epoch.send_replace(epoch);
    }

    /// Waits until the node is registered: before, no question about the cluster has an answer.
    pub async fn done(&self) {
        let mut epochs = self.epoch.subscribe();
        // the sender lives as long as this, so the wait ends only by the registration
        let _ = epochs.wait_for(|epoch| epoch.is_known()).await;
    }
}

/// This node, as its actors know it.
pub struct Broker {
    /// Its number.
    pub id: BrokerId,
    /// The cluster that it belongs to.
    pub cluster_id: ClusterId,
    /// This start of its process.
    pub incarnation: Incarnation,
    /// Its registration.
    pub registration: Registration,
    /// What it was started with.
    pub given: Arc<StaticSettings>,
    /// Bounds that hold from start to stop.
    pub bounds: Bounds,
    /// The world.
    pub ports: Ports,
    /// What the disk is doing, and whether it has stopped answering.
    pub file_work: FileWork,
    /// What the cluster has agreed on.
    pub image: ImageCell,
    /// The settings in force, as the image has them.
    pub settings: ArcSwap<BrokerSettings>,
    /// The partitions of this node.
    pub partitions: PartitionDirectory,
    /// Who decides for the cluster.
    pub controller: Address<ControllerMessage>,
    /// Who registers this node and says that it is alive.
    pub lifecycle: Address<LifecycleMessage>,
    /// How long this node may take itself for alive.
    pub lifeline: Lifeline,
    /// Who leads the metadata quorum, and whether this node does.
    pub quorum: QuorumCell,
    /// Whom this node has just lost its link to.
    pub lost_links: LostLinks,
    /// Who has just left the live brokers.
    pub departures: Departures,
    /// Who tells the controller of replicas in quarantine.
    pub quarantine_reporter: Address<QuarantineReporterMessage>,
    /// Who follows and feeds on this node.
    pub replication: ReplicationDirectory,
    /// The consumer groups of this node.
    pub groups: GroupDirectory,
    /// Ids for idempotent producers.
    pub producer_ids: ProducerIds,
    /// Memory of requests.
    pub request_memory: RequestMemory,
    /// Memory of fetch responses.
    pub response_memory: RequestMemory,
    /// The APIs that are served.
    pub served: ServedApis,
    /// What is counted.
    pub metrics: Metrics,
    /// Who runs.
    pub tree: Tree,
}

impl Broker {
    /// Who this node is to its peers.
    #[must_use]
    pub const fn peer_identity(&self) -> PeerIdentity {
        PeerIdentity { cluster_id: self.cluster_id, node: self.id, incarnation: self.incarnation }
    }

    /// Nodes that the image takes for alive and that this node has just lost its link to.
    #[must_use]
    pub fn doubted_nodes(&self, image: &ClusterImage) -> Vec<BrokerId> {
        let others = image.live_brokers().map(|other| other.id()).filter(|other| *other != self.id);
        let links = Arc::clone(&self.ports.peers.links().borrow());
        self.lost_links.doubted(&links, others)
    }

    /// For questions to other nodes.
    #[must_use]
    pub fn peer_caller(&self) -> PeerCaller {
        PeerCaller { me: self.peer_identity(), peers: Arc::clone(&self.ports.peers) }
    }

    /// Whether this node may have been given up by the others, and must not speak as a leader. One
    /// that is alone in its cluster never is.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.lifeline.is_torn() && self.image.image.load().brokers().nth(1).is_some()
    }

    /// Whether the disk hangs and others could lead the partition: it is as good as theirs.
    #[must_use]
    pub fn leaves_to_others(&self, state: &PartitionState) -> bool {
        let image = &self.image.image;
        let has_heir = || {
            let image = image.load();
            state.isr.iter().any(|member| *member != self.id && image.is_active(*member))
        };
        self.file_work.is_hung() && has_heir()
    }

    /// What was decided last about a partition: the controller may have told this node before its
    /// image shows it, and while the disk hangs the image stands still.
    #[must_use]
    pub fn newest_state(
        &self,
        key: PartitionKey,
        published: &Arc<PartitionState>,
    ) -> Arc<PartitionState> {
        let told = self.partitions.find(key).map(|place| place.decided());
        let newer = told.filter(|told| told.partition_epoch > published.partition_epoch);
        newer.unwrap_or_else(|| Arc::clone(published))
    }

    /// The topic that a fetch names.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_ID` or `UNKNOWN_TOPIC_OR_PARTITION`.
    pub fn topic_of(&self, key: &FetchTopicKey) -> Result<Arc<TopicState>, ErrorCode> {
        let image = self.image.image.load();
        if key.name.is_empty() {
            return image.topic_by_id(key.id).cloned().ok_or(ErrorCode::UnknownTopicId);
        }
        image.topic(&key.name).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    /// The place of a partition on this node.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION` if the topic has no such partition, `NOT_LEADER_OR_FOLLOWER` if
    /// it is not here.
    pub fn place_of(
        &self,
        topic: &TopicState,
        index: PartitionIndex,
    ) -> Result<Arc<PartitionPlace>, ErrorCode> {
        if topic.partition(index).is_none() {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        let key = PartitionKey::new(topic.id, index);
        self.partitions.find(key).ok_or(ErrorCode::NotLeaderOrFollower)
    }

    /// The read view of a partition by its topic's name.
    ///
    /// # Errors
    /// As [`Broker::place_of`]; `NOT_LEADER_OR_FOLLOWER` also while nobody leads here, or somebody
    /// else may without this node's knowing.
    pub fn view_of(&self, topic: &str, index: PartitionIndex) -> Result<Arc<ReadView>, ErrorCode> {
        let image = self.image.image.load();
        let topic = image.topic(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let place = self.place_of(topic, index)?;
        place.view().filter(|_| !self.is_cut_off()).ok_or(ErrorCode::NotLeaderOrFollower)
    }

    /// Waits until every partition of the topic that this node leads serves.
    pub async fn serves_topic(&self, topic_id: TopicId) {
        let image = self.image.load();
        let Some(topic) = image.topic_by_id(topic_id) else { return };
        let own = |state: &PartitionState| state.leader == Some(self.id);
        let keys: Vec<_> = topic
            .indexed_partitions()
            .filter(|(_, state)| own(state))
            .map(|(index, _)| PartitionKey::new(topic_id, index))
            .collect();
        self.partitions.serving(&keys).await;
    }

    /// Whether records of the topic may be deleted on demand: internal topics are the broker's own,
    /// and what compaction keeps is not for anybody to delete.
    ///
    /// # Errors
    /// `INVALID_TOPIC_EXCEPTION` or `POLICY_VIOLATION`.
    pub fn check_records_may_be_deleted(
        &self,
        image: &ClusterImage,
        topic: &TopicName,
    ) -> Result<(), ErrorCode> {
        self.check_client_may_write(topic)?;
        if TopicSettings::resolve(image, &self.given, topic).cleanup_policy.deletes {
            return Ok(());
        }
        Err(ErrorCode::PolicyViolation)
    }

    /// Whether clients may write to the topic: internal topics are the broker's own.
    ///
    /// # Errors
    /// `INVALID_TOPIC_EXCEPTION`.
    pub fn check_client_may_write(&self, topic: &TopicName) -> Result<(), ErrorCode> {
        if is_internal(topic.as_str()) {
            return Err(ErrorCode::InvalidTopicException);
        }
        Ok(())
    }
}

/// Whether the topic is the broker's own.
#[must_use]
pub fn is_internal(topic: &str) -> bool {
    topic == OFFSETS_TOPIC || topic == "__transaction_state"
}
