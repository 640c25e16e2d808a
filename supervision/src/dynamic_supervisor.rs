//! One per set of children that come and go, owns their lives. Siblings are independent.
//!
//! Supervised like a worker, usually permanent. Its messages come from whoever holds its handle,
//! from the tasks that start and stop its children, and from operators. A restart of it loses
//! all children, but for those of [`DynamicSupervisorSpec::initial`]. Its mailbox is as long as
//! its users make it: each of them has one request under way. It never waits in a handler, and
//! it never escalates: a child that fails too often is put into quarantine.

use crate::address::{Address, AskError, Published};
use crate::child_id::ChildId;
use crate::child_spec::ChildSpec;
use crate::counted::Counted;
use crate::exit_reason::ExitReason;
use crate::launch::ChildReport;
use crate::operator::OperatorRequest;
use crate::place::Place;
use crate::restart_intensity::RestartIntensity;
use crate::start::{StartContext, StartError, Started};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

mod state;
use state::DynamicState;

/// The rules of a dynamic supervisor.
#[derive(Clone)]
pub struct DynamicSupervisorSpec {
    pub(crate) intensity: RestartIntensity,
    pub(crate) children_max: usize,
    pub(crate) jitter_seed: u64,
    pub(crate) initial: Option<Initial>,
}

type Initial = Arc<dyn Fn() -> Vec<ChildSpec> + Send + Sync>;

impl DynamicSupervisorSpec {
    /// At most `children_max` children at a time (quarantined and stopped ones count), each with
    /// the default restart intensity.
    #[must_use]
    pub fn new(children_max: usize) -> Self {
        Self { intensity: RestartIntensity::default(), children_max, jitter_seed: 0, initial: None }
    }

    /// How many failures of one child put it into quarantine.
    #[must_use]
    pub fn intensity(self, intensity: RestartIntensity) -> Self {
        Self { intensity, ..self }
    }

    /// Where the jitter of the backoffs begins.
    #[must_use]
    pub fn jitter_seed(self, jitter_seed: u64) -> Self {
        Self { jitter_seed, ..self }
    }

    /// The children that every incarnation of the supervisor begins with: what must be there
    /// again after it has failed itself. Must be quick.
    ///
    /// Called when requests are taken already. So whoever first notes that a child has to be
    /// there, then requests its start and is refused, finds it started if `initial` goes by the
    /// notes; a request for a child that is there already changes nothing.
    #[must_use]
    pub fn initial(self, initial: impl Fn() -> Vec<ChildSpec> + Send + Sync + 'static) -> Self {
        Self { initial: Some(Arc::new(initial)), ..self }
    }
}

impl fmt::Debug for DynamicSupervisorSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DynamicSupervisorSpec")
            .field("intensity", &self.intensity)
            .field("children_max", &self.children_max)
            .finish_non_exhaustive()
    }
}

/// The handle of a dynamic supervisor: made first, given to
/// [`ChildSpec::dynamic_supervisor`] and to whoever starts and stops children. Cheap to clone;
/// it survives restarts.
#[derive(Clone, Debug)]
pub struct DynamicSupervisor {
    address: Address<DynamicMessage>,
    spec: Arc<DynamicSupervisorSpec>,
}

/// Why a child was not started, or not yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartChildError {
    /// The supervisor is not running, or ended meanwhile.
    #[error("the supervisor is not running")]
    SupervisorDown,
    /// A child of that name is there, or is being stopped.
    #[error("a child named {child} is already there")]
    AlreadyPresent {
        /// The name.
        child: ChildId,
    },
    /// A child of that name is in quarantine: release it, or stop it first.
    #[error("child {child} is in quarantine after it {reason}")]
    Quarantined {
        /// The name.
        child: ChildId,
        /// Why it ended last.
        reason: ExitReason,
    },
    /// The supervisor has as many children as it may have.
    #[error("there are {children_max} children already")]
    LimitReached {
        /// The limit, inclusive.
        children_max: usize,
    },
    /// The first start failed.
    #[error("child {child} {reason}")]
    Failed {
        /// The name.
        child: ChildId,
        /// Why it is not up.
        reason: ExitReason,
        /// Whether the supervisor goes on trying.
        is_retried: bool,
    },
    /// It was stopped before it came up.
    #[error("child {child} was stopped before it was up")]
    Stopped {
        /// The name.
        child: ChildId,
    },
    /// It was not up in time; its start goes on.
    #[error("the child was not up within {0:?}")]
    DeadlineExceeded(Duration),
}

impl StartChildError {
    /// Whether the same call may succeed later, without anybody doing anything else.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::SupervisorDown | Self::LimitReached { .. } => true,
            Self::Failed { is_retried, .. } => !is_retried,
            Self::AlreadyPresent { .. }
            | Self::Quarantined { .. }
            | Self::Stopped { .. }
            | Self::DeadlineExceeded(_) => false,
        }
    }
}

/// Why a child was not stopped, or not yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopChildError {
    /// The supervisor is not running, or ended meanwhile: its children ended with it.
    #[error("the supervisor is not running")]
    SupervisorDown,
    /// No child has that name.
    #[error("there is no child named {child}")]
    UnknownChild {
        /// The name.
        child: ChildId,
    },
    /// It was not gone in time; its stop goes on.
    #[error("the child was not gone within {0:?}")]
    DeadlineExceeded(Duration),
}

impl StopChildError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::DeadlineExceeded(_) => true,
            Self::SupervisorDown | Self::UnknownChild { .. } => false,
        }
    }
}

/// What a dynamic supervisor takes.
pub(crate) enum DynamicMessage {
    /// From a holder of the handle. The reply comes when the first start has ended.
    StartChild { spec: ChildSpec, reply: Option<RpcReplyPort<Result<ActorCell, StartChildError>>> },
    /// From a holder of the handle. The reply comes when nothing is left of the child.
    StopChild { child: ChildId, reply: Option<RpcReplyPort<Result<(), StopChildError>>> },
    /// From a task that started or stopped a child.
    Child(ChildReport),
    /// From an operator.
    Operate(OperatorRequest),
    /// End in order; whatever is not down after `deadline` is killed.
    Shutdown { deadline: Duration },
}

impl DynamicSupervisor {
    /// The handle of a supervisor that has yet to be started in a tree.
    #[must_use]
    pub fn new(spec: DynamicSupervisorSpec) -> Self {
        Self { address: Address::new(), spec: Arc::new(spec) }
    }

    /// Starts a child and waits for its first start. Starts of several children overlap.
    ///
    /// # Errors
    /// [`StartChildError`]; after [`Failed`](StartChildError::Failed) with `is_retried` and after
    /// [`DeadlineExceeded`](StartChildError::DeadlineExceeded) the child is there nonetheless.
    pub async fn start_child(
        &self,
        spec: ChildSpec,
        deadline: Duration,
    ) -> Result<ActorCell, StartChildError> {
        let started = self
            .address
            .ask(deadline, |reply| DynamicMessage::StartChild { spec, reply: Some(reply) });
        started.await.unwrap_or_else(|error| match error {
            AskError::Unavailable | AskError::Dropped => Err(StartChildError::SupervisorDown),
            AskError::DeadlineExceeded(after) => Err(StartChildError::DeadlineExceeded(after)),
        })
    }

    /// Starts a child without waiting; for handlers. What became of it shows in the tree.
    ///
    /// # Errors
    /// The spec, if the supervisor is not running.
    pub fn request_start(&self, spec: ChildSpec) -> Result<(), Box<ChildSpec>> {
        let message = DynamicMessage::StartChild { spec, reply: None };
        self.address.send(message).map_err(|refused| match refused.0 {
            DynamicMessage::StartChild { spec, .. } => Box::new(spec),
            DynamicMessage::StopChild { .. }
            | DynamicMessage::Child(_)
            | DynamicMessage::Operate(_)
            | DynamicMessage::Shutdown { .. } => {
                unreachable!("the message comes back as it was sent")
            }
        })
    }

    /// Stops a child, in whatever state it is, and waits until nothing is left of it.
    ///
    /// # Errors
    /// [`StopChildError`].
    pub async fn stop_child(
        &self,
        child: impl Into<ChildId>,
        deadline: Duration,
    ) -> Result<(), StopChildError> {
        let child = child.into();
        let stopped = self
            .address
            .ask(deadline, |reply| DynamicMessage::StopChild { child, reply: Some(reply) });
        stopped.await.unwrap_or_else(|error| match error {
            AskError::Unavailable | AskError::Dropped => Err(StopChildError::SupervisorDown),
            AskError::DeadlineExceeded(after) => Err(StopChildError::DeadlineExceeded(after)),
        })
    }

    /// Stops a child without waiting; for handlers. False: the supervisor is not running, and its
    /// children ended with it.
    pub fn request_stop(&self, child: impl Into<ChildId>) -> bool {
        let message = DynamicMessage::StopChild { child: child.into(), reply: None };
        self.address.send(message).is_ok()
    }

    /// Whether the supervisor runs.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.address.is_available()
    }

    pub(crate) fn published(&self) -> Arc<dyn Published> {
        self.address.published()
    }
}

/// Starts the supervisor as a child.
pub(crate) async fn start_under(
    context: StartContext,
    handle: DynamicSupervisor,
) -> Result<Started, StartError> {
    let arguments = Arguments { handle, place: context.place.clone() };
    let parent = context.supervisor();
    let started = DynamicActor::spawn_linked(None, DynamicActor, arguments, parent).await?;
    let asked = started.0.clone();
    let asks_to_end = Arc::new(move |deadline| {
        // If it takes no messages it is ending by itself.
        drop(asked.cast(DynamicMessage::Shutdown { deadline }.into()));
    });
    Ok(Started { asks_to_end: Some(asks_to_end), ..Started::from(started) })
}

struct DynamicActor;

struct Arguments {
    handle: DynamicSupervisor,
    place: Arc<Place>,
}

impl Actor for DynamicActor {
    type Msg = Counted<DynamicMessage>;
    type State = DynamicState;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let Arguments { handle, place } = arguments;
        let mut state = DynamicState::new(&myself, handle.spec.clone(), place);
        // first: a child that nobody takes the request for must be among the initial ones
        handle.address.publish(&myself);
        state.start_initial();
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message.open() {
            DynamicMessage::StartChild { spec, reply } => state.on_start_child(spec, reply),
            DynamicMessage::StopChild { child, reply } => state.on_stop_child(&child, reply),
            DynamicMessage::Child(report) => state.on_report(report),
            DynamicMessage::Operate(request) => state.on_operate(request),
            DynamicMessage::Shutdown { deadline } => state.on_shutdown(deadline),
        }
        state.finish();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.on_event(event);
        state.finish();
        Ok(())
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
