//! InitProducerId (KIP-98): an idempotent producer's id. Transactions are not offered yet: a
//! transactional id gets `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`, which no client retries.

use protocol::ErrorCode;
use protocol::generated::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::primitives::Encoded;

use super::Turn;
use crate::client_session::connection::ConnectionEnd;

/// Gives out a producer id that was never given out before.
///
/// # Errors
/// As every request.
pub async fn init_producer_id(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<InitProducerIdRequest>()?;
    let given = if request.transactional_id.is_some() {
        Err(ErrorCode::TransactionalIdAuthorizationFailed)
    } else {
        turn.broker.producer_ids.next().await
    };
    let response = match given {
        Ok(id) => InitProducerIdResponse {
            producer_id: id.0,
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        },
        Err(code) => InitProducerIdResponse {
            error_code: code.code(),
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdResponse::default()
        },
    };
    turn.respond::<InitProducerIdRequest>(&response)
}
