//! The broker that coordinates one group: found, remembered, found again when it has moved.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::GroupId;
use protocol::generated::find_coordinator::FindCoordinatorRequest;
use protocol::message::Request;
use protocol::primitives::WireString;

use crate::broker_connections::BrokerConnections;
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::error::{Error, Result, Subject};

/// The newest version that asks for one group at a time.
const NEWEST_FIND_VERSION: i16 = 3;

pub(crate) struct Coordinator {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) group: GroupId,
    /// Its own, since a join waits long at the broker.
    connections: BrokerConnections,
    address: Mutex<Option<Arc<str>>>,
    /// Held by one commit at a time, so that an older one is never the last to be written.
    pub(crate) commit_turn: tokio::sync::Mutex<()>,
}

impl Coordinator {
    pub(crate) fn new(cluster: &Arc<Cluster>, group: GroupId) -> Self {
        Self {
            connections: cluster.own_connections(),
            cluster: Arc::clone(cluster),
            group,
            address: Mutex::new(None),
            commit_turn: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn group_name(&self) -> WireString {
        WireString::from(self.group.as_str())
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject::Group(self.group.clone())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Arc<str>>> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for the coordinator anew before the next request.
    pub(crate) fn forget(&self) {
        *self.known() = None;
    }

    async fn find(&self) -> Result<Arc<str>> {
        if let Some(address) = &*self.known() {
            return Ok(Arc::clone(address));
        }
        let request =
            FindCoordinatorRequest { key: self.group_name(), ..FindCoordinatorRequest::default() };
        let response = self.cluster.ask_first(&request, NEWEST_FIND_VERSION).await?;
        let detail = response.error_message.as_deref();
        let (api, code) = (FindCoordinatorRequest::API_KEY, response.error_code);
        Error::check(api, || self.subject(), code, detail)?;
        let address: Arc<str> = crate::cluster_metadata::address(&response.host, response.port);
        *self.known() = Some(Arc::clone(&address));
        Ok(address)
    }

    /// A connection to the coordinator; that of the group, or the one that all share.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>> {
        let address = self.find().await?;
        self.connections.get(&address).await.inspect_err(|_| self.forget())
    }

    /// Sends a request once, in at most this version.
    pub(crate) async fn request<R: Request>(
        &self,
        request: &R,
        newest: i16,
        timeout: Duration,
    ) -> Result<R::Response> {
        let connection = self.connection().await?;
        let version = connection.version::<R>(newest)?;
        let sent = connection.begin_in(request, version, timeout).await;
        let answered = match sent {
            Ok(answer) => answer.receive().await,
            Err(error) => Err(error),
        };
        answered.inspect_err(|_| self.forget())
    }

    /// As [`Self::request`], over the connection that all share: past a join that waits.
    pub(crate) async fn request_past_join<R: Request>(
        &self,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        let connection = self.cluster.connection_at(&self.find().await?).await?;
        let version = connection.version::<R>(i16::MAX)?;
        let timeout = self.cluster.settings.request_timeout;
        connection.begin_in(&request(version), version, timeout).await?.receive().await
    }

    /// Turns an error code into a result, and forgets a coordinator that is none any more.
    pub(crate) fn check<R: Request>(&self, code: i16) -> Result<()> {
        Error::check(R::API_KEY, || self.subject(), code, None).inspect_err(|error| {
            if error.is_stale_coordinator() {
                self.forget();
            }
        })
    }
}
