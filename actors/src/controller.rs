//! One active in the cluster: the shell over metadata's rules. It decides for everybody, one entry
//! of the metadata log at a time.
//!
//! Supervised by `cluster`, rest_for_one behind the quorum and the publisher. Sent to by sessions
//! (administration), by replicas (elections), by broker_lifecycle (registration) and by itself.
//! Sends to the quorum.
//!
//! ```text
//! requests … requests ─▶ ProposeDue: their records as one entry ─▶ quorum ─▶ Agreed ─▶ answers
//! ```
//!
//! While an entry is under way the next requests are decided on top of it and wait; an answer goes
//! out when the records are agreed on *and* this node's image shows them, so that who was answered
//! reads no less. If the quorum refuses, everything undecided is answered "ask again" and the rules
//! start over from the image. A restart loses what was not agreed on, and nobody was told of it.
//! Its mailbox is bounded by the sessions: one request each. It never waits for a disk.

mod deciding;
pub mod question;

use std::sync::Arc;

use bytes::Bytes;
use metadata::MetadataRecord;
use metadata::controller::Controller as Rules;
use metadata::wire::encode_records;
use protocol::TopicId;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, Counted};
use tokio::sync::oneshot;

use self::deciding::{Circumstances, decide};
pub use self::question::{AnyAnswer, AnyQuestion, NotAgreed, Question, Refused, ask};
use crate::broker::Broker;
use crate::metadata_quorum::{AppliedImage, ProposalError, QuorumMessage};

/// Where an answer of the controller goes.
pub type Reply = oneshot::Sender<Result<AnyAnswer, NotAgreed>>;

/// What the controller is told.
pub enum ControllerMessage {
    /// Anybody on this node: decide. See [`ask`].
    Ask {
        /// What is to be decided.
        question: AnyQuestion,
        /// The answer, once this node's image shows the decision.
        reply: Reply,
    },
    /// From itself: everything decided so far is one entry.
    ProposeDue,
    /// From the quorum: what became of the entry under way.
    Agreed(Result<u64, ProposalError>),
}

/// Everything the controller is born with.
#[derive(Clone)]
pub struct ControllerArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// The applied image.
    pub applied: AppliedImage,
    /// Who agrees.
    pub quorum: Address<QuorumMessage>,
}

/// See the head of this file.
pub struct ControllerActor;

type PendingAnswer = (AnyAnswer, Reply);

/// What the controller knows.
pub struct ControllerState {
    rules: Rules,
    records: Vec<MetadataRecord>,
    /// Answers that wait for the records above.
    answers: Vec<PendingAnswer>,
    /// Answers that wait for the entry under way; `None` while none is.
    under_way: Option<Vec<PendingAnswer>>,
    arguments: ControllerArguments,
}

impl Actor for ControllerActor {
    type Msg = Counted<ControllerMessage>;
    type State = ControllerState;
    type Arguments = ControllerArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let image = arguments.applied.load().as_ref().clone();
        let rules = Rules::new(image, Arc::clone(&arguments.broker.given));
        let (records, answers) = (Vec::new(), Vec::new());
        Ok(ControllerState { rules, records, answers, under_way: None, arguments })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.on_message(message.open(), &myself)
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

impl ControllerState {
    fn on_message(
        &mut self,
        message: ControllerMessage,
        myself: &ActorRef<Counted<ControllerMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ControllerMessage::Ask { question, reply } => self.on_ask(question, reply, myself),
            ControllerMessage::ProposeDue => return self.on_propose_due(myself),
            ControllerMessage::Agreed(agreed) => return self.on_agreed(agreed, myself),
        }
        Ok(())
    }

    /// Asks the rules, and keeps the answer until what they decided is agreed on.
    fn on_ask(
        &mut self,
        question: AnyQuestion,
        reply: Reply,
        myself: &ActorRef<Counted<ControllerMessage>>,
    ) {
        let broker = &self.arguments.broker;
        let circumstances = Circumstances {
            cluster_id: broker.cluster_id,
            is_alive: &|_| false,
            new_id: &|| TopicId(broker.ports.rng.uuid()),
        };
        let answer = decide(&mut self.rules, question, &circumstances);
        self.records.extend(self.rules.take_records());
        self.answers.push((answer, reply));
        self.schedule(myself);
    }

    /// The first request of a batch schedules it; what arrives until then joins.
    fn schedule(&self, myself: &ActorRef<Counted<ControllerMessage>>) {
        if self.under_way.is_none() && self.answers.len() == 1 {
            let _ = myself.cast(ControllerMessage::ProposeDue.into());
        }
    }

    fn on_propose_due(
        &mut self,
        myself: &ActorRef<Counted<ControllerMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        if self.under_way.is_some() {
            return Ok(());
        }
        let answers = std::mem::take(&mut self.answers);
        if self.records.is_empty() {
            give(answers, true);
            return Ok(());
        }
        let records = Bytes::from(encode_records(&std::mem::take(&mut self.records))?);
        self.under_way = Some(answers);
        let (reply, agreed) = oneshot::channel();
        // undeliverable or dropped, the proposal is refused below
        let term = self.arguments.broker.quorum.view().active_term.unwrap_or_default();
        let _ = self.arguments.quorum.send(QuorumMessage::Propose { term, records, reply });
        let myself = myself.clone();
        tokio::spawn(async move {
            let reason = || ProposalError::Refused { reason: "the quorum restarts".to_owned() };
            let agreed = agreed.await.unwrap_or_else(|_| Err(reason()));
            let _ = myself.cast(ControllerMessage::Agreed(agreed).into());
        });
        Ok(())
    }

    fn on_agreed(
        &mut self,
        agreed: Result<u64, ProposalError>,
        myself: &ActorRef<Counted<ControllerMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        let answers = self.under_way.take().unwrap_or_default();
        match agreed {
            Ok(index) => {
                self.rules.on_committed(index);
                let broker = Arc::clone(&self.arguments.broker);
                tokio::spawn(async move {
                    broker.image.reached(index).await;
                    give(answers, true);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a decision was not agreed on");
                give(answers, false);
                self.start_over();
            }
        }
        if self.answers.is_empty() { Ok(()) } else { self.on_propose_due(myself) }
    }

    /// Whatever was decided on top of a refused entry never was.
    fn start_over(&mut self) {
        self.records.clear();
        give(std::mem::take(&mut self.answers), false);
        self.rules.reset(self.arguments.applied.load().as_ref().clone());
    }
}

fn give(answers: Vec<PendingAnswer>, agreed: bool) {
    for (answer, reply) in answers {
        let _ = reply.send(if agreed { Ok(answer) } else { Err(NotAgreed) });
    }
}
