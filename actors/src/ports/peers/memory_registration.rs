//! A node's place in the network in memory, and what gives it back.

use std::sync::{Arc, Weak};

use tokio::runtime::Handle;

use super::memory_peers::Shared;
use super::{PeerIdentity, PeerService};
use crate::once::Once;
use crate::ports::net::PortFuture;

/// A node's place in the network, for as long as its process lives.
pub(super) struct Registered {
    pub identity: PeerIdentity,
    pub service: Arc<dyn PeerService>,
    pub gone: Once,
    pub runtime: Handle,
}

impl Registered {
    /// What `work` gives, unless the node ends before: an ended process answers nothing.
    pub async fn while_here<T>(&self, work: PortFuture<'static, T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.gone.wait() => None,
            done = work => Some(done),
        }
    }
}

/// Gives a node's place back when it is dropped.
pub(super) struct Registration {
    shared: Weak<Shared>,
    registered: Arc<Registered>,
}

impl Registration {
    /// Takes the place of the endpoint with this number.
    pub fn take(
        shared: &Arc<Shared>,
        identity: PeerIdentity,
        number: u64,
        service: Arc<dyn PeerService>,
    ) -> Self {
        let runtime = Handle::current();
        let gone = Once::default();
        let registered = Arc::new(Registered { identity, service, gone, runtime });
        let mut state = shared.state();
        state.register(identity.node, number, Arc::clone(&registered));
        state.settle(identity.node, shared);
        drop(state);
        Self { shared: Arc::downgrade(shared), registered }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registered.gone.happen();
        let Some(shared) = self.shared.upgrade() else { return };
        let mut state = shared.state();
        state.unregister(&self.registered);
        state.settle(self.registered.identity.node, &shared);
    }
}
