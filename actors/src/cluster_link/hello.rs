//! What two nodes say to each other before anything else, in bytes. Fixed lengths: nothing that a
//! stranger announces is ever allocated.
//!
//! ```text
//! greeting  [8: "CALLBRD\n"] [2: version] [1: purpose] [16: cluster, zero if none] [4: node]
//!           [16: incarnation] [4: the node that is meant, -1 if whoever listens]
//! welcome   [8: "CALLBRD\n"] [2: version] [1: verdict] [16: cluster] [4: node] [16: incarnation]
//!                                                                        all little endian
//! ```
//!
//! The caller greets. Both ends check that the certificate, if there is one, names the node that
//! the other claims to be.

use std::io;

use bytes::{Buf, BufMut};
use metadata::{ClusterId, Incarnation};
use protocol::BrokerId;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use crate::ports::peers::PeerIdentity;

/// The version of these bytes and of the sessions that follow them.
const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"CALLBRD\n";
const PREFIX_BYTES: usize = 8 + 2;
const GREETING_BYTES: usize = 1 + 16 + 4 + 16 + 4;
const WELCOME_BYTES: usize = 1 + 16 + 4 + 16;

/// Why somebody calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To hear who listens here, and nothing else.
    Discover,
    /// To be linked.
    Link,
}

/// What a caller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub purpose: Purpose,
    /// `None` before the caller belongs to a cluster.
    pub cluster_id: Option<ClusterId>,
    pub node: BrokerId,
    pub incarnation: Incarnation,
    /// The node that is meant; `None` if whoever listens.
    pub to: Option<BrokerId>,
}

impl Greeting {
    /// Who calls, if it belongs to a cluster.
    pub fn identity(&self) -> Option<PeerIdentity> {
        let cluster_id = self.cluster_id?;
        Some(PeerIdentity { cluster_id, node: self.node, incarnation: self.incarnation })
    }
}

/// What the called node thinks of a greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[repr(u8)]
pub(crate) enum Verdict {
    /// What was asked for is granted.
    #[error("granted")]
    Granted = 0,
    /// The caller belongs to another cluster.
    #[error("it belongs to another cluster")]
    OtherCluster = 1,
    /// Another node was meant, or the caller claims to be the called node.
    #[error("it is another node")]
    OtherNode = 2,
    /// The caller's certificate does not name the node that it claims to be.
    #[error("the certificate is not this node's")]
    OtherCertificate = 3,
    /// The called node calls the caller at this moment, and its call goes first.
    #[error("it is calling, too")]
    Calling = 4,
    /// The called node speaks another version.
    #[error("it speaks another version")]
    OtherVersion = 5,
    /// The called node is not ready, or has no room.
    #[error("it is not ready")]
    NotReady = 6,
}

impl Verdict {
    const ALL: [Self; 7] = [
        Self::Granted,
        Self::OtherCluster,
        Self::OtherNode,
        Self::OtherCertificate,
        Self::Calling,
        Self::OtherVersion,
        Self::NotReady,
    ];
}

/// What the called node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Welcome {
    pub verdict: Verdict,
    pub identity: PeerIdentity,
}

/// Why there was no hello.
#[derive(Debug, Error)]
pub(crate) enum HelloError {
    /// The connection failed, or ended early.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is no hello: another protocol speaks there.
    #[error("what listens or calls there is no cluster listener")]
    NoHello,
    /// The other end speaks another version.
    #[error("it speaks version {version}, this node {VERSION}")]
    OtherVersion {
        /// Its version.
        version: u16,
    },
}

pub(super) async fn write_greeting(
    stream: &mut (impl AsyncWrite + Unpin),
    greeting: &Greeting,
) -> io::Result<()> {
    let mut bytes = prefix(PREFIX_BYTES + GREETING_BYTES);
    bytes.put_u8(match greeting.purpose {
        Purpose::Discover => 0,
        Purpose::Link => 1,
    });
    bytes.put_slice(greeting.cluster_id.map_or(Uuid::nil(), |id| id.0).as_bytes());
    bytes.put_i32_le(greeting.node.0);
    bytes.put_slice(greeting.incarnation.0.as_bytes());
    bytes.put_i32_le(greeting.to.map_or(-1, |node| node.0));
    stream.write_all(&bytes).await?;
    stream.flush().await
}

pub(super) async fn read_greeting(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Greeting, HelloError> {
    read_prefix(stream).await?;
    let mut bytes = [0; GREETING_BYTES];
    stream.read_exact(&mut bytes).await?;
    let mut bytes = bytes.as_slice();
    let purpose = match bytes.get_u8() {
        0 => Purpose::Discover,
        1 => Purpose::Link,
        _ => return Err(HelloError::NoHello),
    };
    let cluster = take_uuid(&mut bytes);
    let cluster_id = (!cluster.is_nil()).then_some(ClusterId(cluster));
    let node = BrokerId(bytes.get_i32_le());
    let incarnation = Incarnation(take_uuid(&mut bytes));
    let to = bytes.get_i32_le();
    Ok(Greeting { purpose, cluster_id, node, incarnation, to: (to >= 0).then_some(BrokerId(to)) })
}

pub(super) async fn write_welcome(
    stream: &mut (impl AsyncWrite + Unpin),
    welcome: &Welcome,
) -> io::Result<()> {
    let mut bytes = prefix(PREFIX_BYTES + WELCOME_BYTES);
    bytes.put_u8(welcome.verdict as u8);
    bytes.put_slice(welcome.identity.cluster_id.0.as_bytes());
    bytes.put_i32_le(welcome.identity.node.0);
    bytes.put_slice(welcome.identity.incarnation.0.as_bytes());
    stream.write_all(&bytes).await?;
    stream.flush().await
}

pub(super) async fn read_welcome(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Welcome, HelloError> {
    read_prefix(stream).await?;
    let mut bytes = [0; WELCOME_BYTES];
    stream.read_exact(&mut bytes).await?;
    let mut bytes = bytes.as_slice();
    let verdict = bytes.get_u8();
    let verdict = Verdict::ALL.into_iter().find(|known| *known as u8 == verdict);
    let verdict = verdict.ok_or(HelloError::NoHello)?;
    let cluster_id = ClusterId(take_uuid(&mut bytes));
    let node = BrokerId(bytes.get_i32_le());
    let incarnation = Incarnation(take_uuid(&mut bytes));
    Ok(Welcome { verdict, identity: PeerIdentity { cluster_id, node, incarnation } })
}

fn prefix(capacity: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(capacity);
    bytes.put_slice(&MAGIC);
    bytes.put_u16_le(VERSION);
    bytes
}

async fn read_prefix(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), HelloError> {
    let mut bytes = [0; PREFIX_BYTES];
    stream.read_exact(&mut bytes).await?;
    let mut bytes = bytes.as_slice();
    let mut magic = [0; 8];
    bytes.copy_to_slice(&mut magic);
    if magic != MAGIC {
        return Err(HelloError::NoHello);
    }
    let version = bytes.get_u16_le();
    if version == VERSION { Ok(()) } else { Err(HelloError::OtherVersion { version }) }
}

fn take_uuid(bytes: &mut &[u8]) -> Uuid {
    let mut uuid = [0; 16];
    bytes.copy_to_slice(&mut uuid);
    Uuid::from_bytes(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> PeerIdentity {
        PeerIdentity {
            cluster_id: ClusterId(Uuid::from_u128(7)),
            node: BrokerId(3),
            incarnation: Incarnation(Uuid::from_u128(9)),
        }
    }

    #[tokio::test]
    async fn both_ends_read_what_the_other_wrote() {
        let identity = identity();
        for (cluster_id, to) in [(Some(identity.cluster_id), Some(BrokerId(2))), (None, None)] {
            let PeerIdentity { node, incarnation, .. } = identity;
            let purpose = Purpose::Link;
            let greeting = Greeting { purpose, cluster_id, node, incarnation, to };
            let mut bytes = Vec::new();
            write_greeting(&mut bytes, &greeting).await.unwrap();
            assert_eq!(read_greeting(&mut bytes.as_slice()).await.unwrap(), greeting);
        }
        for verdict in Verdict::ALL {
            let welcome = Welcome { verdict, identity };
            let mut bytes = Vec::new();
            write_welcome(&mut bytes, &welcome).await.unwrap();
            assert_eq!(read_welcome(&mut bytes.as_slice()).await.unwrap(), welcome);
        }
    }

    #[tokio::test]
    async fn another_protocol_is_no_hello_and_another_version_is_named() {
        let mut http = b"GET / HTTP/1.1\r\nHost: callboard\r\n\r\n".as_slice();
        assert!(matches!(read_greeting(&mut http).await, Err(HelloError::NoHello)));
        let mut newer = b"CALLBRD\n\x02\x00".as_slice();
        let error = read_greeting(&mut newer).await;
        assert!(matches!(error, Err(HelloError::OtherVersion { version: 2 })));
        let mut ends_early = b"CALLBRD\n\x01\x00\x01".as_slice();
        assert!(matches!(read_greeting(&mut ends_early).await, Err(HelloError::Io(_))));
    }
}
