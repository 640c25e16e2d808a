//! Peers in memory, for several nodes in one process: tests, examples, the simulator, the embedded
//! cluster. As kind as a local network unless told otherwise, and then as unkind as the real one.
//!
//! ```text
//! MemoryNetwork ── endpoint(1) ─▶ MemoryPeers ── children() ─▶ cluster_link: reachable while it lives
//!       │         endpoint(2) ─▶ MemoryPeers        …
//!       └── cut, heal, freeze, thaw, set_traffic: what a test does to it
//! ```
//!
//! On one thread with a paused clock the same seed gives the same run: every choice is drawn from
//! the one generator, and nothing iterates in an order that chance made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use metadata::HostAndPort;
use protocol::BrokerId;
use supervision::{ChildSpec, Shutdown};
use tokio::sync::{oneshot, watch};

use super::memory_endpoint::{MemoryEndpoint, MemoryEndpointArguments};
use super::memory_link::Parcel;
use super::memory_network::NetworkState;
use super::{
    AddressBook, ENVELOPE_BYTES_MAX, Lane, Links, PeerAnswer, PeerError, PeerIdentity, PeerService,
    Peers,
};
use crate::ports::net::PortFuture;
use crate::ports::rng::{Rng, SeededRng};

/// What happens to messages on their way. The default is a quiet local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The shortest time on the way, each way.
    pub delay_min: Duration,
    /// The longest time on the way, each way (inclusive). Lanes and targets overtake each other by
    /// it; within one lane to one node the order holds.
    pub delay_max: Duration,
    /// Of a thousand messages, how many are lost after they were accepted.
    pub lost_per_thousand: u16,
    /// Of a thousand answers, how many are lost.
    pub answers_lost_per_thousand: u16,
    /// Of a thousand messages, how many arrive twice.
    pub repeated_per_thousand: u16,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            delay_min: Duration::ZERO,
            delay_max: Duration::ZERO,
            lost_per_thousand: 0,
            answers_lost_per_thousand: 0,
            repeated_per_thousand: 0,
        }
    }
}

/// The network that nodes of one process share. Clones are the same network.
#[derive(Clone)]
pub struct MemoryNetwork {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) rng: Arc<dyn Rng>,
    state: Mutex<NetworkState>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, NetworkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A time between the two, both inclusive.
    pub(super) fn draw_between(&self, min: Duration, max: Duration) -> Duration {
        let range = max.saturating_sub(min).as_micros();
        let range = u64::try_from(range).unwrap_or(u64::MAX);
        if range == 0 {
            return min;
        }
        min + Duration::from_micros(self.rng.next() % range.saturating_add(1))
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(super) fn happens(&self, per_thousand: u16) -> bool {
        per_thousand > 0 && self.rng.next() % 1000 < u64::from(per_thousand)
    }
}

impl MemoryNetwork {
    /// A network without nodes whose choices `rng` makes.
    #[must_use]
    pub fn new(rng: Arc<dyn Rng>) -> Self {
        let state = Mutex::new(NetworkState::default());
        Self { shared: Arc::new(Shared { rng, state }) }
    }

    /// The network of a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::new(Arc::new(SeededRng::new(seed)))
    }

    /// The peers of one start of a node. Other nodes reach it at `address` while its children live;
    /// what an earlier start of the same node still holds is closed.
    #[must_use]
    pub fn endpoint(&self, node: BrokerId, address: HostAndPort) -> Arc<MemoryPeers> {
        let (number, links) = self.shared.state().add_endpoint(node, address.clone());
        Arc::new(MemoryPeers { shared: Arc::clone(&self.shared), node, number, address, links })
    }

    /// Loses everything that `from` sends to `to`, and not the other way: questions of `to` arrive,
    /// their answers do not. Both notice after about 600 ms.
    pub fn cut(&self, from: BrokerId, to: BrokerId) {
        self.change(from, |state| {
            state.cuts.insert((from, to));
        });
    }

    /// Loses everything between two nodes.
    pub fn cut_both(&self, one: BrokerId, other: BrokerId) {
        self.change(one, |state| {
            state.cuts.insert((one, other));
            state.cuts.insert((other, one));
        });
    }

    /// Loses everything between a node and all that there are now.
    pub fn isolate(&self, node: BrokerId) {
        self.change(node, |state| {
            for other in state.nodes() {
                state.cuts.insert((node, other));
                state.cuts.insert((other, node));
            }
        });
    }

    /// Mends what was cut between two nodes; they find each other soon.
    pub fn heal(&self, one: BrokerId, other: BrokerId) {
        self.change(one, |state| {
            state.cuts.remove(&(one, other));
            state.cuts.remove(&(other, one));
        });
    }

    /// Mends everything: cuts, frozen nodes, traffic.
    pub fn heal_all(&self) {
        let mut state = self.shared.state();
        state.cuts.clear();
        state.traffic = Traffic::default();
        state.traffic_between.clear();
        state.thaw_all();
        state.settle_all(&self.shared);
    }

    /// Stops a node as seen from outside, as SIGSTOP does: what is sent to it waits, also its own
    /// answers and questions. The others notice after about 600 ms.
    pub fn freeze(&self, node: BrokerId) {
        self.change(node, |state| state.freeze(node));
    }

    /// Lets a frozen node go on. What waited is handled now, late.
    pub fn thaw(&self, node: BrokerId) {
        self.change(node, |state| state.thaw(node));
    }

    /// What happens to messages from now on, wherever nothing else was said.
    pub fn set_traffic(&self, traffic: Traffic) {
        self.shared.state().traffic = traffic;
    }

    /// What happens from now on to what `from` sends to `to`.
    pub fn set_traffic_between(&self, from: BrokerId, to: BrokerId, traffic: Traffic) {
        self.shared.state().traffic_between.insert((from, to), traffic);
    }

    /// Changes something about a node.
    fn change(&self, node: BrokerId, change: impl FnOnce(&mut NetworkState)) {
        let mut state = self.shared.state();
        change(&mut state);
        state.settle(node, &self.shared);
    }
}

/// One node's way to the others. See [`MemoryNetwork`].
pub struct MemoryPeers {
    shared: Arc<Shared>,
    node: BrokerId,
    /// Which call of `endpoint` made it.
    number: u64,
    address: HostAndPort,
    links: watch::Receiver<Links>,
}

impl MemoryPeers {
    async fn ask(
        &self,
        node: BrokerId,
        lane: Lane,
        envelope: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, PeerError> {
        let length = envelope.len();
        if length > ENVELOPE_BYTES_MAX {
            return Err(PeerError::TooLong { length });
        }
        let unreachable = PeerError::Unreachable { node };
        let link = self.shared.state().link_of(self.node, self.number, node);
        let Some(link) = link else { return Err(unreachable) };
        let (reply, answer) = oneshot::channel();
        let parcel = Parcel { envelope, reply };
        link.send(&self.shared, (self.node, node), lane, parcel);
        let answer = async {
            tokio::select! {
                biased;
                answer = answer => match answer {
                    Ok(answer) => Ok(answer),
                    // lost on the way, which only the deadline tells
                    Err(_) => {
                        link.closed.wait().await;
                        Err(PeerError::Unreachable { node })
                    }
                },
                () = link.closed.wait() => Err(unreachable),
            }
        };
        let timeout = PeerError::Timeout { node, deadline };
        tokio::time::timeout(deadline, answer).await.unwrap_or(Err(timeout))
    }
}

impl Peers for MemoryPeers {
    fn call(
        &self,
        node: BrokerId,
        lane: Lane,
        envelope: Bytes,
        deadline: Duration,
    ) -> PeerAnswer<'_> {
        Box::pin(self.ask(node, lane, envelope, deadline))
    }

    fn links(&self) -> watch::Receiver<Links> {
        self.links.clone()
    }

    fn introduce(&self, book: AddressBook) {
        let mut state = self.shared.state();
        state.introduce(self.node, self.number, book);
        state.settle(self.node, &self.shared);
    }

    fn discover<'a>(
        &'a self,
        seed: &'a HostAndPort,
        deadline: Duration,
    ) -> PortFuture<'a, Result<PeerIdentity, PeerError>> {
        Box::pin(async move {
            let not_discovered = |reason: &str| {
                let reason = reason.to_owned();
                Err(PeerError::NotDiscovered { address: seed.clone(), reason })
            };
            let found = self.shared.state().at(seed);
            let Some(identity) = found else { return not_discovered("connection refused") };
            if self.shared.state().is_obstructed(self.node, identity.node) {
                tokio::time::sleep(deadline).await;
                return not_discovered("no answer in time");
            }
            Ok(identity)
        })
    }

    fn local_address(&self) -> Option<HostAndPort> {
        Some(self.address.clone())
    }

    fn children(&self, me: PeerIdentity, service: Arc<dyn PeerService>) -> Vec<ChildSpec> {
        let (shared, number) = (Arc::clone(&self.shared), self.number);
        let make = move |context: &supervision::StartContext| {
            let arguments = MemoryEndpointArguments {
                shared: Arc::clone(&shared),
                me,
                number,
                service: Arc::clone(&service),
                status: context.status(),
            };
            (MemoryEndpoint, arguments)
        };
        let shutdown = Shutdown::Prompt(Duration::from_secs(1));
        vec![ChildSpec::actor("cluster_link", make).shutdown(shutdown)]
    }
}

#[cfg(test)]
mod tests;
