//! From a decoded request to an encoded response: one file per family of APIs.

pub mod api_versions;
mod awaited_append;
pub mod cluster;
pub mod configs;
pub mod controller_call;
pub mod elections;
pub mod fetch;
pub mod groups;
pub mod leader_hints;
pub mod list_offsets;
pub mod metadata;
pub mod partition_lookup;
pub mod produce;
pub mod produce_batch;
pub mod producer_ids;
pub mod quorum;
pub mod read_replicas;
pub mod reassignments;
mod records;
pub mod topics;

use std::net::IpAddr;
use std::sync::Arc;

use protocol::api_key::ApiKey;
use protocol::api_versions::ServedApis;
use protocol::frame::{RequestFrame, encode_response};
use protocol::generated::api_versions::ApiVersionsRequest;
use protocol::message::Request;
use protocol::primitives::{DecodeError, Encoded, WireString};
use supervision::Status;

use crate::broker::Broker;
use crate::client_session::connection::ConnectionEnd;
use crate::client_session::fetch_sessions::FetchSessions;
use crate::client_session::served_members::ServedMembers;
use crate::request_memory::RequestPermit;

/// The APIs that a node serves: those that [`route`] answers.
#[must_use]
pub fn served_apis() -> ServedApis {
    ServedApis::all()
}

/// What is known of the connection that requests come by.
pub struct RequestContext {
    /// The listener that it came to; clients are told the endpoints of the same name.
    pub listener: Arc<str>,
    /// The client's address.
    pub client_host: IpAddr,
    /// What it called itself, in the request under way.
    pub client_id: Option<String>,
    /// Its fetch session.
    pub fetch_sessions: FetchSessions,
    /// The group members that speak by it.
    pub members: ServedMembers,
    /// Response memory that is held until the response is written.
    pub held: Option<RequestPermit>,
    /// What the session shows in the tree.
    pub status: Status,
}

impl RequestContext {
    /// The context of a connection that has just been accepted.
    #[must_use]
    pub fn new(
        listener: Arc<str>,
        client_host: IpAddr,
        status: Status,
        members: ServedMembers,
    ) -> Self {
        let (client_id, fetch_sessions) = (None, FetchSessions::default());
        Self { listener, client_host, client_id, fetch_sessions, members, held: None, status }
    }

    /// Remembers what the client calls itself, and shows it.
    fn name_client(&mut self, client_id: Option<&WireString>) {
        if self.client_id.as_deref() != client_id.map(|id| &**id) {
            self.client_id = client_id.map(ToString::to_string);
            self.status.set("client id", self.client_id.clone().unwrap_or_default());
        }
    }
}

/// Encodes a response with its size and header.
///
/// # Errors
/// When the protocol cannot carry it.
pub fn respond_to<R: Request>(
    response: &R::Response,
    version: i16,
    correlation_id: i32,
    bytes_max: usize,
) -> Result<Encoded, ConnectionEnd> {
    Ok(encode_response::<R>(response, version, correlation_id, bytes_max)?)
}

/// One request on its way to its response.
pub struct Turn<'a> {
    /// The node.
    pub broker: &'a Arc<Broker>,
    /// The connection.
    pub context: &'a mut RequestContext,
    /// The request.
    pub frame: &'a RequestFrame,
}

impl Turn<'_> {
    fn body<R: Request>(&self) -> Result<R, ConnectionEnd> {
        let key = self.frame.key;
        self.frame.body().map_err(|error: DecodeError| ConnectionEnd::Body { key, error })
    }

    fn respond<R: Request>(&self, response: &R::Response) -> Result<Encoded, ConnectionEnd> {
        let bytes_max = self.broker.bounds.response_bytes_max;
        respond_to::<R>(response, self.frame.version, self.frame.correlation_id, bytes_max)
    }
}

/// The answer to a version of ApiVersions that is not served: in version 0, with the list, so that
/// the client can choose (KIP-511).
///
/// # Errors
/// When it cannot be encoded.
pub fn unsupported_api_versions(
    broker: &Broker,
    correlation_id: i32,
) -> Result<Encoded, ConnectionEnd> {
    let response = broker.served.unsupported_version_response();
    respond_to::<ApiVersionsRequest>(&response, 0, correlation_id, usize::MAX)
}

/// Answers any request but Produce, which overlaps with others of its kind.
///
/// # Errors
/// When the body is damaged or the response cannot be encoded: the connection ends.
pub async fn route(
    broker: &Arc<Broker>,
    context: &mut RequestContext,
    frame: &RequestFrame,
) -> Result<Encoded, ConnectionEnd> {
    context.name_client(frame.client_id.as_ref());
    let mut turn = Turn { broker, context, frame };
    match frame.key {
        ApiKey::Produce => Err(ConnectionEnd::RefusedWithoutResponse),
        ApiKey::Fetch => fetch::answer(&mut turn).await,
        ApiKey::ListOffsets => list_offsets::list_offsets(&turn).await,
        ApiKey::OffsetForLeaderEpoch => list_offsets::offset_for_leader_epoch(&turn),
        ApiKey::DeleteRecords => records::delete_records(&turn).await,
        ApiKey::InitProducerId => producer_ids::init_producer_id(&turn).await,
        ApiKey::ApiVersions => api_versions::api_versions(&turn),
        ApiKey::Metadata => metadata::metadata(&turn).await,
        ApiKey::DescribeCluster => cluster::describe_cluster(&turn),
        ApiKey::DescribeTopicPartitions => metadata::describe_topic_partitions(&turn),
        ApiKey::CreateTopics => topics::create_topics(&turn).await,
        ApiKey::DeleteTopics => topics::delete_topics(&turn).await,
        ApiKey::CreatePartitions => topics::create_partitions(&turn).await,
        ApiKey::ElectLeaders => elections::elect_leaders(&turn).await,
        ApiKey::AlterPartitionReassignments => reassignments::alter(&turn).await,
        ApiKey::ListPartitionReassignments => reassignments::list(&turn),
        ApiKey::UnregisterBroker => cluster::unregister_broker(&turn).await,
        ApiKey::DescribeQuorum => quorum::describe_quorum(&turn).await,
        ApiKey::AddRaftVoter => quorum::add_raft_voter(&turn).await,
        ApiKey::RemoveRaftVoter => quorum::remove_raft_voter(&turn).await,
        ApiKey::DescribeConfigs => configs::describe_configs(&turn),
        ApiKey::AlterConfigs => configs::alter_configs(&turn).await,
        ApiKey::IncrementalAlterConfigs => configs::incremental_alter_configs(&turn).await,
        _ => groups::route(&mut turn).await,
    }
}
