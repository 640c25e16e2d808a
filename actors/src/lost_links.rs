//! Which nodes this one has just lost its link to: no actor, a note that Metadata requests look at.
//!
//! Between the end of a leader and the election of the next one there is a moment in which the
//! metadata still names the old one. A client that hears that name again takes its time before it
//! asks once more (librdkafka looks about itself once a second); one that hears
//! `LEADER_NOT_AVAILABLE` asks again at once, as if the leader had been known to be gone. It is a
//! guess, and soon given up: a link may be lost although the node is well.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::BrokerId;
use tokio::time::Instant;

use crate::ports::peers::Links;

/// How long a node is doubted. An election is over long before.
const DOUBT: Duration = Duration::from_secs(2);

/// See the head of this file.
#[derive(Debug, Default)]
pub struct LostLinks {
    /// Whom the last look found without a link, and when it was first so.
    lost: Mutex<BTreeMap<BrokerId, Instant>>,
}

impl LostLinks {
    /// Those of `nodes` whose link was found missing a moment ago, now or for the first time.
    #[must_use]
    pub fn doubted(&self, links: &Links, nodes: impl Iterator<Item = BrokerId>) -> Vec<BrokerId> {
        let now = Instant::now();
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let absent: Vec<_> = nodes.filter(|node| !links.contains_key(node)).collect();
        lost.retain(|node, _| absent.contains(node));
        let mut doubted = Vec::new();
        for node in absent {
            let since = *lost.entry(node).or_insert(now);
            if now.saturating_duration_since(since) < DOUBT {
                doubted.push(node);
            }
        }
        doubted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metadata::Incarnation;
    use uuid::Uuid;

    use super::*;

    const ALL: [BrokerId; 2] = [BrokerId(2), BrokerId(3)];

    fn links(nodes: &[BrokerId]) -> Links {
        let incarnation = Incarnation(Uuid::nil());
        Arc::new(nodes.iter().map(|node| (*node, incarnation)).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_doubted_for_a_moment_after_its_link_went() {
        let lost = LostLinks::default();
        assert!(lost.doubted(&links(&ALL), ALL.into_iter()).is_empty());
        let one = links(&[BrokerId(3)]);
        assert_eq!(lost.doubted(&one, ALL.into_iter()), [BrokerId(2)]);
        tokio::time::advance(DOUBT).await;
        assert!(lost.doubted(&one, ALL.into_iter()).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_whose_link_returns_is_trusted_and_may_be_doubted_again() {
        let lost = LostLinks::default();
        let one = links(&[BrokerId(3)]);
        assert_eq!(lost.doubted(&one, ALL.into_iter()), [BrokerId(2)]);
        tokio::time::advance(DOUBT).await;
        assert!(lost.doubted(&links(&ALL), ALL.into_iter()).is_empty());
        assert_eq!(lost.doubted(&one, ALL.into_iter()), [BrokerId(2)]);
    }
}
