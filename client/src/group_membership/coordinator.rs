//! The broker that coordinates one group: found, remembered, found again when it has moved.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::GroupId;
use protocol::generated::find_coordinator::FindCoordinatorRequest;
use protocol::message::Request;
use protocol::primitives::WireString;

use crate::broker_connections::BrokerConnections;
use crate::cluster::Cluster;
use crate::error::{Error, Result, Subject};
use crate::leader_watch::Looks;

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
        let address = self.look_up().await?;
        *self.known() = Some(Arc::clone(&address));
        Ok(address)
    }

    async fn look_up(&self) -> Result<Arc<str>> {
        let request =
            FindCoordinatorRequest { key: self.group_name(), ..FindCoordinatorRequest::default() };
        let response = self.cluster.ask_first(&request, NEWEST_FIND_VERSION).await?;
        let detail = response.error_message.as_deref();
        let (api, code) = (FindCoordinatorRequest::API_KEY, response.error_code);
        Error::check(api, || self.subject(), code, detail)?;
        Ok(crate::cluster_metadata::address(&response.host, response.port))
    }

    /// Waits for an answer of the coordinator, but only for as long as it is that. Where it is
    /// silent and another broker has the group, its connection is given up.
    async fn unless_moved<T>(
        &self,
        address: &Arc<str>,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let moved = async {
            let mut looks = Looks::new(&self.cluster.settings, Duration::ZERO);
            loop {
                looks.next().await;
                if self.look_up().await.is_ok_and(|found| found != *address) {
                    return;
                }
            }
        };
        tokio::select! {
            answered = answer => answered,
            () = moved => {
                let error = Error::ConnectionLost { address: Arc::clone(address), source: None };
                tracing::debug!(group = %self.group, silent = %address, "the coordinator moved");
                self.connections.give_up(address, &error);
                self.cluster.give_up(address, &error);
                self.forget();
                Err(error)
            }
        }
    }

    /// Sends a request once, in at most this version.
    pub(crate) async fn request<R: Request>(
        &self,
        request: &R,
        newest: i16,
        timeout: Duration,
    ) -> Result<R::Response> {
        let address = self.find().await?;
        let answer = async {
            let connection = self.connections.get(&address).await?;
            let version = connection.version::<R>(newest)?;
            connection.begin_in(request, version, timeout).await?.receive().await
        };
        self.unless_moved(&address, answer).await.inspect_err(|_| self.forget())
    }

    /// As [`Self::request`], over the connection that all share: past a join that waits.
    pub(crate) async fn request_past_join<R: Request>(
        &self,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        let address = self.find().await?;
        let answer = async {
            let connection = self.cluster.connection_at(&address).await?;
            let version = connection.version::<R>(i16::MAX)?;
            let timeout = self.cluster.settings.request_timeout;
            connection.begin_in(&request(version), version, timeout).await?.receive().await
        };
        self.unless_moved(&address, answer).await
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
