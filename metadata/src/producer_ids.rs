//! Blocks of producer ids (KIP-730): a broker gets a thousand at a time and hands them out by
//! itself. A block is durable in the log of the quorum before its first id is used, so no id is
//! ever given out twice.

use std::ops::Range;

use protocol::{BrokerEpoch, BrokerId};

use crate::controller::Controller;
use crate::record::MetadataRecord;
use crate::refusal::Refusal;

/// How many ids are in a block.
pub const PRODUCER_ID_BLOCK_SIZE: i64 = 1000;

impl Controller {
    /// Gives a block of producer ids to a broker.
    ///
    /// # Errors
    /// The sender is not the present registration of the broker, or no ids are left.
    pub fn allocate_producer_ids(
        &mut self,
        broker: BrokerId,
        broker_epoch: BrokerEpoch,
    ) -> Result<Range<i64>, Refusal> {
        self.registered(broker, broker_epoch)?;
        let first = self.image().next_producer_id();
        let next_producer_id =
            first.checked_add(PRODUCER_ID_BLOCK_SIZE).ok_or(Refusal::ProducerIdsExhausted)?;
        self.decide(MetadataRecord::ProducerIdsAllocated {
            broker,
            broker_epoch,
            next_producer_id,
        })?;
        Ok(first..next_producer_id)
    }
}
