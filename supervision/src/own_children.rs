//! Actors that an actor keeps by itself, without a supervisor between: shown in the tree below
//! it, and reachable for an operator.

use crate::address::{Address, Published};
use crate::child_id::ChildId;
use crate::exit_reason::ExitReason;
use crate::operator::{OperatorCommand, OperatorError, OperatorRequest};
use crate::place::{Place, PlaceSpec};
use crate::start::Started;
use crate::status::Status;
use crate::tree_node::{NodeKind, NodeState};
use ractor::ActorCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

type Actors = Arc<Mutex<HashMap<ChildId, ActorCell>>>;

/// Shows the actors that an actor has started itself (and must link under itself, and look after
/// in its own `handle_supervisor_evt`). A restart of their keeper waits for their end, too.
#[derive(Clone)]
pub struct OwnChildren {
    place: Arc<Place>,
    actors: Actors,
}

/// A shown actor; keep it as long as the actor lives. Dropped, it leaves the tree.
pub struct OwnChild {
    id: ChildId,
    place: Arc<Place>,
    status: Status,
    keeper: Arc<Place>,
    actors: Actors,
}

impl OwnChildren {
    pub(crate) fn new(place: Arc<Place>) -> Self {
        Self { place, actors: Actors::default() }
    }

    /// Shows `child` under the name `id`. An operator can stop or kill it; what follows is its
    /// keeper's to decide.
    pub fn show(&self, id: impl Into<ChildId>, child: impl Into<Started>) -> OwnChild {
        self.show_place(id.into(), child.into(), None)
    }

    /// As [`show`](Self::show), with the depth of the mailbox behind `address`.
    pub fn show_addressed<M: Send + 'static>(
        &self,
        id: impl Into<ChildId>,
        address: &Address<M>,
        child: impl Into<Started>,
    ) -> OwnChild {
        self.show_place(id.into(), child.into(), Some(address.published()))
    }

    fn show_place(
        &self,
        id: ChildId,
        mut child: Started,
        published: Option<Arc<dyn Published>>,
    ) -> OwnChild {
        let actors = self.actors.clone();
        self.place.set_operator_line(Box::new(move |request| operate(&actors, request)));
        let spec = PlaceSpec { id: id.clone(), kind: NodeKind::Worker, order: 0, published };
        let place = self.place.add_child(spec);
        place.set_state(NodeState::Running);
        let (_, remains) = child.take_remains();
        place.leave_now(remains);
        lock(&self.actors).insert(id.clone(), child.actor);
        let status = place.new_status();
        OwnChild { id, place, status, keeper: self.place.clone(), actors: self.actors.clone() }
    }
}

impl OwnChild {
    /// Where it shows a few words about itself.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Shows why it ended, while it is still shown.
    pub fn ended(&self, reason: ExitReason) {
        self.place.set_last_exit(reason);
        self.place.set_state(NodeState::Stopped);
    }
}

impl Drop for OwnChild {
    fn drop(&mut self) {
        let mut actors = lock(&self.actors);
        // A successor of the same name may be shown already; then the entry is its.
        if self.keeper.child(self.id.as_str()).is_some_and(|it| Arc::ptr_eq(&it, &self.place)) {
            actors.remove(&self.id);
        }
        drop(actors);
        let (place, keeper) = (self.place.clone(), self.keeper.clone());
        let Ok(runtime) = Handle::try_current() else {
            keeper.remove_child(&place);
            return;
        };
        place.set_state(NodeState::Stopping);
        // It stays in the tree until it is gone, so that a restart of its keeper waits for it.
        runtime.spawn(async move {
            place.gone().await;
            keeper.remove_child(&place);
        });
    }
}

fn operate(actors: &Actors, request: OperatorRequest) {
    let OperatorRequest { child, command, reply } = request;
    let outcome = match (lock(actors).get(&child), command) {
        (None, _) => Err(OperatorError::NotNow),
        (Some(actor), OperatorCommand::Kill) => {
            actor.kill();
            Ok(())
        }
        (Some(actor), OperatorCommand::Stop) => {
            actor.stop(Some("by command".to_owned()));
            Ok(())
        }
        (Some(_), OperatorCommand::Restart | OperatorCommand::Release) => {
            Err(OperatorError::Unsupervised)
        }
    };
    // Whoever asked may have gone.
    drop(reply.send(outcome));
}

fn lock(actors: &Actors) -> std::sync::MutexGuard<'_, HashMap<ChildId, ActorCell>> {
    actors.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for OwnChildren {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OwnChildren")
    }
}

impl fmt::Debug for OwnChild {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("OwnChild").field(&self.id).finish()
    }
}
