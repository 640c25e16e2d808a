//! What the network in memory knows: who is there, who is linked, what was cut.
//!
//! A pair is linked when both are there, one of them was introduced to the other, and nothing is
//! between them. A process that ends closes its links at once; a cut or a frozen node is noticed
//! after [`SILENCE`], and mended by redialling after a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use metadata::HostAndPort;
use protocol::BrokerId;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::memory_link::{Link, Way};
use super::memory_peers::{Shared, Traffic};
use super::memory_registration::Registered;
use super::{AddressBook, Links, PeerIdentity};
use crate::once::Once;

/// How long a peer may be silent before its link counts as down.
const SILENCE: Duration = Duration::from_millis(600);
/// How long it takes to reach a node for the first time.
const FIRST_DIAL: Duration = Duration::from_millis(1);
/// How long it takes to find each other again, at most.
const REDIAL_MAX: Duration = Duration::from_millis(100);

struct Endpoint {
    number: u64,
    address: HostAndPort,
    book: AddressBook,
    registered: Option<Arc<Registered>>,
    links: watch::Sender<Links>,
    /// Set while the node is frozen; happens when it goes on.
    frozen: Option<Arc<Once>>,
}

/// What will happen to a pair, unless something else happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    Silence,
    Redial,
}

struct Pair {
    link: Option<Arc<Link>>,
    pending: Pending,
    /// Whether they have been linked before: who looks for a new node calls it at once.
    was_linked: bool,
    /// Counts what was pending, so that an old timer is recognised.
    number: u64,
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct NetworkState {
    pub cuts: BTreeSet<Way>,
    pub traffic: Traffic,
    pub traffic_between: BTreeMap<Way, Traffic>,
    endpoints: BTreeMap<BrokerId, Endpoint>,
    /// The lower number first.
    pairs: BTreeMap<Way, Pair>,
    endpoints_made: u64,
}

impl NetworkState {
    pub fn add_endpoint(
        &mut self,
        node: BrokerId,
        address: HostAndPort,
    ) -> (u64, watch::Receiver<Links>) {
        self.endpoints_made += 1;
        let number = self.endpoints_made;
        let (links, receiver) = watch::channel(Links::default());
        let endpoint = Endpoint {
            number,
            address,
            book: AddressBook::new(),
            registered: None,
            links,
            frozen: None,
        };
        if let Some(before) = self.endpoints.insert(node, endpoint) {
            before.registered.inspect(|registered| registered.gone.happen());
            before.frozen.inspect(|frozen| frozen.happen());
            before.links.send_replace(Links::default());
        }
        self.close_links_of_gone(node);
        (number, receiver)
    }

    pub fn nodes(&self) -> Vec<BrokerId> {
        self.endpoints.keys().copied().collect()
    }

    /// Puts a node that is up in its place.
    pub fn register(&mut self, node: BrokerId, number: u64, registered: Arc<Registered>) {
        let Some(endpoint) = self.endpoint(node, number) else { return };
        if let Some(before) = endpoint.registered.replace(registered) {
            before.gone.happen();
        }
    }

    /// Takes a node away, if it is still this start of it that is there.
    pub fn unregister(&mut self, registered: &Arc<Registered>) {
        if let Some(endpoint) = self.endpoints.get_mut(&registered.identity.node) {
            endpoint.registered.take_if(|current| Arc::ptr_eq(current, registered));
        }
    }

    fn endpoint(&mut self, node: BrokerId, number: u64) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(&node).filter(|endpoint| endpoint.number == number)
    }

    pub fn introduce(&mut self, node: BrokerId, number: u64, book: AddressBook) {
        if let Some(endpoint) = self.endpoint(node, number) {
            endpoint.book = book;
        }
    }

    /// Who is reached at an address.
    pub fn at(&self, address: &HostAndPort) -> Option<PeerIdentity> {
        let found = self.endpoints.values().find(|endpoint| endpoint.address == *address)?;
        found.registered.as_ref().map(|registered| registered.identity)
    }

    pub fn traffic_on(&self, way: Way) -> Traffic {
        self.traffic_between.get(&way).copied().unwrap_or(self.traffic)
    }

    pub fn is_cut(&self, way: Way) -> bool {
        self.cuts.contains(&way)
    }

    /// Whether heartbeats fail between two nodes.
    pub fn is_obstructed(&self, one: BrokerId, other: BrokerId) -> bool {
        let is_frozen = |node| self.frozen(node).is_some();
        self.is_cut((one, other)) || self.is_cut((other, one)) || is_frozen(one) || is_frozen(other)
    }

    /// What to wait for before anything goes this way.
    fn frozen_on(&self, way: Way) -> Option<Arc<Once>> {
        self.frozen(way.0).or_else(|| self.frozen(way.1))
    }

    fn frozen(&self, node: BrokerId) -> Option<Arc<Once>> {
        self.endpoints.get(&node)?.frozen.clone()
    }

    pub fn freeze(&mut self, node: BrokerId) {
        if let Some(endpoint) = self.endpoints.get_mut(&node) {
            endpoint.frozen.get_or_insert_default();
        }
    }

    pub fn thaw(&mut self, node: BrokerId) {
        let endpoint = self.endpoints.get_mut(&node);
        if let Some(frozen) = endpoint.and_then(|endpoint| endpoint.frozen.take()) {
            frozen.happen();
        }
    }

    pub fn thaw_all(&mut self) {
        for node in self.nodes() {
            self.thaw(node);
        }
    }

    /// The link from this start of a node to another.
    pub fn link_of(&self, from: BrokerId, number: u64, to: BrokerId) -> Option<Arc<Link>> {
        self.endpoints.get(&from).filter(|endpoint| endpoint.number == number)?;
        self.pairs.get(&in_order(from, to))?.link.clone()
    }

    /// Makes a node's links what they should be, or sees to it that they will be.
    pub fn settle(&mut self, node: BrokerId, shared: &Arc<Shared>) {
        self.close_links_of_gone(node);
        for other in self.nodes().into_iter().filter(|other| *other != node) {
            self.settle_pair(in_order(node, other), shared);
        }
    }

    /// The same for all nodes.
    pub fn settle_all(&mut self, shared: &Arc<Shared>) {
        for node in self.nodes() {
            self.settle(node, shared);
        }
    }

    fn settle_pair(&mut self, way: Way, shared: &Arc<Shared>) {
        let is_wanted = self.is_wanted(way);
        let is_obstructed = self.is_obstructed(way.0, way.1);
        let pair = self.pair(way);
        let is_linked = pair.link.is_some();
        if is_linked && !is_wanted {
            self.unlink(way);
            return;
        }
        let pending = match (is_linked, is_obstructed) {
            (true, true) => Pending::Silence,
            (false, false) if is_wanted => Pending::Redial,
            _ => Pending::Nothing,
        };
        if pair.pending == pending {
            return;
        }
        pair.pending = pending;
        pair.number += 1;
        let (number, was_linked) = (pair.number, pair.was_linked);
        let after = match pending {
            Pending::Nothing => return,
            Pending::Silence => SILENCE,
            Pending::Redial if !was_linked => FIRST_DIAL,
            Pending::Redial => shared.draw_between(Duration::from_millis(1), REDIAL_MAX),
        };
        if let Some(runtime) = self.runtime_of(way) {
            let shared = Arc::downgrade(shared);
            runtime.spawn(async move {
                tokio::time::sleep(after).await;
                if let Some(shared) = shared.upgrade() {
                    shared.state().on_due(way, number);
                }
            });
        }
    }

    fn on_due(&mut self, way: Way, number: u64) {
        let Some(pair) = self.pairs.get_mut(&way).filter(|pair| pair.number == number) else {
            return;
        };
        match std::mem::replace(&mut pair.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::Silence => self.unlink(way),
            Pending::Redial => self.link(way),
        }
    }

    fn link(&mut self, way: Way) {
        let (Some(one), Some(other)) = (self.registered(way.0), self.registered(way.1)) else {
            return;
        };
        let pair = self.pair(way);
        pair.link = Some(Arc::new(Link::new(&one, &other)));
        pair.was_linked = true;
        self.show(way.0);
        self.show(way.1);
    }

    fn unlink(&mut self, way: Way) {
        let Some(pair) = self.pairs.get_mut(&way) else { return };
        pair.pending = Pending::Nothing;
        pair.number += 1;
        if let Some(link) = pair.link.take() {
            link.close();
            self.show(way.0);
            self.show(way.1);
        }
    }

    /// A link holds two starts of processes together; it ends with either.
    fn close_links_of_gone(&mut self, node: BrokerId) {
        for other in self.nodes() {
            let way = in_order(node, other);
            let ends = (self.registered(way.0), self.registered(way.1));
            let link = self.pairs.get(&way).and_then(|pair| pair.link.as_ref());
            let is_whole = match (link, &ends) {
                (Some(link), (Some(one), Some(other))) => link.is_between(one, other),
                (None, (Some(_), Some(_))) => true,
                _ => false,
            };
            if !is_whole {
                self.unlink(way);
            }
        }
    }

    /// Publishes to a node which links it has.
    fn show(&self, node: BrokerId) {
        let Some(endpoint) = self.endpoints.get(&node) else { return };
        let mut links = BTreeMap::new();
        for (other, registered) in self.endpoints.iter().filter_map(|(other, endpoint)| {
            let pair = self.pairs.get(&in_order(node, *other))?;
            pair.link.as_ref()?;
            Some((*other, endpoint.registered.as_ref()?))
        }) {
            links.insert(other, registered.identity.incarnation);
        }
        endpoint.links.send_replace(Arc::new(links));
    }

    fn is_wanted(&self, way: Way) -> bool {
        let (Some(one), Some(other)) = (self.registered(way.0), self.registered(way.1)) else {
            return false;
        };
        let knows = |from: BrokerId, to: BrokerId| {
            let address = self.endpoints.get(&to).map(|endpoint| &endpoint.address);
            self.endpoints.get(&from).and_then(|endpoint| endpoint.book.get(&to)) == address
        };
        one.identity.cluster_id == other.identity.cluster_id
            && (knows(way.0, way.1) || knows(way.1, way.0))
    }

    fn registered(&self, node: BrokerId) -> Option<Arc<Registered>> {
        self.endpoints.get(&node)?.registered.clone()
    }

    fn runtime_of(&self, way: Way) -> Option<Handle> {
        let registered = self.registered(way.0).or_else(|| self.registered(way.1))?;
        Some(registered.runtime.clone())
    }

    fn pair(&mut self, way: Way) -> &mut Pair {
        let (link, pending) = (None, Pending::Nothing);
        let pair = Pair { link, pending, was_linked: false, number: 0 };
        self.pairs.entry(way).or_insert(pair)
    }
}

fn in_order(one: BrokerId, other: BrokerId) -> Way {
    if one <= other { (one, other) } else { (other, one) }
}

impl Shared {
    /// Waits while either end of a way is frozen.
    pub async fn wait_until_thawed(&self, way: Way) {
        loop {
            let Some(frozen) = self.state().frozen_on(way) else { return };
            frozen.wait().await;
        }
    }
}
