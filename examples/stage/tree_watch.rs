//! Waiting for what the supervision tree shows, instead of sleeping.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use supervision::{ExitReason, NodeState, NoticeEvent, Tree, TreeNode};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long anything in the tree may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A failure as the tree told of it.
#[derive(Clone, Debug)]
pub struct Failure {
    pub path: String,
    pub reason: ExitReason,
    /// How long the restart waits; `None`: there is none, it is in quarantine.
    pub delay: Option<Duration>,
}

/// Looks at a tree whenever something in it has changed.
pub struct TreeWatch {
    tree: Tree,
    changes: watch::Receiver<u64>,
    failures: Arc<Mutex<Vec<Failure>>>,
}

impl TreeWatch {
    pub fn of(tree: &Tree) -> Self {
        let (changed, changes) = watch::channel(0);
        let failures = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&failures);
        tree.subscribe(Arc::new(move |notice| {
            let failed = match &notice.event {
                NoticeEvent::Failed { reason, delay } => Some((reason, Some(*delay))),
                NoticeEvent::Quarantined { reason } => Some((reason, None)),
                _ => None,
            };
            if let Some((reason, delay)) = failed {
                let failure = Failure { path: notice.path.clone(), reason: reason.clone(), delay };
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
            }
            changed.send_modify(|number| *number += 1);
        }));
        Self { tree: tree.clone(), changes, failures }
    }

    /// Every failure since the watch began, oldest first.
    pub fn failures(&self) -> Vec<Failure> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The place at a path, as it is now.
    pub fn at(&self, path: &str) -> Result<TreeNode> {
        let tree = self.tree.snapshot().context("the tree has no root")?;
        tree.find(path).cloned().with_context(|| format!("nothing is at {path} in the tree"))
    }

    /// Waits until the place at a path is as wanted, and gives it.
    pub async fn until(&self, path: &str, wanted: impl Fn(&TreeNode) -> bool) -> Result<TreeNode> {
        let mut changes = self.changes.clone();
        let waited = timeout(PATIENCE, async {
            loop {
                changes.borrow_and_update();
                if let Ok(node) = self.at(path)
                    && wanted(&node)
                {
                    return Ok(node);
                }
                changes.changed().await.context("the tree is gone")?;
            }
        });
        let late =
            |_| anyhow!("{path} is not as it should be after {PATIENCE:?}: {:?}", self.at(path));
        waited.await.map_err(late)?
    }

    /// Waits until the place runs and has been restarted more often than before.
    pub async fn restarted(&self, path: &str, before: u64) -> Result<TreeNode> {
        self.until(path, |node| node.restarts > before && node.state == NodeState::Running).await
    }
}
