//! The sockets that a node listens on, opened before anything runs.

use std::net::SocketAddr;
use std::sync::Arc;

use metadata::settings::Listener;
use metadata::{BrokerSettings, HostAndPort};

use super::NodeError;
use crate::ports::Ports;
use crate::ports::net::NetListener;

/// A socket with what it is called and where it is.
pub struct OpenListener {
    /// What it is called.
    pub listener: Listener,
    /// The socket.
    pub socket: Arc<dyn NetListener>,
    /// Where it is.
    pub address: SocketAddr,
}

/// Opens the listeners of clients.
pub async fn open_listeners(
    settings: &BrokerSettings,
    ports: &Ports,
) -> Result<Vec<OpenListener>, NodeError> {
    let mut open = Vec::with_capacity(settings.listeners.len());
    for listener in &settings.listeners {
        let bind = any_address(&listener.bind);
        let failed = |source| NodeError::Listen {
            name: listener.name.to_string(),
            address: bind.clone(),
            source,
        };
        let socket: Arc<dyn NetListener> =
            Arc::from(ports.net.listen(&bind).await.map_err(failed)?);
        let address = socket.local_address().map_err(failed)?;
        open.push(OpenListener { listener: listener.clone(), socket, address });
    }
    Ok(open)
}

/// An empty host means every address.
fn any_address(bind: &HostAndPort) -> String {
    if bind.host.is_empty() { format!("0.0.0.0:{}", bind.port) } else { bind.to_string() }
}

/// Opens the socket of the admin server, if the world has one.
pub fn open_admin(
    bind: &HostAndPort,
    ports: &Ports,
) -> Result<Option<Arc<std::net::TcpListener>>, NodeError> {
    let address = any_address(bind);
    let socket = ports.net.listen_admin(&address).map_err(|source| NodeError::Listen {
        name: "the admin listener".to_owned(),
        address: address.clone(),
        source,
    })?;
    Ok(socket.map(Arc::new))
}
