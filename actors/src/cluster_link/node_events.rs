//! What ractor_cluster's node server tells of its sessions, told on to ours; and that node server.

use std::sync::Arc;

use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{IncomingEncryptionMode, NodeEventSubscription, NodeServer};
use tokio_rustls::TlsAcceptor;

use super::session::Session;
use super::switchboard::Switchboard;
use crate::ports::peers::PeerIdentity;

/// The longest frame that is taken: twice the longest envelope.
const FRAME_BYTES_MAX: u64 = 8 << 20;

/// The node server of a node. It opens a listener of its own, which cannot be prevented: on
/// loopback, and its `acceptor` lets nobody in. Names are never used twice, or the election of
/// sessions by name would prefer one that hangs.
pub(crate) fn node_server(me: PeerIdentity, acceptor: TlsAcceptor) -> NodeServer {
    // the streams that are handed over are of nodes that have shown who they are
    let cookie = format!("callboard/{}", me.cluster_id.0);
    let name = format!("node-{}/{}", me.node.0, me.incarnation.0);
    let host = name.clone();
    let nobody = IncomingEncryptionMode::Tls(acceptor);
    let mode = NodeConnectionMode::Isolated;
    NodeServer::new(0, cookie, name, host, Some(nobody), Some(mode))
        .with_listen_addr(std::net::Ipv4Addr::LOCALHOST.into())
        .with_max_inbound_frame_size(FRAME_BYTES_MAX)
}

/// Subscribed to a node server's events.
pub(super) struct NodeEvents {
    pub board: Arc<Switchboard>,
}

impl NodeEvents {
    /// The stream's label is our number.
    fn session(&self, node_session: &NodeServerSessionInformation) -> Option<Arc<Session>> {
        self.board.session(node_session.peer_addr.parse().ok()?)
    }
}

impl NodeEventSubscription for NodeEvents {
    fn node_session_opened(&self, node_session: NodeServerSessionInformation) {
        match self.session(&node_session) {
            Some(session) => session.on_opened(node_session),
            None => node_session.actor.stop(None),
        }
    }

    fn node_session_disconnected(&self, node_session: NodeServerSessionInformation) {
        if let Some(session) = self.session(&node_session) {
            session.close();
            session.ended.happen();
        }
    }

    fn node_session_authenticated(&self, _node_session: NodeServerSessionInformation) {}

    fn node_session_ready(&self, node_session: NodeServerSessionInformation) {
        if let Some(session) = self.session(&node_session) {
            session.ready.happen();
        }
    }
}
