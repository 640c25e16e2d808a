//! What a supervisor must know of a child: how to start it, when to start it again, how to stop it.

use crate::address::{Address, Mailbox, Published};
use crate::backoff::Backoff;
use crate::child_id::ChildId;
use crate::dynamic_supervisor::{self, DynamicSupervisor};
use crate::exit_reason::ExitReason;
use crate::place::Remains;
use crate::published_actor::{At, PublishedActor, PublishedOnThread};
use crate::start::{Factory, StartContext, StartError, Started};
use crate::supervisor::{self, SupervisorSpec};
use crate::tree_node::NodeKind;
use futures_util::FutureExt;
use ractor::thread_local::{ThreadLocalActor, ThreadLocalActorSpawner};
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// When a child that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartType {
    /// Always.
    #[default]
    Permanent,
    /// After a fault: not if it ended normally or was shut down.
    Transient,
    /// Never.
    Temporary,
}

impl RestartType {
    /// Whether a child of this type is started again after `reason`.
    #[must_use]
    pub fn restarts_after(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => reason.is_abnormal(),
            Self::Temporary => false,
        }
    }
}

/// How a child is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// It handles what waits in its mailbox, then its `post_stop` runs; killed after this time.
    /// A supervisor shuts its children down instead.
    Graceful(Duration),
    /// What waits in its mailbox is dropped, its `post_stop` runs; killed after this time.
    Prompt(Duration),
    /// Its handler is cancelled at once; its `post_stop` does not run.
    Kill,
}

impl Default for Shutdown {
    /// Five seconds to finish what waits.
    fn default() -> Self {
        Self::Graceful(Duration::from_secs(5))
    }
}

/// A child: made once, used for each of its incarnations. Cheap to clone.
#[derive(Clone)]
pub struct ChildSpec {
    pub(crate) id: ChildId,
    pub(crate) start: Factory,
    pub(crate) kind: NodeKind,
    pub(crate) restart: RestartType,
    pub(crate) shutdown: Shutdown,
    pub(crate) backoff: Backoff,
    pub(crate) start_deadline: Option<Duration>,
    pub(crate) significant: bool,
    pub(crate) published: Option<Arc<dyn Published>>,
}

/// A supervisor's default time to end: its children's own limits act before.
const SUPERVISOR_SHUTDOWN: Duration = Duration::from_secs(60);

/// A worker whose `pre_start` takes longer hangs.
const START_DEADLINE: Duration = Duration::from_secs(60);

impl ChildSpec {
    /// A permanent worker brought up by `factory`, which must link the new actor under
    /// [`StartContext::supervisor`] and may take its time: it runs in a task of its own.
    pub fn new<F, S>(id: impl Into<ChildId>, factory: F) -> Self
    where
        F: Fn(StartContext) -> S + Send + Sync + 'static,
        S: Future<Output = Result<Started, StartError>> + Send + 'static,
    {
        Self {
            id: id.into(),
            start: Arc::new(move |context| factory(context).boxed()),
            kind: NodeKind::Worker,
            restart: RestartType::default(),
            shutdown: Shutdown::default(),
            backoff: Backoff::default(),
            start_deadline: Some(START_DEADLINE),
            significant: false,
            published: None,
        }
    }

    /// An actor: `make` gives a handler and its arguments for each incarnation.
    pub fn actor<A, F>(id: impl Into<ChildId>, make: F) -> Self
    where
        A: Actor,
        F: Fn(&StartContext) -> (A, A::Arguments) + Send + Sync + 'static,
    {
        Self::new(id, move |context| {
            let (handler, arguments) = make(&context);
            spawn(handler, arguments, context.supervisor())
        })
    }

    /// An actor that is found at `address` while it runs.
    pub fn addressed_actor<A, M, F>(id: impl Into<ChildId>, address: &Address<M>, make: F) -> Self
    where
        A: Actor,
        ActorRef<A::Msg>: Mailbox<M>,
        M: Send + 'static,
        F: Fn(&StartContext) -> (A, A::Arguments) + Send + Sync + 'static,
    {
        let published = address.published();
        let address = address.clone();
        let factory = move |context: StartContext| {
            let (handler, arguments) = make(&context);
            let at = At { arguments, address: address.clone() };
            spawn(PublishedActor::<A, M>::new(handler), at, context.supervisor())
        };
        Self { published: Some(published), ..Self::new(id, factory) }
    }

    /// An actor that lives on the thread of `spawner`, where its handlers may block. Every
    /// `Actor + Default` can; `make` gives the arguments for each incarnation.
    pub fn thread_local<A, F>(
        id: impl Into<ChildId>,
        spawner: &ThreadLocalActorSpawner,
        make: F,
    ) -> Self
    where
        A: ThreadLocalActor,
        F: Fn(&StartContext) -> A::Arguments + Send + Sync + 'static,
    {
        let spawner = spawner.clone();
        Self::new(id, move |context| {
            let arguments = make(&context);
            spawn_on_thread::<A>(arguments, spawner.clone(), context)
        })
    }

    /// An actor that lives on the thread of `spawner` and is found at `address` while it runs.
    pub fn addressed_thread_local<A, M, F>(
        id: impl Into<ChildId>,
        address: &Address<M>,
        spawner: &ThreadLocalActorSpawner,
        make: F,
    ) -> Self
    where
        A: ThreadLocalActor,
        ActorRef<A::Msg>: Mailbox<M>,
        M: Send + 'static,
        F: Fn(&StartContext) -> A::Arguments + Send + Sync + 'static,
    {
        let published = address.published();
        let (address, spawner) = (address.clone(), spawner.clone());
        let factory = move |context: StartContext| {
            let at = At { arguments: make(&context), address: address.clone() };
            spawn_on_thread::<PublishedOnThread<A, M>>(at, spawner.clone(), context)
        };
        Self { published: Some(published), ..Self::new(id, factory) }
    }

    /// A supervisor with fixed children. It counts as up when all of them have been up once.
    pub fn supervisor(id: impl Into<ChildId>, spec: SupervisorSpec) -> Self {
        let kind = NodeKind::Supervisor(spec.strategy);
        let spec = Arc::new(spec);
        let factory = move |context| supervisor::start_under(context, spec.clone());
        Self { kind, ..Self::new(id, factory) }.of_supervisor()
    }

    /// The supervisor whose children are started and stopped through `handle`.
    pub fn dynamic_supervisor(id: impl Into<ChildId>, handle: &DynamicSupervisor) -> Self {
        let published = handle.published();
        let handle = handle.clone();
        let factory = move |context| dynamic_supervisor::start_under(context, handle.clone());
        let spec = Self::new(id, factory).of_supervisor();
        Self { kind: NodeKind::DynamicSupervisor, published: Some(published), ..spec }
    }

    fn of_supervisor(self) -> Self {
        let shutdown = Shutdown::Graceful(SUPERVISOR_SHUTDOWN);
        // Its children have their own limits, and it is up only when they are.
        Self { shutdown, start_deadline: None, ..self }
    }

    /// When it is started again. Default: permanent.
    #[must_use]
    pub fn restart(self, restart: RestartType) -> Self {
        Self { restart, ..self }
    }

    /// How it is stopped. Default: gracefully within five seconds, a supervisor within sixty.
    #[must_use]
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown, ..self }
    }

    /// How long its restarts wait. Default: [`Backoff::default`].
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// A start that takes longer counts as failed. The wait for the end of the incarnation before
    /// is part of it, a backoff is not. Default: 60 s for a worker, none for a supervisor.
    #[must_use]
    pub fn start_deadline(self, deadline: Option<Duration>) -> Self {
        Self { start_deadline: deadline, ..self }
    }

    /// Its orderly end may end its supervisor; see [`AutoShutdown`](crate::AutoShutdown).
    #[must_use]
    pub fn significant(self) -> Self {
        Self { significant: true, ..self }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &ChildId {
        &self.id
    }
}

async fn spawn<A: Actor>(
    handler: A,
    arguments: A::Arguments,
    supervisor: ActorCell,
) -> Result<Started, StartError> {
    Ok(A::spawn_linked(None, handler, arguments, supervisor).await?.into())
}

async fn spawn_on_thread<A: ThreadLocalActor>(
    arguments: A::Arguments,
    spawner: ThreadLocalActorSpawner,
    context: StartContext,
) -> Result<Started, StartError> {
    // The future of `spawn_linked` need not be `Send` for every thread-local actor; this is.
    let (actor, start) = A::spawn_linked_instant(None, arguments, context.supervisor(), spawner)?;
    let mut start = ThreadStart { actor: actor.get_cell(), start: Some(start), context };
    let task = start.finish().await?;
    Ok(Started::from((actor, task)))
}

/// A start on another thread. If nobody waits for it any more, it is killed, and whatever it still
/// does is waited for by the next one.
struct ThreadStart {
    actor: ActorCell,
    start: Option<JoinHandle<Result<JoinHandle<()>, SpawnErr>>>,
    context: StartContext,
}

impl ThreadStart {
    async fn finish(&mut self) -> Result<JoinHandle<()>, StartError> {
        let Some(start) = self.start.as_mut() else { return Err(StartError::Cancelled) };
        let outcome = start.await;
        self.start = None;
        Ok(outcome.map_err(StartError::failed)??)
    }
}

impl Drop for ThreadStart {
    fn drop(&mut self) {
        if let Some(start) = self.start.take() {
            self.actor.kill();
            self.context.place.leave_now(Remains::Start(start));
        }
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("restart", &self.restart)
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}
