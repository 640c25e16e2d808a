//! One call to another node: connects, protects, greets.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use metadata::{HostAndPort, Incarnation};
use protocol::BrokerId;
use thiserror::Error;
use uuid::Uuid;

use super::ClusterLinkMessage;
use super::hello::{Greeting, HelloError, Purpose, Verdict, read_welcome, write_greeting};
use super::link_table::LinkNumber;
use super::secure_channel::Secured;
use super::switchboard::Switchboard;
use crate::ports::peers::PeerIdentity;

/// How long a connection may take, protection included.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long the other node may take to say who it is.
pub(super) const HELLO_MAX: Duration = Duration::from_secs(3);

/// Why a call led to no session. Another may.
#[derive(Debug, Error)]
pub(crate) enum CallFailure {
    /// There was no connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There was no hello.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The other node refused it.
    #[error("refused: {0}")]
    Refused(Verdict),
    /// Somebody else answered than was called.
    #[error("node {found} answered")]
    OtherNode {
        /// Who.
        found: BrokerId,
    },
    /// The certificate is not that of the node that answered.
    #[error("the certificate is not that of node {node}")]
    OtherCertificate {
        /// Who answered.
        node: BrokerId,
    },
    /// The other node's call came first.
    #[error("it called first")]
    NotNeeded,
    /// It took too long.
    #[error("no hello in time")]
    TooLate,
}

/// A call that was granted.
pub(crate) struct Granted {
    pub secured: Secured,
    pub identity: PeerIdentity,
}

/// Calls a node to be linked with it.
pub(super) async fn call(
    board: &Arc<Switchboard>,
    me: PeerIdentity,
    (node, number): (BrokerId, LinkNumber),
    address: &HostAndPort,
) -> Result<Granted, CallFailure> {
    let secured = connect(board, address).await?;
    let may_greet =
        board.address.ask(HELLO_MAX, |reply| ClusterLinkMessage::MayGreet { node, number, reply });
    if !may_greet.await.unwrap_or(false) {
        return Err(CallFailure::NotNeeded);
    }
    let greeting = Greeting {
        purpose: Purpose::Link,
        cluster_id: Some(me.cluster_id),
        node: me.node,
        incarnation: me.incarnation,
        to: Some(node),
    };
    let granted = greet(secured, greeting).await?;
    if granted.identity.node == node && granted.identity.cluster_id == me.cluster_id {
        return Ok(granted);
    }
    Err(CallFailure::OtherNode { found: granted.identity.node })
}

/// Calls whoever listens at `address` to hear who it is.
pub(crate) async fn discover(
    board: &Arc<Switchboard>,
    address: &HostAndPort,
) -> Result<PeerIdentity, CallFailure> {
    let secured = connect(board, address).await?;
    let me = board.me();
    let greeting = Greeting {
        purpose: Purpose::Discover,
        cluster_id: me.map(|me| me.cluster_id),
        node: board.node,
        incarnation: me.map_or(Incarnation(Uuid::nil()), |me| me.incarnation),
        to: None,
    };
    Ok(greet(secured, greeting).await?.identity)
}

async fn connect(board: &Switchboard, address: &HostAndPort) -> Result<Secured, CallFailure> {
    let connected = tokio::time::timeout(CONNECT_MAX, connect_any(board, address)).await;
    Ok(connected.map_err(|_| CallFailure::TooLate)??)
}

async fn connect_any(board: &Switchboard, address: &HostAndPort) -> io::Result<Secured> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no such address");
    for candidate in tokio::net::lookup_host((&*address.host, address.port)).await? {
        match board.channel.connect(candidate).await {
            Ok(secured) => return Ok(secured),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn greet(mut secured: Secured, greeting: Greeting) -> Result<Granted, CallFailure> {
    let welcome = async {
        write_greeting(&mut secured.stream, &greeting).await?;
        read_welcome(&mut secured.stream).await
    };
    let welcome = tokio::time::timeout(HELLO_MAX, welcome).await;
    let welcome = welcome.map_err(|_| CallFailure::TooLate)??;
    let identity = welcome.identity;
    match welcome.verdict {
        Verdict::Granted if secured.belongs_to(identity.node) => Ok(Granted { secured, identity }),
        Verdict::Granted => Err(CallFailure::OtherCertificate { node: identity.node }),
        refused => Err(CallFailure::Refused(refused)),
    }
}
