//! Ids for idempotent producers (KIP-98), given out of blocks that the controller allocated: a block
//! is durable in the metadata before its first id is used, so no id is ever given out twice.

use std::ops::Range;
use std::time::Duration;

use protocol::{BrokerId, ErrorCode, ProducerId};
use supervision::Address;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::broker::Registration;
use crate::controller::question::AllocateProducerIds;
use crate::controller::{ControllerMessage, ask};

/// How long a client is kept waiting for a new block.
const BLOCK_DEADLINE: Duration = Duration::from_secs(5);

/// The block that this node gives out of.
pub struct ProducerIds {
    broker: BrokerId,
    registration: Registration,
    controller: Address<ControllerMessage>,
    block: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// No block yet: the first producer fetches one.
    #[must_use]
    pub fn new(
        broker: BrokerId,
        registration: Registration,
        controller: Address<ControllerMessage>,
    ) -> Self {
        Self { broker, registration, controller, block: Mutex::new(0..0) }
    }

    /// An id that was never given out before.
    ///
    /// # Errors
    /// `COORDINATOR_NOT_AVAILABLE` while no block can be had: the client asks again.
    pub async fn next(&self) -> Result<ProducerId, ErrorCode> {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            *block = self.allocate().await.ok_or(ErrorCode::CoordinatorNotAvailable)?;
        }
        block.next().map(ProducerId).ok_or(ErrorCode::CoordinatorNotAvailable)
    }

    async fn allocate(&self) -> Option<Range<i64>> {
        let question =
            AllocateProducerIds { broker: self.broker, broker_epoch: self.registration.epoch() };
        let answer = ask(&self.controller, question);
        timeout(BLOCK_DEADLINE, answer).await.ok()?.ok()?.ok()
    }
}
