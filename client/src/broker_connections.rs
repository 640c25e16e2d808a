//! The connections of one user of the cluster: one a broker, made when first needed and made again
//! after a loss. Users whose requests wait long at the broker (fetches, group members) have their
//! own, because a broker answers the requests of a connection one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::settings::ClientSettings;

/// Whoever finds no usable connection makes one, while others wait for it.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>;

pub(crate) struct BrokerConnections {
    settings: Arc<ClientSettings>,
    slots: Mutex<HashMap<Arc<str>, Slot>>,
}

impl BrokerConnections {
    pub(crate) fn new(settings: Arc<ClientSettings>) -> Self {
        Self { settings, slots: Mutex::default() }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to `host:port`.
    pub(crate) async fn get(&self, address: &Arc<str>) -> Result<Arc<Connection>> {
        let slot = Arc::clone(self.slots().entry(Arc::clone(address)).or_default());
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        *slot = None;
        let connection = Arc::new(Connection::open(address, &self.settings).await?);
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Ends a connection whose broker is not waited for any longer; requests under way on it fail
    /// with this error.
    pub(crate) fn give_up(&self, address: &str, error: &Error) {
        let slot = self.slots().get(address).map(Arc::clone);
        // whoever holds the slot makes a new connection at present, and has none to be ended
        if let Some(connection) = slot.and_then(|slot| slot.try_lock().ok()?.take()) {
            connection.close(error);
        }
    }

    /// Drops the connections to all other addresses; requests under way on them end as usual.
    pub(crate) fn keep_only(&self, mut wanted: impl FnMut(&str) -> bool) {
        self.slots().retain(|address, _| wanted(address));
    }
}
