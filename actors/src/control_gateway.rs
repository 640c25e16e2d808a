//! One per node; what other nodes ask the quorum, the controller and the replicas arrives here, and
//! so do their heartbeats.
//!
//! Its supervisor is `gateways`, one_for_one, because none of them knows of the others. It is one of
//! the few actors that ractor_cluster shows to other nodes, which find it in a process group named
//! after this start of the node; it bears no name, because a name of another node's gateway would
//! take it from the registry. The other nodes' sessions send to it; it hands each envelope to the
//! node's `PeerService`, and the answer goes back through the message's own reply port. It keeps
//! nothing, so that a restart loses only what was being answered: the others find the new one by the
//! group. It waits for nobody: an answer is begun here, which keeps messages in order, and finished
//! in a task. Its mailbox is bounded by the deadlines of those who ask.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use crate::cluster_link::Switchboard;
use crate::gateway_messages::{Asked, GatewayMessage, answer_envelope, gateway_group};
use crate::ports::peers::{Lane, PeerIdentity, PeerService};

/// Everything a gateway is born with.
pub(crate) struct GatewayArguments {
    pub board: Arc<Switchboard>,
    pub me: PeerIdentity,
    pub service: Arc<dyn PeerService>,
    pub lane: Lane,
}

impl GatewayArguments {
    /// From now on other nodes find the gateway.
    pub fn announce(&self, gateway: &ActorRef<GatewayMessage>) {
        let (scope, group) = gateway_group(self.me.node, self.me.incarnation, self.lane);
        ractor::pg::join_scoped(scope, group, vec![gateway.get_cell()]);
        self.board.on_gateway_up();
    }
}

/// See the head of this file.
pub(crate) struct ControlGateway;

impl Actor for ControlGateway {
    type Msg = GatewayMessage;
    type State = GatewayArguments;
    type Arguments = GatewayArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        arguments.announce(&myself);
        Ok(arguments)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message.header.asked {
            Asked::Heartbeat => {
                // an error means that nobody waits any more
                let _ = message.reply.send(Vec::new());
            }
            Asked::Envelope | Asked::Unreadable => {
                answer_envelope(&state.board, &state.service, state.lane, message).await;
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
