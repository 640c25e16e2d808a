//! What a supervisor knows and does. It decides by `strategy` and `restart_intensity` only.

use super::{DuplicateChild, Escalation, SupervisorMessage, SupervisorSpec};
use crate::backoff::Jitter;
use crate::child::{Child, End, Life, StartVerdict};
use crate::child_id::ChildId;
use crate::child_spec::RestartType;
use crate::exit_reason::ExitReason;
use crate::launch::{ChildReport, ChildResult, Landing};
use crate::notice::NoticeEvent;
use crate::operator::{OperatorCommand, OperatorError, OperatorRequest};
use crate::place::{Place, PlaceSpec};
use crate::restart_intensity::RestartHistory;
use crate::roster::Roster;
use crate::strategy::{self, Sibling};
use ractor::{ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(super) struct SupervisorState {
    rules: Arc<SupervisorSpec>,
    /// In start order.
    children: Vec<Fixed>,
    restarts: RestartHistory,
    jitter: Jitter,
    roster: Roster,
    place: Arc<Place>,
    /// Until all children have been up once.
    ready: Option<oneshot::Sender<()>>,
    ending: Option<Ending>,
}

/// A child and what is to become of it.
struct Fixed {
    child: Child,
    /// To be stopped; then this is to become of it.
    fate: Option<Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Down, then started again in its turn, after this delay.
    Restart(Duration),
    /// Down, because its work is done.
    Done,
    /// Down, by command or with its supervisor.
    Stay,
}

/// The supervisor is on its way out.
struct Ending {
    cause: Cause,
    /// Children still up then are killed.
    deadline: Option<Instant>,
}

enum Cause {
    Shutdown(&'static str),
    Escalation(Escalation),
}

/// Named reasons that children see.
const SHUTDOWN: &str = "supervisor shutdown";
const AUTO_SHUTDOWN: &str = "a significant child ended";
const SIBLING: &str = "restart with a sibling";
const BY_COMMAND: &str = "by command";

impl SupervisorState {
    pub(super) fn new(
        myself: &ActorRef<SupervisorMessage>,
        rules: &Arc<SupervisorSpec>,
        place: Arc<Place>,
        ready: oneshot::Sender<()>,
    ) -> Result<Self, DuplicateChild> {
        let line = myself.clone();
        place.set_operator_line(Box::new(move |request| {
            drop(line.cast(SupervisorMessage::Operate(request)));
        }));
        let reports = myself.clone();
        let report = Arc::new(move |report| {
            // A supervisor that takes no reports any more has no children either.
            drop(reports.cast(SupervisorMessage::Child(report)));
        });
        Ok(Self {
            children: children(rules, &place)?,
            restarts: RestartHistory::default(),
            jitter: Jitter::new(rules.jitter_seed),
            roster: Roster::new(myself.get_cell(), report),
            rules: rules.clone(),
            place,
            ready: Some(ready),
            ending: None,
        })
    }

    // --- what happens ---

    pub(super) fn on_report(&mut self, report: ChildReport) -> Result<(), ActorProcessingErr> {
        let ChildReport { id, incarnation, result } = report;
        let Some(index) = self.index(&id) else { return Ok(()) };
        match result {
            ChildResult::Start(outcome) => {
                let child = &mut self.children[index].child;
                let verdict = child.on_start_reported(incarnation, outcome, &mut self.roster);
                self.roster.on_start_reported();
                self.on_start_verdict(index, verdict);
            }
            ChildResult::Down { gone } => {
                let child = &mut self.children[index].child;
                if child.on_down_reported(incarnation, gone, &mut self.roster) {
                    self.on_down(index);
                }
            }
        }
        self.advance()
    }

    pub(super) fn on_event(&mut self, event: SupervisionEvent) -> Result<(), ActorProcessingErr> {
        let Some(ended) = self.roster.on_event(event) else { return Ok(()) };
        let Some(index) = self.index(&ended.id) else { return Ok(()) };
        if let Some((reason, since)) = self.children[index].child.on_ended(ended, &self.roster) {
            self.on_over(index, reason, Some(since));
        }
        self.advance()
    }

    pub(super) fn on_shutdown(&mut self, deadline: Duration) -> Result<(), ActorProcessingErr> {
        self.end(Cause::Shutdown(SHUTDOWN), Instant::now().checked_add(deadline));
        self.advance()
    }

    pub(super) fn on_operate(
        &mut self,
        request: OperatorRequest,
    ) -> Result<(), ActorProcessingErr> {
        let OperatorRequest { child, command, reply } = request;
        let outcome = match self.index(&child) {
            _ if self.ending.is_some() => Err(OperatorError::NotNow),
            None => Err(OperatorError::UnknownPath { path: child.to_string() }),
            Some(index) => self.operate(index, command),
        };
        // Whoever asked may have gone.
        drop(reply.send(outcome));
        self.advance()
    }

    fn operate(&mut self, index: usize, command: OperatorCommand) -> Result<(), OperatorError> {
        match command {
            OperatorCommand::Restart => self.restart(index),
            OperatorCommand::Stop => self.condemn(index, Fate::Stay),
            OperatorCommand::Kill => {
                let killed = self.children[index].child.kill();
                return killed.then_some(()).ok_or(OperatorError::NotNow);
            }
            // Fixed children escalate, they are never quarantined.
            OperatorCommand::Release => return Err(OperatorError::NotNow),
        }
        Ok(())
    }

    fn on_start_verdict(&mut self, index: usize, verdict: StartVerdict) {
        match verdict {
            StartVerdict::Up | StartVerdict::Stale | StartVerdict::StoppedAgain => {}
            StartVerdict::Cancelled => self.on_down(index),
            StartVerdict::Over(reason) => self.on_over(index, reason, None),
            StartVerdict::Failed(reason) => {
                self.on_over(index, reason, None);
                self.on_down(index);
            }
        }
    }

    /// Nothing is left of a child.
    fn on_down(&mut self, index: usize) {
        let fixed = &mut self.children[index];
        let restarts = fixed.child.spec.restart != RestartType::Temporary && self.ending.is_none();
        match fixed.fate.take() {
            Some(Fate::Restart(delay)) if restarts => fixed.child.wait(delay),
            Some(Fate::Done) => {
                fixed.child.rest(End::OfItself);
                fixed.child.notify_stopped();
                if self.must_shut_down() {
                    self.end(Cause::Shutdown(AUTO_SHUTDOWN), None);
                }
            }
            Some(Fate::Restart(_) | Fate::Stay) | None => {
                fixed.child.rest(End::ByCommand);
                fixed.child.notify_stopped();
            }
        }
    }

    /// A child has ended by itself, or did not come up; what becomes of it when nothing is left?
    fn on_over(&mut self, index: usize, reason: ExitReason, since: Option<Instant>) {
        if self.children[index].fate.is_some() || self.ending.is_some() {
            return;
        }
        let fixed = &mut self.children[index];
        if !fixed.child.spec.restart.restarts_after(&reason) {
            fixed.fate = Some(Fate::Done);
        } else if self.restarts.allow(self.rules.intensity, Instant::now().into_std()) {
            let delay = fixed.child.on_failure(reason, since, &mut self.jitter);
            fixed.fate = Some(Fate::Restart(delay));
            self.restart_siblings(index);
        } else {
            self.escalate(index, reason);
        }
    }

    // --- what is done ---

    fn escalate(&mut self, index: usize, reason: ExitReason) {
        let child = &self.children[index].child;
        child.place.notify(NoticeEvent::Escalated { reason: reason.clone() });
        let escalation = Escalation { child: child.spec.id.clone(), reason };
        self.end(Cause::Escalation(escalation), None);
    }

    /// Begins to end. Asked again, the first cause and the earliest deadline count.
    fn end(&mut self, cause: Cause, deadline: Option<Instant>) {
        match &mut self.ending {
            Some(ending) => {
                ending.deadline = [ending.deadline, deadline].into_iter().flatten().min();
            }
            None => self.ending = Some(Ending { cause, deadline }),
        }
        for index in 0..self.children.len() {
            self.condemn(index, Fate::Stay);
        }
    }

    fn condemn(&mut self, index: usize, fate: Fate) {
        let fixed = &mut self.children[index];
        if fixed.child.is_alive() && fixed.fate != Some(Fate::Done) {
            fixed.fate = Some(fate);
        } else if fate == Fate::Stay && matches!(fixed.child.life, Life::Waiting) {
            fixed.child.rest(End::ByCommand);
        }
    }

    /// Stops and starts a child by command, with those that share its fate.
    fn restart(&mut self, index: usize) {
        let fixed = &mut self.children[index];
        fixed.child.forgive();
        if fixed.child.is_alive() {
            fixed.fate = Some(Fate::Restart(Duration::ZERO));
        } else {
            fixed.child.wait(Duration::ZERO);
        }
        self.restart_siblings(index);
    }

    fn restart_siblings(&mut self, failed: usize) {
        for index in self.rules.strategy.affected(failed, self.children.len()) {
            let fixed = &mut self.children[index];
            let done = matches!(fixed.child.life, Life::Ended(End::OfItself));
            if index == failed || fixed.child.spec.restart == RestartType::Temporary && done {
                continue;
            }
            if fixed.child.is_alive() {
                if matches!(fixed.fate, None | Some(Fate::Done)) {
                    fixed.fate = Some(Fate::Restart(Duration::ZERO));
                }
            } else if done {
                fixed.child.wait(Duration::ZERO);
            }
        }
    }

    /// Takes the next steps towards all children running as they should, or towards the end.
    pub(super) fn advance(&mut self) -> Result<(), ActorProcessingErr> {
        let siblings: Vec<Sibling> = self.children.iter().map(Fixed::as_sibling).collect();
        let steps = strategy::next_steps(self.rules.strategy, &siblings);
        if let Some(index) = steps.stop {
            self.stop(index);
        }
        for index in steps.start {
            self.children[index].child.start(&mut self.roster);
        }
        self.tell_ready();
        self.finish()
    }

    fn stop(&mut self, index: usize) {
        let deadline = self.ending.as_ref().and_then(|ending| ending.deadline);
        let fixed = &mut self.children[index];
        let reason = match (&self.ending, fixed.fate) {
            (Some(_), _) => SHUTDOWN,
            (None, Some(Fate::Stay)) => BY_COMMAND,
            (None, Some(Fate::Restart(_) | Fate::Done) | None) => SIBLING,
        };
        fixed.child.stop(&self.roster, reason, deadline);
    }

    fn tell_ready(&mut self) {
        let is_settled =
            |fixed: &Fixed| fixed.child.has_run || matches!(fixed.child.life, Life::Ended(_));
        let all_settled = self.ending.is_none() && self.children.iter().all(is_settled);
        if let Some(ready) = self.ready.take_if(|_| all_settled) {
            // Whoever started it may have stopped waiting.
            let _ = ready.send(());
        }
    }

    /// Ends, once it is to end and all children are down.
    fn finish(&mut self) -> Result<(), ActorProcessingErr> {
        if self.children.iter().any(|fixed| fixed.child.is_alive()) {
            return Ok(());
        }
        let Some(ending) = &self.ending else { return Ok(()) };
        match &ending.cause {
            Cause::Shutdown(reason) => {
                self.place.set_own_end(ExitReason::Shutdown((*reason).to_owned()));
                self.roster.myself.stop(Some((*reason).to_owned()));
                Ok(())
            }
            Cause::Escalation(escalation) => {
                self.place.set_own_end(ExitReason::Failed(escalation.to_string()));
                Err(Box::new(escalation.clone()))
            }
        }
    }

    /// Stops everything in reverse order and waits: for a supervisor that was stopped from
    /// outside, without a message.
    pub(super) async fn land_all(&mut self) {
        for fixed in self.children.iter_mut().rev() {
            let life = std::mem::replace(&mut fixed.child.life, Life::Ended(End::ByCommand));
            // The sender that is dropped with a start under way cancels it.
            let (Life::Running { up, .. } | Life::Stopping { up, .. }) = life else { continue };
            fixed.child.landing(&up, SHUTDOWN, None).run().await;
        }
        Landing::wait_below(&self.place).await;
        let reason = ExitReason::Shutdown(SHUTDOWN.to_owned());
        self.place.set_own_end(reason);
    }

    // --- questions ---

    fn must_shut_down(&self) -> bool {
        let significant = self.children.iter().filter(|fixed| fixed.child.spec.significant);
        let ended = significant.map(|it| matches!(it.child.life, Life::Ended(End::OfItself)));
        self.rules.auto_shutdown.must_shut_down(ended)
    }

    fn index(&self, id: &ChildId) -> Option<usize> {
        self.children.iter().position(|fixed| fixed.child.spec.id == *id)
    }
}

impl Fixed {
    fn as_sibling(&self) -> Sibling {
        Sibling {
            standing: self.child.standing(),
            condemned: self.fate.is_some(),
            has_run: self.child.has_run,
        }
    }
}

fn children(rules: &SupervisorSpec, place: &Arc<Place>) -> Result<Vec<Fixed>, DuplicateChild> {
    let mut children = Vec::with_capacity(rules.children.len());
    for (order, spec) in (0..).zip(&rules.children) {
        if place.child(spec.id.as_str()).is_some() {
            return Err(DuplicateChild { child: spec.id.clone() });
        }
        let published = spec.published.clone();
        let below = PlaceSpec { id: spec.id.clone(), kind: spec.kind, order, published };
        let child = Child::new(spec.clone(), place.add_child(below));
        children.push(Fixed { child, fate: None });
    }
    Ok(children)
}
