//! Makes this node known to the quorum: a new one asks to be let in, one that moved says where it
//! is now. It also says where the other members are, so that links to them are made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metadata::{DirectoryId, HostAndPort};
use protocol::BrokerId;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::quorum_messages::{JoinAnswer, JoinCluster};
use super::quorum_view::{QuorumCell, QuorumMember, QuorumView};
use crate::peer_messages::PeerCaller;
use crate::ports::peers::AddressBook;

/// How long one question may take; the leader waits for an agreement.
const ASK_DEADLINE: Duration = Duration::from_secs(6);
/// How long a seed may take to say who it is.
const DISCOVERY_DEADLINE: Duration = Duration::from_secs(2);
/// The pause before asking again.
const RETRY: Duration = Duration::from_millis(200);
/// After so many vain rounds the log says so.
const ROUNDS_BEFORE_WARNING: u32 = 25;

/// See the head of this file.
pub struct Joining {
    /// This member.
    pub raft_id: u64,
    /// Its data directory.
    pub directory: DirectoryId,
    /// Where a node that belongs to no quorum yet asks.
    pub seeds: Vec<HostAndPort>,
    /// The quorum as this node sees it.
    pub cell: QuorumCell,
    /// Asks the others.
    pub caller: PeerCaller,
}

impl Joining {
    /// Keeps this node known until it is aborted.
    pub async fn run(self) {
        let Some(address) = self.caller.peers.local_address() else { return };
        let mut views = self.cell.subscribe();
        let mut told: AddressBook = BTreeMap::new();
        let mut rounds = 0_u32;
        loop {
            let view = Arc::clone(&views.borrow_and_update());
            if self.is_known(&view, &address) || self.leads(&view) {
                rounds = 0;
                self.introduce(book_of(&view), &mut told);
                if views.changed().await.is_err() {
                    return;
                }
                continue;
            }
            self.round(&view, &address, &mut told).await;
            rounds += 1;
            if rounds == ROUNDS_BEFORE_WARNING {
                warn!(seeds = ?self.seeds, "nobody has let this node into its quorum yet");
            }
            pause(&mut views).await;
        }
    }

    /// Asks everybody who may know until one says who leads, and then that one.
    async fn round(&self, view: &QuorumView, address: &HostAndPort, told: &mut AddressBook) {
        let mut book = book_of(view);
        if book.keys().all(|node| *node == self.caller.me.node) {
            book.extend(self.discover().await);
        }
        book.remove(&self.caller.me.node);
        let mut ask: Vec<BrokerId> = book.keys().copied().collect();
        ask.sort_by_key(|node| view.leader != Some(*node));
        for node in ask {
            self.introduce(book.clone(), told);
            match self.ask(node, address).await {
                Some(JoinAnswer::Joined) => {
                    info!(leader = %node, "the quorum knows this node");
                    return;
                }
                Some(JoinAnswer::AskLeader { leader, address: Some(at) }) => {
                    book.insert(leader, at);
                    self.introduce(book.clone(), told);
                    if let Some(JoinAnswer::Joined) = self.ask(leader, address).await {
                        return;
                    }
                }
                Some(JoinAnswer::AskLeader { address: None, .. } | JoinAnswer::NotNow) | None => {}
            }
        }
    }

    async fn ask(&self, node: BrokerId, address: &HostAndPort) -> Option<JoinAnswer> {
        self.linked(node).await;
        let wish = JoinCluster {
            raft_id: self.raft_id,
            directory: self.directory,
            address: Some(address.clone()),
        };
        let answer = self.caller.ask(node, &wish, ASK_DEADLINE).await;
        answer.inspect_err(|error| debug!(%node, %error, "no answer to the wish to join")).ok()
    }

    /// A link that was asked for takes a moment.
    async fn linked(&self, node: BrokerId) {
        let mut links = self.caller.peers.links();
        let linked = links.wait_for(|links| links.contains_key(&node));
        let _ = tokio::time::timeout(DISCOVERY_DEADLINE, linked).await;
    }

    async fn discover(&self) -> AddressBook {
        let mut book = AddressBook::new();
        for seed in &self.seeds {
            match self.caller.peers.discover(seed, DISCOVERY_DEADLINE).await {
                Ok(found) if found.cluster_id == self.caller.me.cluster_id => {
                    book.insert(found.node, seed.clone());
                }
                Ok(found) => {
                    warn!(%seed, cluster = %found.cluster_id, "speaks for another cluster");
                }
                Err(error) => debug!(%seed, %error, "cannot be asked"),
            }
        }
        book
    }

    fn introduce(&self, mut book: AddressBook, told: &mut AddressBook) {
        book.remove(&self.caller.me.node);
        if book != *told {
            self.caller.peers.introduce(book.clone());
            *told = book;
        }
    }

    fn is_known(&self, view: &QuorumView, address: &HostAndPort) -> bool {
        let is_me = |member: &QuorumMember| {
            member.broker == self.caller.me.node
                && member.directory == Some(self.directory)
                && member.address.as_ref() == Some(address)
        };
        view.members().any(is_me)
    }

    /// The leader writes its own address down itself.
    fn leads(&self, view: &QuorumView) -> bool {
        view.leader == Some(self.caller.me.node)
    }
}

/// Where the members are.
fn book_of(view: &QuorumView) -> AddressBook {
    let place = |member: &QuorumMember| Some((member.broker, member.address.clone()?));
    view.members().filter_map(place).collect()
}

/// A newer view may already hold what was waited for.
async fn pause(views: &mut watch::Receiver<Arc<QuorumView>>) {
    tokio::select! {
        () = sleep(RETRY) => {}
        changed = views.changed() => {
            // an ended quorum ends this task too
            if changed.is_err() {
                sleep(RETRY).await;
            }
        }
    }
}
