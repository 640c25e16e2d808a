//! Decisions about more replicas than one entry of the metadata log holds.
//!
//! What a broker's fencing, registration or leave decides is as long as the broker has replicas. Its
//! records are put into several entries, one after the other, and the controller's term may end
//! between any two of them. So their order is such that whatever stands before a cut is safe, and
//! what is missing can be found from the image alone:
//!
//! ```text
//! fenced      ─▶ out of each ISR, others lead                    (as in one entry)
//! unfenced    ─▶ leads where nobody did                          (as in one entry)
//! registered  fenced ─▶ what each replica is worth ─▶ registered ─▶ leads where nobody did
//! leaves      fenced ─▶ forgotten in each partition ─▶ unregistered
//! ```
//!
//! A broker that is fenced in the image can be elected nowhere, may join no ISR, and leads nothing
//! that it is deposed from later. While it is still in an ISR, the commit waits for it: nothing that
//! counts is missing anywhere. Whoever registers or leaves asks again until it is answered, and
//! finds what is done already.

use protocol::BrokerId;

use crate::controller::Controller;
use crate::partition::PartitionState;
use crate::record::MetadataRecord;
use crate::refusal::Refusal;
use crate::wire::encode_records;

/// A broker with more replicas than this is registered, and leaves, in an order that may be cut.
/// Their records are about 1 MiB.
pub(crate) const REPLICAS_IN_ONE_ENTRY: usize = 10_000;

/// Cuts the records of one decision into entries of at most `bytes_max` bytes each, in their order;
/// one that holds anything but brokers and states of partitions stays whole, whatever its length.
#[must_use]
pub fn cut_into_entries(
    records: Vec<MetadataRecord>,
    bytes_max: usize,
) -> Vec<Vec<MetadataRecord>> {
    let mut entries = Vec::new();
    if records.iter().all(may_be_cut_before) {
        halve(records, bytes_max, &mut entries);
    } else {
        entries.push(records);
    }
    entries
}

fn halve(records: Vec<MetadataRecord>, bytes_max: usize, entries: &mut Vec<Vec<MetadataRecord>>) {
    // what cannot be written is refused when it is proposed
    let fits = encode_records(&records).is_ok_and(|bytes| bytes.len() <= bytes_max);
    if fits || records.len() < 2 {
        entries.push(records);
        return;
    }
    let mut first = records;
    let second = first.split_off(first.len() / 2);
    halve(first, bytes_max, entries);
    halve(second, bytes_max, entries);
}

const fn may_be_cut_before(record: &MetadataRecord) -> bool {
    match record {
        MetadataRecord::BrokerRegistered(_)
        | MetadataRecord::BrokerFenced { .. }
        | MetadataRecord::BrokerUnfenced { .. }
        | MetadataRecord::BrokerShuttingDown { .. }
        | MetadataRecord::BrokerDiskHung { .. }
        | MetadataRecord::BrokerDiskAnswered { .. }
        | MetadataRecord::BrokerUnregistered { .. }
        | MetadataRecord::PartitionChanged { .. } => true,
        // a topic without its partitions, or a setting without what follows from it, is half a truth
        MetadataRecord::ClusterFounded { .. }
        | MetadataRecord::TopicCreated { .. }
        | MetadataRecord::TopicDeleted { .. }
        | MetadataRecord::PartitionCreated { .. }
        | MetadataRecord::SettingChanged { .. }
        | MetadataRecord::ProducerIdsAllocated { .. }
        | MetadataRecord::ProducerIdsReached { .. }
        | MetadataRecord::BrokerEpochsReached { .. }
        | MetadataRecord::FeatureLevelChanged { .. } => false,
    }
}

impl Controller {
    /// Goes on with what a controller before this one had begun: fenced brokers leave the ISRs that
    /// they are still in, those that stop or whose disks hang hand over, and where nobody leads
    /// whoever can does. Costs a walk through all replicas; nothing is decided where nothing was left
    /// undone.
    ///
    /// # Errors
    /// None that is expected: the image would be one that breaks its invariants.
    pub fn finish_begun(&mut self) -> Result<(), Refusal> {
        let brokers: Vec<_> = self.image().brokers().map(|state| state.id()).collect();
        self.attempt(|controller| {
            for broker in brokers {
                if !controller.image().is_live(broker) {
                    controller.leave_every_isr(broker)?;
                } else if !controller.image().is_active(broker) {
                    controller.leave_to_others(broker)?;
                }
            }
            let active: Vec<_> =
                controller.image().active_brokers().map(|state| state.id()).collect();
            active.into_iter().try_for_each(|broker| controller.lead_what_nobody_leads(broker))
        })
    }

    /// Whether what is decided about all replicas of a broker may be longer than an entry.
    pub(crate) fn has_many_replicas(&self, broker: BrokerId) -> bool {
        self.image().replicas_of(broker).nth(self.replicas_in_one_entry()).is_some()
    }

    /// The broker is out of the election of every partition from here on, whatever follows.
    pub(crate) fn fence_alone(&mut self, broker: BrokerId) -> Result<(), Refusal> {
        let state = self.image().broker(broker).ok_or(Refusal::UnknownBroker { broker })?;
        if state.is_fenced() {
            return Ok(());
        }
        let broker_epoch = state.epoch();
        self.decide(MetadataRecord::BrokerFenced { broker, broker_epoch })
    }

    /// A broker leaves for good, partition by partition.
    pub(crate) fn forget_broker(&mut self, broker: BrokerId) -> Result<(), Refusal> {
        let involved =
            |state: &PartitionState| state.is_in_sync(broker) || state.elr.contains(&broker);
        for key in self.replicas_where(broker, involved) {
            self.settle(key, |transition| transition.forget(broker))?;
        }
        Ok(())
    }
}
