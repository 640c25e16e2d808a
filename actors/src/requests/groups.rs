//! Stub.
use super::Turn;
use crate::client_session::connection::ConnectionEnd;
use protocol::primitives::Encoded;
pub async fn route(_turn: &mut Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    Err(ConnectionEnd::RefusedWithoutResponse)
}
