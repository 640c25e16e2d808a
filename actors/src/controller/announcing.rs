//! Telling replicas at once that their leader has changed: a failover does not wait for each node's
//! own copy of the metadata log. What gets lost on the way, that copy brings.
//!
//! One message for each node: `BecomeLeader` with what it leads from now on, `BecomeFollower` with
//! what it follows. It names the registration that it is for, since a message may be overtaken by a
//! restart; the receiver takes a state only if it is newer than what it knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metadata::{ClusterImage, MetadataRecord, PartitionKey, PartitionState};
use protocol::{BrokerEpoch, BrokerId};
use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::broker::Broker;
use crate::partition_replica::PartitionReplicaMessage;
use crate::peer_messages::{
    AnswerStatus, BodyError, MessageKind, PeerBody, PeerMessage, decode_body, encode_body,
};
use crate::peer_service::{PeerReply, read, write};

/// How long a node may take to hear of its new role.
const DEADLINE: Duration = Duration::from_secs(2);
/// Partitions in one message, so that it fits into an envelope.
const PARTITIONS_MAX: usize = 4096;

/// Partitions with their states.
pub(super) type Changed = Vec<(PartitionKey, PartitionState)>;

/// Partitions with a new leader epoch, in a message to one of their nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRoles {
    /// The registration of the node that is meant.
    broker_epoch: BrokerEpoch,
    /// The entry of the metadata log that says so.
    index: u64,
    partitions: Changed,
}

macro_rules! role_messages {
    ($($name:ident)*) => {$(
        struct $name(NewRoles);

        impl PeerBody for $name {
            fn to_bytes(&self) -> Result<Bytes, BodyError> {
                encode_body(&self.0)
            }

            fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
                decode_body(&bytes).map(Self)
            }
        }

        impl PeerMessage for $name {
            const KIND: MessageKind = MessageKind::$name;
            type Answer = Heard;
        }
    )*};
}

role_messages! { BecomeLeader BecomeFollower }

/// The answer: there is nothing to say but that it arrived.
struct Heard;

impl PeerBody for Heard {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        Ok(Bytes::new())
    }

    fn from_bytes(_bytes: Bytes) -> Result<Self, BodyError> {
        Ok(Self)
    }
}

/// The partitions that get a new leader epoch by these records.
pub(super) fn with_new_leader(image: &ClusterImage, records: &[MetadataRecord]) -> Changed {
    let mut changed = BTreeMap::new();
    for record in records {
        if let MetadataRecord::PartitionChanged { key, state } = record {
            changed.insert(*key, state);
        }
    }
    let before = |key: &PartitionKey| image.partition(*key).map(|state| state.leader_epoch);
    let is_new = |(key, state): &(PartitionKey, &PartitionState)| {
        before(key).is_none_or(|before| before < state.leader_epoch)
    };
    changed.into_iter().filter(is_new).map(|(key, state)| (key, state.clone())).collect()
}

/// Tells every other node that is alive of its new roles.
pub(super) fn announce(broker: &Arc<Broker>, image: &ClusterImage, index: u64, changed: &Changed) {
    let mut roles: BTreeMap<(BrokerId, bool), Changed> = BTreeMap::new();
    for (key, state) in changed {
        for node in state.assigned_replicas.iter().filter(|node| **node != broker.id) {
            let leads = state.leader == Some(*node);
            roles.entry((*node, leads)).or_default().push((*key, state.clone()));
        }
    }
    for ((node, leads), partitions) in roles {
        let Some(state) = image.broker(node).filter(|state| !state.is_fenced()) else { continue };
        for part in partitions.chunks(PARTITIONS_MAX) {
            let partitions = part.to_vec();
            let roles = NewRoles { broker_epoch: state.epoch(), index, partitions };
            tokio::spawn(tell(Arc::clone(broker), node, leads, roles));
        }
    }
}

async fn tell(broker: Arc<Broker>, node: BrokerId, leads: bool, roles: NewRoles) {
    let caller = broker.peer_caller();
    let told = if leads {
        caller.ask(node, &BecomeLeader(roles), DEADLINE).await
    } else {
        caller.ask(node, &BecomeFollower(roles), DEADLINE).await
    };
    if let Err(error) = told {
        debug!(%node, %error, "does not know of its new role yet");
    }
}

/// Takes up what the active controller said.
///
/// # Errors
/// When it cannot be read, or was meant for another registration.
pub fn take_up_roles(broker: &Arc<Broker>, body: Bytes) -> PeerReply {
    let BecomeLeader(roles) = read(body)?;
    if roles.broker_epoch != broker.registration.epoch() {
        return Err(AnswerStatus::Misdirected);
    }
    for (key, state) in roles.partitions {
        // a partition that is not here yet comes with this node's own copy of the metadata
        let Some(place) = broker.partitions.find(key) else { continue };
        let state = Arc::new(state);
        if place.set_decided(Arc::clone(&state)) {
            let _ = place.replica.send(PartitionReplicaMessage::Decided(state));
        }
    }
    write(&Heard)
}
