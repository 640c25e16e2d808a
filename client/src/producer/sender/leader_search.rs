//! How a producer finds the next leader: as long as batches wait because their broker does not lead
//! or does not answer, metadata is asked for every `retry_pause`, and a batch leaves as soon as
//! somebody else leads, whatever is left of its pause.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::{Sender, SenderEvent};

impl Sender {
    /// Lets batches go whose leader has moved, and looks on for the leaders of the others.
    pub(super) fn look_for_leaders(&mut self) {
        let cluster = &self.shared.cluster;
        let mut is_waiting = false;
        for (partition, delivery) in &mut self.partitions {
            let Some(broker) = delivery.refused_by() else { continue };
            match cluster.is_led_by_another(partition, broker) {
                true => delivery.on_moved(),
                false => is_waiting = true,
            }
        }
        if is_waiting {
            self.refresh();
        }
    }

    pub(super) fn on_refreshed(&mut self) {
        self.refreshing = false;
        self.refreshed_at = Some(Instant::now());
        self.look_for_leaders();
    }

    /// Asks for fresh metadata, at most once at a time and once a `retry_pause`.
    pub(super) fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        self.refreshing = true;
        let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
        let pause = shared.cluster.settings.backoff().next_pause();
        let not_before = self.refreshed_at.map_or_else(Instant::now, |last| last + pause);
        tokio::spawn(async move {
            sleep_until(not_before).await;
            let version = shared.cluster.metadata().version;
            if let Err(error) = shared.cluster.refresh_after(version).await {
                tracing::debug!(%error, "metadata could not be refreshed");
            }
            // nobody listens once the producer has ended
            let _ = events.send(SenderEvent::Refreshed).await;
        });
    }
}
