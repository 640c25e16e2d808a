//! Lets other nodes in, and keeps everybody else out: few at a time, each in a task of its own and
//! under a deadline, so that a stranger who says nothing holds up nobody.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::BrokerId;
use thiserror::Error;
use tokio::net::TcpStream;
use tracing::{debug, warn};

use super::calling::HELLO_MAX;
use super::heartbeats::END_MAX;
use super::hello::{Greeting, HelloError, Purpose, Verdict, Welcome, read_greeting, write_welcome};
use super::link_table::{Begin, LinkNumber};
use super::secure_channel::Secured;
use super::switchboard::Switchboard;
use super::{ClusterLinkMessage, Handed};
use crate::ports::peers::PeerIdentity;

/// Connections that have not said hello yet, at most.
const STRANGERS_MAX: usize = 128;
/// The same from one address.
const STRANGERS_PER_IP_MAX: usize = 32;
/// A moment of rest when the system gives no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why nobody was let in.
#[derive(Debug, Error)]
enum AdmissionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Hello(#[from] HelloError),
    #[error("node {node} was refused: {verdict}")]
    Refused { node: BrokerId, verdict: Verdict },
    #[error("no hello in time")]
    TooLate,
}

/// Accepts connections for ever.
pub(super) async fn accept_all(board: Arc<Switchboard>, me: PeerIdentity) {
    board.gateways.wait().await;
    let door = Arc::new(Door::default());
    loop {
        match board.listener.accept().await {
            Ok((tcp, address)) => {
                let Some(place) = Door::enter(&door, address.ip()) else {
                    board.metrics.refused.inc();
                    continue;
                };
                let board = Arc::clone(&board);
                tokio::spawn(async move {
                    receive(&board, me, tcp, address).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "could not accept a connection of another node");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn receive(board: &Arc<Switchboard>, me: PeerIdentity, tcp: TcpStream, address: SocketAddr) {
    let received = tokio::time::timeout(HELLO_MAX, welcome(board, me, tcp)).await;
    match received.unwrap_or(Err(AdmissionError::TooLate)) {
        Ok(()) => {}
        Err(error @ AdmissionError::Refused { verdict: Verdict::Calling, .. }) => {
            debug!(%address, %error, "the other node's call is not needed");
        }
        Err(error) => {
            board.metrics.refused.inc();
            debug!(%address, %error, "nobody was let in");
        }
    }
}

async fn welcome(
    board: &Arc<Switchboard>,
    me: PeerIdentity,
    tcp: TcpStream,
) -> Result<(), AdmissionError> {
    let mut secured = board.channel.accept(tcp).await?;
    let greeting = match read_greeting(&mut secured.stream).await {
        Ok(greeting) => greeting,
        Err(error) => {
            if let HelloError::OtherVersion { .. } = error {
                let welcome = Welcome { verdict: Verdict::OtherVersion, identity: me };
                write_welcome(&mut secured.stream, &welcome).await?;
            }
            return Err(error.into());
        }
    };
    let is_named = secured.belongs_to(greeting.node);
    let begun = judge(board, is_named, &greeting).await;
    let verdict = begun.as_ref().err().copied().unwrap_or(Verdict::Granted);
    write_welcome(&mut secured.stream, &Welcome { verdict, identity: me }).await?;
    match begun {
        Ok(Some(promised)) => {
            promised.fulfil(secured);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(verdict) => {
            if verdict != Verdict::Calling {
                warn!(node = %greeting.node, %verdict, "refused a node");
            }
            Err(AdmissionError::Refused { node: greeting.node, verdict })
        }
    }
}

/// What a greeting leads to: a session, no session (it only wanted to know), or a refusal.
async fn judge(
    board: &Arc<Switchboard>,
    is_named: bool,
    greeting: &Greeting,
) -> Result<Option<Promised>, Verdict> {
    if !is_named {
        return Err(Verdict::OtherCertificate);
    }
    if greeting.purpose == Purpose::Discover {
        return Ok(None);
    }
    let caller = greeting.identity().ok_or(Verdict::OtherCluster)?;
    let to = greeting.to;
    let decided =
        board.address.ask(HELLO_MAX, |reply| ClusterLinkMessage::Greeted { caller, to, reply });
    let Begin { number, replaces } = decided.await.unwrap_or(Err(Verdict::NotReady))?;
    let promised = Promised { board: Arc::clone(board), caller, number, is_open: true };
    if let Some(before) = replaces {
        board.end(before, END_MAX).await;
    }
    Ok(Some(promised))
}

/// A session that `cluster_link` expects: it gets it, or hears that it will not.
struct Promised {
    board: Arc<Switchboard>,
    caller: PeerIdentity,
    number: LinkNumber,
    is_open: bool,
}

impl Promised {
    fn fulfil(mut self, secured: Secured) {
        self.is_open = false;
        let (peer, number) = (self.caller, self.number);
        let handed = Handed { peer, number, secured, is_mine: false };
        let _ = self.board.address.send(ClusterLinkMessage::HandedOver(Box::new(handed)));
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        if self.is_open {
            let ended = ClusterLinkMessage::Ended { node: self.caller.node, number: self.number };
            let _ = self.board.address.send(ended);
        }
    }
}

/// Counts who is being received.
#[derive(Default)]
struct Door {
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
}

/// Somebody who is being received.
struct Place {
    door: Arc<Door>,
    address: IpAddr,
}

impl Door {
    fn enter(door: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut by_address = door.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = by_address.values().sum();
        let own = by_address.get(&address).copied().unwrap_or_default();
        if all >= STRANGERS_MAX || own >= STRANGERS_PER_IP_MAX {
            return None;
        }
        by_address.insert(address, own + 1);
        Some(Place { door: Arc::clone(door), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self.door.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_address.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}
