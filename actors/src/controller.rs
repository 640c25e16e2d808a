//! One per node, active in one of them: the shell over metadata's rules. The active one decides for
//! everybody, one entry of the metadata log at a time; any other passes questions on to it.
//!
//! Supervised by `cluster`, rest_for_one behind the quorum and the publisher. Sent to by sessions
//! (administration), by replicas (elections, in-sync replicas), by broker_lifecycle (registration,
//! heartbeats), by the controllers of other nodes, and by itself. Sends to the quorum.
//!
//! ```text
//!            this node leads the quorum        an empty entry is agreed on: the
//! passive ─────────────────────────────▶ taking office ─────────────────────▶ in office
//!    ▲  questions go to the active one     questions wait   image shows all      │ decides
//!    └──────────── it leads no more, or a decision was not agreed on ◀───────────┘
//!
//! question … question ─▶ ProposeDue: their records as one entry ─▶ quorum ─▶ Agreed ─▶ answers
//! ```
//!
//! While an entry is under way the next questions are decided on top of it and wait; an answer goes
//! out when the records are agreed on *and* this node's image shows them, so that who was answered
//! reads no less. If the quorum refuses, everything undecided is answered "ask again" and the rules
//! start over from the image, behind an entry of their own: what was refused may still come to be,
//! and must not come after what is decided without it. A restart loses what was not agreed on, and
//! nobody was told of it. Its mailbox is bounded by who asks: a session, a replica, a lifecycle has
//! one question each. It never waits for a disk.

mod announcing;
mod deciding;
mod forwarding;
mod links;
mod office;
mod proposing;
pub mod question;
mod remote;

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, Counted};
use tokio::sync::oneshot;

pub use self::announcing::take_up_roles;
use self::links::{LinkWatch, watch_links};
use self::office::Office;
pub use self::question::{Agreed, AnyAnswer, AnyQuestion, NotAgreed, Question, Refused, ask};
pub use self::remote::answer_peer;
use crate::broker::Broker;
use crate::metadata_quorum::{AppliedImage, ProposalError, QuorumMessage};

/// Where an answer of the controller goes.
pub type Reply = oneshot::Sender<Result<Agreed, NotAgreed>>;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody on this node: the question is passed on if another node decides.
    Here,
    /// Another node, which took this one to be the one that decides.
    Peer,
}

/// What the controller is told.
pub enum ControllerMessage {
    /// Anybody on this node (see [`ask`]), or another node: decide.
    Ask {
        /// What is to be decided.
        question: AnyQuestion,
        /// Who asks.
        origin: Origin,
        /// The answer, once this node's image shows the decision.
        reply: Reply,
    },
    /// From its watch: who leads the quorum may have changed.
    QuorumChanged,
    /// From its watch: links to other nodes came or went.
    LinksChanged,
    /// From itself: links that went have had a moment to come back.
    LostLinksDue,
    /// From itself: somebody may have been silent for too long.
    LivenessDue,
    /// From itself: preferred leaders that are back are to lead again.
    LeadersDue,
    /// From itself: everything decided so far is one entry.
    ProposeDue,
    /// From the quorum: what became of the entry under way.
    Agreed {
        /// Which proposal of this actor.
        proposal: u64,
        /// Its index, or why there is none.
        outcome: Result<u64, ProposalError>,
    },
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

/// The actor, for messages to itself.
type Myself = ActorRef<Counted<ControllerMessage>>;

/// A question with the way back to whoever asked.
struct Asked {
    question: AnyQuestion,
    origin: Origin,
    reply: Reply,
}

/// Whether this controller decides.
enum Standing {
    /// Another node's does, or none.
    Passive,
    /// This one will, once it surely knows everything.
    TakingOffice {
        /// The quorum's term.
        term: u64,
        /// What it is asked meanwhile.
        waiting: Vec<Asked>,
    },
    /// This one does.
    InOffice(Box<Office>),
}

impl Standing {
    fn term(&self) -> Option<u64> {
        match self {
            Self::Passive => None,
            Self::TakingOffice { term, .. } => Some(*term),
            Self::InOffice(office) => Some(office.term),
        }
    }
}

/// What the controller knows.
pub struct ControllerState {
    standing: Standing,
    /// Counts proposals, so that the outcome of an abandoned one is recognised.
    proposal: u64,
    links: LinkWatch,
    arguments: ControllerArguments,
}

impl Actor for ControllerActor {
    type Msg = Counted<ControllerMessage>;
    type State = ControllerState;
    type Arguments = ControllerArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let links = watch_links(&arguments.broker, &myself);
        myself.cast(ControllerMessage::QuorumChanged.into())?;
        Ok(ControllerState { standing: Standing::Passive, proposal: 0, links, arguments })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message.open() {
            ControllerMessage::Ask { question, origin, reply } => {
                state.on_ask(Asked { question, origin, reply }, &myself);
            }
            ControllerMessage::QuorumChanged => state.on_quorum_changed(&myself),
            ControllerMessage::LinksChanged => state.on_links_changed(&myself),
            ControllerMessage::LostLinksDue => state.on_lost_links_due(&myself),
            ControllerMessage::LivenessDue => state.on_liveness_due(&myself),
            ControllerMessage::LeadersDue => state.on_leaders_due(&myself),
            ControllerMessage::ProposeDue => state.on_propose_due(&myself),
            ControllerMessage::Agreed { proposal, outcome } => {
                state.on_agreed(proposal, outcome, &myself);
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

impl ControllerState {
    fn broker(&self) -> &Arc<Broker> {
        &self.arguments.broker
    }

    fn on_ask(&mut self, asked: Asked, myself: &Myself) {
        // the quorum's word may be older than the news of it
        self.on_quorum_changed(myself);
        match &mut self.standing {
            Standing::Passive => self.pass_on(asked),
            Standing::TakingOffice { waiting, .. } => waiting.push(asked),
            Standing::InOffice(office) => {
                office.on_asked(&self.arguments.broker, asked);
                self.schedule(myself);
            }
        }
    }

    fn pass_on(&self, asked: Asked) {
        match asked.origin {
            Origin::Here => forwarding::forward(self.broker(), asked.question, asked.reply),
            Origin::Peer => drop(asked.reply.send(Err(NotAgreed))),
        }
    }

    /// Takes or leaves office as the quorum says.
    fn on_quorum_changed(&mut self, myself: &Myself) {
        let active = self.broker().quorum.view().active_term;
        if active == self.standing.term() {
            return;
        }
        self.leave_office();
        if let Some(term) = active {
            self.standing = Standing::TakingOffice { term, waiting: Vec::new() };
            self.propose(term, &[], myself);
        }
    }

    /// Whoever waits is told to ask again: what was decided may or may not come to be.
    fn leave_office(&mut self) {
        match std::mem::replace(&mut self.standing, Standing::Passive) {
            Standing::Passive => {}
            Standing::TakingOffice { waiting, .. } => {
                waiting.into_iter().for_each(|asked| self.pass_on(asked));
            }
            Standing::InOffice(office) => office.close(),
        }
    }
}
