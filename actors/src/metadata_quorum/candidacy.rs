//! When this voter stands for election. The library's own timer is off: it asks for votes without
//! asking first, and a node that was cut off would depose a good leader when it comes back. Here a
//! majority is asked first whether it would vote at all, which changes nothing; and a closed link to
//! the leader shortens the wait to the lease, within which nobody votes.
//!
//! ```text
//! leader silent ─┬─ link closed ──── lease ─────────────┐
//!                └─ link open ────── lease + timeout ───┴─▶ would a majority vote? ──▶ elect
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use openraft::{BasicNode, Raft, RaftMetrics, ServerState};
use tokio::time::{Instant, sleep, timeout};

use super::quorum_file::EntryPlace;
use super::quorum_messages::{AskQuorum, QuorumAnswer};
use super::quorum_voice::QuorumVoice;
use super::raft_identity::broker_of;
use super::raft_log::RaftLog;
use super::raft_types::QuorumTypes;
use super::{ELECTION_TIMEOUT_MAX_MS, ELECTION_TIMEOUT_MIN_MS, LEASE};
use crate::file_work::FileWork;
use crate::metrics::QuorumMetrics;
use crate::peer_messages::PeerCaller;
use crate::ports::rng::Rng;

/// How long a voter may take to say whether it would vote.
const ASK_DEADLINE: Duration = Duration::from_millis(150);
/// The pause after a vain candidacy, drawn between the two, in milliseconds.
const PAUSE_MS: (u64, u64) = (40, 120);
/// How long an election may take before it counts as vain.
const ELECTION_DEADLINE: Duration = Duration::from_millis(300);
/// The wait of a voter that has just started, in milliseconds: a leader is heard sooner.
const START_MS: (u64, u64) = (100, 250);

/// See the head of this file.
pub struct Candidacy {
    /// This member.
    pub raft_id: u64,
    /// The consensus.
    pub raft: Raft<QuorumTypes>,
    /// Its log.
    pub log: RaftLog,
    /// Hears the leader.
    pub voice: Arc<QuorumVoice>,
    /// Asks the others.
    pub caller: PeerCaller,
    /// Draws the waits.
    pub rng: Arc<dyn Rng>,
    /// Counts elections.
    pub metrics: QuorumMetrics,
    /// Whether the disk answers: who cannot write down its own vote does not stand.
    pub file_work: FileWork,
}

type Metrics = RaftMetrics<u64, BasicNode>;

impl Candidacy {
    /// Watches the leader until it is aborted.
    pub async fn run(self) {
        let started = Instant::now();
        let first_wait = self.draw(START_MS);
        let mut patience = self.draw((ELECTION_TIMEOUT_MIN_MS, ELECTION_TIMEOUT_MAX_MS));
        let mut metrics = self.raft.metrics();
        let mut links = self.caller.peers.links();
        loop {
            let report = metrics.borrow_and_update().clone();
            if !may_stand(&report) || self.file_work.is_hung() {
                // a report comes with every tick, and the last one with the end of the library
                if metrics.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let due = match self.voice.heard() {
                Some(heard) if self.is_link_closed(&report) => heard + LEASE,
                Some(heard) => heard + LEASE + patience,
                None => started + first_wait,
            };
            let now = Instant::now();
            if voters(&report).len() > 1 && now <= due {
                tokio::select! {
                    () = sleep(due - now + Duration::from_millis(1)) => {}
                    // a link that closes makes it due earlier
                    Ok(()) = links.changed() => {}
                }
                continue;
            }
            if !self.would_win(&report).await {
                self.metrics.candidacies_vain.inc();
            } else if self.raft.trigger().elect().await.is_ok() {
                self.metrics.elections_started.inc();
            } else {
                return;
            }
            let decided = self.raft.wait(Some(ELECTION_DEADLINE));
            let _ = decided.metrics(|report| !may_stand(report), "the election is over").await;
            sleep(self.draw(PAUSE_MS)).await;
            patience = self.draw((ELECTION_TIMEOUT_MIN_MS, ELECTION_TIMEOUT_MAX_MS));
        }
    }

    /// Between the two, in milliseconds.
    fn draw(&self, (min, max): (u64, u64)) -> Duration {
        Duration::from_millis(min + self.rng.next() % (max - min))
    }

    fn is_link_closed(&self, report: &Metrics) -> bool {
        let Some(leader) = report.current_leader.filter(|leader| *leader != self.raft_id) else {
            return true;
        };
        !self.caller.peers.links().borrow().contains_key(&broker_of(leader))
    }

    /// Whether a majority would vote for this member, in each set of voters while they change.
    async fn would_win(&self, report: &Metrics) -> bool {
        let last = self.log.last().await;
        let others = voters(report).into_iter().filter(|id| *id != self.raft_id);
        let answers = join_all(others.map(|id| self.would_vote(id, last))).await;
        let mut willing: BTreeSet<u64> = answers.into_iter().flatten().collect();
        willing.insert(self.raft_id);
        let configurations = report.membership_config.membership().get_joint_config();
        configurations.iter().all(|voters| voters.intersection(&willing).count() * 2 > voters.len())
    }

    async fn would_vote(&self, id: u64, last: Option<EntryPlace>) -> Option<u64> {
        let question = AskQuorum::WouldVote { to: id, last };
        let asking = self.caller.ask(broker_of(id), &question, ASK_DEADLINE);
        match timeout(ASK_DEADLINE, asking).await {
            Ok(Ok(QuorumAnswer::WouldVote(true))) => Some(id),
            _ => None,
        }
    }
}

fn voters(report: &Metrics) -> BTreeSet<u64> {
    report.membership_config.membership().voter_ids().collect()
}

fn may_stand(report: &Metrics) -> bool {
    report.running_state.is_ok()
        && report.state != ServerState::Leader
        && voters(report).contains(&report.id)
}
