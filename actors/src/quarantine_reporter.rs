//! One per node: tells the controller which replicas are in quarantine, so that others lead.
//!
//! Supervised by `maintenance`, one_for_one: nobody depends on it. Sent to by the tree (something
//! was put into quarantine) and by its own timer. Sends to the controller.
//!
//! ```text
//! tree ──Quarantined──▶ which replicas are in quarantine and not known to be? ──GaveUp──▶ controller
//!                        └── looks again until the image says of each that it is offline
//! ```
//!
//! A restart loses nothing: it looks at the tree and at the image, and remembers neither. Its
//! mailbox holds a poke for each quarantine and one timer. It decides nothing: who leads instead is
//! the controller's to say. A replica that is released reports itself, as after every restart.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use metadata::ReplicaReport;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, ChildSpec, Counted, NodeState};

use crate::broker::Broker;
use crate::controller::question::{ReportReplica, ask};
use crate::partition_directory::PartitionPlace;

/// How long until it looks again whether its reports have had an effect.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the reporter is told.
pub enum QuarantineReporterMessage {
    /// From the tree: something was put into quarantine.
    Quarantined,
    /// From its timer: look again.
    LookDue,
}

/// See the head of this file.
pub struct QuarantineReporter;

/// What the reporter knows.
pub struct QuarantineReporterState {
    broker: Arc<Broker>,
    /// Whether its timer runs.
    looks_again: bool,
}

impl QuarantineReporter {
    /// The child of `maintenance`.
    #[must_use]
    pub fn child(broker: &Arc<Broker>, address: &Address<QuarantineReporterMessage>) -> ChildSpec {
        let broker = Arc::clone(broker);
        let make = move |_: &_| (Self, Arc::clone(&broker));
        ChildSpec::addressed_actor("quarantine_reporter", address, make)
    }
}

impl Actor for QuarantineReporter {
    type Msg = Counted<QuarantineReporterMessage>;
    type State = QuarantineReporterState;
    type Arguments = Arc<Broker>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        broker: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(QuarantineReporterMessage::Quarantined.into())?;
        Ok(QuarantineReporterState { broker, looks_again: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message.open() {
            QuarantineReporterMessage::Quarantined => state.look(&myself),
            QuarantineReporterMessage::LookDue => {
                state.looks_again = false;
                state.look(&myself);
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }
}

impl QuarantineReporterState {
    fn look(&mut self, myself: &ActorRef<Counted<QuarantineReporterMessage>>) {
        let unknown = self.unknown_to_the_cluster();
        for place in &unknown {
            self.report(place);
        }
        if !unknown.is_empty() && !self.looks_again {
            myself.send_after(LOOK_AGAIN, || QuarantineReporterMessage::LookDue.into());
        }
        self.looks_again |= !unknown.is_empty();
    }

    /// Replicas in quarantine of which the image does not say that they are offline.
    fn unknown_to_the_cluster(&self) -> Vec<Arc<PartitionPlace>> {
        let tree = self.broker.tree.snapshot();
        let replicas = tree.as_ref().and_then(|tree| tree.find("partitions"));
        let replicas = replicas.map(|supervisor| &*supervisor.children).unwrap_or_default();
        let quarantined = replicas.iter().filter(|replica| replica.state == NodeState::Quarantined);
        let names: BTreeSet<&str> = quarantined.map(|replica| &*replica.id).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let mut places = self.broker.partitions.places();
        places.retain(|place| names.contains(&*place.name.to_string()) && self.is_unknown(place));
        places
    }

    fn is_unknown(&self, place: &PartitionPlace) -> bool {
        let image = self.broker.image.load();
        let state = image.partition(place.key);
        state.is_some_and(|state| !state.offline_replicas.contains(&self.broker.id))
    }

    fn report(&self, place: &Arc<PartitionPlace>) {
        let (losses, is_whole) = (place.losses(), place.is_whole());
        tracing::warn!(
            partition = %place.name, is_whole, "tells the controller that the replica gave up"
        );
        let question = ReportReplica {
            broker: self.broker.id,
            broker_epoch: self.broker.registration.epoch(),
            key: place.key,
            report: ReplicaReport::GaveUp { is_whole },
        };
        let (asked, place) = (ask(&self.broker.controller, question), Arc::clone(place));
        // the effect comes by the image; without one the report is repeated
        tokio::spawn(async move {
            if let Ok(Ok(_)) = asked.await {
                place.losses_are_known(losses);
            }
        });
    }
}
