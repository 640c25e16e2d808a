//! What readers see of the replica: the leader's picture, and where followers serve consumers
//! (KIP-392) a follower's.

use std::sync::Arc;

use protocol::Offset;
use replication::{ReadReplica, Role};

use super::PartitionReplicaState;
use crate::read_view::{ReadView, Viewpoint};

/// What was last published.
#[derive(Debug)]
pub(super) struct Published {
    /// Whether followers serve consumers: holds from start to stop.
    followers_serve: bool,
    /// The end of the log.
    end: Offset,
    /// Where consumers may be sent.
    read_replicas: Arc<[ReadReplica]>,
}

impl Published {
    /// Nothing yet.
    pub(super) fn nothing(followers_serve: bool) -> Self {
        Self { followers_serve, end: Offset::UNKNOWN, read_replicas: Arc::default() }
    }

    /// From where a follower serves consumers, if it serves any.
    pub(super) fn readable_from(&self, log_start: Offset) -> Option<Offset> {
        self.followers_serve.then_some(log_start)
    }
}

impl PartitionReplicaState {
    /// Publishes what readers may see now.
    pub(super) fn publish_view(&mut self) {
        if let Some(view) = self.view() {
            self.arguments.place.publish(view);
        }
    }

    /// Publishes what followers may read now, if that is more than before: consumers see nothing
    /// new, and are not woken.
    pub(super) fn publish_to_followers(&mut self) {
        let has_followers = self.decided.assigned_replicas.len() > 1;
        if !has_followers || self.published.end == self.machine.log_end_offset() {
            return;
        }
        if let Some(view) = self.view() {
            self.arguments.place.publish_to_feeds(view);
        }
    }

    /// Publishes where consumers may be sent, if that has changed. It is of interest to nobody who
    /// waits.
    pub(super) fn publish_read_replicas(&mut self) {
        if !self.published.followers_serve || !self.have_read_replicas_changed() {
            return;
        }
        let end = self.published.end;
        match self.view() {
            Some(view) if view.log_end_offset == end => self.arguments.place.replace(view),
            Some(view) => self.arguments.place.publish_to_feeds(view),
            None => {}
        }
    }

    fn have_read_replicas_changed(&self) -> bool {
        let published = self.published.read_replicas.iter().copied();
        self.machine.is_leader() && !self.machine.read_replicas().eq(published)
    }

    /// A follower shows what its leader has committed while it is in sync: a consumer at one that
    /// is not would wait for what others have had for long, and is sent back to the leader.
    pub(super) fn show_as_follower(&mut self) {
        if self.machine.role() != Role::Follower || !self.published.followers_serve {
            return;
        }
        let (shown, view) = (self.arguments.place.shown(), self.view());
        match (shown, view) {
            (Some(_), Some(_)) | (None, None) => {}
            (None, Some(view)) => self.arguments.place.publish(view),
            (Some(_), None) => self.arguments.place.close(),
        }
    }

    /// Whose picture it is; `None` while there is nothing to see.
    fn viewpoint(&mut self) -> Option<Viewpoint> {
        if self.draining || !self.machine.is_readable() {
            return None;
        }
        if self.machine.is_leader() {
            let read_replicas = self.read_replicas();
            return Some(Viewpoint::Leader { read_replicas });
        }
        let is_in_sync = self.decided.is_in_sync(self.arguments.this_broker);
        (is_in_sync && self.published.followers_serve).then_some(Viewpoint::Follower)
    }

    fn read_replicas(&mut self) -> Arc<[ReadReplica]> {
        if self.published.followers_serve && self.have_read_replicas_changed() {
            self.published.read_replicas = self.machine.read_replicas().collect();
        }
        Arc::clone(&self.published.read_replicas)
    }

    /// The picture of this moment; `None` while there is nothing to see.
    fn view(&mut self) -> Option<ReadView> {
        let reader = self.reader.clone()?;
        let viewpoint = self.viewpoint()?;
        let (high_watermark, log_end_offset) =
            (self.machine.high_watermark(), self.machine.log_end_offset());
        self.published.end = log_end_offset;
        Some(ReadView {
            incarnation: self.arguments.incarnation,
            leader_epoch: self.machine.leader_epoch(),
            viewpoint,
            epoch_start_offset: self.epoch_start_offset,
            reader,
            log_start_offset: self.machine.log_start_offset(),
            high_watermark,
            // without transactions every committed record is stable
            last_stable_offset: high_watermark,
            log_end_offset,
        })
    }
}
