//! FindCoordinator (KIP-699 from v4): which broker has a group. The first client that asks makes
//! the offsets topic come into being.

use std::time::Duration;

use coordination::coordinator_partition;
use metadata::PartitionKey;
use protocol::generated::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use protocol::primitives::{Encoded, WireString};
use protocol::{BrokerId, ErrorCode};
use tokio::time::{Instant, timeout_at};

use crate::broker::{Broker, OFFSETS_TOPIC};
use crate::client_session::connection::ConnectionEnd;
use crate::controller::question::AutoCreateTopics;
use crate::requests::Turn;
use crate::requests::controller_call::ask;

/// Coordinators of consumer groups.
const GROUP: i8 = 0;
/// Coordinators of transactions.
const TRANSACTION: i8 = 1;
/// Coordinators of share groups (KIP-932).
const SHARE: i8 = 2;
/// The first version that names several keys.
const BATCHED_VERSION: i16 = 4;
/// How long a client is kept waiting for the offsets topic before it is told to come again.
const CREATION_WAIT: Duration = Duration::from_secs(2);

/// Where a coordinator is, as clients of this listener reach it.
struct Located {
    broker: BrokerId,
    host: WireString,
    port: u16,
}

/// Answers with the brokers that lead the groups' partitions of the offsets topic.
///
/// # Errors
/// As every request.
pub async fn find_coordinator(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<FindCoordinatorRequest>()?;
    let deadline = Instant::now() + CREATION_WAIT;
    let ready = check_type(request.key_type).map(|()| turn.broker);
    let ready = match ready {
        Ok(broker) => ensure_topic(broker, deadline).await,
        Err(code) => Err(code),
    };
    let response = if turn.frame.version >= BATCHED_VERSION {
        let mut coordinators = Vec::with_capacity(request.coordinator_keys.len());
        for key in request.coordinator_keys {
            let located = locate(turn, &key, ready, deadline).await;
            coordinators.push(coordinator(key, located));
        }
        FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() }
    } else {
        let located = locate(turn, &request.key, ready, deadline).await;
        let Coordinator { node_id, host, port, error_code, error_message, .. } =
            coordinator(request.key, located);
        FindCoordinatorResponse {
            error_code,
            error_message,
            node_id,
            host,
            port,
            ..FindCoordinatorResponse::default()
        }
    };
    turn.respond::<FindCoordinatorRequest>(&response)
}

/// Transactions and share groups are not served; no client retries this code.
const fn check_type(key_type: i8) -> Result<(), ErrorCode> {
    match key_type {
        GROUP => Ok(()),
        TRANSACTION | SHARE => Err(ErrorCode::TransactionalIdAuthorizationFailed),
        _ => Err(ErrorCode::InvalidRequest),
    }
}

/// Has the offsets topic created if it is missing.
async fn ensure_topic(broker: &Broker, deadline: Instant) -> Result<(), ErrorCode> {
    if broker.image.load().topic(OFFSETS_TOPIC).is_some() {
        return Ok(());
    }
    let names = vec![OFFSETS_TOPIC.to_owned()];
    // whether it is there afterwards counts, not who created it
    let _ = ask(broker, deadline, AutoCreateTopics { names }).await;
    match broker.image.load().topic(OFFSETS_TOPIC) {
        Some(_) => Ok(()),
        None => Err(ErrorCode::CoordinatorNotAvailable),
    }
}

async fn locate(
    turn: &Turn<'_>,
    group: &str,
    ready: Result<(), ErrorCode>,
    deadline: Instant,
) -> Result<Located, ErrorCode> {
    ready?;
    let broker = turn.broker;
    let image = broker.image.load();
    let found = image.topic(OFFSETS_TOPIC).and_then(|topic| {
        let index = coordinator_partition(group, topic.partition_count())?;
        let key = PartitionKey::new(topic.id, index);
        Some((key, broker.newest_state(key, topic.partition(index)?).leader?))
    });
    let (key, leader) = found.ok_or(ErrorCode::CoordinatorNotAvailable)?;
    if leader == broker.id {
        let serving = timeout_at(deadline, broker.partitions.serving(&[key])).await;
        serving.map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
    }
    let endpoint = image.broker(leader).and_then(|state| state.endpoint(&turn.context.listener));
    let address = &endpoint.ok_or(ErrorCode::CoordinatorNotAvailable)?.address;
    Ok(Located { broker: leader, host: WireString::from(&*address.host), port: address.port })
}

fn coordinator(key: WireString, located: Result<Located, ErrorCode>) -> Coordinator {
    match located {
        Ok(Located { broker, host, port }) => Coordinator {
            key,
            node_id: broker.0,
            host,
            port: i32::from(port),
            ..Coordinator::default()
        },
        Err(code) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: code.code(),
            error_message: Some(WireString::from_static(message(code))),
            ..Coordinator::default()
        },
    }
}

const fn message(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::TransactionalIdAuthorizationFailed => {
            "transactions and share groups are not served yet"
        }
        ErrorCode::InvalidRequest => "there are no coordinators of this type",
        _ => "the coordinator is not available yet",
    }
}
