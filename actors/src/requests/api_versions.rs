//! ApiVersions (KIP-35, KIP-511).

use protocol::ErrorCode;
use protocol::generated::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::primitives::Encoded;

use super::Turn;
use crate::client_session::connection::ConnectionEnd;

/// Answers with what is served. From v3 on a client must say who it is.
///
/// # Errors
/// As every request.
pub fn api_versions(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<ApiVersionsRequest>()?;
    let names = [&request.client_software_name, &request.client_software_version];
    if turn.frame.version >= 3 && !names.iter().all(|name| is_valid_name(name)) {
        let error_code = ErrorCode::InvalidRequest.code();
        let response = ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() };
        return turn.respond::<ApiVersionsRequest>(&response);
    }
    let response = ApiVersionsResponse {
        api_keys: turn.broker.served.advertised(),
        ..ApiVersionsResponse::default()
    };
    turn.respond::<ApiVersionsRequest>(&response)
}

/// KIP-511: letters, digits, `-` and `.`, beginning and ending with a letter or digit.
fn is_valid_name(name: &str) -> bool {
    let is_edge = |c: char| c.is_ascii_alphanumeric();
    name.starts_with(is_edge)
        && name.ends_with(is_edge)
        && name.chars().all(|c| is_edge(c) || matches!(c, '-' | '.'))
}
