//! Committed offsets that nobody has used for long, and groups that have nothing left (KIP-211).

use std::collections::BTreeSet;

use protocol::TopicPartition;

use super::{ClassicGroup, ClassicGroupState};
use crate::committed_offsets::CommittedOffset;
use crate::effect::Effects;
use crate::time::{Now, Timestamp};

/// From when on the retention of a group's offsets counts.
#[derive(Clone, Copy)]
enum RetentionStart {
    /// Since the group lost its last member.
    Empty(Timestamp),
    /// Since each commit.
    Commit,
}

impl ClassicGroup {
    /// Time to look for what has expired (`offsets.retention.check.interval.ms`). Offsets of an
    /// empty group expire when the group has been empty for the retention, those of a simple
    /// consumer and of topics that a stable group no longer consumes when that long has passed
    /// since the commit, and any offset whose committer gave it a time when that has come. A group
    /// without members and offsets goes.
    pub fn on_expire_offsets(&mut self, now: Now, effects: &mut Effects) {
        if self.exists && !self.is_dead() {
            self.expire(now, effects);
        }
        self.debug_assert_invariants();
    }

    fn expire(&mut self, now: Now, effects: &mut Effects) {
        let expired = self.expired(now.wall_clock);
        let is_over = self.state == ClassicGroupState::Empty
            && expired.len() == self.offsets.len()
            && self.pending_members.is_empty()
            && self.pending_appends.is_empty();
        if is_over {
            self.remove_group(now, None, effects);
        } else if !expired.is_empty() {
            self.remove_offsets(None, expired, effects);
        }
    }

    fn expired(&self, wall_clock: Timestamp) -> BTreeSet<TopicPartition> {
        let Some(start) = self.retention_start() else { return BTreeSet::new() };
        // while anything is in flight, a newer commit may be, so the group's turn comes later
        if !self.pending_appends.is_empty() {
            return BTreeSet::new();
        }
        self.offsets
            .iter()
            .filter(|(topic, ..)| !self.may_be_subscribed(topic.as_str()))
            .filter(|(_, _, committed)| self.is_expired(committed, start, wall_clock))
            .map(|(topic, partition, _)| TopicPartition::new(topic.clone(), partition))
            .collect()
    }

    /// `None` if no offset may expire now: members are there and not settled, or what they consume
    /// is not known.
    fn retention_start(&self) -> Option<RetentionStart> {
        match self.state {
            _ if self.protocol_type.is_none() => Some(RetentionStart::Commit),
            ClassicGroupState::Empty => {
                Some(self.state_since.map_or(RetentionStart::Commit, RetentionStart::Empty))
            }
            ClassicGroupState::Stable if self.subscribed_topics.is_some() => {
                Some(RetentionStart::Commit)
            }
            ClassicGroupState::Stable
            | ClassicGroupState::PreparingRebalance
            | ClassicGroupState::CompletingRebalance
            | ClassicGroupState::Dead => None,
        }
    }

    fn is_expired(
        &self,
        committed: &CommittedOffset,
        start: RetentionStart,
        wall_clock: Timestamp,
    ) -> bool {
        if let Some(expires) = committed.expire_timestamp {
            return wall_clock >= expires;
        }
        let since = match start {
            RetentionStart::Empty(since) => since,
            RetentionStart::Commit => committed.commit_timestamp,
        };
        wall_clock.is_at_least_after(self.settings.offsets_retention, since)
    }
}
