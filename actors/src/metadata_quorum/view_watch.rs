//! Follows the consensus library's own report and shows it as a [`QuorumView`]. The view is taken
//! back when this is dropped: with its actor, in whatever way that ends.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::{BasicNode, RaftMetrics, ServerState};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::quorum_view::{QuorumCell, QuorumMember, QuorumView};
use super::raft_identity::{MemberAddress, broker_of};

/// How long a leader may hear from no majority, or say nothing itself, before it does not count as
/// active any more: the others elect one of theirs then.
const SILENCE_MAX: Duration = Duration::from_millis(super::ELECTION_TIMEOUT_MAX_MS);

type Metrics = RaftMetrics<u64, BasicNode>;

/// See the head of this file.
pub struct ViewWatch {
    cell: QuorumCell,
    task: AbortHandle,
}

impl ViewWatch {
    /// Begins to show what `metrics` say.
    pub fn start(metrics: watch::Receiver<Metrics>, cell: QuorumCell) -> Self {
        let task = tokio::spawn(follow(metrics, cell.clone())).abort_handle();
        Self { cell, task }
    }
}

impl Drop for ViewWatch {
    fn drop(&mut self) {
        self.task.abort();
        self.cell.show(QuorumView::default());
    }
}

async fn follow(mut metrics: watch::Receiver<Metrics>, cell: QuorumCell) {
    loop {
        let view = view_of(&metrics.borrow_and_update());
        cell.show(view);
        match tokio::time::timeout(SILENCE_MAX, metrics.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => {
                cell.show(QuorumView { active_term: None, ..view_of(&metrics.borrow()) });
                if metrics.changed().await.is_err() {
                    break;
                }
            }
        }
    }
    cell.show(QuorumView::default());
}

/// What a report says of the quorum.
pub fn view_of(metrics: &Metrics) -> QuorumView {
    let membership = metrics.membership_config.membership();
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    let (voting, observing) = membership
        .nodes()
        .map(|(id, node)| (voters.contains(id), member(*id, node, metrics)))
        .partition::<Vec<_>, _>(|(votes, _)| *votes);
    let members = |of: Vec<(bool, QuorumMember)>| {
        let mut members: Vec<_> = of.into_iter().map(|(_, member)| member).collect();
        members.sort_by_key(|member| member.broker);
        members
    };
    QuorumView {
        term: metrics.current_term,
        leader: metrics.current_leader.map(broker_of),
        active_term: active_term(metrics),
        last: metrics.last_log_index,
        applied: metrics.last_applied.map(|place| place.index),
        voters: members(voting),
        observers: members(observing),
    }
}

fn member(id: u64, node: &BasicNode, metrics: &Metrics) -> QuorumMember {
    let MemberAddress { directory, address } = MemberAddress::from_text(&node.addr);
    let matched = metrics.replication.as_ref().and_then(|progress| progress.get(&id).copied());
    let last = matched.flatten().map(|place| place.index);
    QuorumMember { broker: broker_of(id), directory, address, last }
}

/// Whoever has applied an entry of its own term has applied everything before it, and that is
/// everything that was agreed on before the term.
fn active_term(metrics: &Metrics) -> Option<u64> {
    let term = metrics.current_term;
    let leads = metrics.state == ServerState::Leader && metrics.current_leader == Some(metrics.id);
    let knows_all = metrics.last_applied.is_some_and(|place| place.leader_id.term == term);
    let silence = metrics.millis_since_quorum_ack.map(Duration::from_millis);
    let is_heard = silence.is_some_and(|silence| silence < SILENCE_MAX);
    (leads && knows_all && is_heard).then_some(term)
}
