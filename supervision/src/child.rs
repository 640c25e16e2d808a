//! One child of a supervisor through all its incarnations. Both kinds of supervisor keep these;
//! what to do next is theirs to say, how it is done is here.

use crate::backoff::{FailureRun, Jitter};
use crate::child_spec::ChildSpec;
use crate::exit_reason::ExitReason;
use crate::launch::{Landing, Launch, Up};
use crate::notice::NoticeEvent;
use crate::place::Place;
use crate::roster::{Ended, Roster, Unclaimed};
use crate::start::StartError;
use crate::strategy::Standing;
use crate::tree_node::NodeState;
use ractor::ActorId;
use ractor::actor::messages::BoxedState;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(crate) struct Child {
    pub(crate) spec: ChildSpec,
    pub(crate) place: Arc<Place>,
    pub(crate) life: Life,
    /// Number of the last start; reports of others are stale.
    pub(crate) incarnation: u64,
    /// It has been up at least once.
    pub(crate) has_run: bool,
    /// How long the next start waits.
    pub(crate) delay: Duration,
    pub(crate) failures: FailureRun,
}

/// Where a child stands, with what belongs to that.
pub(crate) enum Life {
    /// To be started.
    Waiting,
    /// A start is under way; without the sender it has been cancelled.
    Starting {
        cancel: Option<oneshot::Sender<()>>,
    },
    Running {
        up: Up,
        since: Instant,
    },
    /// Asked to end for this reason. `is_gone`: the report of that has come, but not the event of
    /// its end, which came before it: the two ports are not read at one instant.
    Stopping {
        up: Up,
        reason: &'static str,
        is_gone: bool,
    },
    /// It has ended, but something of it is still left.
    Leaving,
    /// Not to be started by itself.
    Ended(End),
}

/// Why a child is not to be started by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its work is done.
    OfItself,
    /// Somebody stopped it.
    ByCommand,
    /// It failed too often.
    Quarantined,
}

/// What the report of a start means.
pub(crate) enum StartVerdict {
    /// It is of an earlier start, or of one that is no longer wanted: nothing is left of it.
    Stale,
    /// It runs.
    Up,
    /// It is not up, and was not to be: its start had been cancelled.
    Cancelled,
    /// It did not come up, and nothing is left of it.
    Failed(ExitReason),
    /// It ended before the report came; the report that nothing is left of it is still to come.
    Over(ExitReason),
    /// It came up although its start had been cancelled, and is on its way down again.
    StoppedAgain,
}

impl Child {
    pub(crate) fn new(spec: ChildSpec, place: Arc<Place>) -> Self {
        Self {
            spec,
            place,
            life: Life::Waiting,
            incarnation: 0,
            has_run: false,
            delay: Duration::ZERO,
            failures: FailureRun::default(),
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        match &self.life {
            Life::Waiting => Standing::Waiting,
            Life::Starting { cancel: Some(_) } => Standing::Starting,
            Life::Running { .. } => Standing::Up,
            Life::Starting { cancel: None } | Life::Stopping { .. } | Life::Leaving => {
                Standing::Stopping
            }
            Life::Ended(_) => Standing::Ended,
        }
    }

    /// Whether something of it runs, or is about to.
    pub(crate) fn is_alive(&self) -> bool {
        match &self.life {
            Life::Starting { .. }
            | Life::Running { .. }
            | Life::Stopping { .. }
            | Life::Leaving => true,
            Life::Waiting | Life::Ended(_) => false,
        }
    }

    // --- commands ---

    pub(crate) fn start(&mut self, roster: &mut Roster) {
        self.incarnation += 1;
        let launch = Launch {
            spec: self.spec.clone(),
            place: self.place.clone(),
            incarnation: self.incarnation,
            supervisor: roster.myself.clone(),
            delay: std::mem::take(&mut self.delay),
        };
        roster.on_start_begun();
        self.life = Life::Starting { cancel: Some(launch.spawn(roster.report.clone())) };
    }

    /// Begins to stop it, or cancels its start. Nothing happens if it is down or being stopped.
    pub(crate) fn stop(
        &mut self,
        roster: &Roster,
        reason: &'static str,
        deadline: Option<Instant>,
    ) {
        match &mut self.life {
            Life::Starting { cancel } => {
                self.place.set_state(NodeState::Stopping);
                drop(cancel.take());
            }
            Life::Running { up, .. } => {
                let up = up.clone();
                self.land(up, roster, reason, deadline);
            }
            Life::Waiting | Life::Stopping { .. } | Life::Leaving | Life::Ended(_) => {}
        }
    }

    fn land(&mut self, up: Up, roster: &Roster, reason: &'static str, deadline: Option<Instant>) {
        self.place.set_state(NodeState::Stopping);
        let landing = self.landing(&up, reason, deadline);
        landing.spawn(self.spec.id.clone(), self.incarnation, roster.report.clone());
        self.life = Life::Stopping { up, reason, is_gone: false };
    }

    /// The stop of what is up, for a supervisor that waits for it itself.
    pub(crate) fn landing(
        &self,
        up: &Up,
        reason: &'static str,
        deadline: Option<Instant>,
    ) -> Landing {
        let (place, shutdown) = (self.place.clone(), self.spec.shutdown);
        Landing { up: up.clone(), place, shutdown, deadline, reason }
    }

    /// Cancels its handler now; false if it is not running.
    pub(crate) fn kill(&self) -> bool {
        match &self.life {
            Life::Running { up, .. } | Life::Stopping { up, .. } => {
                up.actor.kill();
                true
            }
            Life::Waiting | Life::Starting { .. } | Life::Leaving | Life::Ended(_) => false,
        }
    }

    /// Down, and not to be started by itself.
    pub(crate) fn rest(&mut self, end: End) {
        self.life = Life::Ended(end);
        self.place.set_state(match end {
            End::OfItself | End::ByCommand => NodeState::Stopped,
            End::Quarantined => NodeState::Quarantined,
        });
    }

    /// Tells the subscribers that it is down, and why it ended last.
    pub(crate) fn notify_stopped(&self) {
        let reason = self.place.last_exit().unwrap_or(ExitReason::Normal);
        self.place.notify(NoticeEvent::Stopped { reason });
    }

    /// Down, to be started again when its turn comes.
    pub(crate) fn wait(&mut self, delay: Duration) {
        self.life = Life::Waiting;
        self.delay = delay;
        if delay.is_zero() {
            self.place.set_state(NodeState::Starting);
        } else {
            self.place.set_backing_off(delay);
        }
    }

    /// Forgets earlier failures: somebody wants it to start afresh.
    pub(crate) fn forgive(&mut self) {
        self.failures.clear();
        self.delay = Duration::ZERO;
    }

    // --- what happened ---

    pub(crate) fn on_start_reported(
        &mut self,
        incarnation: u64,
        outcome: Result<Up, StartError>,
        roster: &mut Roster,
    ) -> StartVerdict {
        let wanted = match &self.life {
            Life::Starting { cancel } if incarnation == self.incarnation => cancel.is_some(),
            _ => {
                abandon(outcome);
                return StartVerdict::Stale;
            }
        };
        match outcome {
            Ok(up) => self.on_up(up, wanted, roster),
            Err(_) if !wanted => StartVerdict::Cancelled,
            Err(error) => {
                let reason = ExitReason::StartFailed(error.to_string());
                self.on_over(None, &reason);
                self.life = Life::Waiting;
                StartVerdict::Failed(reason)
            }
        }
    }

    fn on_up(&mut self, up: Up, wanted: bool, roster: &mut Roster) -> StartVerdict {
        if let Some(Unclaimed { state, exit }) = roster.enlist(&up.actor, &self.spec.id) {
            let reason = exit.reason(up.task, None);
            self.on_over(Some(up.actor.get_id()), &reason);
            self.leave(state, roster);
            return if wanted { StartVerdict::Over(reason) } else { StartVerdict::StoppedAgain };
        }
        if !wanted {
            self.land(up, roster, CANCELLED, None);
            return StartVerdict::StoppedAgain;
        }
        self.life = Life::Running { up, since: Instant::now() };
        self.place.set_up(self.incarnation);
        self.place.notify(if std::mem::replace(&mut self.has_run, true) {
            NoticeEvent::Restarted { incarnation: self.incarnation }
        } else {
            NoticeEvent::Started
        });
        StartVerdict::Up
    }

    /// The actor has ended; why, and since when it had been up. The report that nothing is left of
    /// it is still to come. `None`: it was being stopped, and the stop's report is to come.
    pub(crate) fn on_ended(
        &mut self,
        ended: Ended,
        roster: &Roster,
    ) -> Option<(ExitReason, Instant)> {
        let Ended { actor, state, exit, .. } = ended;
        match &self.life {
            Life::Running { up, since } => {
                let (reason, since) = (exit.reason(up.task, None), *since);
                self.on_over(Some(actor), &reason);
                self.leave(state, roster);
                Some((reason, since))
            }
            Life::Stopping { up, reason, is_gone } => {
                let (reason, is_gone) = (exit.reason(up.task, Some(reason)), *is_gone);
                self.on_over(Some(actor), &reason);
                self.place.leave_state(state);
                self.life = Life::Leaving;
                if is_gone {
                    self.wait_until_gone(roster);
                }
                None
            }
            Life::Waiting | Life::Starting { .. } | Life::Leaving | Life::Ended(_) => None,
        }
    }

    fn leave(&mut self, state: Option<BoxedState>, roster: &Roster) {
        self.place.set_state(NodeState::Stopping);
        self.place.leave_state(state);
        self.life = Life::Leaving;
        self.wait_until_gone(roster);
    }

    fn wait_until_gone(&self, roster: &Roster) {
        let (place, id) = (self.place.clone(), self.spec.id.clone());
        Landing::spawn_wait(place, id, self.incarnation, roster.report.clone());
    }

    fn on_over(&mut self, actor: Option<ActorId>, reason: &ExitReason) {
        if let Some(published) = self.place.published() {
            match actor {
                Some(actor) => published.withdraw_actor(actor),
                None => published.withdraw_ended(),
            }
        }
        self.place.set_last_exit(reason.clone());
        self.place.set_descendants_stopped();
    }

    /// Nothing is left of it (or, not `gone`, too much for too long), says a report. False: the
    /// report is stale, or something is left nonetheless and another report will come.
    pub(crate) fn on_down_reported(
        &mut self,
        incarnation: u64,
        gone: bool,
        roster: &mut Roster,
    ) -> bool {
        if incarnation != self.incarnation {
            return false;
        }
        match &mut self.life {
            Life::Stopping { is_gone, .. } if gone => {
                *is_gone = true;
                false
            }
            Life::Stopping { up, .. } => {
                let actor = up.actor.get_id();
                roster.strike(actor);
                // Killed, though not gone: nobody may send to it any more.
                self.on_over(Some(actor), &ExitReason::Killed);
                true
            }
            Life::Leaving if gone && !self.place.is_state_dropped() => {
                self.wait_until_gone(roster);
                false
            }
            Life::Leaving => true,
            Life::Waiting | Life::Starting { .. } | Life::Running { .. } | Life::Ended(_) => false,
        }
    }

    /// Notes a failure and returns the delay before the next start.
    pub(crate) fn on_failure(
        &mut self,
        reason: ExitReason,
        since: Option<Instant>,
        jitter: &mut Jitter,
    ) -> Duration {
        let (since, now) = (since.map(Instant::into_std), Instant::now().into_std());
        let random = jitter.next_fraction();
        let delay = self.failures.on_failure(&self.spec.backoff, since, now, random);
        if !delay.is_zero() {
            self.place.set_backing_off(delay);
        }
        self.place.notify(NoticeEvent::Failed { reason, delay });
        delay
    }
}

/// The reason that an actor sees whose start was cancelled too late.
const CANCELLED: &str = "start cancelled";

/// What came up although nobody wants it is killed: it has not done anything yet.
fn abandon(outcome: Result<Up, StartError>) {
    if let Ok(up) = outcome {
        up.actor.kill();
    }
}

#[cfg(test)]
mod tests;
