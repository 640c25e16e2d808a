//! One session with one start of another node's process: what is known of it while it lives. No
//! actor; ractor_cluster's node session is one, and this says what becomes of it.
//!
//! ```text
//! handed over ──▶ ready (ractor_cluster has exchanged its actors) ──▶ up (a heartbeat was answered)
//!      └───────────────┴──────────── closed ────────────┴──▶ ended (the node session is gone)
//! ```

use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use ractor::{ActorId, ActorRef, ActorStatus, RpcReplyPort};
use ractor_cluster::node::NodeServerSessionInformation;
use socket2::Socket;
use tokio::sync::oneshot;

use super::bytes_in_flight::BytesInFlight;
use super::link_table::LinkNumber;
use crate::gateway_messages::{GATEWAYS, GatewayMessage, Header, gateway_group, gateway_of};
use crate::once::Once;
use crate::ports::peers::{Lane, PeerError, PeerIdentity};

/// Bytes that went through a session's socket.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub received: AtomicU64,
    pub sent: AtomicU64,
    /// Questions that this node sent.
    pub messages: AtomicU64,
}

/// See the head of this file.
pub(crate) struct Session {
    pub peer: PeerIdentity,
    pub number: LinkNumber,
    pub traffic: Traffic,
    pub in_flight: BytesInFlight,
    /// The other node's gateways can be found.
    pub ready: Once,
    /// Nothing goes through any more.
    pub closed: Once,
    /// ractor_cluster has forgotten it, and another may take its place.
    pub ended: Once,
    /// Until it is closed.
    socket: Mutex<Option<Socket>>,
    node_session: Mutex<Option<NodeServerSessionInformation>>,
    gateways: [ArcSwapOption<ActorRef<GatewayMessage>>; GATEWAYS],
}

impl Session {
    pub fn new(peer: PeerIdentity, number: LinkNumber, socket: Socket) -> Self {
        Self {
            peer,
            number,
            traffic: Traffic::default(),
            in_flight: BytesInFlight::default(),
            ready: Once::default(),
            closed: Once::default(),
            ended: Once::default(),
            socket: Mutex::new(Some(socket)),
            node_session: Mutex::default(),
            gateways: Default::default(),
        }
    }

    /// ractor_cluster has begun it.
    pub fn on_opened(&self, node_session: NodeServerSessionInformation) {
        let actor = node_session.actor.clone();
        *self.node_session.lock().unwrap_or_else(PoisonError::into_inner) = Some(node_session);
        if self.closed.has_happened() {
            actor.stop(None);
        }
    }

    /// Ends it: the socket at once, whatever waits in it, and then the node session with all that
    /// was asked through it.
    pub fn close(&self) {
        if self.closed.has_happened() {
            return;
        }
        self.closed.happen();
        if let Some(socket) = self.take_socket() {
            // an error means that the other end was faster
            let _ = socket.shutdown(Shutdown::Both);
        }
        let node_session = self.node_session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node_session) = node_session.as_ref() {
            node_session.actor.stop(None);
        }
    }

    /// Ends it with a node that is silent: what waits for it is thrown away, and it is told so at
    /// once. An orderly end would queue behind what it does not confirm.
    pub fn break_off(&self) {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(socket) = socket.as_ref() {
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        drop(socket);
        self.close();
    }

    fn take_socket(&self) -> Option<Socket> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until another session with the same node may begin.
    pub async fn wait_until_ended(&self, deadline: Duration) {
        let has_begun = self.node_session.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if has_begun {
            let _ = tokio::time::timeout(deadline, self.ended.wait()).await;
        }
    }

    /// The number that ractor_cluster gave it; its remote actors bear it.
    fn node_session_id(&self) -> Option<u64> {
        let node_session = self.node_session.lock().unwrap_or_else(PoisonError::into_inner);
        node_session.as_ref().map(|node_session| node_session.node_id)
    }

    /// Asks the gateway of a lane.
    ///
    /// # Errors
    /// [`PeerError::Unreachable`] or [`PeerError::Timeout`].
    pub async fn ask(
        &self,
        header: Header,
        lane: Lane,
        body: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, PeerError> {
        let node = self.peer.node;
        let asked = tokio::time::timeout(deadline, self.ask_gateway(header, lane, body, deadline));
        asked.await.unwrap_or(Err(PeerError::Timeout { node, deadline }))
    }

    async fn ask_gateway(
        &self,
        header: Header,
        lane: Lane,
        body: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, PeerError> {
        let unreachable = PeerError::Unreachable { node: self.peer.node };
        let Some(gateway) = self.gateway(lane) else { return Err(unreachable) };
        self.in_flight.admit(body.len()).await;
        let (reply, answer) = oneshot::channel();
        let reply = RpcReplyPort::from((reply, deadline));
        let message = GatewayMessage { header, body: Vec::from(body), reply };
        self.traffic.messages.fetch_add(1, Ordering::Relaxed);
        if gateway.send_message(message).is_err() {
            return Err(unreachable);
        }
        tokio::select! {
            biased;
            answer = answer => answer.map(Bytes::from).map_err(|_| unreachable),
            () = self.closed.wait() => Err(unreachable),
        }
    }

    /// The other node's gateway of a lane, as long as it lives; found again when it was restarted.
    fn gateway(&self, lane: Lane) -> Option<ActorRef<GatewayMessage>> {
        let slot = self.gateways.get(gateway_of(lane))?;
        if let Some(known) = slot.load().as_ref()
            && known.get_status() <= ActorStatus::Running
        {
            return Some(ActorRef::clone(known));
        }
        let session = self.node_session_id()?;
        let (scope, group) = gateway_group(self.peer.node, self.peer.incarnation, lane);
        // whoever else joined that group does not answer for this session
        let is_its =
            |id: ActorId| matches!(id, ActorId::Remote { node_id, .. } if node_id == session);
        let found = ractor::pg::get_scoped_members(&scope, &group)
            .into_iter()
            .filter(|member| member.get_status() <= ActorStatus::Running)
            .find(|member| is_its(member.get_id()))?;
        let found: ActorRef<GatewayMessage> = found.into();
        slot.store(Some(Arc::new(found.clone())));
        Some(found)
    }
}
