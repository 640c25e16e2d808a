//! One per node: registers this start of the process with the controller, so that it leads under new
//! epochs, and says when the node may serve.
//!
//! Supervised by `cluster`, last of the rest_for_one: when anything that it stands on restarts, it
//! registers again, which the controller takes as the same process. Sent to by itself. Sends to the
//! controller.
//!
//! A restart loses nothing. Its mailbox holds its own timer and one answer. It decides
//! nothing: whether a registration is good is the controller's to say.

use std::sync::Arc;
use std::time::Duration;

use metadata::RegisterBroker;
use protocol::BrokerEpoch;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::broker::Broker;
use crate::controller::{NotAgreed, Refused, ask, question};

/// How long until the controller is asked again.
const RETRY: Duration = Duration::from_millis(200);

/// What the lifecycle is told, all by itself.
pub enum LifecycleMessage {
    /// Ask the controller.
    RegistrationDue,
    /// What the controller said.
    Answered(Result<Result<BrokerEpoch, Refused>, NotAgreed>),
}

impl ractor::Message for LifecycleMessage {}

/// Everything the lifecycle is born with.
#[derive(Clone)]
pub struct LifecycleArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// What it says of itself.
    pub request: RegisterBroker,
    /// Where it says that the node is registered, or why it never will be.
    pub registered: watch::Sender<Option<Result<BrokerEpoch, Refused>>>,
}

/// See the head of this file.
pub struct BrokerLifecycle;

impl Actor for BrokerLifecycle {
    type Msg = LifecycleMessage;
    type State = LifecycleArguments;
    type Arguments = LifecycleArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(LifecycleMessage::RegistrationDue)?;
        Ok(arguments)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LifecycleMessage::RegistrationDue => state.on_registration_due(&myself),
            LifecycleMessage::Answered(answer) => state.on_answered(answer, &myself),
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

impl LifecycleArguments {
    fn on_registration_due(&self, myself: &ActorRef<LifecycleMessage>) {
        let registration = Box::new(self.request.clone());
        let answer = ask(&self.broker.controller, question::RegisterBroker { registration });
        let myself = myself.clone();
        tokio::spawn(async move {
            let _ = myself.cast(LifecycleMessage::Answered(answer.await));
        });
    }

    fn on_answered(
        &self,
        answer: Result<Result<BrokerEpoch, Refused>, NotAgreed>,
        myself: &ActorRef<LifecycleMessage>,
    ) {
        match answer {
            Ok(Ok(epoch)) => {
                info!(broker = %self.broker.id, %epoch, "registered");
                self.broker.registration.set(epoch);
                self.registered.send_replace(Some(Ok(epoch)));
            }
            Ok(Err(refusal)) => {
                warn!(broker = %self.broker.id, %refusal, "the registration was refused");
                self.registered.send_replace(Some(Err(refusal)));
            }
            Err(NotAgreed) => {
                myself.send_after(RETRY, || LifecycleMessage::RegistrationDue);
            }
        }
    }
}
