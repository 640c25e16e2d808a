//! One per node with peers in memory; stands where the real `cluster_link` stands. Owns the node's
//! place in the [`MemoryNetwork`](super::memory_peers::MemoryNetwork): takes it at its start, and
//! gives it back however it ends.
//!
//! Its supervisor is `cluster`, rest_for_one: whoever needs other nodes starts after it. Nobody
//! sends to it: messages between nodes go around its mailbox, as they go around the real one's. A
//! restart keeps the address, and loses every link: the others see them close at once and make new
//! ones.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::Status;

use super::memory_peers::Shared;
use super::memory_registration::Registration;
use super::{PeerIdentity, PeerService};

/// What it is told.
#[derive(Debug)]
pub(super) enum MemoryEndpointMessage {}

impl ractor::Message for MemoryEndpointMessage {}

/// Everything it is born with.
pub(super) struct MemoryEndpointArguments {
    pub shared: Arc<Shared>,
    pub me: PeerIdentity,
    /// Which call of `endpoint` it belongs to.
    pub number: u64,
    pub service: Arc<dyn PeerService>,
    pub status: Status,
}

/// See the head of this file.
pub(super) struct MemoryEndpoint;

impl Actor for MemoryEndpoint {
    type Msg = MemoryEndpointMessage;
    type State = Registration;
    type Arguments = MemoryEndpointArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        arguments.status.set("network", "in memory");
        let MemoryEndpointArguments { shared, me, number, service, .. } = arguments;
        Ok(Registration::take(&shared, me, number, service))
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {}
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
