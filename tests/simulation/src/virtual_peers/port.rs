//! One per node: its end of the fabric, as the port that the actors use.
//!
//! Supervised by `cluster`: the actor [`Carrier`] is what makes the node reachable, as the link and
//! the gateways are in the real port. Sent to by nobody. It answers what arrives in tasks of its
//! own, in the order of arrival as far as starting them goes. A restart loses what was under way,
//! which every sender must expect anyway. The node's bounds hold on the senders' side.

use std::sync::Arc;
use std::time::Duration;

use actors::ports::net::PortFuture;
use actors::ports::peers::{
    AddressBook, Lane, Links, PeerAnswer, PeerError, PeerIdentity, PeerService, Peers,
};
use bytes::Bytes;
use metadata::HostAndPort;
use protocol::BrokerId;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::ChildSpec;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::PeerFabric;
use crate::virtual_network::{host_name, node_at};

/// The port that nodes listen for each other on.
const PORT: u16 = 9093;

/// A node's port to the others.
pub struct VirtualPeers {
    node: i32,
    fabric: PeerFabric,
}

impl VirtualPeers {
    /// The port of a node on this fabric.
    #[must_use]
    pub const fn new(node: i32, fabric: PeerFabric) -> Self {
        Self { node, fabric }
    }

    /// Where the others reach a node.
    #[must_use]
    pub fn address(node: i32) -> HostAndPort {
        HostAndPort::new(host_name(node).as_str(), PORT)
    }

    async fn ask(
        &self,
        to: BrokerId,
        lane: Lane,
        envelope: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, PeerError> {
        let Some((answered, mut closing)) = self.fabric.send(self.node, to.0, lane, envelope)
        else {
            return Err(PeerError::Unreachable { node: to });
        };
        let answer = async {
            tokio::select! {
                biased;
                Ok(answer) = answered => Ok(answer),
                _ = closing.changed() => Err(PeerError::Unreachable { node: to }),
            }
        };
        let too_late = PeerError::Timeout { node: to, deadline };
        timeout(deadline, answer).await.unwrap_or(Err(too_late))
    }
}

impl Peers for VirtualPeers {
    fn call(
        &self,
        node: BrokerId,
        lane: Lane,
        envelope: Bytes,
        deadline: Duration,
    ) -> PeerAnswer<'_> {
        Box::pin(self.ask(node, lane, envelope, deadline))
    }

    fn links(&self) -> watch::Receiver<Links> {
        self.fabric.links(self.node)
    }

    fn introduce(&self, book: AddressBook) {
        let named = book.keys().map(|node| node.0).filter(|node| *node != self.node);
        self.fabric.introduce(self.node, named.collect());
    }

    fn discover<'a>(
        &'a self,
        seed: &'a HostAndPort,
        deadline: Duration,
    ) -> PortFuture<'a, Result<PeerIdentity, PeerError>> {
        Box::pin(async move {
            sleep(deadline.min(Duration::from_millis(3))).await;
            let reason = "nobody answers".to_owned();
            let refused = || PeerError::NotDiscovered { address: seed.clone(), reason };
            let node = node_at(&seed.to_string()).ok();
            let found = node.and_then(|node| self.fabric.identity_of(node));
            found.ok_or_else(refused)
        })
    }

    fn local_address(&self) -> Option<HostAndPort> {
        Some(Self::address(self.node))
    }

    fn children(&self, me: PeerIdentity, service: Arc<dyn PeerService>) -> Vec<ChildSpec> {
        let fabric = self.fabric.clone();
        let make = move |_: &supervision::StartContext| {
            let service = Arc::clone(&service);
            (Carrier, CarrierArguments { fabric: fabric.clone(), me, service })
        };
        vec![ChildSpec::actor("cluster_link", make)]
    }
}

/// What the carrier is told: nothing.
pub struct CarrierMessage;

impl ractor::Message for CarrierMessage {}

/// Everything the carrier is born with.
pub struct CarrierArguments {
    fabric: PeerFabric,
    me: PeerIdentity,
    service: Arc<dyn PeerService>,
}

/// See the head of this file.
pub struct Carrier;

/// What the carrier knows.
pub struct CarrierState {
    fabric: PeerFabric,
    me: PeerIdentity,
    answering: JoinHandle<()>,
}

impl Drop for CarrierState {
    fn drop(&mut self) {
        self.answering.abort();
        self.fabric.disappear(self.me);
    }
}

impl Actor for Carrier {
    type Msg = CarrierMessage;
    type State = CarrierState;
    type Arguments = CarrierArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let CarrierArguments { fabric, me, service } = arguments;
        let mut arrivals = fabric.appear(me);
        let answers = fabric.clone();
        let answering = tokio::spawn(async move {
            while let Some(arrival) = arrivals.recv().await {
                let answer = service.answer(arrival.lane, arrival.envelope);
                let (fabric, me) = (answers.clone(), me.node.0);
                tokio::spawn(async move {
                    let envelope = answer.await;
                    fabric.answer(me, arrival.from, envelope, arrival.answer);
                });
            }
        });
        Ok(CarrierState { fabric, me, answering })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        _message: Self::Msg,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
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
