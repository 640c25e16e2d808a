//! Follows the consensus library's own report and shows it as a [`QuorumView`]. The view is taken
//! back when this is dropped: with its actor, in whatever way that ends.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::{BasicNode, RaftMetrics, ServerState};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::quorum_view::{QuorumCell, QuorumMember, QuorumView};
use super::raft_identity::{MemberAddress, broker_of};
use crate::metrics::QuorumMetrics;

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
    /// A leader that stands with others does not count as active while its disk is `hung`.
    pub fn start(
        metrics: watch::Receiver<Metrics>,
        cell: QuorumCell,
        counted: QuorumMetrics,
        hung: watch::Receiver<bool>,
    ) -> Self {
        let task = tokio::spawn(follow(metrics, cell.clone(), counted, hung)).abort_handle();
        Self { cell, task }
    }
}

impl Drop for ViewWatch {
    fn drop(&mut self) {
        self.task.abort();
        self.cell.show(QuorumView::default());
    }
}

async fn follow(
    mut metrics: watch::Receiver<Metrics>,
    cell: QuorumCell,
    counted: QuorumMetrics,
    mut hung: watch::Receiver<bool>,
) {
    let mut leadership = Leadership::default();
    loop {
        let hangs = *hung.borrow_and_update();
        let view = {
            let report = metrics.borrow_and_update();
            if report.state == ServerState::Leader {
                counted.on_leads(report.current_term);
            }
            let view = view_of(&report);
            let has_heirs = view.voters.len() > 1;
            let active = leadership.active_term(&report).filter(|_| !(hangs && has_heirs));
            QuorumView { active_term: active, ..view }
        };
        cell.show(view);
        let reported = tokio::select! {
            biased;
            reported = tokio::time::timeout(SILENCE_MAX, metrics.changed()) => reported,
            // without a report since, the next one is waited for as long again
            Ok(()) = hung.changed() => continue,
        };
        match reported {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => {
                cell.show(view_of(&metrics.borrow()));
                if metrics.changed().await.is_err() {
                    break;
                }
            }
        }
    }
    cell.show(QuorumView::default());
}

/// What a report says of the quorum, but for who decides.
fn view_of(metrics: &Metrics) -> QuorumView {
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
        active_term: None,
        last: metrics.last_log_index,
        applied: metrics.last_applied.map(|place| place.index),
        is_changing: membership.get_joint_config().len() > 1,
        voters: members(voting),
        observers: members(observing),
    }
}

fn member(id: u64, node: &BasicNode, metrics: &Metrics) -> QuorumMember {
    let MemberAddress { directory, address, .. } = MemberAddress::from_text(&node.addr);
    let matched = metrics.replication.as_ref().and_then(|progress| progress.get(&id).copied());
    let last = matched.flatten().map(|place| place.index);
    QuorumMember { broker: broker_of(id), directory, address, last }
}

/// The term that this node leads, and what it must have applied before it may decide.
#[derive(Default)]
struct Leadership {
    /// The last entry of the log when the node was first seen to lead the term. A leader that was
    /// restarted leads on in the same term, with entries that its image does not show yet.
    seen: Option<(u64, Option<u64>)>,
}

impl Leadership {
    fn active_term(&mut self, metrics: &Metrics) -> Option<u64> {
        let term = metrics.current_term;
        let leads =
            metrics.state == ServerState::Leader && metrics.current_leader == Some(metrics.id);
        if !leads {
            self.seen = None;
            return None;
        }
        let (_, last) = *match &mut self.seen {
            Some(seen) if seen.0 == term => seen,
            seen => seen.insert((term, metrics.last_log_index)),
        };
        let applied = metrics.last_applied?;
        // whoever has applied an entry of its own term has applied all that was agreed on before
        let knows_all = applied.leader_id.term == term && Some(applied.index) >= last;
        let silence = metrics.millis_since_quorum_ack.map(Duration::from_millis);
        let is_heard = silence.is_some_and(|silence| silence < SILENCE_MAX);
        (knows_all && is_heard).then_some(term)
    }
}
