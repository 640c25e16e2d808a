//! One per node with a cluster listener; owns the socket on which other nodes call, and decides
//! which of them this node has a session with.
//!
//! Its supervisor is `links`, rest_for_one: before it comes `node_server`, which is ractor_cluster's
//! and runs the sessions that it is handed; after it come the gateways. Tasks of its own send to it: they call, receive, and watch over sessions, so
//! that it waits for nobody. It sends to the node server only. A restart keeps the socket and the
//! address book, and loses all sessions: the other nodes see them close, and new ones are made. Its
//! mailbox holds at most a few messages per node, for as many calls or sessions there are.
//!
//! ```text
//!            introduce                      greeting ─▶ may it be linked? (link_table)
//!                │                              ▲               │
//! BookChanged ───┴─▶ call ─▶ MayGreet ─▶ Called │               ▼
//!                     ▲                     │   └─ Greeted ─▶ HandedOver
//!                     │                     ▼                   │
//!                   Ended ◀── watch_over ◀──┴── node_server ◀───┘   (the old session is ended first)
//! ```

mod admission;
mod bytes_in_flight;
mod calling;
mod heartbeats;
mod hello;
mod link_table;
mod node_events;
mod secure_channel;
mod session;
mod stream;
mod switchboard;

use std::sync::Arc;
use std::time::Duration;

use protocol::BrokerId;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use ractor_cluster::NodeServerMessage;
use supervision::Status;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

pub(crate) use self::bytes_in_flight::SHORT_BYTES;
pub(crate) use self::calling::{CallFailure, Granted, discover};
use self::heartbeats::{END_MAX, watch_over};
pub(crate) use self::hello::Verdict;
use self::link_table::{Begin, LinkNumber, LinkTable};
use self::node_events::NodeEvents;
pub(crate) use self::node_events::node_server;
pub use self::secure_channel::CertificateFileError;
pub(crate) use self::secure_channel::{SecureChannel, Secured, nobody};
use self::session::Session;
use self::stream::LinkStream;
pub(crate) use self::switchboard::Switchboard;
use crate::ports::peers::PeerIdentity;

/// The first call after a session ended; each one that fails doubles it.
const REDIAL_MIN: Duration = Duration::from_millis(20);
/// A node that is away is called so often.
const REDIAL_MAX: Duration = Duration::from_secs(1);

/// What `cluster_link` is told.
pub(crate) enum ClusterLinkMessage {
    /// The other nodes' addresses are other ones than before.
    BookChanged,
    /// A call has reached a listener; may it go on?
    MayGreet { node: BrokerId, number: LinkNumber, reply: RpcReplyPort<bool> },
    /// A call is over.
    Called { node: BrokerId, number: LinkNumber, outcome: Result<Box<Granted>, CallFailure> },
    /// Somebody calls, and has shown who it is.
    Greeted {
        caller: PeerIdentity,
        to: Option<BrokerId>,
        reply: RpcReplyPort<Result<Begin, Verdict>>,
    },
    /// A connection becomes a session; whatever session there was has ended.
    HandedOver(Box<Handed>),
    /// A session is up.
    Up { node: BrokerId, number: LinkNumber },
    /// A session is over, or will not begin.
    Ended { node: BrokerId, number: LinkNumber },
    /// Nobody accepts connections any more.
    AcceptingEnded,
}

impl ractor::Message for ClusterLinkMessage {}

/// A connection that becomes a session.
pub(crate) struct Handed {
    peer: PeerIdentity,
    number: LinkNumber,
    secured: Secured,
    /// Whether this node called.
    is_mine: bool,
}

/// Everything it is born with.
pub(crate) struct ClusterLinkArguments {
    pub board: Arc<Switchboard>,
    pub me: PeerIdentity,
    pub status: Status,
}

/// See the head of this file.
pub(crate) struct ClusterLink;

/// What it knows.
pub(crate) struct ClusterLinkState {
    table: LinkTable,
    me: PeerIdentity,
    board: Arc<Switchboard>,
    accepting: JoinHandle<()>,
    status: Status,
}

impl Actor for ClusterLink {
    type Msg = ClusterLinkMessage;
    type State = ClusterLinkState;
    type Arguments = ClusterLinkArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let ClusterLinkArguments { board, me, status } = arguments;
        status.set("address", board.listener.local_addr()?.to_string());
        let subscription = Box::new(NodeEvents { board: Arc::clone(&board) });
        let id = "cluster_link".to_owned();
        let subscribe = NodeServerMessage::SubscribeToEvents { id, subscription };
        board.node_server.send(subscribe).map_err(|_| "there is no node server")?;
        let accepting = tokio::spawn({
            let (board, myself) = (Arc::clone(&board), myself.clone());
            async move {
                admission::accept_all(board, me).await;
                let _ = myself.cast(ClusterLinkMessage::AcceptingEnded);
            }
        });
        myself.cast(ClusterLinkMessage::BookChanged)?;
        let table = LinkTable::new(me, board.first_number());
        Ok(ClusterLinkState { table, me, board, accepting, status })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ClusterLinkMessage::BookChanged => state.on_book_changed(),
            ClusterLinkMessage::MayGreet { node, number, reply } => {
                let _ = reply.send(state.table.may_greet(node, number));
            }
            ClusterLinkMessage::Called { node, number, outcome } => {
                state.on_called(node, number, outcome);
            }
            ClusterLinkMessage::Greeted { caller, to, reply } => {
                let _ = reply.send(state.table.on_greeting(&caller, to));
            }
            ClusterLinkMessage::HandedOver(handed) => state.on_handed_over(*handed)?,
            ClusterLinkMessage::Up { node, number } => state.table.on_up(node, number),
            ClusterLinkMessage::Ended { node, number } => state.on_ended(node, number),
            ClusterLinkMessage::AcceptingEnded => return Err("accepting ended".into()),
        }
        state.status.set("links", i64::try_from(state.board.links_up()).unwrap_or(i64::MAX));
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children: sessions are the node server's
        Ok(())
    }
}

impl Drop for ClusterLinkState {
    fn drop(&mut self) {
        self.accepting.abort();
        self.board.close_all();
    }
}

impl ClusterLinkState {
    fn on_book_changed(&mut self) {
        let book = self.board.book();
        for number in self.table.not_wanted(&book) {
            if let Some(session) = self.board.session(number) {
                session.close();
            }
        }
        self.call_all();
    }

    fn call_all(&mut self) {
        let book = self.board.book();
        self.table.forget(&book);
        for node in self.table.to_be_called(&book) {
            let Some(address) = book.get(&node).cloned() else { continue };
            let (number, failures) = self.table.on_call(node);
            let (board, me) = (Arc::clone(&self.board), self.me);
            let pause = self.pause(failures);
            tokio::spawn(async move {
                board.gateways.wait().await;
                tokio::time::sleep(pause).await;
                let granted = calling::call(&board, me, (node, number), &address).await;
                let outcome = granted.map(Box::new).inspect_err(|error| {
                    if failures == 0 {
                        debug!(%node, %address, %error, "a call to another node failed");
                    } else if failures.is_power_of_two() && failures > 4 {
                        warn!(%node, %address, %error, failures, "another node is not reached");
                    }
                });
                let called = ClusterLinkMessage::Called { node, number, outcome };
                let _ = board.address.send(called);
            });
        }
    }

    /// How long to wait before a call, after so many that failed.
    fn pause(&self, failures: u32) -> Duration {
        let doubled = REDIAL_MIN.saturating_mul(1 << failures.min(10)).min(REDIAL_MAX);
        let half = u64::try_from(doubled.as_micros() / 2).unwrap_or(u64::MAX);
        doubled / 2 + Duration::from_micros(self.board.rng.next() % half.max(1))
    }

    fn on_called(
        &mut self,
        node: BrokerId,
        number: LinkNumber,
        outcome: Result<Box<Granted>, CallFailure>,
    ) {
        let Ok(granted) = outcome else {
            self.table.on_call_failed(node, number);
            self.call_all();
            return;
        };
        let Begin { number, replaces } = self.table.on_call_granted(node, number);
        let Granted { secured, identity } = *granted;
        let handed = Handed { peer: identity, number, secured, is_mine: true };
        let board = Arc::clone(&self.board);
        tokio::spawn(async move {
            if let Some(before) = replaces {
                board.end(before, END_MAX).await;
            }
            let handed_over = ClusterLinkMessage::HandedOver(Box::new(handed));
            let _ = board.address.send(handed_over);
        });
    }

    fn on_handed_over(&mut self, handed: Handed) -> Result<(), ActorProcessingErr> {
        let Handed { peer, number, secured, is_mine } = handed;
        if !self.table.is_current(peer.node, number) {
            // somebody came later, and is the one that counts
            return Ok(());
        }
        let session = Arc::new(Session::new(peer, number, secured.socket));
        self.board.add(&session);
        let stream = Box::new(LinkStream { stream: secured.stream, session: session.clone() });
        let opened = NodeServerMessage::ConnectionOpenedExternal { stream, is_server: !is_mine };
        self.board.node_server.send(opened).map_err(|_| "there is no node server")?;
        tokio::spawn(watch_over(Arc::clone(&self.board), session));
        Ok(())
    }

    fn on_ended(&mut self, node: BrokerId, number: LinkNumber) {
        self.table.on_ended(node, number);
        self.call_all();
    }
}
