//! How one incarnation of a child is brought up.

use crate::exit_reason::ExitReason;
use crate::own_children::OwnChildren;
use crate::place::{Place, Remains};
use crate::status::Status;
use ractor::{ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{self, JoinHandle};

/// What a factory is told about the incarnation it is to start.
#[derive(Clone)]
pub struct StartContext {
    supervisor: ActorCell,
    incarnation: u64,
    pub(crate) place: Arc<Place>,
    status: Status,
    own_children: OwnChildren,
}

impl StartContext {
    pub(crate) fn new(supervisor: ActorCell, incarnation: u64, place: Arc<Place>) -> Self {
        let status = place.new_status();
        let own_children = OwnChildren::new(place.clone());
        Self { supervisor, incarnation, place, status, own_children }
    }

    /// The supervisor; the new actor must be linked under it.
    #[must_use]
    pub fn supervisor(&self) -> ActorCell {
        self.supervisor.clone()
    }

    /// Number of the start that is under way, from 1; failed starts count, too.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Where the new actor shows a few words about itself.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Where the new actor shows the actors that it starts itself.
    #[must_use]
    pub fn own_children(&self) -> OwnChildren {
        self.own_children.clone()
    }
}

/// A child that is up.
pub struct Started {
    pub(crate) actor: ActorCell,
    pub(crate) task: Option<JoinHandle<()>>,
    /// How it is asked to end in order, if not by draining its mailbox.
    pub(crate) asks_to_end: Option<AskToEnd>,
}

/// Asks a child to end in order within the time given.
pub(crate) type AskToEnd = Arc<dyn Fn(Duration) + Send + Sync>;

impl Started {
    /// The task's id, by which the panic hook knows it, and what will be left to wait for.
    pub(crate) fn take_remains(&mut self) -> (Option<task::Id>, Remains) {
        match self.task.take() {
            Some(task) => (Some(task.id()), Remains::Task(task)),
            None => (None, Remains::Actor(self.actor.clone())),
        }
    }
}

impl From<ActorCell> for Started {
    /// Without the task's handle the end of the old state cannot be waited for exactly, and
    /// a panic cannot be told from an error. Prefer the pair that `spawn_linked` returns.
    fn from(actor: ActorCell) -> Self {
        Self { actor, task: None, asks_to_end: None }
    }
}

impl<M> From<(ActorRef<M>, JoinHandle<()>)> for Started {
    fn from((actor, task): (ActorRef<M>, JoinHandle<()>)) -> Self {
        Self { actor: actor.get_cell(), task: Some(task), asks_to_end: None }
    }
}

/// Why a child did not come up. Its supervisor tries again, as the child's spec says.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The factory or `pre_start` said so.
    #[error("{0}")]
    Failed(#[source] ActorProcessingErr),
    /// The factory panicked.
    #[error("panicked{}: {message}", location_text(location.as_deref()))]
    Panicked {
        /// The panic's message.
        message: String,
        /// `file:line:column`, when the panic hook saw it.
        location: Option<String>,
    },
    /// It was not up in time, the wait for the end of its predecessor included.
    #[error("not up within {0:?}")]
    DeadlineExceeded(Duration),
    /// A supervisor gave up before all its children had been up once.
    #[error("ended before all its children were up{}", reason_text(.0.as_ref()))]
    SupervisorEnded(Option<ExitReason>),
    /// Nobody wanted it any more.
    #[error("cancelled")]
    Cancelled,
}

fn location_text(location: Option<&str>) -> String {
    location.map(|location| format!(" at {location}")).unwrap_or_default()
}

fn reason_text(reason: Option<&ExitReason>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

impl StartError {
    /// A refusal with the factory's own error.
    pub fn failed(error: impl Into<ActorProcessingErr>) -> Self {
        Self::Failed(error.into())
    }

    /// Whether a later start may succeed: nothing here says that it cannot.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Failed(_)
            | Self::Panicked { .. }
            | Self::DeadlineExceeded(_)
            | Self::SupervisorEnded(_) => true,
            Self::Cancelled => false,
        }
    }
}

impl From<SpawnErr> for StartError {
    fn from(error: SpawnErr) -> Self {
        match error {
            // ractor's own text says "panicked" of a plain error, too.
            SpawnErr::StartupFailed(error) => Self::Failed(error),
            error @ (SpawnErr::ActorAlreadyStarted | SpawnErr::ActorAlreadyRegistered(_)) => {
                Self::Failed(Box::new(error))
            }
        }
    }
}

pub(crate) type StartFuture = Pin<Box<dyn Future<Output = Result<Started, StartError>> + Send>>;
pub(crate) type Factory = Arc<dyn Fn(StartContext) -> StartFuture + Send + Sync>;
