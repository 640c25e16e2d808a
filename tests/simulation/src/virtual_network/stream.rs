//! The ends of a connection as sockets, and the two ports that make them: the nodes' and the
//! clients'.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actors::ports::net::{ClientStream, Net, NetListener, PortFuture};
use client::{BrokerStream, Dialer, Dialing};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::VirtualNetwork;
use super::connection::Side;

/// The port that every node listens on.
const PORT: u16 = 9092;

/// One end of a connection; clones are the same end. The last one to go closes it.
#[derive(Clone)]
pub struct VirtualStream {
    end: Arc<EndGuard>,
}

struct EndGuard {
    network: VirtualNetwork,
    number: u64,
    side: Side,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.network.leave(self.number, self.side);
    }
}

impl VirtualStream {
    pub(super) fn new(network: VirtualNetwork, number: u64, side: Side) -> Self {
        Self { end: Arc::new(EndGuard { network, number, side }) }
    }

    pub(super) fn number(&self) -> u64 {
        self.end.number
    }
}

impl AsyncRead for VirtualStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (end, room) = (&self.end, buffer.remaining());
        end.network.poll_read(end.number, end.side, context, room).map_ok(|bytes| {
            buffer.put_slice(&bytes);
        })
    }
}

impl AsyncWrite for VirtualStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.end.network.poll_write(self.end.number, self.end.side, context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.network.send_end(self.end.number, self.end.side);
        Poll::Ready(Ok(()))
    }
}

/// The host name of a node.
#[must_use]
pub fn host_name(node: i32) -> String {
    format!("node{node}")
}

/// `host:port` of a node's client listener.
#[must_use]
pub fn client_address(node: i32) -> String {
    format!("{}:{PORT}", host_name(node))
}

/// The number of the node that a `host:port` names.
pub(crate) fn node_at(address: &str) -> io::Result<i32> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let number = host.strip_prefix("node").and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// The nodes' port to the clients.
pub struct VirtualNet {
    network: VirtualNetwork,
}

impl VirtualNet {
    /// The port of a node on this network.
    #[must_use]
    pub const fn new(network: VirtualNetwork) -> Self {
        Self { network }
    }
}

impl Net for VirtualNet {
    fn listen<'a>(&'a self, address: &'a str) -> PortFuture<'a, io::Result<Box<dyn NetListener>>> {
        Box::pin(async move {
            let node = node_at(address)?;
            self.network.listen(node);
            Ok(Box::new(VirtualListener { network: self.network.clone(), node }) as _)
        })
    }

    fn listen_admin(&self, _address: &str) -> io::Result<Option<std::net::TcpListener>> {
        Ok(None)
    }
}

struct VirtualListener {
    network: VirtualNetwork,
    node: i32,
}

impl Drop for VirtualListener {
    fn drop(&mut self) {
        self.network.stop_listening(self.node);
    }
}

impl NetListener for VirtualListener {
    fn local_address(&self) -> io::Result<SocketAddr> {
        let last = u8::try_from(self.node).unwrap_or(u8::MAX);
        Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), PORT))
    }

    fn accept(&self) -> PortFuture<'_, io::Result<(Box<dyn ClientStream>, SocketAddr)>> {
        Box::pin(async move {
            let accept = |context: &mut Context<'_>| self.network.poll_accept(self.node, context);
            let (stream, address) = std::future::poll_fn(accept).await;
            Ok((Box::new(stream) as _, address))
        })
    }
}

/// The clients' way to the nodes.
#[derive(Clone)]
pub struct VirtualDialer {
    network: VirtualNetwork,
}

impl VirtualDialer {
    /// The dialer of this network.
    #[must_use]
    pub const fn new(network: VirtualNetwork) -> Self {
        Self { network }
    }
}

impl fmt::Debug for VirtualDialer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("VirtualDialer").finish_non_exhaustive()
    }
}

impl Dialer for VirtualDialer {
    fn dial<'a>(&'a self, address: &'a str) -> Dialing<'a> {
        Box::pin(async move {
            let dialled = self.network.dial(node_at(address)?);
            let stream = dialled.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(BrokerStream { reader: Box::new(stream.clone()), writer: Box::new(stream) })
        })
    }
}
