//! Asking the controller on a client's behalf, under the client's deadline.

use std::time::Duration;

use protocol::ErrorCode;
use tokio::time::{Instant, timeout_at};

use crate::broker::Broker;
use crate::controller::{self, NotAgreed, Question};

/// The longest that a client may make a request wait.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// How long a decision may take where the protocol names no deadline.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// The deadline that a request's timeout sets.
#[must_use]
pub fn wait_from(timeout_ms: i32) -> Instant {
    let wait = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    Instant::now() + wait.min(WAIT_MAX)
}

/// The deadline of a request that names none.
#[must_use]
pub fn wait_default() -> Instant {
    Instant::now() + WAIT_DEFAULT
}

/// Asks and waits. Not before a short moment: a timeout of 0 still learns what is decided at once.
///
/// # Errors
/// `NOT_CONTROLLER` where nobody could decide, `REQUEST_TIMED_OUT` where it took too long.
pub async fn ask<Q: Question>(
    broker: &Broker,
    deadline: Instant,
    question: Q,
) -> Result<Q::Answer, ErrorCode> {
    let answer = controller::ask(&broker.controller, question);
    let deadline = deadline.max(Instant::now() + Duration::from_millis(100));
    match timeout_at(deadline, answer).await {
        Ok(Ok(decided)) => Ok(decided),
        Ok(Err(NotAgreed)) => Err(ErrorCode::NotController),
        Err(_) => Err(ErrorCode::RequestTimedOut),
    }
}
