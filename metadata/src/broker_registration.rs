//! Brokers that come and go for good.
//!
//! A process registers before it does anything else. A new incarnation leads nothing: whatever its
//! predecessor led gets a new leader epoch in the same batch, also where the same broker is
//! elected again, because a log that lost its unflushed end must not go on under an old epoch.

use std::sync::Arc;

use protocol::{BrokerEpoch, BrokerId};
use serde::{Deserialize, Serialize};

use crate::broker::{
    BrokerEndpoint, BrokerRegistration, BrokerState, ClusterId, DirectoryId, HostAndPort,
    Incarnation,
};
use crate::controller::Controller;
use crate::image::invariants::check_registration;
use crate::record::MetadataRecord;
use crate::refusal::Refusal;
use crate::settings::topic_settings::ElectionSettings;

/// What a process says of itself when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterBroker {
    /// Which broker it is.
    pub broker: BrokerId,
    /// Which start of its process.
    pub incarnation: Incarnation,
    /// The cluster that its directory belongs to; `None` for a directory without one.
    pub cluster_id: Option<ClusterId>,
    /// The data directory that it holds.
    pub directory: DirectoryId,
    /// What the directory remembers of its last use.
    pub last_use: LastUse,
    /// Where clients reach it.
    pub endpoints: Vec<BrokerEndpoint>,
    /// Where other nodes reach it.
    pub cluster_address: Option<HostAndPort>,
    /// Where it stands.
    pub rack: Option<Arc<str>>,
    /// Whether it may lead at once, because it knows all metadata: the node of the controller
    /// itself. Any other is fenced until it has caught up.
    pub starts_unfenced: bool,
}

/// What a data directory remembers of its last use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastUse {
    /// Nothing: the directory is new.
    Never,
    /// The process flushed every log and stopped in order, under this registration.
    StoppedInOrder(BrokerEpoch),
    /// The process ended otherwise: only what had been flushed is sure to be there. The epoch is
    /// that of the last registration that the directory knows of.
    Crashed(BrokerEpoch),
}

/// What a predecessor's replicas are worth in the hands of the new incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inheritance {
    /// Every record that counted is there.
    Whole,
    /// Every flushed record is there.
    Flushed,
    /// The directory is older than the predecessor's: records may be missing.
    Doubtful,
    /// Nothing is there.
    Nothing,
}

impl Inheritance {
    fn of(predecessor: &BrokerState, request: &RegisterBroker) -> Self {
        if predecessor.registration.directory != request.directory {
            return Self::Nothing;
        }
        match request.last_use {
            LastUse::Never => Self::Nothing,
            LastUse::StoppedInOrder(epoch) if epoch == predecessor.epoch() => Self::Whole,
            LastUse::Crashed(epoch) if epoch == predecessor.epoch() => Self::Flushed,
            LastUse::StoppedInOrder(_) | LastUse::Crashed(_) => Self::Doubtful,
        }
    }
}

impl Controller {
    /// Registers a process. `predecessor_is_alive` says whether the registered broker of that
    /// number still sends heartbeats. The same process may register again, and keeps its epoch.
    ///
    /// # Errors
    /// Another cluster's directory, no listener, or a second process with another directory while
    /// the first one is alive.
    pub fn register_broker(
        &mut self,
        request: &RegisterBroker,
        predecessor_is_alive: bool,
    ) -> Result<BrokerEpoch, Refusal> {
        let broker = request.broker;
        let here = self.image().cluster_id();
        if request.cluster_id.is_some() && request.cluster_id != here {
            return Err(Refusal::OtherCluster);
        }
        let predecessor = self.image().broker(broker).cloned();
        let same_process = predecessor
            .as_ref()
            .filter(|state| state.registration.incarnation == request.incarnation)
            .map(|state| (state.epoch(), state.is_fenced()));
        let (broker_epoch, fenced) =
            same_process.unwrap_or((self.image().next_broker_epoch(), !request.starts_unfenced));
        let registration = BrokerRegistration {
            broker,
            incarnation: request.incarnation,
            broker_epoch,
            directory: request.directory,
            endpoints: request.endpoints.clone(),
            cluster_address: request.cluster_address.clone(),
            rack: request.rack.clone(),
            fenced,
        };
        check_registration(&registration).map_err(|_| Refusal::InvalidRegistration { broker })?;
        if let Some(predecessor) = predecessor.filter(|_| same_process.is_none()) {
            // one directory is held by one process, so its former holder is gone
            let elsewhere = predecessor.registration.directory != request.directory;
            if elsewhere && predecessor_is_alive {
                return Err(Refusal::DuplicateBroker { broker });
            }
            let inheritance = Inheritance::of(&predecessor, request);
            if self.has_many_replicas(broker) {
                return self.attempt(|controller| {
                    controller.succeed_in_parts(registration, inheritance)?;
                    Ok(broker_epoch)
                });
            }
            return self.attempt(|controller| {
                controller.decide(MetadataRecord::BrokerRegistered(registration))?;
                controller.succeed(broker, inheritance)?;
                Ok(broker_epoch)
            });
        }
        self.decide(MetadataRecord::BrokerRegistered(registration))?;
        Ok(broker_epoch)
    }

    /// A broker leaves for good: it leads nothing, is nowhere in sync, and is not waited for. Its
    /// replicas stay assigned to it until they are reassigned.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn unregister_broker(&mut self, broker: BrokerId) -> Result<(), Refusal> {
        let state = self.image().broker(broker).ok_or(Refusal::UnknownBroker { broker })?;
        let broker_epoch = state.epoch();
        let unregistered = MetadataRecord::BrokerUnregistered { broker, broker_epoch };
        if self.has_many_replicas(broker) {
            return self.attempt(|controller| {
                controller.fence_alone(broker)?;
                controller.forget_broker(broker)?;
                controller.decide(unregistered)
            });
        }
        self.attempt(|controller| {
            controller.decide(unregistered)?;
            controller.forget_broker(broker)
        })
    }

    /// The same, in an order that may be cut: until it has registered, the new incarnation is
    /// nobody, and what it leads it is given afterwards.
    fn succeed_in_parts(
        &mut self,
        registration: BrokerRegistration,
        inheritance: Inheritance,
    ) -> Result<(), Refusal> {
        let (broker, fenced) = (registration.broker, registration.fenced);
        self.fence_alone(broker)?;
        self.succeed(broker, inheritance)?;
        self.decide(MetadataRecord::BrokerRegistered(registration))?;
        if fenced { Ok(()) } else { self.lead_what_nobody_leads(broker) }
    }

    /// Every replica of the predecessor starts anew: out of the ISR, and what it led is elected
    /// again.
    fn succeed(&mut self, broker: BrokerId, inheritance: Inheritance) -> Result<(), Refusal> {
        let keys: Vec<_> = self.image().replicas_of(broker).collect();
        for key in keys {
            let Some(name) = self.image().name_of(key) else { continue };
            let is_whole = match inheritance {
                Inheritance::Whole => true,
                Inheritance::Flushed => {
                    ElectionSettings::resolve(self.image(), self.given(), &name.topic)
                        .flush_before_ack
                }
                Inheritance::Doubtful | Inheritance::Nothing => false,
            };
            self.settle(key, |mut transition| {
                transition.next.offline_replicas.retain(|offline| *offline != broker);
                let transition = transition.depose(broker);
                match (is_whole, inheritance) {
                    (true, _) => transition.leave_isr(broker),
                    (false, Inheritance::Nothing) => transition.forget(broker),
                    (false, _) => transition.lose(broker),
                }
            })?;
        }
        Ok(())
    }
}
