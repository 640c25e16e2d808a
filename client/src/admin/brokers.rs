//! The cluster as a whole.

use protocol::BrokerId;
use protocol::generated::describe_cluster::DescribeClusterRequest;
use protocol::message::Request;

use super::Admin;
use crate::cluster_metadata::{Broker, address};
use crate::error::{Error, Result, Subject};

/// A cluster, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Its identity.
    pub cluster_id: String,
    /// Who takes requests for the controller.
    pub controller: Option<BrokerId>,
    /// In the order of their numbers.
    pub brokers: Vec<Broker>,
}

impl Admin {
    /// The cluster and its brokers, as they are now.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription> {
        let api = DescribeClusterRequest::API_KEY;
        let judge = |response: &<DescribeClusterRequest as Request>::Response| {
            let detail = response.error_message.as_deref();
            Error::check(api, || Subject::Request, response.error_code, detail)
        };
        let response = self.ask(None, &DescribeClusterRequest::default(), judge).await?;
        let broker = |wire: &protocol::generated::describe_cluster::DescribeClusterBroker| Broker {
            id: BrokerId(wire.broker_id),
            address: address(&wire.host, wire.port),
            rack: wire.rack.as_ref().map(ToString::to_string),
        };
        let mut brokers: Vec<_> = response.brokers.iter().map(broker).collect();
        brokers.sort_by_key(|broker| broker.id);
        Ok(ClusterDescription {
            cluster_id: response.cluster_id.to_string(),
            controller: (response.controller_id >= 0).then_some(BrokerId(response.controller_id)),
            brokers,
        })
    }
}
