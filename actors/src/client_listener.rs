//! One per listening socket: accepts connections and starts a session for each.
//!
//! Supervised by `client_listeners`, one_for_one: a listener that fails listens again. Sent to by
//! nobody but its own accepting task. Starts sessions under the dynamic supervisor `client_sessions`,
//! where each is temporary: a session that ends, ends.
//!
//! It holds the bound on connections, in all and
//! per address; one above it is closed at once. A restart keeps the sessions, which are not its
//! children. It reads no byte of a connection.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metadata::settings::Listener;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{ChildSpec, DynamicSupervisor, RestartType, Shutdown, Status};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::broker::Broker;
use crate::client_session::{ClientSession, ClientSessionArguments, StreamSlot};
use crate::ports::net::{ClientStream, NetListener};

/// How long a session may take to finish its request in an orderly stop.
const SESSION_SHUTDOWN: Duration = Duration::from_secs(5);
/// How long accepting pauses after it failed: out of files, most often.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener is told.
pub enum ClientListenerMessage {
    /// From its accepting task: it ended, which it should not.
    AcceptingEnded,
}

impl ractor::Message for ClientListenerMessage {}

/// How many connections there are, over all listeners of the node.
#[derive(Debug, Default)]
pub struct ConnectionCount {
    by_address: Mutex<HashMap<IpAddr, usize>>,
    next_number: AtomicU64,
}

/// One counted connection; given back when dropped.
#[derive(Debug)]
pub struct CountedConnection {
    count: Arc<ConnectionCount>,
    address: IpAddr,
}

impl ConnectionCount {
    /// Counts a connection; `None` if there are as many as allowed.
    #[must_use]
    pub fn add(
        self: &Arc<Self>,
        address: IpAddr,
        connections_max: usize,
        per_ip_max: usize,
    ) -> Option<CountedConnection> {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = by_address.values().sum();
        let own = by_address.entry(address).or_default();
        if all >= connections_max || *own >= per_ip_max {
            return None;
        }
        *own += 1;
        Some(CountedConnection { count: Arc::clone(self), address })
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> usize {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let mut by_address = self.count.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_address.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Everything a listener is born with.
#[derive(Clone)]
pub struct ClientListenerArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// What it is called.
    pub listener: Listener,
    /// The socket, open already: what clients are told of was known before anybody could come.
    pub socket: Arc<dyn NetListener>,
    /// Where sessions live.
    pub sessions: DynamicSupervisor,
    /// The connections of the node.
    pub connections: Arc<ConnectionCount>,
    /// What it shows in the tree.
    pub status: Option<Status>,
}

/// See the head of this file.
pub struct ClientListener;

/// What a listener knows.
pub struct ClientListenerState {
    accepting: JoinHandle<()>,
}

impl Actor for ClientListener {
    type Msg = ClientListenerMessage;
    type State = ClientListenerState;
    type Arguments = ClientListenerArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let address = arguments.socket.local_address()?;
        info!(listener = %arguments.listener.name, %address, "listens");
        if let Some(status) = &arguments.status {
            status.set("address", address.to_string());
        }
        let accepting = tokio::spawn(async move {
            arguments.accept_all().await;
            let _ = myself.cast(ClientListenerMessage::AcceptingEnded);
        });
        Ok(ClientListenerState { accepting })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ClientListenerMessage::AcceptingEnded => {
                Err(io::Error::other("accepting connections ended").into())
            }
        }
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children: sessions have a supervisor of their own
        Ok(())
    }
}

impl Drop for ClientListenerState {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl ClientListenerArguments {
    async fn accept_all(&self) {
        // connections wait in the socket's queue until then: an answer that names no broker makes
        // some clients wait for half a minute
        self.broker.registration.done().await;
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) => self.admit(stream, address),
                Err(error) => {
                    warn!(listener = %self.listener.name, %error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, stream: Box<dyn ClientStream>, address: SocketAddr) {
        let bounds = self.broker.settings.load().connections;
        let counted = self.connections.add(
            address.ip(),
            bounds.connections_max,
            bounds.connections_per_ip_max,
        );
        self.broker.metrics.connections_accepted.inc();
        let Some(counted) = counted else {
            self.broker.metrics.connections_refused.inc();
            return;
        };
        let _ = self.sessions.request_start(self.session(stream, address, counted));
    }

    fn session(
        &self,
        stream: Box<dyn ClientStream>,
        address: SocketAddr,
        counted: CountedConnection,
    ) -> ChildSpec {
        let broker = Arc::clone(&self.broker);
        let listener = Arc::clone(&self.listener.name);
        let slot = StreamSlot::new(stream, counted);
        let make = move |context: &supervision::StartContext| {
            let arguments = ClientSessionArguments {
                broker: Arc::clone(&broker),
                listener: Arc::clone(&listener),
                address,
                stream: slot.clone(),
                status: context.status(),
            };
            (ClientSession, arguments)
        };
        let id = format!("{address} #{}", self.connections.number());
        ChildSpec::actor(id, make)
            .restart(RestartType::Temporary)
            .shutdown(Shutdown::Prompt(SESSION_SHUTDOWN))
    }
}
