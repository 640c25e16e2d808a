//! DescribeCluster (KIP-700).

use protocol::ErrorCode;
use protocol::generated::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use protocol::primitives::{Encoded, WireString};

use super::Turn;
use crate::client_session::connection::ConnectionEnd;

/// Authorised operations, where nobody is refused anything: not computed.
pub const OPERATIONS_UNKNOWN: i32 = i32::MIN;
/// The endpoint type of brokers (KIP-919).
const BROKERS: i8 = 1;

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
        controller_id: turn.broker.id.0,
        brokers: brokers.filter_map(describe).collect(),
        cluster_authorized_operations: OPERATIONS_UNKNOWN,
        ..DescribeClusterResponse::default()
    };
    turn.respond::<DescribeClusterRequest>(&response)
}
