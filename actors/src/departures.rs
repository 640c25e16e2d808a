//! Which brokers have just left the live ones: no actor, a note that the metadata publisher keeps and
//! Metadata requests look at.
//!
//! Metadata names live brokers only, as Kafka's does. But a client that hears in one and the same
//! answer that a partition's leader moved and that the old leader's broker is no more may trip over
//! its own feet: librdkafka (2.10 and later) drops the broker while it moves the partition away from
//! it, ends up without a leader, and looks about itself only a second later. So a broker that has
//! just gone is named for a little longer, though nothing is led there: the client moves first, and
//! forgets the broker when it asks the next time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::BrokerId;
use tokio::time::Instant;

/// How long a broker is named after it went. Clients that wait for an answer of the one that is gone
/// have mostly turned to another by then, and trying it costs a new client one attempt to connect.
const GRACE: Duration = Duration::from_secs(10);

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Departures {
    gone: Mutex<BTreeMap<BrokerId, Instant>>,
}

impl Departures {
    /// The published image is about to say so of a broker, and has said the contrary.
    pub fn note(&self, broker: BrokerId, is_live: bool) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if is_live {
            gone.remove(&broker);
        } else {
            gone.insert(broker, Instant::now());
        }
    }

    /// Whose grace is not over, by id.
    #[must_use]
    pub fn recent(&self) -> Vec<BrokerId> {
        let now = Instant::now();
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.retain(|_, since| now.saturating_duration_since(*since) < GRACE);
        gone.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_broker_is_named_for_a_moment_after_it_went() {
        let departures = Departures::default();
        assert!(departures.recent().is_empty());
        departures.note(BrokerId(2), false);
        tokio::time::advance(GRACE - Duration::from_millis(1)).await;
        assert_eq!(departures.recent(), [BrokerId(2)]);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(departures.recent().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_returned_is_named_for_being_there_only() {
        let departures = Departures::default();
        departures.note(BrokerId(2), false);
        departures.note(BrokerId(2), true);
        assert!(departures.recent().is_empty());
    }
}
