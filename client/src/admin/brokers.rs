//! The cluster as a whole.

use std::collections::BTreeSet;

use protocol::BrokerId;
use protocol::generated::describe_cluster::DescribeClusterRequest;
use protocol::generated::unregister_broker::UnregisterBrokerRequest;
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
    /// In the order of their numbers, those that are fenced too, where the cluster tells of them.
    pub brokers: Vec<Broker>,
    /// Those that are registered and take no part at present: down, cut off or stopping.
    pub fenced: BTreeSet<BrokerId>,
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
        let all = DescribeClusterRequest {
            include_fenced_brokers: true,
            ..DescribeClusterRequest::default()
        };
        let response = match self.ask(None, &all, judge).await {
            // a version that cannot ask for fenced brokers (before KIP-1073)
            Err(Error::Encode(_)) => {
                self.ask(None, &DescribeClusterRequest::default(), judge).await?
            }
            answered => answered?,
        };
        let broker = |wire: &protocol::generated::describe_cluster::DescribeClusterBroker| Broker {
            id: BrokerId(wire.broker_id),
            address: address(&wire.host, wire.port),
            rack: wire.rack.as_ref().map(ToString::to_string),
        };
        let mut brokers: Vec<_> = response.brokers.iter().map(broker).collect();
        brokers.sort_by_key(|broker| broker.id);
        let fenced = response.brokers.iter().filter(|broker| broker.is_fenced);
        Ok(ClusterDescription {
            fenced: fenced.map(|broker| BrokerId(broker.broker_id)).collect(),
            cluster_id: response.cluster_id.to_string(),
            controller: (response.controller_id >= 0).then_some(BrokerId(response.controller_id)),
            brokers,
        })
    }
    /// Forgets a broker that is gone for good. It must not be running and hold no replicas; a
    /// broker that comes back under its number registers anew.
    ///
    /// # Errors
    /// What the cluster has against it, such as BROKER_ID_NOT_REGISTERED.
    pub async fn unregister_broker(&self, id: BrokerId) -> Result<()> {
        let (api, subject) = (UnregisterBrokerRequest::API_KEY, || Subject::Broker(id));
        let judge = |response: &<UnregisterBrokerRequest as Request>::Response| {
            let detail = response.error_message.as_deref();
            Error::check(api, subject, response.error_code, detail)
        };
        let request = UnregisterBrokerRequest { broker_id: id.0 };
        self.ask_controller(&request, judge).await.map(drop)
    }
}
