//! DescribeCluster (KIP-700) and UnregisterBroker (KIP-631).

use metadata::ClusterImage;
use protocol::generated::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use protocol::generated::unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use protocol::primitives::{Encoded, WireString};
use protocol::{BrokerId, ErrorCode};

use super::Turn;
use super::controller_call::{ask, wait_default};
use crate::broker::Broker;
use crate::client_session::connection::ConnectionEnd;
use crate::controller::question::UnregisterBroker;

/// Authorised operations, where nobody is refused anything: not computed.
pub const OPERATIONS_UNKNOWN: i32 = i32::MIN;
/// The endpoint type of brokers (KIP-919).
const BROKERS: i8 = 1;

/// The node of the active controller, as clients are told: this one where it is not known, since any
/// node passes on what is for the controller.
pub fn controller_id(broker: &Broker, image: &ClusterImage) -> i32 {
    let leader = broker.quorum.view().leader.filter(|leader| image.is_live(*leader));
    leader.unwrap_or(broker.id).0
}

/// Answers with the brokers that clients of this listener can reach.
///
/// # Errors
/// As every request.
pub fn describe_cluster(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<DescribeClusterRequest>()?;
    if turn.frame.version >= 1 && request.endpoint_type != BROKERS {
        let response = DescribeClusterResponse {
            error_code: ErrorCode::UnsupportedEndpointType.code(),
            error_message: Some(WireString::from("only brokers can be described here")),
            ..DescribeClusterResponse::default()
        };
        return turn.respond::<DescribeClusterRequest>(&response);
    }
    let image = turn.broker.image.load();
    let brokers =
        image.brokers().filter(|broker| !broker.is_fenced() || request.include_fenced_brokers);
    let describe = |broker: &std::sync::Arc<metadata::BrokerState>| {
        let endpoint = broker.endpoint(&turn.context.listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id().0,
            host: WireString::from(&*endpoint.address.host),
            port: i32::from(endpoint.address.port),
            rack: broker.registration.rack.as_deref().map(WireString::from),
            is_fenced: broker.is_fenced() && turn.frame.version >= 2,
        })
    };
    let response = DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: WireString::from(turn.broker.cluster_id.to_string()),
        controller_id: controller_id(turn.broker, &image),
        brokers: brokers.filter_map(describe).collect(),
        cluster_authorized_operations: OPERATIONS_UNKNOWN,
        ..DescribeClusterResponse::default()
    };
    turn.respond::<DescribeClusterRequest>(&response)
}

/// Forgets a broker that is gone for good. One that is alive registers again.
///
/// # Errors
/// As every request.
pub async fn unregister_broker(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<UnregisterBrokerRequest>()?;
    let question = UnregisterBroker { broker: BrokerId(request.broker_id) };
    let decided = ask(turn.broker, wait_default(), question).await;
    let (code, message) = match decided {
        Ok(Ok(())) => (ErrorCode::None, None),
        Ok(Err(refused)) => (refused.code(), Some(WireString::from(refused.to_string()))),
        Err(code) => (code, None),
    };
    let response = UnregisterBrokerResponse {
        error_code: code.code(),
        error_message: message,
        ..UnregisterBrokerResponse::default()
    };
    turn.respond::<UnregisterBrokerRequest>(&response)
}
