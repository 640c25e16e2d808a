//! Brokers that fall silent, come back, stop in order, and whose disk hangs.

use protocol::{BrokerEpoch, BrokerId};
use serde::{Deserialize, Serialize};

use crate::controller::Controller;
use crate::partition::PartitionState;
use crate::record::MetadataRecord;
use crate::refusal::Refusal;

/// What a broker says every now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Which broker.
    pub broker: BrokerId,
    /// Its registration.
    pub broker_epoch: BrokerEpoch,
    /// Whether its image holds its own registration: before that it knows too little to lead.
    pub has_caught_up: bool,
    /// Whether it wants to be fenced, because it cannot serve.
    pub wants_fence: bool,
    /// Whether it wants to stop in order.
    pub wants_to_stop: bool,
    /// Whether its disk does not answer: it keeps neither leaderships nor places in ISRs that
    /// others could have.
    pub disk_hangs: bool,
}

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// Whether it must not lead or be in an ISR.
    pub is_fenced: bool,
    /// How many partitions it still leads; counted only for one that wants to stop.
    pub led_partitions: usize,
    /// Whether it may stop now: it leads nothing that another could lead.
    pub may_stop: bool,
}

impl Controller {
    /// A broker is alive. It is unfenced once it has caught up, unless it wants otherwise; and one
    /// that wants to stop, or whose disk hangs, hands over what it leads.
    ///
    /// # Errors
    /// The sender is not the present registration of the broker.
    pub fn on_heartbeat(&mut self, heartbeat: &Heartbeat) -> Result<HeartbeatAnswer, Refusal> {
        let Heartbeat { broker, broker_epoch, .. } = *heartbeat;
        let state = self.registered(broker, broker_epoch)?;
        let (was_fenced, was_stopping) = (state.is_fenced(), state.is_shutting_down);
        self.note_disk(heartbeat, state.has_hung_disk)?;
        if heartbeat.wants_fence && !was_fenced {
            self.fence_broker(broker, broker_epoch)?;
        } else if heartbeat.wants_to_stop && !was_stopping {
            self.stop_broker(broker, broker_epoch)?;
        } else if was_fenced && heartbeat.has_caught_up && !heartbeat.wants_fence {
            self.unfence_broker(broker, broker_epoch)?;
            // what cannot be now is tried again with the next broker
            let _ = self.attempt(Self::raise_internal_replication);
        }
        // heartbeats are many: what costs a walk through the replicas is asked of few
        let stops = heartbeat.wants_to_stop;
        Ok(HeartbeatAnswer {
            is_fenced: !self.image().is_live(broker),
            led_partitions: if stops { self.led_by(broker) } else { 0 },
            may_stop: stops && !self.has_heirs(broker),
        })
    }

    /// A broker has been silent for too long, or its connection is gone: it leaves every ISR, and
    /// others lead what it led, in one batch. What it leads moves first: a batch may be cut.
    ///
    /// # Errors
    /// The broker has registered anew meanwhile, or left.
    pub fn fence_broker(
        &mut self,
        broker: BrokerId,
        broker_epoch: BrokerEpoch,
    ) -> Result<(), Refusal> {
        if self.registered(broker, broker_epoch)?.is_fenced() {
            return Ok(());
        }
        self.attempt(|controller| {
            controller.decide(MetadataRecord::BrokerFenced { broker, broker_epoch })?;
            controller.leave_every_isr(broker)
        })
    }

    /// A broker is back: where nobody leads and it can, it does.
    ///
    /// # Errors
    /// The sender is not the present registration of the broker.
    pub fn unfence_broker(
        &mut self,
        broker: BrokerId,
        broker_epoch: BrokerEpoch,
    ) -> Result<(), Refusal> {
        if !self.registered(broker, broker_epoch)?.is_fenced() {
            return Ok(());
        }
        self.attempt(|controller| {
            controller.decide(MetadataRecord::BrokerUnfenced { broker, broker_epoch })?;
            controller.lead_what_nobody_leads(broker)
        })
    }

    /// A broker is about to stop: others lead what it led, as far as there are others.
    fn stop_broker(&mut self, broker: BrokerId, broker_epoch: BrokerEpoch) -> Result<(), Refusal> {
        self.attempt(|controller| {
            controller.decide(MetadataRecord::BrokerShuttingDown { broker, broker_epoch })?;
            controller.leave_to_others(broker)
        })
    }

    /// Takes note of what a broker says of its disk. The last active broker stays what it is:
    /// nobody could take over, and whoever waits for it waits for the disk in any case.
    fn note_disk(&mut self, heartbeat: &Heartbeat, was_hung: bool) -> Result<(), Refusal> {
        let Heartbeat { broker, broker_epoch, disk_hangs, .. } = *heartbeat;
        let has_others = || self.image().active_brokers().any(|other| other.id() != broker);
        match (was_hung, disk_hangs) {
            (false, true) if has_others() => self.attempt(|controller| {
                controller.decide(MetadataRecord::BrokerDiskHung { broker, broker_epoch })?;
                controller.leave_to_others(broker)
            }),
            (true, false) => self.attempt(|controller| {
                controller.decide(MetadataRecord::BrokerDiskAnswered { broker, broker_epoch })?;
                controller.lead_what_nobody_leads(broker)
            }),
            (false, _) | (true, true) => Ok(()),
        }
    }

    /// A broker that is not active any more leaves every ISR in which somebody active stays.
    pub(crate) fn leave_to_others(&mut self, broker: BrokerId) -> Result<(), Refusal> {
        let image = self.image().clone();
        let shared = self.replicas_where(broker, |state| {
            state.is_in_sync(broker) && state.isr.iter().any(|b| image.is_active(*b))
        });
        for key in shared {
            self.settle(key, |transition| transition.leave_isr(broker))?;
        }
        Ok(())
    }

    /// A broker is active again: where nobody leads and it can, it does.
    pub(crate) fn lead_what_nobody_leads(&mut self, broker: BrokerId) -> Result<(), Refusal> {
        for key in self.replicas_where(broker, |state| state.leader.is_none()) {
            self.settle(key, |transition| transition)?;
        }
        Ok(())
    }

    pub(crate) fn leave_every_isr(&mut self, broker: BrokerId) -> Result<(), Refusal> {
        let led = self.replicas_where(broker, |state| state.leader == Some(broker));
        let followed =
            |state: &PartitionState| state.is_in_sync(broker) && state.leader != Some(broker);
        let followed = self.replicas_where(broker, followed);
        for key in led.into_iter().chain(followed) {
            self.settle(key, |transition| transition.leave_isr(broker))?;
        }
        Ok(())
    }

    fn led_by(&self, broker: BrokerId) -> usize {
        self.replicas_where(broker, |state| state.leader == Some(broker)).len()
    }

    /// Whether the broker leads something that another in-sync replica could lead.
    fn has_heirs(&self, broker: BrokerId) -> bool {
        let heir = |b: &BrokerId| *b != broker && self.image().is_active(*b);
        let could_move =
            |state: &PartitionState| state.leader == Some(broker) && state.isr.iter().any(heir);
        !self.replicas_where(broker, could_move).is_empty()
    }
}
