//! One per node and shard; follower fetches arrive here, and their answers, which are long, leave.
//!
//! Its supervisor is `gateways`, one_for_one, because none of them knows of the others. Like
//! `control_gateway` it is shown to other nodes, unnamed, found in a process group named after this
//! start of the node, and keeps nothing: a restart loses only what was being answered, and followers
//! ask again. The other nodes' sessions send to it; it begins each answer through the node's
//! `PeerService`, and a task finishes it when there is something to fetch and the link has room for
//! it: the bytes given to a link and not on the line yet are bounded, so that no heartbeat waits long
//! behind them. Its mailbox is bounded by the followers: one fetch each is under way.

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use crate::control_gateway::GatewayArguments;
use crate::gateway_messages::{GatewayMessage, answer_envelope};

/// See the head of this file.
pub(crate) struct BulkGateway;

impl Actor for BulkGateway {
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
        answer_envelope(&state.board, &state.service, state.lane, message).await;
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
