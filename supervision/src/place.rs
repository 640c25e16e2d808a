//! One node of the live tree: what is known of a child, whichever incarnation it is in.

use crate::address::Published;
use crate::child_id::ChildId;
use crate::exit_reason::ExitReason;
use crate::notice::{Notice, NoticeEvent};
use crate::occupancy::Occupancy;
use crate::operator::OperatorRequest;
use crate::status::Status;
use crate::tree::Registry;
use crate::tree_node::{NodeKind, NodeState, TreeNode, unix_millis};
use ractor::actor::messages::BoxedState;
use ractor::{ActorCell, SpawnErr};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Levels shown below the root. Trees are written by people; one deeper than this is a fault.
const DEPTH_MAX: usize = 64;

/// Hands a command to the supervisor whose children a place holds. One that is not running
/// drops it, and with it the reply port.
pub(crate) type OperatorLine = Box<dyn Fn(OperatorRequest) + Send>;

pub(crate) struct Place {
    id: ChildId,
    kind: NodeKind,
    /// Start order among its siblings; equal for children without an order.
    order: u32,
    parent: Weak<Place>,
    registry: Arc<Registry>,
    published: Option<Arc<dyn Published>>,
    life: Mutex<Life>,
    /// Whatever may still be left of the last incarnation.
    remains: tokio::sync::Mutex<Option<Remains>>,
    /// Starts under way. Only those above wait for them: whoever starts or stops this child itself
    /// has the start's report.
    starts: Occupancy,
    /// States being dropped that travelled to the supervisor when their actor ended cleanly.
    state_drops: Occupancy,
    /// For a supervisor, or an actor that keeps children of its own.
    branch: Mutex<Option<Box<Branch>>>,
}

struct Life {
    state: NodeState,
    since_unix_millis: u64,
    restarts: u64,
    last_exit: Option<ExitReason>,
    /// Why a supervisor says that it ends; its parent sees only that it did.
    own_end: Option<Box<ExitReason>>,
    status: Option<Status>,
}

#[derive(Default)]
struct Branch {
    children: BTreeMap<ChildId, Arc<Place>>,
    operator_line: Option<OperatorLine>,
}

/// Something whose end can be waited for.
pub(crate) enum Remains {
    /// Ends after the actor's state is dropped.
    Task(JoinHandle<()>),
    /// Ends when the actor has stopped; its state may be dropped a moment later.
    Actor(ActorCell),
    /// A start that nobody waits for any more; its actor has been killed.
    Start(JoinHandle<Result<JoinHandle<()>, SpawnErr>>),
}

/// What a new place is to be.
pub(crate) struct PlaceSpec {
    pub(crate) id: ChildId,
    pub(crate) kind: NodeKind,
    pub(crate) order: u32,
    pub(crate) published: Option<Arc<dyn Published>>,
}

impl Place {
    pub(crate) fn root(id: ChildId, kind: NodeKind, registry: Arc<Registry>) -> Arc<Self> {
        let spec = PlaceSpec { id, kind, order: 0, published: None };
        Arc::new(Self::new(spec, Weak::new(), registry))
    }

    /// Adds a child below this place, in the place of an earlier one of that name.
    pub(crate) fn add_child(self: &Arc<Self>, spec: PlaceSpec) -> Arc<Self> {
        let id = spec.id.clone();
        let child = Arc::new(Self::new(spec, Arc::downgrade(self), self.registry.clone()));
        let mut branch = self.lock_branch();
        branch.get_or_insert_default().children.insert(id, child.clone());
        child
    }

    pub(crate) fn remove_child(&self, child: &Arc<Self>) {
        let mut branch = self.lock_branch();
        let Some(branch) = branch.as_mut() else { return };
        // A later child of the same name stays.
        if branch.children.get(&child.id).is_some_and(|present| Arc::ptr_eq(present, child)) {
            branch.children.remove(&child.id);
        }
    }

    /// Forgets what belonged to the last incarnation: the next one adds its own children.
    pub(crate) fn clear(&self) {
        self.lock_life().own_end = None;
        if let Some(branch) = self.lock_branch().as_mut() {
            branch.children.clear();
        }
    }

    pub(crate) fn child(&self, id: &str) -> Option<Arc<Self>> {
        self.lock_branch().as_ref()?.children.get(id).cloned()
    }

    fn new(spec: PlaceSpec, parent: Weak<Place>, registry: Arc<Registry>) -> Self {
        let life = Life {
            state: NodeState::Starting,
            since_unix_millis: registry.now_unix_millis(),
            restarts: 0,
            last_exit: None,
            own_end: None,
            status: None,
        };
        let PlaceSpec { id, kind, order, published } = spec;
        Self {
            id,
            kind,
            order,
            parent,
            registry,
            published,
            life: Mutex::new(life),
            remains: tokio::sync::Mutex::new(None),
            starts: Occupancy::default(),
            state_drops: Occupancy::default(),
            branch: Mutex::new(None),
        }
    }

    pub(crate) fn published(&self) -> Option<&Arc<dyn Published>> {
        self.published.as_ref()
    }

    // --- life ---

    pub(crate) fn set_state(&self, state: NodeState) {
        let now = self.registry.now_unix_millis();
        let mut life = self.lock_life();
        life.state = state;
        life.since_unix_millis = now;
    }

    pub(crate) fn set_backing_off(&self, delay: Duration) {
        let until = self.registry.now().checked_add(delay);
        let until_unix_millis = until.map_or(u64::MAX, unix_millis);
        self.set_state(NodeState::BackingOff { until_unix_millis });
    }

    pub(crate) fn set_up(&self, incarnation: u64) {
        self.set_state(NodeState::Running);
        self.lock_life().restarts = incarnation.saturating_sub(1);
    }

    pub(crate) fn set_last_exit(&self, reason: ExitReason) {
        self.lock_life().last_exit = Some(reason);
    }

    pub(crate) fn last_exit(&self) -> Option<ExitReason> {
        self.lock_life().last_exit.clone()
    }

    /// The first reason given for one end counts.
    pub(crate) fn set_own_end(&self, reason: ExitReason) {
        self.lock_life().own_end.get_or_insert(Box::new(reason));
    }

    pub(crate) fn own_end(&self) -> Option<ExitReason> {
        self.lock_life().own_end.as_deref().cloned()
    }

    /// The empty status of a new incarnation.
    pub(crate) fn new_status(&self) -> Status {
        let status = Status::default();
        self.lock_life().status = Some(status.clone());
        status
    }

    /// Its own end took everything below down with it.
    pub(crate) fn set_descendants_stopped(&self) {
        let mut left = self.children();
        while let Some(place) = left.pop() {
            if !matches!(place.lock_life().state, NodeState::Stopped) {
                place.set_state(NodeState::Stopped);
            }
            left.append(&mut place.children());
        }
    }

    // --- remains ---

    pub(crate) async fn leave(&self, remains: Remains) {
        *self.remains.lock().await = Some(remains);
    }

    /// As [`leave`](Self::leave), where nothing can be waited for: right after all was gone.
    pub(crate) fn leave_now(&self, left: Remains) {
        if let Ok(mut remains) = self.remains.try_lock() {
            *remains = Some(left);
        }
    }

    /// Drops the state of an ended actor in a task of its own: a `Drop` may take its time, or
    /// panic, and a supervisor must suffer neither.
    pub(crate) fn leave_state(self: &Arc<Self>, state: Option<BoxedState>) {
        let Some(state) = state else { return };
        let being_dropped = Occupied::new(self.clone(), |place| &place.state_drops);
        tokio::spawn(async move {
            drop(state);
            drop(being_dropped);
        });
    }

    /// A start is under way until the guard is dropped.
    pub(crate) fn begin_start(self: &Arc<Self>) -> Occupied {
        Occupied::new(self.clone(), |place| &place.starts)
    }

    /// Waits until nothing is left of the last incarnation, nor of anything below it.
    pub(crate) async fn gone(&self) {
        self.own_remains_gone().await;
        self.descendants_gone().await;
    }

    /// Waits until nothing is left of anything below.
    pub(crate) async fn descendants_gone(&self) {
        let mut left = self.children();
        while let Some(place) = left.pop() {
            place.starts.empty().await;
            place.own_remains_gone().await;
            left.append(&mut place.children());
        }
    }

    /// Whether the state that travelled to the supervisor is dropped, too.
    pub(crate) fn is_state_dropped(&self) -> bool {
        self.state_drops.is_empty()
    }

    async fn own_remains_gone(&self) {
        let mut remains = self.remains.lock().await;
        // What is left is forgotten only when it is gone: nobody may wait to the end.
        while let Some(left) = remains.as_mut() {
            *remains = match left {
                Remains::Task(task) => {
                    // An error means that the task was cancelled, which ends it, too.
                    drop(task.await);
                    None
                }
                Remains::Actor(actor) => {
                    // Without a limit, the wait has no error.
                    actor.wait(None).await.unwrap_or(());
                    None
                }
                Remains::Start(start) => start.await.ok().and_then(Result::ok).map(Remains::Task),
            };
        }
        drop(remains);
        self.state_drops.empty().await;
    }

    // --- operator ---

    pub(crate) fn set_operator_line(&self, line: OperatorLine) {
        self.lock_branch().get_or_insert_default().operator_line = Some(line);
    }

    /// Dropped, with its reply port, if nobody takes commands for the children here.
    pub(crate) fn operate(&self, request: OperatorRequest) {
        if let Some(line) = self.lock_branch().as_ref().and_then(|it| it.operator_line.as_ref()) {
            line(request);
        }
    }

    // --- seen from outside ---

    pub(crate) fn notify(&self, event: NoticeEvent) {
        if self.registry.has_subscribers() {
            self.registry.notify(&Notice { path: self.path(), event });
        }
    }

    /// Names from below the root, joined by `/`.
    pub(crate) fn path(&self) -> String {
        let mut names = vec![self.id.clone()];
        let mut parent = self.parent.upgrade();
        while let Some(place) = parent {
            names.push(place.id.clone());
            parent = place.parent.upgrade();
        }
        names.pop();
        let names: Vec<&str> = names.iter().rev().map(ChildId::as_str).collect();
        names.join("/")
    }

    pub(crate) fn snapshot(&self) -> TreeNode {
        self.snapshot_to(DEPTH_MAX)
    }

    fn snapshot_to(&self, depth: usize) -> TreeNode {
        let mut children = self.children();
        children.sort_by_key(|child| child.order);
        let below = depth
            .checked_sub(1)
            .map(|depth| children.iter().map(|child| child.snapshot_to(depth)).collect::<Vec<_>>());
        let life = self.lock_life();
        TreeNode {
            id: self.id.to_string(),
            kind: self.kind,
            state: life.state,
            since_unix_millis: life.since_unix_millis,
            restarts: life.restarts,
            last_exit: life.last_exit.clone(),
            mailbox_depth: self.published.as_ref().and_then(|it| it.depth()).map(|it| it as u64),
            status: life.status.as_ref().map(Status::read).unwrap_or_default(),
            children: below.unwrap_or_default(),
            omitted: 0,
        }
    }

    fn children(&self) -> Vec<Arc<Self>> {
        let branch = self.lock_branch();
        branch.as_ref().map(|it| it.children.values().cloned().collect()).unwrap_or_default()
    }

    fn lock_life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_branch(&self) -> MutexGuard<'_, Option<Box<Branch>>> {
        self.branch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps one of a place's occupancies.
pub(crate) struct Occupied {
    place: Arc<Place>,
    which: fn(&Place) -> &Occupancy,
}

impl Occupied {
    fn new(place: Arc<Place>, which: fn(&Place) -> &Occupancy) -> Self {
        which(&place).enter();
        Self { place, which }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        (self.which)(&self.place).leave();
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Place").field("id", &self.id).finish_non_exhaustive()
    }
}
