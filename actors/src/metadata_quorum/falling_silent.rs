//! A leader whose disk hangs falls silent. It can agree on nothing, but its heartbeats, which need no
//! disk, would keep the others from electing one of theirs: the library knows a leader that is gone,
//! and none that cannot write. With the first write it waits for it stands still altogether.
//!
//! ```text
//! disk hangs ─▶ no heartbeats ─▶ lease and timeout ─▶ another voter leads
//!     └─▶ it does not decide any more (see view_watch), does not vote and does not stand
//! disk answers ─▶ heartbeats, if it still leads
//! ```

use openraft::Raft;
use tokio::sync::watch;
use tracing::warn;

use super::quorum_view::QuorumCell;
use super::raft_types::QuorumTypes;

/// Follows the disk until it is aborted.
pub async fn fall_silent(
    raft: Raft<QuorumTypes>,
    cell: QuorumCell,
    mut hung: watch::Receiver<bool>,
) {
    loop {
        let hangs = *hung.borrow_and_update();
        if hangs && cell.view().active_term.is_some() {
            warn!("this node leads the quorum and its disk hangs: another voter is to lead");
        }
        raft.runtime_config().heartbeat(!hangs);
        if hung.changed().await.is_err() {
            return;
        }
    }
}
