//! What the tree's notices of failures become: a line in the log and a count.

use std::path::Path;
use std::sync::Arc;

use supervision::{Notice, NoticeEvent};
use tracing::{error, warn};

use crate::broker::Broker;
use crate::metrics::PlaceLabel;
use crate::quarantine_reporter::QuarantineReporterMessage;

/// Failures in the tree are counted and logged, once, here.
pub fn count_failures(broker: &Arc<Broker>) {
    let of = Arc::downgrade(broker);
    broker.tree.subscribe(Arc::new(move |notice: &Notice| {
        let Some(broker) = of.upgrade() else { return };
        let supervisor = Path::new(&notice.path).parent().map(|path| path.display().to_string());
        let label = PlaceLabel { supervisor: supervisor.unwrap_or_default() };
        match &notice.event {
            NoticeEvent::Failed { reason, delay } => {
                warn!(path = %notice.path, %reason, ?delay, "an actor failed");
                broker.metrics.actor_failures.get_or_create(&label).inc();
            }
            NoticeEvent::Quarantined { .. } => {
                error!(path = %notice.path, event = ?notice.event, "an actor is in quarantine");
                broker.metrics.actor_quarantines.get_or_create(&label).inc();
                // one that is being restarted looks for itself
                let _ = broker.quarantine_reporter.send(QuarantineReporterMessage::Quarantined);
            }
            event => tracing::debug!(path = %notice.path, ?event, "the tree changed"),
        }
    }));
}
