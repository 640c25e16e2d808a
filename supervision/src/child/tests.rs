//! The report of a stop and the event of the end come through two ports that are not read at one
//! instant: if a child counted as down before its end is seen, its state could still be alive.

use super::{Child, Life, StartVerdict};
use crate::child_spec::ChildSpec;
use crate::launch::{ChildReport, ChildResult};
use crate::place::{Place, PlaceSpec};
use crate::roster::Roster;
use crate::tree::Tree;
use crate::tree_node::NodeKind;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Passes on the supervision events that it gets, unread.
struct Parent;

struct NoMessage;

impl ractor::Message for NoMessage {}

impl Actor for Parent {
    type Msg = NoMessage;
    type State = Option<mpsc::UnboundedSender<SupervisionEvent>>;
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _myself: ActorRef<NoMessage>,
        events: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(events)
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<NoMessage>,
        event: SupervisionEvent,
        events: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(events) = events {
            let _ = events.send(event);
        }
        Ok(())
    }
}

struct World {
    child: Child,
    roster: Roster,
    events: mpsc::UnboundedReceiver<SupervisionEvent>,
    reports: mpsc::UnboundedReceiver<ChildReport>,
    _root: Arc<Place>,
}

async fn running() -> World {
    let (send_event, events) = mpsc::unbounded_channel();
    let (send_report, reports) = mpsc::unbounded_channel();
    let (parent, _) = Actor::spawn(None, Parent, Some(send_event)).await.unwrap();
    let report = Arc::new(move |report| drop(send_report.send(report)));
    let roster = Roster::new(parent.get_cell(), report);
    let root = Tree::with_system_clock().plant("root".into(), NodeKind::DynamicSupervisor);
    let spec = ChildSpec::actor("child", |_| (Parent, None));
    let id = spec.id.clone();
    let below = PlaceSpec { id, kind: NodeKind::Worker, order: 0, published: None };
    let child = Child::new(spec, root.add_child(below));
    let mut world = World { child, roster, events, reports, _root: root };
    world.child.start(&mut world.roster);
    let ChildResult::Start(outcome) = world.report().await else { panic!("not a start") };
    let verdict = world.child.on_start_reported(1, outcome, &mut world.roster);
    assert!(matches!(verdict, StartVerdict::Up));
    world
}

impl World {
    async fn report(&mut self) -> ChildResult {
        self.reports.recv().await.unwrap().result
    }

    async fn end_event(&mut self, actor: &ActorCell) -> SupervisionEvent {
        loop {
            let event = self.events.recv().await.unwrap();
            let of_child = event.actor_id() == Some(actor.get_id());
            if of_child && !matches!(event, SupervisionEvent::ActorStarted(_)) {
                return event;
            }
        }
    }

    fn actor(&self) -> ActorCell {
        match &self.child.life {
            Life::Running { up, .. } | Life::Stopping { up, .. } => up.actor.clone(),
            _ => panic!("not up"),
        }
    }
}

#[tokio::test]
async fn a_stopped_child_is_down_only_when_its_end_is_seen_as_well() {
    let mut world = running().await;
    let actor = world.actor();
    world.child.stop(&world.roster, "test", None);
    assert!(matches!(world.report().await, ChildResult::Down { gone: true }));
    assert!(!world.child.on_down_reported(1, true, &mut world.roster));
    let event = world.end_event(&actor).await;
    let ended = world.roster.on_event(event).unwrap();
    assert!(world.child.on_ended(ended, &world.roster).is_none());
    assert!(matches!(world.report().await, ChildResult::Down { gone: true }));
    assert!(world.child.on_down_reported(1, true, &mut world.roster));
}

#[tokio::test]
async fn reports_of_another_incarnation_mean_nothing() {
    let mut world = running().await;
    let actor = world.actor();
    assert!(!world.child.on_down_reported(1, true, &mut world.roster));
    world.child.stop(&world.roster, "test", None);
    assert!(!world.child.on_down_reported(7, false, &mut world.roster));
    assert!(matches!(world.child.life, Life::Stopping { .. }));
    assert!(actor.wait(Some(Duration::from_secs(600))).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_waited_for_is_nobodys_any_more() {
    let mut world = running().await;
    let actor = world.actor();
    world.child.stop(&world.roster, "test", None);
    assert!(world.child.on_down_reported(1, false, &mut world.roster));
    let event = world.end_event(&actor).await;
    assert!(world.roster.on_event(event).is_none());
}
