//! How a consumer finds the next leader: as long as partitions wait because their broker does not
//! lead or does not answer, metadata is asked for every `retry_pause`, and a partition is fetched
//! as soon as somebody else leads, whatever is left of its pause.

use std::sync::Arc;

use protocol::TopicName;
use tokio::time::{Instant, sleep_until};

use super::Consumer;
use super::fetch_loop::ConsumerEvent;

impl Consumer {
    /// Lets partitions go on whose leader has moved, and looks on for the leaders of the others.
    pub(super) fn look_for_leaders(&mut self) {
        let now = Instant::now();
        let mut is_waiting = false;
        for (partition, assigned) in &mut self.partitions {
            let Some(broker) = assigned.refused_by(now) else { continue };
            match self.cluster.is_led_by_another(partition, broker) {
                true => assigned.on_moved(),
                false => is_waiting = true,
            }
        }
        if is_waiting {
            self.start_refresh(None);
        }
    }

    pub(super) fn on_refreshed(&mut self) {
        self.refreshing = false;
        self.refreshed_at = Some(Instant::now());
        self.look_for_leaders();
    }

    /// Asks for fresh metadata, at most once at a time and once a `retry_pause`; for that of a
    /// topic that is not known.
    pub(super) fn start_refresh(&mut self, missing: Option<TopicName>) {
        if self.refreshing {
            return;
        }
        self.refreshing = true;
        let cluster = Arc::clone(&self.cluster);
        let pause = cluster.settings.backoff().next_pause();
        let not_before = self.refreshed_at.map_or_else(Instant::now, |last| last + pause);
        self.tasks.spawn(async move {
            sleep_until(not_before).await;
            let version = cluster.metadata().version;
            let refreshed = match missing {
                Some(topic) if !cluster.metadata().topics.contains_key(&topic) => {
                    cluster.topic_once(&topic).await.map(drop)
                }
                _ => cluster.refresh_after(version).await,
            };
            if let Err(error) = refreshed {
                tracing::debug!(%error, "metadata could not be refreshed");
            }
            ConsumerEvent::Refreshed
        });
    }
}
