//! How a client reaches brokers: over TCP, unless whoever embeds it brings a network of its own, as
//! a simulation does.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection to a broker, both ways.
pub struct BrokerStream {
    /// What the broker sends.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What is sent to the broker.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// A connection that is being made.
pub type Dialing<'a> = Pin<Box<dyn Future<Output = io::Result<BrokerStream>> + Send + 'a>>;

/// Makes connections to brokers.
pub trait Dialer: Debug + Send + Sync {
    /// Connects to `host:port`. The caller keeps the deadline.
    fn dial<'a>(&'a self, address: &'a str) -> Dialing<'a>;
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDialer;

impl Dialer for TcpDialer {
    fn dial<'a>(&'a self, address: &'a str) -> Dialing<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (reader, writer) = stream.into_split();
            Ok(BrokerStream { reader: Box::new(reader), writer: Box::new(writer) })
        })
    }
}
