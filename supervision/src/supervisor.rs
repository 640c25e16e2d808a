//! One per fixed set of children, owns their lives: started in order, stopped in reverse.
//!
//! Supervised by another supervisor, or the root of a tree. It sends to nobody but its parent;
//! its messages come from the tasks that start and stop its children, from operators, and from
//! whoever shuts it down. A restart of it keeps nothing: all children are new. Its mailbox holds
//! at most a few messages for each child and one for each command. It never waits in a handler.

use crate::child_id::ChildId;
use crate::child_spec::ChildSpec;
use crate::exit_reason::ExitReason;
use crate::launch::{ABANDONED, ChildReport, Landing};
use crate::operator::OperatorRequest;
use crate::panics::install_panic_hook;
use crate::place::{Place, Remains};
use crate::restart_intensity::RestartIntensity;
use crate::start::{StartContext, StartError, Started};
use crate::strategy::{AutoShutdown, Strategy};
use crate::tree::Tree;
use crate::tree_node::{NodeKind, NodeState};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

mod state;
use state::SupervisorState;

/// A supervisor's fixed children and its rules for them.
#[derive(Clone, Debug)]
pub struct SupervisorSpec {
    pub(crate) strategy: Strategy,
    pub(crate) intensity: RestartIntensity,
    pub(crate) auto_shutdown: AutoShutdown,
    pub(crate) jitter_seed: u64,
    pub(crate) children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// No children yet; restart intensity by default, no automatic shutdown.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            intensity: RestartIntensity::default(),
            auto_shutdown: AutoShutdown::default(),
            jitter_seed: 0,
            children: Vec::new(),
        }
    }

    /// How many failures, of all children together, end the supervisor itself.
    #[must_use]
    pub fn intensity(self, intensity: RestartIntensity) -> Self {
        Self { intensity, ..self }
    }

    /// What the orderly end of significant children means. Default: nothing.
    #[must_use]
    pub fn auto_shutdown(self, auto_shutdown: AutoShutdown) -> Self {
        Self { auto_shutdown, ..self }
    }

    /// Where the jitter of the backoffs begins.
    #[must_use]
    pub fn jitter_seed(self, jitter_seed: u64) -> Self {
        Self { jitter_seed, ..self }
    }

    /// Adds a child, started after those added before.
    ///
    /// A second child of the same name makes the start of the supervisor fail.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }
}

/// What a supervisor takes.
pub(crate) enum SupervisorMessage {
    /// From a task that started or stopped a child.
    Child(ChildReport),
    /// From an operator.
    Operate(OperatorRequest),
    /// End in order; whatever is not down after `deadline` is killed.
    Shutdown { deadline: Duration },
}

impl ractor::Message for SupervisorMessage {}

/// What a supervisor ends with that gave up: its parent's handler sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gave up after too many failures, the last of child {child}: {reason}")]
pub struct Escalation {
    /// Whose failure was one too many.
    pub child: ChildId,
    /// Why it ended.
    pub reason: ExitReason,
}

/// Two children of one supervisor have the same name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two children are named {child}")]
pub struct DuplicateChild {
    /// The name.
    pub child: ChildId,
}

/// A root supervisor that runs: the handle of a whole tree. Dropping the handle leaves the tree
/// running.
#[derive(Debug)]
pub struct Supervisor {
    actor: ActorRef<SupervisorMessage>,
    task: JoinHandle<()>,
    place: Arc<Place>,
}

impl Supervisor {
    /// Starts a root supervisor named `id` in `tree` and waits until all its children have been
    /// up once. Installs the panic hook.
    ///
    /// # Errors
    /// [`StartError`] if it gave up before; everything is down again then.
    pub async fn start(
        tree: &Tree,
        id: impl Into<ChildId>,
        spec: SupervisorSpec,
    ) -> Result<Self, StartError> {
        install_panic_hook();
        let place = tree.plant(id.into(), NodeKind::Supervisor(spec.strategy));
        let (ready, is_ready) = oneshot::channel();
        let arguments = Arguments { spec: Arc::new(spec), place: place.clone(), ready };
        let spawned = SupervisorActor::spawn(None, SupervisorActor, arguments).await;
        let (actor, task) = spawned.inspect_err(|_| place.set_state(NodeState::Stopped))?;
        let root = Self { actor, task, place };
        if is_ready.await.is_err() {
            let reason = root.ended().await;
            return Err(StartError::SupervisorEnded(Some(reason)));
        }
        root.place.set_state(NodeState::Running);
        Ok(root)
    }

    /// Ends the whole tree in order and waits until it is gone. What is not down after `deadline`
    /// is killed; what then still blocks its thread for seconds is left behind and logged.
    pub async fn shutdown(self, deadline: Duration) -> ExitReason {
        let message = SupervisorMessage::Shutdown { deadline };
        // If it takes no messages it is ending by itself.
        drop(self.actor.cast(message));
        self.ended().await
    }

    /// Asks the tree to end in order, without waiting for it.
    pub fn request_shutdown(&self, deadline: Duration) {
        drop(self.actor.cast(SupervisorMessage::Shutdown { deadline }));
    }

    /// Waits until the root has ended, and leaves it to the caller to shut it down or to ask
    /// [`Supervisor::ended`] why: for whoever waits for something else at the same time.
    ///
    /// Dropping the future loses nothing.
    pub async fn has_ended(&mut self) {
        if !self.task.is_finished() {
            // An error means that the task was cancelled with its runtime.
            drop((&mut self.task).await);
        }
    }

    /// Waits until the root has ended by itself, and says why: most often, because it gave up.
    pub async fn ended(mut self) -> ExitReason {
        self.has_ended().await;
        Landing::wait_below(&self.place).await;
        self.place.set_state(NodeState::Stopped);
        self.place.set_descendants_stopped();
        let reason = self.place.own_end().unwrap_or(ExitReason::Killed);
        self.place.set_last_exit(reason.clone());
        reason
    }

    /// The root actor, for those who must link to it or watch it.
    #[must_use]
    pub fn actor(&self) -> ActorCell {
        self.actor.get_cell()
    }
}

/// Starts a supervisor as a child. Done when all its children have been up once.
pub(crate) async fn start_under(
    context: StartContext,
    spec: Arc<SupervisorSpec>,
) -> Result<Started, StartError> {
    let (ready, is_ready) = oneshot::channel();
    let place = context.place.clone();
    let arguments = Arguments { spec, place: place.clone(), ready };
    let parent = context.supervisor();
    let (actor, task) =
        SupervisorActor::spawn_linked(None, SupervisorActor, arguments, parent).await?;
    let abandoned = AbandonedStart::new(&actor, &place, task);
    if is_ready.await.is_err() {
        abandoned.leave();
        place.gone().await;
        return Err(StartError::SupervisorEnded(place.own_end()));
    }
    Ok(abandoned.started())
}

/// A supervisor that nobody may wait for any more ends by itself; what is left of it is waited
/// for by the next start.
pub(crate) struct AbandonedStart {
    parts: Option<(ActorRef<SupervisorMessage>, JoinHandle<()>)>,
    place: Arc<Place>,
}

impl AbandonedStart {
    fn new(actor: &ActorRef<SupervisorMessage>, place: &Arc<Place>, task: JoinHandle<()>) -> Self {
        Self { parts: Some((actor.clone(), task)), place: place.clone() }
    }

    fn started(mut self) -> Started {
        let (actor, task) = self.parts.take().expect("taken here or at the drop only");
        let asked = actor.clone();
        let asks_to_end = Arc::new(move |deadline| {
            drop(asked.cast(SupervisorMessage::Shutdown { deadline }));
        });
        Started { asks_to_end: Some(asks_to_end), ..Started::from((actor, task)) }
    }

    fn leave(mut self) {
        if let Some((_, task)) = self.parts.take() {
            self.place.leave_now(Remains::Task(task));
        }
    }
}

impl Drop for AbandonedStart {
    fn drop(&mut self) {
        if let Some((actor, task)) = self.parts.take() {
            let message = SupervisorMessage::Shutdown { deadline: ABANDONED };
            drop(actor.cast(message));
            self.place.leave_now(Remains::Task(task));
        }
    }
}

struct SupervisorActor;

struct Arguments {
    spec: Arc<SupervisorSpec>,
    place: Arc<Place>,
    /// Told when all children have been up once; dropped if that never happens.
    ready: oneshot::Sender<()>,
}

impl Actor for SupervisorActor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let Arguments { spec, place, ready } = arguments;
        let mut state = SupervisorState::new(&myself, &spec, place, ready)?;
        state.advance()?;
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMessage::Child(report) => state.on_report(report),
            SupervisorMessage::Operate(request) => state.on_operate(request),
            SupervisorMessage::Shutdown { deadline } => state.on_shutdown(deadline),
        }
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.on_event(event)
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.land_all().await;
        Ok(())
    }
}
