//! What a dynamic supervisor knows and does. It decides by `restart_intensity` only.

use super::{DynamicMessage, DynamicSupervisorSpec, StartChildError, StopChildError};
use crate::backoff::Jitter;
use crate::child::{Child, End, Life, StartVerdict};
use crate::child_id::ChildId;
use crate::child_spec::{ChildSpec, RestartType};
use crate::counted::Counted;
use crate::exit_reason::ExitReason;
use crate::launch::{ChildReport, ChildResult, Landing};
use crate::notice::NoticeEvent;
use crate::operator::{OperatorCommand, OperatorError, OperatorRequest};
use crate::place::{Place, PlaceSpec};
use crate::restart_intensity::RestartHistory;
use crate::roster::Roster;
use futures_util::future::join_all;
use ractor::{ActorCell, ActorRef, RpcReplyPort, SupervisionEvent};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub(super) struct DynamicState {
    rules: Arc<DynamicSupervisorSpec>,
    /// Boxed, because a hash map has room to spare for every entry.
    children: HashMap<ChildId, Box<Kept>>,
    jitter: Jitter,
    roster: Roster,
    place: Arc<Place>,
    /// On its way out; children still up at the deadline are killed.
    ending: Option<Option<Instant>>,
}

/// A child and what is to become of it.
struct Kept {
    child: Child,
    restarts: RestartHistory,
    /// What is to become of it when it is down.
    fate: Option<Fate>,
    start_reply: Option<StartReply>,
    stop_replies: Vec<StopReply>,
}

type StartReply = RpcReplyPort<Result<ActorCell, StartChildError>>;
type StopReply = RpcReplyPort<Result<(), StopChildError>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Forgotten.
    Remove,
    /// Kept, by command.
    Stay,
    /// Kept, after too many failures.
    Quarantine,
    /// Started again after this delay.
    Restart(Duration),
}

/// Named reasons that children see.
const SHUTDOWN: &str = "supervisor shutdown";
const BY_COMMAND: &str = "by command";

impl DynamicState {
    pub(super) fn new(
        myself: &ActorRef<Counted<DynamicMessage>>,
        rules: Arc<DynamicSupervisorSpec>,
        place: Arc<Place>,
    ) -> Self {
        let line = myself.clone();
        place.set_operator_line(Box::new(move |request| {
            drop(line.cast(DynamicMessage::Operate(request).into()));
        }));
        let reports = myself.clone();
        let report = Arc::new(move |report| {
            // A supervisor that takes no reports any more has no children either.
            drop(reports.cast(DynamicMessage::Child(report).into()));
        });
        Self {
            children: HashMap::new(),
            jitter: Jitter::new(rules.jitter_seed),
            roster: Roster::new(myself.get_cell(), report),
            rules,
            place,
            ending: None,
        }
    }

    pub(super) fn start_initial(&mut self) {
        let initial = self.rules.initial.clone();
        for spec in initial.map(|initial| initial()).unwrap_or_default() {
            self.on_start_child(spec, None);
        }
    }

    // --- what happens ---

    pub(super) fn on_start_child(&mut self, spec: ChildSpec, reply: Option<StartReply>) {
        if let Err(error) = self.may_start(&spec.id) {
            match (reply, &error) {
                (Some(reply), _) => answer(Some(reply), Err(error)),
                // it began with this incarnation, before the request was read
                (None, StartChildError::AlreadyPresent { .. }) => {
                    tracing::debug!(child = %spec.id, "a child was there already");
                }
                (None, _) => tracing::warn!(child = %spec.id, %error, "a child was not started"),
            }
            return;
        }
        let (id, published) = (spec.id.clone(), spec.published.clone());
        let below = PlaceSpec { id: id.clone(), kind: spec.kind, order: 0, published };
        let child = Child::new(spec, self.place.add_child(below));
        let mut kept = Box::new(Kept {
            child,
            restarts: RestartHistory::default(),
            fate: None,
            start_reply: reply,
            stop_replies: Vec::new(),
        });
        kept.child.start(&mut self.roster);
        self.children.insert(id, kept);
    }

    fn may_start(&self, id: &ChildId) -> Result<(), StartChildError> {
        if self.ending.is_some() {
            return Err(StartChildError::SupervisorDown);
        }
        match self.children.get(id) {
            Some(kept) => Err(kept.refusal()),
            None if self.children.len() >= self.rules.children_max => {
                Err(StartChildError::LimitReached { children_max: self.rules.children_max })
            }
            None => Ok(()),
        }
    }

    pub(super) fn on_stop_child(&mut self, id: &ChildId, reply: Option<StopReply>) {
        match self.children.get_mut(id) {
            None => answer(reply, Err(StopChildError::UnknownChild { child: id.clone() })),
            Some(kept) => {
                kept.stop_replies.extend(reply);
                self.send_away(id, Fate::Remove, BY_COMMAND, None);
            }
        }
    }

    pub(super) fn on_report(&mut self, report: ChildReport) {
        let ChildReport { id, incarnation, result } = report;
        match result {
            ChildResult::Start(outcome) => {
                if let Some(kept) = self.children.get_mut(&id) {
                    let child = &mut kept.child;
                    let verdict = child.on_start_reported(incarnation, outcome, &mut self.roster);
                    self.on_start_verdict(&id, verdict);
                }
                self.roster.on_start_reported();
            }
            ChildResult::Down { gone } => {
                let Some(kept) = self.children.get_mut(&id) else { return };
                if kept.child.on_down_reported(incarnation, gone, &mut self.roster) {
                    self.on_down(&id);
                }
            }
        }
    }

    fn on_start_verdict(&mut self, id: &ChildId, verdict: StartVerdict) {
        match verdict {
            StartVerdict::Stale | StartVerdict::StoppedAgain => {}
            StartVerdict::Cancelled => self.on_down(id),
            StartVerdict::Over(reason) => self.on_over(id, reason, None),
            StartVerdict::Failed(reason) => {
                self.on_over(id, reason, None);
                self.on_down(id);
            }
            StartVerdict::Up => {
                let Some(kept) = self.children.get_mut(id) else { return };
                if let Life::Running { up, .. } = &kept.child.life {
                    answer(kept.start_reply.take(), Ok(up.actor.clone()));
                }
            }
        }
    }

    pub(super) fn on_event(&mut self, event: SupervisionEvent) {
        let Some(ended) = self.roster.on_event(event) else { return };
        let id = ended.id.clone();
        let Some(kept) = self.children.get_mut(&id) else { return };
        if let Some((reason, since)) = kept.child.on_ended(ended, &self.roster) {
            self.on_over(&id, reason, Some(since));
        }
    }

    pub(super) fn on_shutdown(&mut self, deadline: Duration) {
        let asked = Instant::now().checked_add(deadline);
        let deadline = [self.ending.flatten(), asked].into_iter().flatten().min();
        self.ending = Some(deadline);
        let ids: Vec<ChildId> = self.children.keys().cloned().collect();
        for id in ids {
            self.send_away(&id, Fate::Remove, SHUTDOWN, deadline);
        }
    }

    pub(super) fn on_operate(&mut self, request: OperatorRequest) {
        let OperatorRequest { child, command, reply } = request;
        let outcome = match self.children.get_mut(&child) {
            _ if self.ending.is_some() => Err(OperatorError::NotNow),
            None => Err(OperatorError::UnknownPath { path: child.to_string() }),
            Some(_) => self.operate(&child, command),
        };
        // Whoever asked may have gone.
        drop(reply.send(outcome));
    }

    fn operate(&mut self, id: &ChildId, command: OperatorCommand) -> Result<(), OperatorError> {
        let Some(kept) = self.children.get_mut(id) else { return Err(OperatorError::NotNow) };
        match command {
            OperatorCommand::Kill => {
                return kept.child.kill().then_some(()).ok_or(OperatorError::NotNow);
            }
            OperatorCommand::Stop => {
                let temporary = kept.child.spec.restart == RestartType::Temporary;
                let fate = if temporary { Fate::Remove } else { Fate::Stay };
                self.send_away(id, fate, BY_COMMAND, None);
            }
            OperatorCommand::Release if !kept.is_quarantined() => {
                return Err(OperatorError::NotNow);
            }
            OperatorCommand::Release | OperatorCommand::Restart => {
                kept.child.forgive();
                kept.restarts.clear();
                self.send_away(id, Fate::Restart(Duration::ZERO), BY_COMMAND, None);
            }
        }
        Ok(())
    }

    // --- what is done ---

    /// Stops a child if it is alive; then, or at once, `fate` is done to it.
    fn send_away(
        &mut self,
        id: &ChildId,
        fate: Fate,
        reason: &'static str,
        deadline: Option<Instant>,
    ) {
        let Some(kept) = self.children.get_mut(id) else { return };
        // A removal is never taken back.
        if kept.fate != Some(Fate::Remove) {
            kept.fate = Some(fate);
        }
        if kept.child.is_alive() {
            kept.child.stop(&self.roster, reason, deadline);
        } else {
            self.on_down(id);
        }
    }

    /// Nothing is left of a child.
    fn on_down(&mut self, id: &ChildId) {
        let Some(kept) = self.children.get_mut(id) else { return };
        match kept.fate.take().unwrap_or(Fate::Remove) {
            Fate::Remove => self.remove(id),
            Fate::Restart(delay) => {
                kept.child.wait(delay);
                kept.child.start(&mut self.roster);
            }
            Fate::Stay => {
                kept.child.rest(End::ByCommand);
                kept.child.notify_stopped();
                kept.answer_stopped();
            }
            Fate::Quarantine => {
                kept.child.rest(End::Quarantined);
                let reason = kept.last_exit();
                kept.child.place.notify(NoticeEvent::Quarantined { reason });
            }
        }
    }

    /// A child has ended by itself, or did not come up; what becomes of it when nothing is left?
    fn on_over(&mut self, id: &ChildId, reason: ExitReason, since: Option<Instant>) {
        let Some(kept) = self.children.get_mut(id) else { return };
        if kept.fate.is_some() {
            return;
        }
        let now = Instant::now().into_std();
        let fate = if !kept.child.spec.restart.restarts_after(&reason) {
            Fate::Remove
        } else if kept.restarts.allow(self.rules.intensity, now) {
            Fate::Restart(kept.child.on_failure(reason.clone(), since, &mut self.jitter))
        } else {
            Fate::Quarantine
        };
        kept.fate = Some(fate);
        kept.answer_failed(reason, matches!(fate, Fate::Restart(_)));
    }

    fn remove(&mut self, id: &ChildId) {
        let Some(mut kept) = self.children.remove(id) else { return };
        kept.child.rest(End::OfItself);
        self.place.remove_child(&kept.child.place);
        kept.child.notify_stopped();
        kept.answer_stopped();
    }

    /// Ends, once it is to end and all children are down.
    pub(super) fn finish(&mut self) {
        if self.ending.is_some() && self.children.is_empty() {
            self.roster.myself.stop(Some(SHUTDOWN.to_owned()));
        }
    }

    /// Stops everything and waits: for a supervisor that was stopped from outside, without a
    /// message.
    pub(super) async fn land_all(&mut self) {
        let landings = self.children.values_mut().filter_map(|kept| {
            let life = std::mem::replace(&mut kept.child.life, Life::Ended(End::ByCommand));
            // The sender that is dropped with a start under way cancels it.
            let (Life::Running { up, .. } | Life::Stopping { up, .. }) = life else { return None };
            Some(kept.child.landing(&up, SHUTDOWN, None).run())
        });
        join_all(landings).await;
        Landing::wait_below(&self.place).await;
    }
}

impl Kept {
    fn is_quarantined(&self) -> bool {
        matches!(self.child.life, Life::Ended(End::Quarantined))
    }

    fn refusal(&self) -> StartChildError {
        let child = self.child.spec.id.clone();
        if !self.is_quarantined() {
            return StartChildError::AlreadyPresent { child };
        }
        StartChildError::Quarantined { child, reason: self.last_exit() }
    }

    fn last_exit(&self) -> ExitReason {
        self.child.place.last_exit().unwrap_or(ExitReason::Normal)
    }

    fn answer_failed(&mut self, reason: ExitReason, is_retried: bool) {
        let child = self.child.spec.id.clone();
        let error = StartChildError::Failed { child, reason, is_retried };
        answer(self.start_reply.take(), Err(error));
    }

    fn answer_stopped(&mut self) {
        let child = self.child.spec.id.clone();
        answer(self.start_reply.take(), Err(StartChildError::Stopped { child }));
        for reply in self.stop_replies.drain(..) {
            answer(Some(reply), Ok(()));
        }
    }
}

/// Answers, if anybody asked; whoever asked may have gone.
fn answer<T>(reply: Option<RpcReplyPort<T>>, with: T) {
    if let Some(reply) = reply {
        drop(reply.send(with));
    }
}
