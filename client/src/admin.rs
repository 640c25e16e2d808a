//! The administration of a cluster: topics, settings, records, groups, offsets, replicas, leaders,
//! voters.

mod brokers;
mod configs;
mod elections;
mod eligible_leaders;
mod groups;
mod offsets;
mod quorum;
mod reassignments;
mod records;
mod replica_lag;
mod topics;

use std::sync::Arc;

use protocol::BrokerId;
use protocol::message::Request;

pub use brokers::ClusterDescription;
pub use configs::{ConfigEntry, ConfigOperation, ConfigResource, ConfigSource};
pub use elections::ElectionKind;
pub use eligible_leaders::EligibleLeaders;
pub use groups::{GroupDescription, GroupListing, MemberDescription};
pub use offsets::{GroupLag, PartitionLag};
pub use quorum::{NewVoter, QuorumDescription, QuorumMember};
pub use reassignments::{Reassignment, ReplicaMove};
pub use replica_lag::{PartitionLags, ReplicaLag};
pub use topics::{CreatedTopic, NewTopic};

use crate::client::Client;
use crate::cluster::Cluster;
use crate::error::{Error, Result};

/// Looks at a cluster and changes it. Every operation tries again for as long as the operation
/// timeout, where that can help.
#[derive(Clone)]
pub struct Admin {
    cluster: Arc<Cluster>,
}

impl Client {
    /// The administration of this client's cluster.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin { cluster: Arc::clone(&self.cluster) }
    }
}

impl Admin {
    /// Asks the controller, or whom the cluster names as such; any broker passes such a request
    /// on.
    async fn ask_controller<R: Request>(
        &self,
        request: &R,
        judge: impl Fn(&R::Response) -> Result<()>,
    ) -> Result<R::Response> {
        let mut attempts = self.cluster.attempts();
        loop {
            let metadata = self.cluster.metadata();
            let answered = match metadata.controller {
                Some(controller) => self.cluster.request_to(controller, request).await,
                None => self.cluster.request_any(request).await,
            };
            let error = match answered.and_then(|response| judge(&response).map(|()| response)) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            self.cluster.before_retry(&mut attempts, error, metadata.version).await?;
        }
    }

    /// Asks any broker, or the given one.
    async fn ask<R: Request>(
        &self,
        broker: Option<BrokerId>,
        request: &R,
        judge: impl Fn(&R::Response) -> Result<()>,
    ) -> Result<R::Response> {
        let mut attempts = self.cluster.attempts();
        loop {
            let version = self.cluster.metadata().version;
            let answered = match broker {
                Some(broker) => self.cluster.request_to(broker, request).await,
                None => self.cluster.request_any(request).await,
            };
            let error = match answered.and_then(|response| judge(&response).map(|()| response)) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            self.cluster.before_retry(&mut attempts, error, version).await?;
        }
    }
}

/// The single result of an operation on a single thing.
fn single<K, T>(results: Vec<(K, Result<T>)>, missing: impl FnOnce() -> Error) -> Result<T> {
    results.into_iter().next().map_or_else(|| Err(missing()), |(_, result)| result)
}
