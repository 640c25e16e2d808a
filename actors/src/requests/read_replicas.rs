//! Reading from followers (KIP-392): a leader sends a consumer to a replica in the consumer's rack, a
//! follower serves it.
//!
//! ```text
//! consumer ──Fetch, rack b──▶ leader   in rack a: "preferred read replica: 2", no records
//!          ──Fetch──────────▶ broker 2 in rack b: records below the high watermark it has heard of
//!                                      no role, not in sync, ahead of it: an error, back to the leader
//! ```

use std::sync::Arc;

use protocol::generated::fetch::FetchRequest;
use protocol::primitives::WireString;
use protocol::{BrokerId, ErrorCode, Offset};
use replication::{FollowerRead, closest_replica, judge_follower_read};

use crate::broker::Broker;
use crate::partition_directory::PartitionPlace;
use crate::read_view::{ReadView, Viewpoint};

/// The first version of Fetch that followers serve, and whose answers can name one.
const FOLLOWERS_VERSION: i16 = 11;

/// Who fetches, as far as it matters from where.
pub struct Consumer {
    rack: WireString,
    knows_followers: bool,
    listener: Arc<str>,
}

impl Consumer {
    /// The sender of a request, which came by a listener.
    #[must_use]
    pub fn of(request: &FetchRequest, version: i16, listener: &Arc<str>) -> Self {
        Self {
            rack: request.rack_id.clone(),
            knows_followers: version >= FOLLOWERS_VERSION,
            listener: Arc::clone(listener),
        }
    }

    /// What the consumer may read here: as in Kafka, a follower's picture only if it knows of such;
    /// and none of a follower whose disk hangs, which learns of nothing new.
    #[must_use]
    pub fn view_of(&self, broker: &Broker, place: &PartitionPlace) -> Option<Arc<ReadView>> {
        let is_asked_for = |view: &Arc<ReadView>| {
            view.is_leaders() || self.knows_followers && !broker.leaves_to_others(&place.decided())
        };
        place.shown().filter(is_asked_for)
    }

    /// Where the consumer should rather read what follows `offset`.
    #[must_use]
    pub fn preferred_replica(
        &self,
        broker: &Broker,
        view: &ReadView,
        offset: Offset,
    ) -> Option<BrokerId> {
        let Viewpoint::Leader { read_replicas } = &view.viewpoint else { return None };
        if !self.knows_followers || self.rack.is_empty() || read_replicas.is_empty() {
            return None;
        }
        let image = broker.image.load();
        let links = Arc::clone(&broker.ports.peers.links().borrow());
        let own = image.broker(broker.id)?.registration.rack.as_deref();
        let reachable = read_replicas.iter().filter_map(|replica| {
            let state = image.broker(replica.broker)?;
            // one that this node has lost its link to may be about to be fenced
            let is_alive = image.is_active(replica.broker) && links.contains_key(&replica.broker);
            let is_found = is_alive && state.endpoint(&self.listener).is_some();
            is_found.then_some((*replica, state.registration.rack.as_deref()))
        });
        let chosen = closest_replica(&self.rack, offset, own, reachable);
        if chosen.is_some() {
            broker.metrics.consumers_sent_to_followers.inc();
        }
        chosen
    }

    /// Counts what a follower gave.
    pub fn count(&self, broker: &Broker, view: &ReadView, bytes: usize) {
        if !view.is_leaders() {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            broker.metrics.bytes_read_from_followers.inc_by(bytes);
        }
    }
}

/// Whether a consumer at a follower is ahead of what that one knows to be committed.
///
/// # Errors
/// `OFFSET_OUT_OF_RANGE` below the start of its log.
pub fn is_ahead_of_follower(view: &ReadView, offset: Offset) -> Result<bool, ErrorCode> {
    if view.is_leaders() {
        return Ok(false);
    }
    match judge_follower_read(offset, view.log_start_offset, view.high_watermark) {
        FollowerRead::Read => Ok(false),
        FollowerRead::NotYet => Ok(true),
        FollowerRead::OutOfRange => Err(ErrorCode::OffsetOutOfRange),
    }
}
