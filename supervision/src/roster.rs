//! Who of a supervisor's children is which actor. Events are matched by actor id, so the
//! events of earlier incarnations, and of strangers, mean nothing.

use crate::child_id::ChildId;
use crate::exit_reason::{ExitReason, error_chain};
use crate::launch::Reporter;
use crate::panics;
use ractor::actor::messages::BoxedState;
use ractor::{ActorCell, ActorId, ActorStatus, SupervisionEvent};
use std::collections::HashMap;
use tokio::task;

/// Ends kept of actors that no report has named yet.
const UNCLAIMED_MAX: usize = 4096;

/// What every supervisor keeps besides its children.
pub(crate) struct Roster {
    pub(crate) myself: ActorCell,
    pub(crate) report: Reporter,
    ids: HashMap<ActorId, ChildId>,
    /// Ends that overtook the report of their start: supervision events pass by messages.
    unclaimed: HashMap<ActorId, Unclaimed>,
    /// Some unclaimed ends had to be thrown away.
    lost_some: bool,
    starts_under_way: usize,
}

/// The end of an actor that may yet turn out to be one of the children.
pub(crate) struct Unclaimed {
    pub(crate) state: Option<BoxedState>,
    pub(crate) exit: Exit,
}

/// How an actor ended, before it is known what was asked of it.
pub(crate) enum Exit {
    Terminated(Option<String>),
    Failed(String),
}

/// The end of an actor that is one of the children.
pub(crate) struct Ended {
    pub(crate) id: ChildId,
    pub(crate) actor: ActorId,
    /// Travels here when an actor ends cleanly.
    pub(crate) state: Option<BoxedState>,
    pub(crate) exit: Exit,
}

impl Roster {
    pub(crate) fn new(myself: ActorCell, report: Reporter) -> Self {
        Self {
            myself,
            report,
            ids: HashMap::new(),
            unclaimed: HashMap::new(),
            lost_some: false,
            starts_under_way: 0,
        }
    }

    pub(crate) fn on_start_begun(&mut self) {
        self.starts_under_way += 1;
    }

    /// Call last for a start's report: afterwards ends without a name may be forgotten.
    pub(crate) fn on_start_reported(&mut self) {
        self.starts_under_way = self.starts_under_way.saturating_sub(1);
        if self.starts_under_way == 0 {
            self.forget_unclaimed();
            self.lost_some = false;
        }
    }

    fn forget_unclaimed(&mut self) {
        if !self.unclaimed.is_empty() {
            let unclaimed = std::mem::take(&mut self.unclaimed);
            // A state's drop may take its time, or panic.
            task::spawn(async move { drop(unclaimed) });
        }
    }

    /// From now on `actor` is child `id`. Returns how it ended, if it has ended already.
    pub(crate) fn enlist(&mut self, actor: &ActorCell, id: &ChildId) -> Option<Unclaimed> {
        let ended = self.unclaimed.remove(&actor.get_id());
        if ended.is_some() {
            return ended;
        }
        if self.lost_some && actor.get_status() == ActorStatus::Stopped {
            let exit = Exit::Terminated(Some(KILLED.to_owned()));
            return Some(Unclaimed { state: None, exit });
        }
        self.ids.insert(actor.get_id(), id.clone());
        None
    }

    /// From now on `actor` is nobody's.
    pub(crate) fn strike(&mut self, actor: ActorId) {
        self.ids.remove(&actor);
    }

    /// Which child has ended and how; `None` for anything else.
    pub(crate) fn on_event(&mut self, event: SupervisionEvent) -> Option<Ended> {
        let (actor, state, exit) = match event {
            SupervisionEvent::ActorTerminated(actor, state, reason) => {
                (actor.get_id(), state, Exit::Terminated(reason))
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                (actor.get_id(), None, Exit::Failed(error_chain(error.as_ref())))
            }
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => return None,
        };
        match self.ids.remove(&actor) {
            Some(id) => Some(Ended { id, actor, state, exit }),
            None => {
                self.keep_unclaimed(actor, Unclaimed { state, exit });
                None
            }
        }
    }

    fn keep_unclaimed(&mut self, actor: ActorId, end: Unclaimed) {
        if self.unclaimed.len() >= UNCLAIMED_MAX {
            self.forget_unclaimed();
            self.lost_some = true;
        }
        self.unclaimed.insert(actor, end);
        if self.starts_under_way == 0 {
            self.forget_unclaimed();
        }
    }
}

/// ractor's words for a killed actor.
const KILLED: &str = "killed";
/// And for one whose task was cancelled by its runtime.
const CANCELLED: &str = "actor_task_cancelled";

impl Exit {
    /// The reason, given the task that the actor ran in and what it was asked to end for.
    pub(crate) fn reason(self, task: Option<task::Id>, asked: Option<&str>) -> ExitReason {
        match (self, asked) {
            (Self::Terminated(Some(text)), _) if text == KILLED || text == CANCELLED => {
                ExitReason::Killed
            }
            (Self::Terminated(_), Some(asked)) => ExitReason::Shutdown(asked.to_owned()),
            (Self::Terminated(Some(text)), None) => ExitReason::Shutdown(text),
            (Self::Terminated(None), None) => ExitReason::Normal,
            (Self::Failed(error), _) => failure(error, task),
        }
    }
}

fn failure(error: String, task: Option<task::Id>) -> ExitReason {
    match task.and_then(panics::take_report) {
        // An actor that caught a panic of its own and failed later said something else last.
        Some(report) if error.contains(&report.message) || error.starts_with(NO_TEXT) => {
            ExitReason::Panicked { message: report.message, location: Some(report.location) }
        }
        Some(_) | None => ExitReason::Failed(error),
    }
}

/// The start of ractor's text for a panic whose payload is no string.
const NO_TEXT: &str = "Unknown panic";
