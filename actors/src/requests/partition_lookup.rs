//! From the names in a request to a partition's read view, with the protocol's codes for whatever is
//! missing on the way.

use commit_log::ReadError;
use protocol::{ErrorCode, LeaderEpoch};

use crate::read_view::ReadView;

/// Whether a client that knows this leader epoch may be served (KIP-320); unknown is any.
///
/// # Errors
/// `FENCED_LEADER_EPOCH` for an older one, `UNKNOWN_LEADER_EPOCH` for a newer one.
pub fn check_leader_epoch(view: &ReadView, known: LeaderEpoch) -> Result<(), ErrorCode> {
    if !known.is_known() || known == view.leader_epoch {
        Ok(())
    } else if known < view.leader_epoch {
        Err(ErrorCode::FencedLeaderEpoch)
    } else {
        Err(ErrorCode::UnknownLeaderEpoch)
    }
}

/// What a client is told of a failed read.
#[must_use]
pub fn error_of_read(error: &ReadError) -> ErrorCode {
    error.error_code()
}
