//! One per node: has the groups look for committed offsets that have expired
//! (`offsets.retention.check.interval.ms`).
//!
//! Supervised by `maintenance`, one_for_one: nobody depends on it. Sent to by its own timer. Sends
//! to the group coordinators, through their directory, and has it read the partitions that nobody
//! has asked about, so that what they hold expires as well.
//!
//! A node without groups pays one look at an empty table per interval. A restart loses nothing but
//! the place in the interval. Its mailbox holds its one tick. It decides nothing: what has expired,
//! the groups know.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::ChildSpec;

use crate::broker::Broker;

/// How long after its start a node reads the groups that nobody has asked for: late enough to be
/// out of the way of those who wait for it to come up.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// What the expiry is told.
pub enum OffsetsExpiryMessage {
    /// From its timer: look.
    ExpiryDue,
}

impl ractor::Message for OffsetsExpiryMessage {}

/// See the head of this file.
pub struct OffsetsExpiry;

impl OffsetsExpiry {
    /// The child of `maintenance`.
    #[must_use]
    pub fn child(broker: &Arc<Broker>) -> ChildSpec {
        let broker = Arc::clone(broker);
        ChildSpec::actor("offsets_expiry", move |_| (Self, Arc::clone(&broker)))
    }
}

impl Actor for OffsetsExpiry {
    type Msg = OffsetsExpiryMessage;
    type State = Arc<Broker>;
    type Arguments = Arc<Broker>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        broker: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let interval = broker.settings.load().offsets.retention_check_interval;
        myself.send_after(interval.min(FIRST_LOOK), || OffsetsExpiryMessage::ExpiryDue);
        Ok(broker)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        broker: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            OffsetsExpiryMessage::ExpiryDue => {
                broker.groups.expire_offsets(broker);
                let interval = broker.settings.load().offsets.retention_check_interval;
                myself.send_after(interval, || OffsetsExpiryMessage::ExpiryDue);
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _broker: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }
}
