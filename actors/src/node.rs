//! A node: everything that belongs together from the start of a broker to its orderly stop.

mod failure_notices;
mod founding;
mod identity;
mod opening;
mod sockets;
mod stopping;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use commit_log::{DirectoryError, LogDirectory, LogError};
use metadata::{BrokerSettings, ClusterImage, HostAndPort, StaticSettings};
use supervision::{ExitReason, StartError, Supervisor, Tree};
use thiserror::Error;

pub use self::founding::{Founding, FoundingError};
use crate::broker::Broker;
use crate::client_listener::ConnectionCount;
use crate::controller::Refused;
use crate::log_checkpoints::LogCheckpoints;
use crate::ports::Ports;
use crate::ports::peers::cluster_peers::{
    ClusterListenerError, ClusterListenerSettings, ClusterPeers,
};
use crate::ports::peers::{Alone, Peers};

/// How long a node may take to register itself before its start counts as failed.
const REGISTRATION_DEADLINE: Duration = Duration::from_secs(30);

/// Why a node did not start.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file of it is damaged or cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The directory names a cluster that is no cluster's name.
    #[error("the data directory belongs to cluster {cluster_id:?}, which is no cluster id")]
    ClusterId {
        /// What it names.
        cluster_id: String,
    },
    /// The node does not know its cluster.
    #[error(transparent)]
    Founding(#[from] FoundingError),
    /// A socket cannot be listened on.
    #[error("{name} cannot listen on {address}: {source}")]
    Listen {
        /// Which listener.
        name: String,
        /// Where.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The tree did not come up.
    #[error(transparent)]
    Tree(#[from] StartError),
    /// The controller refused the registration.
    #[error("the controller refused this broker: {0}")]
    Refused(Refused),
    /// Nobody answered the registration in time.
    #[error("the broker was not registered within {REGISTRATION_DEADLINE:?}")]
    NotRegistered,
    /// Other nodes cannot be listened to.
    #[error(transparent)]
    ClusterListener(#[from] ClusterListenerError),
    /// The system refused a thread.
    #[error("the storage threads could not be started: {0}")]
    Threads(#[from] std::io::Error),
}

impl NodeError {
    /// Whether a later start may succeed without anybody's help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Directory(error) => error.is_retryable(),
            Self::Log(error) => error.is_retryable(),
            Self::Founding(error) => error.is_retryable(),
            Self::Tree(error) => error.is_retryable(),
            Self::ClusterListener(error) => error.is_retryable(),
            Self::Listen { .. } | Self::NotRegistered | Self::Threads(_) => true,
            Self::ClusterId { .. } | Self::Refused(_) => false,
        }
    }
}

/// A running node.
pub struct Node {
    broker: Arc<Broker>,
    root: Supervisor,
    directory: Arc<LogDirectory>,
    checkpoints: Arc<LogCheckpoints>,
    connections: Arc<ConnectionCount>,
    addresses: Vec<(Arc<str>, SocketAddr)>,
    admin_address: Option<SocketAddr>,
}

impl Node {
    /// Starts a node in the real world.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn start(settings: StaticSettings) -> Result<Self, NodeError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let ports = Ports::real(cores.clamp(2, 8), cores.clamp(4, 16))?;
        let peers = open_peers(&settings, &ports).await?;
        Self::start_with(settings, Ports { peers, ..ports }).await
    }

    /// Starts a node in the given world.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn start_with(settings: StaticSettings, ports: Ports) -> Result<Self, NodeError> {
        opening::open(settings, ports).await
    }

    /// The node, as its actors know it.
    #[must_use]
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Who runs.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.broker.tree
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    /// Where each listener listens, with the ports that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[(Arc<str>, SocketAddr)] {
        &self.addresses
    }

    /// Where the first listener listens.
    #[must_use]
    pub fn bootstrap(&self) -> Option<SocketAddr> {
        self.addresses.first().map(|(_, address)| *address)
    }

    /// Where the admin server listens.
    #[must_use]
    pub const fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Ends the node as a crash does: nobody is told and nothing is flushed. For tests and
    /// demonstrations.
    pub async fn kill(self) {
        self.root.actor().kill();
        self.root.ended().await;
    }

    /// Waits until the node has ended by itself; [`Node::ended`] says why. For whoever waits for
    /// something else at the same time: dropping the future loses nothing.
    pub async fn has_ended(&mut self) {
        self.root.has_ended().await;
    }

    /// Waits until the node ends by itself: its root supervisor gave up.
    pub async fn ended(self) -> ExitReason {
        self.root.ended().await
    }
}

/// The way to other nodes; none for a node that stands alone.
async fn open_peers(
    given: &StaticSettings,
    ports: &Ports,
) -> Result<Arc<dyn Peers>, ClusterListenerError> {
    let settings = BrokerSettings::resolve(&ClusterImage::empty(), given);
    let Some(listener) = settings.cluster.listener else { return Ok(Arc::new(Alone)) };
    let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
    let settings_of_listener = ClusterListenerSettings {
        bind: HostAndPort::new(host, listener.port),
        advertised: settings.cluster.advertised,
        tls: settings.cluster.tls_directory.map(PathBuf::from),
        plaintext_allowed: settings.cluster.plaintext_allowed,
    };
    let rng = Arc::clone(&ports.rng);
    Ok(ClusterPeers::open(settings.node_id, &settings_of_listener, rng).await?)
}
