//! While this node leads: looks who should vote, and makes the changes one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openraft::{BasicNode, RaftMetrics};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::quorum_voice::QuorumVoice;
use super::raft_identity::{MemberAddress, broker_of};
use super::raft_state::AppliedImage;
use super::voter_changes::members_of;
use super::voter_plan::{Situation, is_caught_up};
use crate::peer_messages::PeerCaller;

/// How often the leader looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// How soon it looks again where a vote waits for somebody and something happened: a cluster that
/// has just been started has its voters at once.
const INTERVAL_MIN: Duration = Duration::from_millis(5);
/// How long a member may be neither registered nor joining before it counts as gone for good.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// See the head of this file.
pub struct VoterKeeper {
    /// This member.
    pub raft_id: u64,
    /// Where others reach it.
    pub address: MemberAddress,
    /// How many should vote.
    pub voters_wanted: usize,
    /// What the consensus library reports.
    pub metrics: watch::Receiver<RaftMetrics<u64, BasicNode>>,
    /// Makes the changes.
    pub voice: Arc<QuorumVoice>,
    /// Who is registered.
    pub applied: AppliedImage,
    /// Who is linked.
    pub caller: PeerCaller,
}

impl VoterKeeper {
    /// Looks until it is aborted.
    pub async fn run(self) {
        let mut absent = BTreeMap::new();
        let mut views = self.voice.cell().subscribe();
        loop {
            // who does not lead only waits
            let leads = views.wait_for(|view| view.active_term.is_some()).await;
            if leads.map(drop).is_err() {
                return;
            }
            let situation = self.situation(&mut absent);
            if let Some(change) = situation.plan()
                && let Err(refusal) = self.voice.changes().make(change).await
            {
                warn!(%refusal, "the quorum's members were not changed");
            }
            self.pause(situation.awaits_voters()).await;
        }
    }

    async fn pause(&self, awaits_voters: bool) {
        if !awaits_voters {
            return tokio::time::sleep(INTERVAL).await;
        }
        let (mut metrics, mut links) = (self.metrics.clone(), self.caller.peers.links());
        metrics.mark_unchanged();
        tokio::time::sleep(INTERVAL_MIN).await;
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            // entries that a member has, its registration among them
            Ok(()) = metrics.changed() => {}
            Ok(()) = links.changed() => {}
        }
    }

    fn situation(&self, absent: &mut BTreeMap<u64, Instant>) -> Situation {
        let metrics = self.metrics.borrow().clone();
        let members = members_of(&metrics);
        let is_ready = |(id, address): &(&u64, &MemberAddress)| {
            is_caught_up(&metrics, **id)
                && self.is_registered(**id, address)
                && self.is_linked(**id)
        };
        Situation {
            leader: self.raft_id,
            address: self.address.clone(),
            voters: metrics.membership_config.membership().voter_ids().collect(),
            ready: members.iter().filter(is_ready).map(|(id, _)| *id).collect(),
            gone: self.gone(&members, absent),
            members,
            voters_wanted: self.voters_wanted,
        }
    }

    /// Whether the node is registered with the directory of this member, and not with a later one.
    fn is_registered(&self, id: u64, address: &MemberAddress) -> bool {
        let image = self.applied.load();
        let Some(broker) = image.broker(broker_of(id)) else { return false };
        address.directory.is_none_or(|directory| directory == broker.registration.directory)
    }

    fn is_linked(&self, id: u64) -> bool {
        let broker = broker_of(id);
        broker == self.caller.me.node || self.caller.peers.links().borrow().contains_key(&broker)
    }

    /// A node that joins is linked before it is registered.
    fn is_joining(&self, id: u64) -> bool {
        self.applied.load().broker(broker_of(id)).is_none() && self.is_linked(id)
    }

    fn gone(
        &self,
        members: &BTreeMap<u64, MemberAddress>,
        absent: &mut BTreeMap<u64, Instant>,
    ) -> BTreeSet<u64> {
        absent.retain(|id, _| members.contains_key(id));
        for (id, address) in members {
            if self.is_registered(*id, address) || self.is_joining(*id) {
                absent.remove(id);
            } else {
                absent.entry(*id).or_insert_with(Instant::now);
            }
        }
        let is_gone =
            |(id, since): (&u64, &Instant)| (since.elapsed() >= GONE_AFTER).then_some(*id);
        absent.iter().filter_map(is_gone).collect()
    }
}
