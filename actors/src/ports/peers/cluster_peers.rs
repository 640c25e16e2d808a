//! Peers on other machines: the cluster listener, `cluster_link` behind it, ractor_cluster's
//! sessions, and the gateways at their ends. One per process, because ractor's registries are
//! process-wide; several nodes in one process use
//! [`MemoryPeers`](super::memory_peers::MemoryPeers).

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metadata::HostAndPort;
use protocol::BrokerId;
use supervision::{
    Backoff, ChildSpec, RestartIntensity, Shutdown, StartContext, Strategy, SupervisorSpec,
};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{
    AddressBook, ENVELOPE_BYTES_MAX, Lane, Links, PeerAnswer, PeerError, PeerIdentity, PeerService,
    Peers,
};
use crate::bulk_gateway::BulkGateway;
use crate::cluster_link::{
    CertificateFileError, ClusterLink, ClusterLinkArguments, SecureChannel, Switchboard, discover,
    nobody, node_server,
};
use crate::control_gateway::{ControlGateway, GatewayArguments};
use crate::gateway_messages::{Asked, BULK_GATEWAYS, Header};
use crate::metrics::LinkMetrics;
use crate::ports::net::PortFuture;
use crate::ports::rng::Rng;

/// How long each of the actors may take to stop.
const SHUTDOWN: Shutdown = Shutdown::Prompt(Duration::from_secs(1));
/// How soon one that ended is started again, at first and at last.
const RESTART_MIN: Duration = Duration::from_millis(10);
const RESTART_MAX: Duration = Duration::from_secs(1);
/// So many failures within a minute are none of a single actor's.
const FAILURES_MAX: u32 = 10;

/// Where and how a node listens for its peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterListenerSettings {
    /// What it listens on; port 0 lets the system choose.
    pub bind: HostAndPort,
    /// What the other nodes are told, if not that; port 0 stands for the port of `bind`.
    pub advertised: Option<HostAndPort>,
    /// A directory with `ca.pem`, `node-<id>.pem` and `node-<id>.key`: mutual TLS. Read once.
    pub tls: Option<PathBuf>,
    /// Without TLS: whether other machines may be spoken to. Whoever reaches the listener then owns
    /// the cluster.
    pub plaintext_allowed: bool,
}

/// Why a node cannot listen for its peers.
#[derive(Debug, Error)]
pub enum ClusterListenerError {
    /// The socket cannot be opened.
    #[error("the cluster listener cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: HostAndPort,
        /// What the system said.
        source: io::Error,
    },
    /// Other machines could reach it, and nothing protects it.
    #[error(
        "the cluster listener on {address} would speak to other machines without TLS; give it \
         certificates, or allow plaintext"
    )]
    Plaintext {
        /// Where.
        address: SocketAddr,
    },
    /// It listens on all addresses, and nobody said which of them the others should use.
    #[error("the cluster listener on {address} needs an advertised address")]
    NoAdvertisedAddress {
        /// Where.
        address: SocketAddr,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Certificates(#[from] CertificateFileError),
    /// TLS does not work at all.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

impl ClusterListenerError {
    /// Whether a later start may succeed without anybody's help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Listen { .. } => true,
            Self::Plaintext { .. }
            | Self::NoAdvertisedAddress { .. }
            | Self::Certificates(_)
            | Self::Tls(_) => false,
        }
    }
}

/// See the head of this file.
pub struct ClusterPeers {
    board: Arc<Switchboard>,
    address: HostAndPort,
    nobody: TlsAcceptor,
}

impl ClusterPeers {
    /// Opens the cluster listener of a node; nobody is let in before its children live.
    ///
    /// # Errors
    /// See [`ClusterListenerError`].
    pub async fn open(
        node: BrokerId,
        settings: &ClusterListenerSettings,
        rng: Arc<dyn Rng>,
    ) -> Result<Arc<Self>, ClusterListenerError> {
        let listen =
            |source| ClusterListenerError::Listen { address: settings.bind.clone(), source };
        let bind = (&*settings.bind.host, settings.bind.port);
        let listener = TcpListener::bind(bind).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let channel = match &settings.tls {
            Some(directory) => SecureChannel::from_directory(directory, node)?,
            None if bound.ip().is_loopback() || settings.plaintext_allowed => {
                SecureChannel::Plaintext { is_allowed_anywhere: settings.plaintext_allowed }
            }
            None => return Err(ClusterListenerError::Plaintext { address: bound }),
        };
        let address = advertised(settings, bound)?;
        let board = Arc::new(Switchboard::new(node, listener, channel, rng));
        Ok(Arc::new(Self { board, address, nobody: nobody()? }))
    }

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
        let (Some(me), Some(session)) = (self.board.me(), self.board.session_with(node)) else {
            return Err(PeerError::Unreachable { node });
        };
        let header = Header { asked: Asked::Envelope, from: me.node, incarnation: me.incarnation };
        session.ask(header, lane, envelope, deadline).await
    }
}

fn advertised(
    settings: &ClusterListenerSettings,
    bound: SocketAddr,
) -> Result<HostAndPort, ClusterListenerError> {
    match &settings.advertised {
        Some(advertised) if advertised.port == 0 => {
            Ok(HostAndPort::new(&advertised.host, bound.port()))
        }
        Some(advertised) => Ok(advertised.clone()),
        None if bound.ip().is_unspecified() => {
            Err(ClusterListenerError::NoAdvertisedAddress { address: bound })
        }
        None => Ok(HostAndPort::new(&settings.bind.host, bound.port())),
    }
}

impl Peers for ClusterPeers {
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
        self.board.links()
    }

    fn introduce(&self, book: AddressBook) {
        self.board.set_book(book);
    }

    fn discover<'a>(
        &'a self,
        seed: &'a HostAndPort,
        deadline: Duration,
    ) -> PortFuture<'a, Result<PeerIdentity, PeerError>> {
        Box::pin(async move {
            let not_discovered =
                |reason: String| PeerError::NotDiscovered { address: seed.clone(), reason };
            match tokio::time::timeout(deadline, discover(&self.board, seed)).await {
                Ok(Ok(identity)) => Ok(identity),
                Ok(Err(failure)) => Err(not_discovered(failure.to_string())),
                Err(_) => Err(not_discovered("no answer in time".to_owned())),
            }
        })
    }

    fn local_address(&self) -> Option<HostAndPort> {
        Some(self.address.clone())
    }

    fn link_metrics(&self) -> LinkMetrics {
        self.board.metrics.clone()
    }

    fn children(&self, me: PeerIdentity, service: Arc<dyn PeerService>) -> Vec<ChildSpec> {
        self.board.set_me(me);
        let acceptor = self.nobody.clone();
        let address = &self.board.node_server;
        let make = move |_: &StartContext| (node_server(me, acceptor.clone()), ());
        let mut children = vec![ChildSpec::addressed_actor("node_server", address, make)];
        let board = Arc::clone(&self.board);
        let make = move |context: &StartContext| {
            let (board, status) = (Arc::clone(&board), context.status());
            (ClusterLink, ClusterLinkArguments { board, me, status })
        };
        let address = &self.board.address;
        children.push(ChildSpec::addressed_actor("cluster_link", address, make));
        let gateway = |lane| {
            let (board, service) = (Arc::clone(&self.board), Arc::clone(&service));
            move |_: &StartContext| GatewayArguments {
                board: Arc::clone(&board),
                me,
                service: Arc::clone(&service),
                lane,
            }
        };
        let arguments = gateway(Lane::Control);
        let make = move |context: &StartContext| (ControlGateway, arguments(context));
        let mut gateways = vec![ChildSpec::actor("control_gateway", make)];
        for shard in 0..BULK_GATEWAYS {
            let arguments = gateway(Lane::Bulk(shard));
            let make = move |context: &StartContext| (BulkGateway, arguments(context));
            gateways.push(ChildSpec::actor(format!("bulk_gateway-{shard}"), make));
        }
        children.push(supervisor("gateways", Strategy::OneForOne, gateways));
        // whoever needs other nodes lives through the end of these: it finds the new ones
        vec![supervisor("links", Strategy::RestForOne, children)]
    }
}

fn supervisor(name: &'static str, strategy: Strategy, children: Vec<ChildSpec>) -> ChildSpec {
    let intensity = RestartIntensity::new(FAILURES_MAX, Duration::from_secs(60));
    let mut spec = SupervisorSpec::new(strategy).intensity(intensity);
    for child in children {
        let worker = child.shutdown(SHUTDOWN).backoff(Backoff::new(RESTART_MIN, RESTART_MAX));
        spec = spec.child(worker);
    }
    ChildSpec::supervisor(name, spec)
}
