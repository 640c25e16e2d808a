//! The two slow works of a supervisor, each in a task of its own, because a supervisor never
//! waits in its handler: bringing an incarnation up, and bringing it down.

use crate::child_id::ChildId;
use crate::child_spec::{ChildSpec, Shutdown};
use crate::panics;
use crate::place::Place;
use crate::start::{AskToEnd, StartContext, StartError, Started};
use crate::tree_node::NodeState;
use futures_util::FutureExt;
use ractor::ActorCell;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a killed child may take to be gone. One that blocks its thread longer is
/// reported and left behind; its successor's start still waits for it.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// How long a supervisor takes to end whose start was cancelled.
pub(crate) const ABANDONED: Duration = Duration::from_secs(5);

/// Casts a report to the supervisor's own mailbox; what it does not take is dropped.
pub(crate) type Reporter = Arc<dyn Fn(ChildReport) + Send + Sync>;

/// The result of a work that a supervisor gave away.
pub(crate) struct ChildReport {
    pub(crate) id: ChildId,
    pub(crate) incarnation: u64,
    pub(crate) result: ChildResult,
}

pub(crate) enum ChildResult {
    Start(Result<Up, StartError>),
    /// Nothing is left of it, or (`gone` is false) it could not be waited for any longer.
    Down {
        gone: bool,
    },
}

/// An incarnation that is up, as its supervisor knows it.
#[derive(Clone)]
pub(crate) struct Up {
    pub(crate) actor: ActorCell,
    pub(crate) task: Option<task::Id>,
    pub(crate) asks_to_end: Option<AskToEnd>,
}

/// One start of one child.
pub(crate) struct Launch {
    pub(crate) spec: ChildSpec,
    pub(crate) place: Arc<Place>,
    pub(crate) incarnation: u64,
    pub(crate) supervisor: ActorCell,
    pub(crate) delay: Duration,
}

impl Launch {
    /// Starts in a task of its own and reports. Dropping the sender that is returned cancels
    /// the start; that is reported, too.
    pub(crate) fn spawn(self, report: Reporter) -> oneshot::Sender<()> {
        let (cancel, cancelled) = oneshot::channel();
        let (id, incarnation) = (self.spec.id.clone(), self.incarnation);
        let place = self.place.clone();
        let under_way = self.place.begin_start();
        task::spawn(async move {
            let outcome = tokio::select! {
                biased;
                _ = cancelled => Err(StartError::Cancelled),
                outcome = self.run() => outcome,
            };
            if matches!(outcome, Err(StartError::Cancelled)) {
                // A supervisor whose start was cancelled has children to stop.
                drop(timeout(ABANDONED + KILL_GRACE, place.gone()).await);
            }
            report(ChildReport { id, incarnation, result: ChildResult::Start(outcome) });
            drop(under_way);
        });
        cancel
    }

    async fn run(self) -> Result<Up, StartError> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.place.set_state(NodeState::Starting);
        let mut started = match self.spec.start_deadline {
            None => self.attempt().await?,
            Some(limit) => timeout(limit, self.attempt())
                .await
                .map_err(|_| StartError::DeadlineExceeded(limit))??,
        };
        let (task, remains) = started.take_remains();
        self.place.leave(remains).await;
        Ok(Up { actor: started.actor, task, asks_to_end: started.asks_to_end })
    }

    async fn attempt(&self) -> Result<Started, StartError> {
        self.place.gone().await;
        self.place.clear();
        let place = self.place.clone();
        let context = StartContext::new(self.supervisor.clone(), self.incarnation, place);
        let start = self.spec.start.clone();
        // The factory itself may panic as well as what it returns.
        let factory = AssertUnwindSafe(async move { start(context).await });
        factory.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
    }
}

fn panicked(panic: &(dyn Any + Send)) -> StartError {
    if let Some(report) = task::try_id().and_then(panics::take_report) {
        return StartError::Panicked { message: report.message, location: Some(report.location) };
    }
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("a panic without a text").to_owned();
    StartError::Panicked { message, location: None }
}

/// One stop of one incarnation.
pub(crate) struct Landing {
    pub(crate) up: Up,
    pub(crate) place: Arc<Place>,
    pub(crate) shutdown: Shutdown,
    /// When it is killed at the latest, whatever `shutdown` allows.
    pub(crate) deadline: Option<Instant>,
    /// The named reason that the actor sees.
    pub(crate) reason: &'static str,
}

impl Landing {
    /// Stops in a task of its own and reports when nothing is left.
    pub(crate) fn spawn(self, id: ChildId, incarnation: u64, report: Reporter) {
        task::spawn(async move {
            let gone = self.run().await;
            report(ChildReport { id, incarnation, result: ChildResult::Down { gone } });
        });
    }

    /// Waits, in a task of its own, for what is left of an incarnation that ended by itself,
    /// and reports.
    pub(crate) fn spawn_wait(place: Arc<Place>, id: ChildId, incarnation: u64, report: Reporter) {
        task::spawn(async move {
            let gone = timeout(KILL_GRACE, place.gone()).await.is_ok();
            if !gone {
                tracing::error!(path = place.path(), "left behind: ended, but not gone");
            }
            report(ChildReport { id, incarnation, result: ChildResult::Down { gone } });
        });
    }

    /// Waits, for as long as a kill may take, until nothing is left below `place`.
    pub(crate) async fn wait_below(place: &Place) {
        if timeout(KILL_GRACE, place.descendants_gone()).await.is_err() {
            tracing::error!(path = place.path(), "children left behind: told to end, but not gone");
        }
    }

    /// Asks it to end, kills it when its time is over, and waits until nothing is left.
    /// False: it is not gone, but its time is over.
    pub(crate) async fn run(self) -> bool {
        if let Some(deadline) = self.ask_to_end() {
            if timeout_at(deadline, self.place.gone()).await.is_ok() {
                return true;
            }
            tracing::warn!(path = self.place.path(), "killed: it did not end in time");
        }
        self.up.actor.kill();
        let gone = timeout(KILL_GRACE, self.place.gone()).await.is_ok();
        if !gone {
            tracing::error!(path = self.place.path(), "left behind: killed, but not gone");
        }
        gone
    }

    /// Asks for an orderly end; `None` if it is to be killed at once.
    fn ask_to_end(&self) -> Option<Instant> {
        let limit = match self.shutdown {
            Shutdown::Kill => return None,
            Shutdown::Graceful(limit) | Shutdown::Prompt(limit) => limit,
        };
        let now = Instant::now();
        let own = now.checked_add(limit).unwrap_or_else(|| now + FAR);
        let deadline = self.deadline.map_or(own, |outer| outer.min(own));
        match (&self.up.asks_to_end, self.shutdown) {
            (Some(ask), _) => {
                ask(deadline - now);
                // It kills what is not down then, and that takes its time, too.
                return Some(deadline + KILL_GRACE);
            }
            // A mailbox that is closed already belongs to one that is ending.
            (None, Shutdown::Graceful(_)) => self.up.actor.drain().unwrap_or(()),
            (None, _) => self.up.actor.stop(Some(self.reason.to_owned())),
        }
        Some(deadline)
    }
}

/// What an unlimited wait is cut to: tokio's timers end somewhere.
const FAR: Duration = Duration::from_secs(86_400 * 365);
