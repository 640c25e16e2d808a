//! Port: client sockets.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A client's connection, both ways.
pub trait ClientStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ClientStream for T {}

/// A future that a port gives.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens listening sockets.
pub trait Net: Send + Sync {
    /// Listens on `address` (`host:port`; port 0 lets the system choose).
    fn listen<'a>(&'a self, address: &'a str) -> PortFuture<'a, io::Result<Box<dyn NetListener>>>;

    /// The socket of the admin server, bound to `address` and not blocking; `None` in a world
    /// without one.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    fn listen_admin(&self, address: &str) -> io::Result<Option<std::net::TcpListener>>;
}

/// A listening socket.
pub trait NetListener: Send + Sync {
    /// The address that clients reach it by, with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not know it any more.
    fn local_address(&self) -> io::Result<SocketAddr>;

    /// Waits for the next client.
    fn accept(&self) -> PortFuture<'_, io::Result<(Box<dyn ClientStream>, SocketAddr)>>;
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpNet {
    /// Connections that the system holds before they are accepted.
    pub backlog: u32,
    /// Bytes the system buffers towards a client that does not read: with thousands of slow readers
    /// the system's own growing buffers would be the largest memory of all.
    pub send_buffer_bytes: usize,
}

impl Default for TcpNet {
    fn default() -> Self {
        Self { backlog: 4096, send_buffer_bytes: 256 * 1024 }
    }
}

struct TcpPort {
    listener: TcpListener,
    send_buffer_bytes: usize,
}

impl Net for TcpNet {
    fn listen<'a>(&'a self, address: &'a str) -> PortFuture<'a, io::Result<Box<dyn NetListener>>> {
        Box::pin(async move {
            let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no such address");
            for candidate in tokio::net::lookup_host(address).await? {
                match listen_on(candidate, self.backlog) {
                    Ok(listener) => {
                        let send_buffer_bytes = self.send_buffer_bytes;
                        return Ok(Box::new(TcpPort { listener, send_buffer_bytes }) as _);
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }

    fn listen_admin(&self, address: &str) -> io::Result<Option<std::net::TcpListener>> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Some(socket))
    }
}

fn listen_on(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

impl NetListener for TcpPort {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn accept(&self) -> PortFuture<'_, io::Result<(Box<dyn ClientStream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, address) = self.listener.accept().await?;
            prepare(&stream, self.send_buffer_bytes)?;
            Ok((Box::new(stream) as _, address))
        })
    }
}

fn prepare(stream: &TcpStream, send_buffer_bytes: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_send_buffer_size(send_buffer_bytes)?;
    socket.set_keepalive(true)
}
