//! What callers, gateways and `cluster_link` share: which node is reached through which session,
//! and what everything is made of. No actor; nobody waits for anybody here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use protocol::BrokerId;
use ractor_cluster::NodeServerMessage;
use supervision::Address;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::ClusterLinkMessage;
use super::link_table::LinkNumber;
use super::secure_channel::SecureChannel;
use super::session::Session;
use crate::gateway_messages::GATEWAYS;
use crate::metrics::{LinkLabel, LinkMetrics};
use crate::once::Once;
use crate::ports::peers::{AddressBook, Links, PeerIdentity};
use crate::ports::rng::Rng;

type Sessions = BTreeMap<BrokerId, Arc<Session>>;

/// See the head of this file.
pub(crate) struct Switchboard {
    /// This node's number; the rest of its identity is known when it belongs to a cluster.
    pub node: BrokerId,
    pub(super) listener: TcpListener,
    pub(super) channel: SecureChannel,
    pub(super) rng: Arc<dyn Rng>,
    pub address: Address<ClusterLinkMessage>,
    pub node_server: Address<NodeServerMessage>,
    pub metrics: LinkMetrics,
    /// Happens when all gateways have been there once: before, nobody is let in.
    pub(super) gateways: Once,
    gateways_seen: AtomicUsize,
    starts: AtomicU64,
    me: ArcSwapOption<PeerIdentity>,
    book: Mutex<AddressBook>,
    by_number: Mutex<BTreeMap<LinkNumber, Arc<Session>>>,
    up: ArcSwap<Sessions>,
    links: watch::Sender<Links>,
}

impl Switchboard {
    pub fn new(
        node: BrokerId,
        listener: TcpListener,
        channel: SecureChannel,
        rng: Arc<dyn Rng>,
    ) -> Self {
        Self {
            node,
            listener,
            channel,
            rng,
            address: Address::new(),
            node_server: Address::new(),
            metrics: LinkMetrics::default(),
            gateways: Once::default(),
            gateways_seen: AtomicUsize::new(0),
            starts: AtomicU64::new(0),
            me: ArcSwapOption::empty(),
            book: Mutex::default(),
            by_number: Mutex::default(),
            up: ArcSwap::default(),
            links: watch::Sender::new(Links::default()),
        }
    }

    /// Who this node is, once it belongs to a cluster.
    pub fn me(&self) -> Option<PeerIdentity> {
        self.me.load().as_deref().copied()
    }

    /// The node belongs to a cluster from now on.
    pub fn set_me(&self, me: PeerIdentity) {
        self.me.store(Some(Arc::new(me)));
    }

    /// Where a start of `cluster_link` begins to count: what is left of an earlier one may still
    /// speak of its own numbers.
    pub(super) fn first_number(&self) -> LinkNumber {
        self.starts.fetch_add(1, Ordering::Relaxed) << 32
    }

    /// A gateway is there.
    pub fn on_gateway_up(&self) {
        if self.gateways_seen.fetch_add(1, Ordering::Relaxed) + 1 >= GATEWAYS {
            self.gateways.happen();
        }
    }

    /// The links, as they come and go.
    pub fn links(&self) -> watch::Receiver<Links> {
        self.links.subscribe()
    }

    /// The session that leads to a node, if one is up.
    pub fn session_with(&self, node: BrokerId) -> Option<Arc<Session>> {
        self.up.load().get(&node).cloned()
    }

    /// How many links are up.
    pub fn links_up(&self) -> usize {
        self.up.load().len()
    }

    pub(super) fn book(&self) -> AddressBook {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the other nodes are.
    pub fn set_book(&self, book: AddressBook) {
        let mut current = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != book {
            *current = book;
            drop(current);
            // if nobody is there, the next start reads the book
            let _ = self.address.send(ClusterLinkMessage::BookChanged);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<LinkNumber, Arc<Session>>> {
        self.by_number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn session(&self, number: LinkNumber) -> Option<Arc<Session>> {
        self.sessions().get(&number).cloned()
    }

    pub(super) fn add(&self, session: &Arc<Session>) {
        self.sessions().insert(session.number, Arc::clone(session));
    }

    pub(super) fn forget(&self, number: LinkNumber) {
        self.sessions().remove(&number);
    }

    /// Closes every session.
    pub(super) fn close_all(&self) {
        let sessions: Vec<Arc<Session>> = self.sessions().values().cloned().collect();
        for session in sessions {
            self.take_down(&session);
            session.close();
        }
    }

    /// Closes a session and waits until another with the same node may begin.
    pub(super) async fn end(&self, number: LinkNumber, deadline: Duration) {
        if let Some(session) = self.session(number) {
            self.take_down(&session);
            session.close();
            session.wait_until_ended(deadline).await;
        }
    }

    /// From now on a session leads to its node.
    pub(super) fn put_up(&self, session: &Arc<Session>) {
        self.change_up(|up| {
            up.insert(session.peer.node, Arc::clone(session));
        });
    }

    /// A session leads to its node no more.
    pub(super) fn take_down(&self, session: &Arc<Session>) {
        self.change_up(|up| {
            let node = session.peer.node;
            if up.get(&node).is_some_and(|current| Arc::ptr_eq(current, session)) {
                up.remove(&node);
            }
        });
    }

    /// The lock that `links` holds keeps two changes apart.
    fn change_up(&self, change: impl FnOnce(&mut Sessions)) {
        self.links.send_if_modified(|links| {
            let mut up = Sessions::clone(&self.up.load());
            change(&mut up);
            let now: BTreeMap<_, _> =
                up.iter().map(|(node, session)| (*node, session.peer.incarnation)).collect();
            self.up.store(Arc::new(up));
            if **links == now {
                return false;
            }
            for node in links.keys().chain(now.keys()) {
                let is_up = i64::from(now.contains_key(node));
                self.metrics.up.get_or_create(&LinkLabel::of(*node)).set(is_up);
            }
            *links = Arc::new(now);
            true
        });
    }
}
