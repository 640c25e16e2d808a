//! The live tree of one node of a system: readable from any thread without asking an actor.
//! Nothing here is global: every tree is its own, so several can live in one process.

use crate::child_id::ChildId;
use crate::notice::{Notice, Subscriber};
use crate::operator::{OperatorCommand, OperatorError, OperatorRequest};
use crate::place::Place;
use crate::tree_node::{NodeKind, TreeNode, unix_millis};
use ractor::RpcReplyPort;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use tokio::sync::oneshot;

/// The wall clock, for what is shown to people. Nothing is decided by it.
pub type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The live tree: who runs, since when, how often it restarted and why. Clones are the same.
#[derive(Clone)]
pub struct Tree {
    registry: Arc<Registry>,
    root: Arc<RwLock<Option<Arc<Place>>>>,
}

/// What all places of a tree share.
pub(crate) struct Registry {
    clock: WallClock,
    subscribers: RwLock<Arc<[Subscriber]>>,
}

impl Tree {
    /// An empty tree that shows the times of `clock`.
    #[must_use]
    pub fn new(clock: WallClock) -> Self {
        let registry = Registry { clock, subscribers: RwLock::new(Arc::from(Vec::new())) };
        Self { registry: Arc::new(registry), root: Arc::default() }
    }

    /// An empty tree that shows the times of the system's clock.
    #[must_use]
    pub fn with_system_clock() -> Self {
        Self::new(Arc::new(SystemTime::now))
    }

    /// The tree as it is now; `None` before a root supervisor was started in it.
    ///
    /// Taken node by node: it may show a child that changed after its sibling was read.
    #[must_use]
    pub fn snapshot(&self) -> Option<TreeNode> {
        self.root().map(|root| root.snapshot())
    }

    /// Calls `subscriber` for every notice from now on, in the order of each supervisor.
    pub fn subscribe(&self, subscriber: Subscriber) {
        let mut subscribers =
            self.registry.subscribers.write().unwrap_or_else(PoisonError::into_inner);
        *subscribers = subscribers.iter().cloned().chain([subscriber]).collect();
    }

    /// Asks the supervisor of the child at `path` (names from below the root, joined by `/`) to
    /// do `command`. Returns when it is taken up; the effect shows in the tree.
    ///
    /// # Errors
    /// [`OperatorError`] if it was refused or nobody could take it.
    pub async fn operate(&self, path: &str, command: OperatorCommand) -> Result<(), OperatorError> {
        let (parent, child) = self.find(path)?;
        let down = || OperatorError::SupervisorDown { path: path.to_owned() };
        let (reply, answer) = oneshot::channel();
        let request = OperatorRequest { child, command, reply: RpcReplyPort::from(reply) };
        parent.operate(request);
        answer.await.unwrap_or_else(|_| Err(down()))
    }

    /// The parent place and the name of the child at `path`.
    fn find(&self, path: &str) -> Result<(Arc<Place>, ChildId), OperatorError> {
        let unknown = || OperatorError::UnknownPath { path: path.to_owned() };
        let mut names = path.split('/').filter(|name| !name.is_empty());
        let last = names.next_back().ok_or(OperatorError::Root)?;
        let mut parent = self.root().ok_or_else(unknown)?;
        for name in names {
            parent = parent.child(name).ok_or_else(unknown)?;
        }
        parent.child(last).ok_or_else(unknown)?;
        Ok((parent, ChildId::from_path_segment(last)))
    }

    /// A new root place, shown from now on.
    pub(crate) fn plant(&self, id: ChildId, kind: NodeKind) -> Arc<Place> {
        let place = Place::root(id, kind, self.registry.clone());
        let mut root = self.root.write().unwrap_or_else(PoisonError::into_inner);
        *root = Some(place.clone());
        place
    }

    fn root(&self) -> Option<Arc<Place>> {
        self.root.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Registry {
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    pub(crate) fn now_unix_millis(&self) -> u64 {
        unix_millis(self.now())
    }

    pub(crate) fn has_subscribers(&self) -> bool {
        !self.subscribers.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn notify(&self, notice: &Notice) {
        let subscribers = self.subscribers.read().unwrap_or_else(PoisonError::into_inner).clone();
        for subscriber in subscribers.iter() {
            // A faulty observer must not take a supervisor down.
            let call = AssertUnwindSafe(|| subscriber(notice));
            if std::panic::catch_unwind(call).is_err() {
                tracing::error!(path = notice.path, "a subscriber of the tree panicked");
            }
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tree")
    }
}
