//! Who leads instead (KIP-951): a Produce or Fetch that came to the wrong broker is told the right
//! one in the same response, so that the client need not ask for metadata first.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::{ClusterImage, PartitionKey, PartitionState, TopicState};
use protocol::generated::fetch::{self, FetchResponse};
use protocol::generated::produce::{self, ProduceResponse};
use protocol::primitives::WireString;
use protocol::{BrokerId, ErrorCode, PartitionIndex, TopicId};

use crate::broker::Broker;

/// The first version of Produce with room for hints.
const PRODUCE_VERSION: i16 = 10;
/// The first version of Fetch with room for the leader's number and epoch. Kafka's brokers fill it
/// from [`FETCH_ENDPOINTS_VERSION`] on; a client that has asked for metadata before knows the
/// address already.
const FETCH_LEADER_VERSION: i16 = 12;
/// The first version of Fetch with room for the addresses of leaders.
const FETCH_ENDPOINTS_VERSION: i16 = 16;

/// Where hints come from: what this node knows, as clients of one listener are told.
#[derive(Clone)]
pub struct LeaderHints {
    broker: Arc<Broker>,
    listener: Arc<str>,
}

impl std::fmt::Debug for LeaderHints {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LeaderHints").field("listener", &self.listener).finish()
    }
}

/// A leader with its address.
struct Endpoint {
    node_id: i32,
    host: WireString,
    port: i32,
    rack: Option<WireString>,
}

impl LeaderHints {
    /// Hints for the clients of a listener.
    #[must_use]
    pub fn new(broker: &Arc<Broker>, listener: &Arc<str>) -> Self {
        Self { broker: Arc::clone(broker), listener: Arc::clone(listener) }
    }

    /// This node.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Adds hints to the answers that need some.
    pub fn add_to_produce(&self, version: i16, response: &mut ProduceResponse) {
        let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        if version < PRODUCE_VERSION || !partitions.any(|one| is_misdirected(one.error_code)) {
            return;
        }
        let image = self.broker.image.load();
        let mut leaders = BTreeSet::new();
        for topic in &mut response.responses {
            for partition in &mut topic.partition_responses {
                if !is_misdirected(partition.error_code) {
                    continue;
                }
                let found = topic_of(&image, &topic.name, topic.topic_id);
                let Some(state) = self.state_of(found, partition.index) else { continue };
                let Some(leader) = state.leader else { continue };
                leaders.insert(leader);
                partition.current_leader = produce::LeaderIdAndEpoch {
                    leader_id: leader.0,
                    leader_epoch: state.leader_epoch.value(),
                };
            }
        }
        let endpoint = |Endpoint { node_id, host, port, rack }| produce::NodeEndpoint {
            node_id,
            host,
            port,
            rack,
        };
        response.node_endpoints = self.endpoints(&image, leaders).map(endpoint).collect();
    }

    /// Adds hints to the answers that need some, as far as there is room for them in the version.
    pub fn add_to_fetch(&self, version: i16, response: &mut FetchResponse) {
        let mut partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        if version < FETCH_LEADER_VERSION || !partitions.any(|one| is_misdirected(one.error_code)) {
            return;
        }
        let image = self.broker.image.load();
        let mut leaders = BTreeSet::new();
        for topic in &mut response.responses {
            for partition in &mut topic.partitions {
                if !is_misdirected(partition.error_code) {
                    continue;
                }
                let found = topic_of(&image, &topic.topic, topic.topic_id);
                let Some(state) = self.state_of(found, partition.partition_index) else { continue };
                let Some(leader) = state.leader else { continue };
                if version >= FETCH_ENDPOINTS_VERSION {
                    leaders.insert(leader);
                }
                partition.current_leader = fetch::LeaderIdAndEpoch {
                    leader_id: leader.0,
                    leader_epoch: state.leader_epoch.value(),
                };
            }
        }
        let endpoint = |Endpoint { node_id, host, port, rack }| fetch::NodeEndpoint {
            node_id,
            host,
            port,
            rack,
        };
        response.node_endpoints = self.endpoints(&image, leaders).map(endpoint).collect();
    }

    /// What was decided last.
    fn state_of(&self, topic: Option<&Arc<TopicState>>, index: i32) -> Option<Arc<PartitionState>> {
        let (topic, index) = (topic?, PartitionIndex(index));
        let published = topic.partition(index)?;
        Some(self.broker.newest_state(PartitionKey::new(topic.id, index), published))
    }

    fn endpoints(
        &self,
        image: &ClusterImage,
        leaders: BTreeSet<BrokerId>,
    ) -> impl Iterator<Item = Endpoint> {
        leaders.into_iter().filter_map(|leader| {
            let state = image.broker(leader)?;
            let address = &state.endpoint(&self.listener)?.address;
            Some(Endpoint {
                node_id: leader.0,
                host: WireString::from(&*address.host),
                port: i32::from(address.port),
                rack: state.registration.rack.as_deref().map(WireString::from),
            })
        })
    }
}

fn is_misdirected(code: i16) -> bool {
    code == ErrorCode::NotLeaderOrFollower.code() || code == ErrorCode::FencedLeaderEpoch.code()
}

fn topic_of<'a>(image: &'a ClusterImage, name: &str, id: TopicId) -> Option<&'a Arc<TopicState>> {
    if name.is_empty() { image.topic_by_id(id) } else { image.topic(name) }
}
