//! Decides who is called, whose call is taken, and which of two sessions stays. Pure.
//!
//! There is at most one session per node. A node never calls one that it has a session with, so
//! whoever calls has none, or a new process, and gets a new one: the old one is stopped first. When
//! two call each other at the same moment, the call of the node with the higher number goes first;
//! it counts only from the greeting on, so that a call into the void keeps nobody out.

use std::collections::BTreeMap;

use protocol::BrokerId;

use super::hello::Verdict;
use crate::ports::peers::{AddressBook, PeerIdentity};

/// Numbers calls and sessions of this start of the process.
pub(super) type LinkNumber = u64;

/// What is known about one node.
#[derive(Debug, Default)]
struct Peer {
    call: Option<Call>,
    session: Option<Established>,
    /// Calls that failed since the last session.
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    number: LinkNumber,
    has_greeted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Established {
    number: LinkNumber,
    is_mine: bool,
}

/// A session that begins, and the one that must end before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    pub number: LinkNumber,
    pub replaces: Option<LinkNumber>,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct LinkTable {
    me: PeerIdentity,
    peers: BTreeMap<BrokerId, Peer>,
    last: LinkNumber,
}

impl LinkTable {
    /// An empty table; `last` is the number before the first that it gives.
    pub fn new(me: PeerIdentity, last: LinkNumber) -> Self {
        Self { me, peers: BTreeMap::new(), last }
    }

    /// Who of those named has neither session nor call.
    pub fn to_be_called(&self, book: &AddressBook) -> Vec<BrokerId> {
        let others = book.keys().filter(|node| **node != self.me.node);
        let is_idle = |node: &&BrokerId| {
            self.peers.get(node).is_none_or(|peer| peer.call.is_none() && peer.session.is_none())
        };
        others.filter(is_idle).copied().collect()
    }

    /// The sessions that this node began with nodes that are not named any more.
    pub fn not_wanted(&self, book: &AddressBook) -> Vec<LinkNumber> {
        let not_named = self.peers.iter().filter(|(node, _)| !book.contains_key(node));
        let sessions = not_named.filter_map(|(_, peer)| peer.session);
        sessions.filter(|session| session.is_mine).map(|session| session.number).collect()
    }

    /// A call begins; its number, and how many failed before.
    pub fn on_call(&mut self, node: BrokerId) -> (LinkNumber, u32) {
        let number = self.next();
        let peer = self.peers.entry(node).or_default();
        peer.call = Some(Call { number, has_greeted: false });
        (number, peer.failures)
    }

    /// A call has reached a listener: may it greet? Not if there is a session by now.
    pub fn may_greet(&mut self, node: BrokerId, number: LinkNumber) -> bool {
        let Some(peer) = self.peers.get_mut(&node) else { return false };
        let call = peer.call.as_mut().filter(|call| call.number == number);
        match (call, peer.session) {
            (Some(call), None) => {
                call.has_greeted = true;
                true
            }
            _ => false,
        }
    }

    /// A call ended without a session.
    pub fn on_call_failed(&mut self, node: BrokerId, number: LinkNumber) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if peer.call.take_if(|call| call.number == number).is_some() {
            peer.failures = peer.failures.saturating_add(1);
        }
    }

    /// A call was granted.
    pub fn on_call_granted(&mut self, node: BrokerId, number: LinkNumber) -> Begin {
        let peer = self.peers.entry(node).or_default();
        peer.call.take_if(|call| call.number == number);
        let replaces = peer.session.replace(Established { number, is_mine: true });
        Begin { number, replaces: replaces.map(|session| session.number) }
    }

    /// Somebody calls who belongs to some cluster and means `to`.
    pub fn on_greeting(
        &mut self,
        caller: &PeerIdentity,
        to: Option<BrokerId>,
    ) -> Result<Begin, Verdict> {
        if caller.cluster_id != self.me.cluster_id {
            return Err(Verdict::OtherCluster);
        }
        if caller.node == self.me.node || to.is_some_and(|to| to != self.me.node) {
            return Err(Verdict::OtherNode);
        }
        let number = self.next();
        let peer = self.peers.entry(caller.node).or_default();
        let is_calling = peer.call.is_some_and(|call| call.has_greeted);
        if is_calling && self.me.node > caller.node {
            return Err(Verdict::Calling);
        }
        let replaces = peer.session.replace(Established { number, is_mine: false });
        Ok(Begin { number, replaces: replaces.map(|session| session.number) })
    }

    /// Whether it is this session that a node has.
    pub fn is_current(&self, node: BrokerId, number: LinkNumber) -> bool {
        let session = self.peers.get(&node).and_then(|peer| peer.session);
        session.is_some_and(|session| session.number == number)
    }

    /// A session is up: failures before it do not count any more.
    pub fn on_up(&mut self, node: BrokerId, number: LinkNumber) {
        let peer = self.peers.get_mut(&node);
        let is_current = |peer: &&mut Peer| peer.session.is_some_and(|s| s.number == number);
        if let Some(peer) = peer.filter(is_current) {
            peer.failures = 0;
        }
    }

    /// A session ended, or never began after all.
    pub fn on_ended(&mut self, node: BrokerId, number: LinkNumber) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if peer.session.take_if(|session| session.number == number).is_some() {
            peer.failures = peer.failures.saturating_add(1);
        }
    }

    /// Forgets those that are neither named nor linked.
    pub fn forget(&mut self, book: &AddressBook) {
        self.peers.retain(|node, peer| {
            book.contains_key(node) || peer.call.is_some() || peer.session.is_some()
        });
    }

    fn next(&mut self) -> LinkNumber {
        self.last += 1;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadata::{ClusterId, HostAndPort, Incarnation};
    use uuid::Uuid;

    const ONE: BrokerId = BrokerId(1);
    const TWO: BrokerId = BrokerId(2);

    fn identity(node: BrokerId, incarnation: u128) -> PeerIdentity {
        let cluster_id = ClusterId(Uuid::from_u128(1));
        PeerIdentity { cluster_id, node, incarnation: Incarnation(Uuid::from_u128(incarnation)) }
    }

    fn table(node: BrokerId) -> LinkTable {
        LinkTable::new(identity(node, 1), 0)
    }

    fn book(nodes: &[BrokerId]) -> AddressBook {
        nodes.iter().map(|node| (*node, HostAndPort::new("host", 9_000))).collect()
    }

    #[test]
    fn who_is_named_is_called_once_and_never_oneself() {
        let mut table = table(ONE);
        assert_eq!(table.to_be_called(&book(&[ONE, TWO])), [TWO]);
        let (number, failures) = table.on_call(TWO);
        assert_eq!(failures, 0);
        assert!(table.to_be_called(&book(&[ONE, TWO])).is_empty());
        table.on_call_failed(TWO, number);
        assert_eq!(table.to_be_called(&book(&[ONE, TWO])), [TWO]);
        assert_eq!(table.on_call(TWO).1, 1);
    }

    #[test]
    fn of_two_calls_that_cross_the_one_from_the_higher_number_stays() {
        let (mut one, mut two) = (table(ONE), table(TWO));
        let (from_one, _) = one.on_call(TWO);
        let (from_two, _) = two.on_call(ONE);
        assert!(one.may_greet(TWO, from_one));
        assert!(two.may_greet(ONE, from_two));
        assert_eq!(two.on_greeting(&identity(ONE, 1), Some(TWO)), Err(Verdict::Calling));
        let begin = one.on_greeting(&identity(TWO, 1), Some(ONE)).unwrap();
        assert_eq!(begin.replaces, None);
        assert_eq!(two.on_call_granted(ONE, from_two), Begin { number: 1, replaces: None });
        one.on_call_failed(TWO, from_one);
        assert!(one.to_be_called(&book(&[ONE, TWO])).is_empty());
        assert!(one.not_wanted(&book(&[])).is_empty(), "the other node made it");
        assert_eq!(two.not_wanted(&book(&[])), [1]);
    }

    #[test]
    fn a_call_that_reached_nobody_yet_keeps_nobody_out() {
        let mut two = table(TWO);
        let (number, _) = two.on_call(ONE);
        assert!(two.on_greeting(&identity(ONE, 1), None).is_ok());
        assert!(!two.may_greet(ONE, number), "there is a session by now");
    }

    #[test]
    fn whoever_calls_replaces_its_session_whichever_process_it_is() {
        let mut one = table(ONE);
        let first = one.on_greeting(&identity(TWO, 1), Some(ONE)).unwrap();
        let same = one.on_greeting(&identity(TWO, 1), Some(ONE)).unwrap();
        assert_eq!(same.replaces, Some(first.number));
        let new = one.on_greeting(&identity(TWO, 2), Some(ONE)).unwrap();
        assert_eq!(new.replaces, Some(same.number));
        one.on_ended(TWO, first.number);
        assert!(one.to_be_called(&book(&[TWO])).is_empty(), "the old one's end says nothing");
        one.on_ended(TWO, new.number);
        assert_eq!(one.to_be_called(&book(&[TWO])), [TWO]);
    }

    #[test]
    fn strangers_are_told_what_is_wrong() {
        let mut one = table(ONE);
        let mut stranger = identity(TWO, 1);
        stranger.cluster_id = ClusterId(Uuid::from_u128(2));
        assert_eq!(one.on_greeting(&stranger, None), Err(Verdict::OtherCluster));
        assert_eq!(one.on_greeting(&identity(ONE, 2), None), Err(Verdict::OtherNode));
        assert_eq!(one.on_greeting(&identity(TWO, 2), Some(TWO)), Err(Verdict::OtherNode));
        one.forget(&book(&[]));
        assert!(one.peers.is_empty());
    }
}
