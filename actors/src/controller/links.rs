//! What the links to other nodes tell the controller: a process that ended is known to be gone
//! before its heartbeats are missed.
//!
//! A link may also go for a reason on this side, and come back. So a link that went counts after a
//! moment only, and when all of several go at once, nothing is concluded: silence decides then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metadata::Incarnation;
use protocol::BrokerId;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{ControllerMessage, ControllerState, Myself, Standing};
use crate::broker::Broker;
use crate::metadata_quorum::QuorumView;
use crate::ports::peers::Links;

/// How long a link that went may take to come back.
const LINK_GRACE: Duration = Duration::from_millis(50);

/// The links as last seen, and those that went.
pub(super) struct LinkWatch {
    receiver: watch::Receiver<Links>,
    seen: Links,
    lost: BTreeMap<BrokerId, Incarnation>,
    tasks: [AbortHandle; 2],
}

impl Drop for LinkWatch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Begins to tell the controller of links that change, and of changes in the quorum.
pub(super) fn watch_links(broker: &Arc<Broker>, myself: &Myself) -> LinkWatch {
    let receiver = broker.ports.peers.links();
    let (links, quorum) = (receiver.clone(), broker.quorum.subscribe());
    let tasks = [
        tokio::spawn(follow_links(links, myself.clone())).abort_handle(),
        tokio::spawn(follow_quorum(quorum, myself.clone())).abort_handle(),
    ];
    let seen = Arc::clone(&receiver.borrow());
    LinkWatch { receiver, seen, lost: BTreeMap::new(), tasks }
}

async fn follow_links(mut links: watch::Receiver<Links>, myself: Myself) {
    while links.changed().await.is_ok() {
        links.mark_unchanged();
        let _ = myself.cast(ControllerMessage::LinksChanged.into());
    }
}

async fn follow_quorum(mut views: watch::Receiver<Arc<QuorumView>>, myself: Myself) {
    let mut active = views.borrow_and_update().active_term;
    // every applied entry is a new view: only what concerns the controller wakes it
    while views.wait_for(|view| view.active_term != active).await.is_ok() {
        active = views.borrow_and_update().active_term;
        let _ = myself.cast(ControllerMessage::QuorumChanged.into());
    }
}

impl ControllerState {
    pub(super) fn on_links_changed(&mut self, myself: &Myself) {
        let links = &mut self.links;
        let now = Arc::clone(&links.receiver.borrow_and_update());
        let is_up = |(node, incarnation): (&BrokerId, &Incarnation)| {
            now.get(node).is_some_and(|up| up == incarnation)
        };
        let went: Vec<_> = links.seen.iter().filter(|link| !is_up(*link)).collect();
        let is_own_fault = now.is_empty() && went.len() > 1;
        let went = went.into_iter().filter(|_| !is_own_fault);
        links.lost.extend(went.map(|(node, incarnation)| (*node, *incarnation)));
        links.lost.retain(|node, incarnation| !is_up((node, incarnation)));
        links.seen = now;
        if !links.lost.is_empty() {
            myself.send_after(LINK_GRACE, || ControllerMessage::LostLinksDue.into());
        }
    }

    /// Those whose links went and did not come back are gone.
    pub(super) fn on_lost_links_due(&mut self, myself: &Myself) {
        let Standing::InOffice(office) = &mut self.standing else { return };
        let now = Instant::now().into_std();
        for (node, incarnation) in std::mem::take(&mut self.links.lost) {
            office.on_death(now, node, incarnation);
        }
        self.on_liveness_due(myself);
    }

    pub(super) fn on_liveness_due(&mut self, myself: &Myself) {
        let Standing::InOffice(office) = &mut self.standing else { return };
        let now = Instant::now().into_std();
        office.fence_silent(&self.arguments.broker.metrics.controller, now);
        if office.liveness_due.is_some_and(|due| due <= now) {
            office.liveness_due = None;
        }
        self.schedule(myself);
    }

    /// One timer at a time: deadlines mostly move away before it goes off.
    pub(super) fn schedule_liveness(&mut self, myself: &Myself) {
        let Standing::InOffice(office) = &mut self.standing else { return };
        let Some(next) = office.next_deadline().filter(|_| office.liveness_due.is_none()) else {
            return;
        };
        office.liveness_due = Some(next);
        let wait = next.saturating_duration_since(Instant::now().into_std());
        myself.send_after(wait, || ControllerMessage::LivenessDue.into());
    }
}
